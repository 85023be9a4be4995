"""The commit is that of this package, or said to be unknown."""

import json
import platform
import shutil
import subprocess

import pytest
import torch

import dctc
from dctc.results import environment as module
from dctc.results.environment import environment

NO_CHECKOUT = f"not a checkout; dctc {dctc.__version__}"


def test_says_what_a_result_was_measured_with():
    about = environment()
    assert json.loads(json.dumps(about)) == about
    assert about["versions"]["torch"] == torch.__version__.partition("+")[0] or (
        about["versions"]["torch"] == torch.__version__
    )
    assert about["versions"]["python"] == platform.python_version()
    assert platform.machine() in about["hardware"]
    assert about["commit"]


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
