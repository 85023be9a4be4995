import os
import shutil
import time

import pytest

from scripts import ROOT, shell


@pytest.fixture
def ci(tmp_path):
    """Return a caller of .ci/run, beside a reproduce.sh that only prints what it is given."""
    repository = tmp_path / "repository"
    (repository / ".ci").mkdir(parents=True)
    shutil.copy2(ROOT / ".ci" / "run", repository / ".ci" / "run")
    (repository / "reproduce.sh").write_text(
        '#!/bin/sh\n[ "$1" = --print-stamp ] && echo 0123 && exit\necho "$@"; env | grep ^DCTC_\n'
    )
    (repository / "reproduce.sh").chmod(0o755)

    def run(*arguments):
        cache = str(tmp_path / "cache")
        result = shell(".ci/run", *arguments, root=repository, XDG_CACHE_HOME=cache)
        assert result.returncode == 0, result.stderr
        return result.stdout.splitlines()

    return run


def test_names_the_environment_by_its_stamp(ci, tmp_path):
    lines = ci("-x", "tests/ctc")
    assert lines == ["test -- -x tests/ctc", f"DCTC_VENV={tmp_path}/cache/dctc/venv-0123"]


def test_the_real_data_beside_the_repository_adds_the_slow_tests(ci, tmp_path):
    (tmp_path / "shared" / "data").mkdir(parents=True)
    (tmp_path / "shared" / "reference").mkdir()
    printed = ci("-x")
    commands = [line for line in printed if line.startswith("test")]
    assert commands == ["test -- -x", "test --scale small -- -m slow -x"]
    assert {
        f"DCTC_DATA={tmp_path}/shared/data",
        "DCTC_REQUIRE_DATA=1",
        f"DCTC_REFERENCE={tmp_path}/shared/reference",
    } <= set(printed)


def test_removes_environments_not_used_for_a_day(ci, tmp_path):
    cache = tmp_path / "cache" / "dctc"
    now = time.time()
    for name, hours in {"venv-0123": 99, "venv-new": 23, "venv-old": 25, "other": 99}.items():
        (cache / name).mkdir(parents=True)
        (cache / name / ".dctc-stamp").touch()
        os.utime(cache / name / ".dctc-stamp", (now, now - hours * 3600))
    ci()
    assert sorted(path.name for path in cache.iterdir()) == ["other", "venv-0123", "venv-new"]
