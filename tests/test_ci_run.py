import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


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
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("DCTC_")}
        result = subprocess.run(
            [str(repository / ".ci" / "run"), *arguments],
            env={**inherited, "XDG_CACHE_HOME": str(tmp_path / "cache")},
            capture_output=True,
            text=True,
            check=True,
        )
        return result.stdout.splitlines()

    return run


def test_names_the_environment_by_its_stamp(ci, tmp_path):
    lines = ci("-x", "tests/ctc")
    assert lines == ["test -x tests/ctc", f"DCTC_VENV={tmp_path}/cache/dctc/venv-0123"]


def test_takes_the_real_data_where_it_lies_beside_the_repository(ci, tmp_path):
    (tmp_path / "shared" / "data").mkdir(parents=True)
    (tmp_path / "shared" / "reference").mkdir()
    assert {
        f"DCTC_DATA={tmp_path}/shared/data",
        "DCTC_REQUIRE_DATA=1",
        f"DCTC_REFERENCE={tmp_path}/shared/reference",
    } <= set(ci())


def test_removes_environments_not_used_for_a_day(ci, tmp_path):
    cache = tmp_path / "cache" / "dctc"
    now = time.time()
    for name, hours in {"venv-0123": 99, "venv-new": 23, "venv-old": 25, "other": 99}.items():
        (cache / name).mkdir(parents=True)
        (cache / name / ".dctc-stamp").touch()
        os.utime(cache / name / ".dctc-stamp", (now, now - hours * 3600))
    ci()
    assert sorted(path.name for path in cache.iterdir()) == ["other", "venv-0123", "venv-new"]
