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
    assert listed == [*cli.TRAINING, "data", "score", "describe", "export", "bench"]


@pytest.mark.parametrize("command", ["fti", "", "--version", "-x"])
def test_an_unknown_command_ends_with_2(command, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main([command])
    assert ended.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"dctc: no command {command!r}\n\nusage: dctc")


def test_bench_gets_its_arguments(monkeypatch):
    given = []
    monkeypatch.setattr("dctc.bench.main", given.append)
    cli.main(["bench", "--scale", "tiny"])
    assert given == [["--scale", "tiny"]]


def test_score_gets_its_arguments(monkeypatch):
    given = []
    monkeypatch.setattr("dctc.results.score.main", given.append)
    cli.main(["score", "a.tsv", "--protocol", "english36"])
    assert given == [["a.tsv", "--protocol", "english36"]]


@pytest.mark.parametrize("command", cli.TRAINING)
def test_training_gets_the_whole_command_line(monkeypatch, command):
    given = []
    monkeypatch.setattr("dctc.training.cli.main", given.append)
    cli.main([command, "--name", "x"])
    assert given == [[command, "--name", "x"]]


def loaded_by(code):
    program = f"import sys\n{code}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}


@pytest.mark.slow
def test_usage_and_bench_load_no_trainer():
    heavy = {"pytorch_lightning", "timm", "wandb", "lmdb"}
    usage = loaded_by("from dctc.cli import main; main(['--help'])")
    assert "dctc" in usage
    assert not usage & heavy
    assert not loaded_by("import dctc.bench.loss") & heavy
    assert not loaded_by("import dctc.results.score") & heavy
