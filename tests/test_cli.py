"""The ``dctc`` command: usage, unknown commands, and that each loads only what it needs."""

import io
import os
import signal
import sys
from typing import get_args

import pytest
from torch.utils.data import DataLoader

import dctc
from dctc import cli, parsers
from dctc.data.archives.commands import VERBS
from dctc.data.catalogue import ARCHIVES
from dctc.data.records.image_size import RotateTall
from dctc.results.upload import LogMode
from tiny import run_python


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"]])
def test_usage(arguments, capsys):
    cli.main(arguments)
    printed = capsys.readouterr()
    assert printed.out.startswith("usage: dctc COMMAND")
    assert printed.err == ""


def test_usage_names_every_command():
    listed = [line.split()[0] for line in cli.USAGE.splitlines() if line[:2] == "  " != line[1:3]]
    assert listed == [*cli.COMMANDS]


@pytest.mark.parametrize("command", ["fti", "", "-x"])
def test_an_unknown_command_ends_with_2(command, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main([command])
    assert ended.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"dctc: no command {command!r}\n\nusage: dctc")


def test_every_help_is_short_fits_a_terminal_and_loads_no_library():
    verbs = [["data", verb] for verb in VERBS]
    commands = [[], ["data"], *([name] for name in cli.COMMANDS), *verbs]
    program = f"""
import contextlib, io, sys
from dctc.cli import main
for command in {commands}:
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.suppress(SystemExit):
        main([*command, '--help'])
    lines = said.getvalue().splitlines()
    assert 5 < len(lines) < 70 and max(map(len, lines)) <= 80, (command, lines)
    assert lines[0].startswith(' '.join(['usage: dctc', *command])), lines[0]
print(*sys.modules)
"""
    done = run_python("-c", program, COLUMNS="80")
    assert done.returncode == 0, done.stderr
    loaded = {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}
    heavy = {"torch", "pytorch_lightning", "jsonargparse", "timm", "wandb", "pandas", "PIL"}
    assert "dctc" in loaded and not loaded & heavy


def test_what_help_lists_is_what_there_is(capsys):
    with pytest.raises(SystemExit):
        cli.main(["data", "--help"])
    said = capsys.readouterr().out
    assert all(f"\n    {verb} " in said for verb in VERBS)
    assert parsers.LOG_MODES == get_args(LogMode)
    assert parsers.ROTATIONS == get_args(RotateTall)
    (kind,) = (options for name, options in VERBS["convert"][1] if name == "kind")
    assert all(f"{name} ({one.source})" in kind["help"] for name, one in ARCHIVES.items())


def test_version(capsys):
    cli.main(["--version"])
    assert capsys.readouterr().out == f"dctc {dctc.__version__}\n"


def test_a_mistake_in_the_options_shows_before_anything_is_imported(monkeypatch, refused):
    monkeypatch.setattr(cli, "import_module", None)
    assert "invalid choice: 'word'" in refused("export", "runs/mine", "--to", "word", code=2)


def test_every_command_finds_a_net_in_a_file_of_the_current_folder(tmp_path, monkeypatch, refused):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path not in ("", ".")])
    (tmp_path / "my_own.py").write_text("from dctc.models import CRNN\n\nclass Own(CRNN): pass\n")
    net = "{class_path: my_own.Own, init_args: {variant: micro}}"
    (tmp_path / "net.yaml").write_text(f"model: {{net: {net}}}")
    said = refused("describe", "net.yaml", "--height", "30", "--batch_size", "1")
    assert "images are 30 high, the net expects 32" in said


def test_a_terminal_of_few_characters_gets_escapes(tmp_path, write_lmdb, encode_image, monkeypatch):
    class Terminal(io.TextIOWrapper):
        def isatty(self):
            return True

    monkeypatch.setenv("COLUMNS", "400")
    write_lmdb(tmp_path / "\u6587", [(encode_image(0), b"a")])
    monkeypatch.setattr("sys.stdout", Terminal(shown := io.BytesIO(), "latin-1"))
    cli.main(["data", "list", "--root", str(tmp_path)])
    cli.sys.stdout.flush()
    assert b"\\u6587" in shown.getvalue()


def test_output_that_nobody_reads_on_ends_without_a_word(tmp_path, monkeypatch, capsys):
    with (tmp_path / "pipe").open("w") as stream:
        monkeypatch.setattr("sys.stdout", stream)
        with pytest.raises(SystemExit) as ended, cli.one_line_errors("dctc"):
            raise BrokenPipeError
    assert ended.value.code == 1 and capsys.readouterr().err == ""


def test_a_data_worker_that_was_killed_is_one_line(capsys):
    def fatal(items):
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(SystemExit) as ended, cli.one_line_errors("dctc"):
        next(iter(DataLoader([1], num_workers=1, collate_fn=fatal)))
    (said,) = [line for line in capsys.readouterr().err.splitlines() if line[:5] == "dctc:"]
    assert ended.value.code == 1 and said.startswith("dctc: DataLoader worker (pid")
    assert said.endswith("memory is short, or an LMDB is damaged, which 'dctc data verify' finds")


def test_an_interrupt_is_one_line_and_ends_the_loop_of_a_shell(monkeypatch, capsys):
    before, raised = signal.getsignal(signal.SIGINT), []
    monkeypatch.setattr(signal, "raise_signal", raised.append)
    try:
        with cli.one_line_errors("dctc"):
            raise KeyboardInterrupt
        assert raised == [signal.SIGINT]
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr().err == "dctc: interrupted\n"


def test_a_fault_of_the_code_keeps_its_traceback():
    with pytest.raises(RuntimeError, match="shape"), cli.one_line_errors("dctc"):
        raise RuntimeError("shape")
