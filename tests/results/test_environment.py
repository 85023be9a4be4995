"""Environment of a result: CPU, command, and commit of this package."""

import json
import platform
import shlex
import shutil
import subprocess
import sys

import pytest
import torch

import dctc
from dctc.results import environment as module
from dctc.results.environment import environment

NO_CHECKOUT = f"not a checkout; dctc {dctc.__version__}"


def test_says_what_a_result_was_measured_with():
    about = environment(torch.device("cpu"))
    assert json.loads(json.dumps(about)) == about
    assert about["versions"]["torch"].partition("+")[0] == torch.__version__.partition("+")[0]
    assert about["versions"]["python"] == platform.python_version()
    threads = about["cpu"]["threads"]
    assert threads == torch.get_num_threads()
    assert about["hardware"].startswith(f"{about['cpu']['model']}, {threads} thread")
    assert about["hardware"].endswith(f"({platform.machine()})")
    assert module.gpu(about) == "" and about["commit"]


X86 = """processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 17
model name\t: AMD EPYC
flags\t\t: fpu sse2 fma avx f16c avx2 avx512f amx_tile

processor\t: 1
vendor_id\t: Other
"""
ARM = "processor\t: 0\nFeatures\t: fp asimd sve crc32\n"


AMD = {"vendor": "AuthenticAMD", "family": "25", "number": "17"}
FLAGS = ["amx_tile", "avx", "avx2", "avx512f", "f16c", "fma"]


@pytest.mark.parametrize(
    "text, expected",
    [
        (X86, {"model": "AMD EPYC", **AMD, "flags": FLAGS}),
        (ARM, {"model": "CPU", "flags": ["asimd", "sve"]}),
        (None, {"model": "CPU", "flags": []}),
    ],
)
def test_the_cpu_is_told_as_far_as_the_system_tells_it(tmp_path, monkeypatch, text, expected):
    monkeypatch.setattr(module, "_CPUINFO", tmp_path / "cpuinfo")
    if text is not None:
        (tmp_path / "cpuinfo").write_text(text)
    found = module.cpu()
    assert found.pop("threads") > 0 and found.pop("capability")
    assert found == expected


def test_the_command_can_be_repeated_and_names_no_folder_of_this_machine(tmp_path, monkeypatch):
    (tmp_path / "clone").mkdir()
    monkeypatch.chdir(tmp_path / "clone")
    here = str(tmp_path / "clone")
    words = ["/venv/bin/dctc", "fit", f"--config={here}/my runs/a.yaml", "--data.root", f"{here}/d"]
    words += [f"--data.train=[{here}/a,{tmp_path}/b]", "--url=http://x/y", "a/b"]
    monkeypatch.setattr(sys, "argv", words)
    expected = ["dctc", "fit", "--config=my runs/a.yaml", "--data.root", "d"]
    expected += ["--data.train=[a,../b]", "--url=http://x/y", "a/b"]
    assert shlex.split(module.command()) == expected
    monkeypatch.setattr(sys, "argv", [f"{here}/experiments/table1.py", "--scale", "small"])
    assert module.command() == "experiments/table1.py --scale small"


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository with one commit, and the package's file at ``package/environment.py``."""
    if shutil.which("git") is None:
        pytest.skip("needs git")
    for name in ("DIR", "WORK_TREE", "INDEX_FILE"):
        monkeypatch.delenv(f"GIT_{name}", raising=False)
    file = tmp_path / "package" / "environment.py"
    file.parent.mkdir()
    file.write_text("")
    monkeypatch.setattr(module, "__file__", str(file))

    def git(*arguments):
        identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "--message", "empty")
    return git


def test_the_commit_of_a_checkout(checkout, tmp_path):
    checkout("add", "package")
    checkout("commit", "--quiet", "--message", "package")
    checkout("tag", "-a", "v1", "-m", "a tag is no commit")
    commit = checkout("rev-parse", "HEAD")
    assert environment()["commit"] == commit[:12]
    (tmp_path / "package" / "environment.py").write_text("changed")
    assert environment()["commit"] == f"{commit[:12]}-dirty"


def test_installed_inside_somebody_elses_checkout(checkout):
    assert environment()["commit"] == NO_CHECKOUT


def test_without_git(monkeypatch):
    def missing(*args, **options):
        raise FileNotFoundError("git")

    monkeypatch.setattr(module.subprocess, "run", missing)
    assert environment()["commit"] == NO_CHECKOUT
