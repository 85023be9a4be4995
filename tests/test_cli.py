"""The ``dctc`` command: usage, unknown commands, and that each loads only what it needs."""

import subprocess
import sys

import pytest

from dctc import cli


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"]])
def test_usage(arguments, capsys):
    cli.main(arguments)
    printed = capsys.readouterr()
    assert printed.out.startswith("usage: dctc COMMAND")
    assert printed.err == ""


def test_usage_names_every_command():
    listed = [line.split()[0] for line in cli.USAGE.splitlines() if line[:2] == "  " != line[1:3]]
    assert listed == [*cli.COMMANDS]


@pytest.mark.parametrize("command", ["fti", "", "--version", "-x"])
def test_an_unknown_command_ends_with_2(command, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main([command])
    assert ended.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"dctc: no command {command!r}\n\nusage: dctc")


@pytest.mark.parametrize(
    ("module", "command", "options"),
    [
        ("dctc.bench", "bench", ["--scale", "tiny"]),
        ("dctc.results.score", "score", ["a.tsv", "--protocol", "english36"]),
        ("dctc.training.predict", "predict", ["run", "--images=x"]),
    ],
)
def test_a_command_gets_its_arguments(monkeypatch, module, command, options):
    given = []
    monkeypatch.setattr(f"{module}.main", given.append)
    cli.main([command, *options])
    assert given == [options]


def test_training_gets_the_whole_command_line(monkeypatch):
    given = []
    monkeypatch.setattr("dctc.training.cli.main", given.append)
    for command in cli.TRAINING:
        cli.main([command, "--name", "x"])
    assert given == [[command, "--name", "x"] for command in cli.TRAINING]


def test_usage_bench_and_score_load_no_trainer():
    program = """
import sys
from dctc.cli import main
main(['--help'])
import dctc.bench.loss, dctc.results.score
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loaded = {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert "dctc" in loaded and not loaded & {"pytorch_lightning", "timm", "wandb", "lmdb"}
