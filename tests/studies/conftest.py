"""A run that is trained once for all tests of this folder."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from dctc.data.rendered import RenderedDataModule
from dctc.studies.runner import execute
from dctc.studies.study import Run
from places import runs_in
from tiny import config, write_config


@dataclass(frozen=True)
class OtherSet:
    """In the place of Benchmarks: three rendered words under another name."""

    name: str

    def present(self) -> set[str]:
        return {self.name}

    def __call__(self, resolved: dict[str, Any]) -> RenderedDataModule:
        data = RenderedDataModule(test_size=3, width=64, max_length=4, num_workers=0)
        data.setup()
        data.test_sets = {self.name: data.test_sets["rendered"]}
        return data


@pytest.fixture(scope="session")
def plain(tmp_path_factory) -> Run:
    """Two steps on rendered words."""
    file = tmp_path_factory.mktemp("configs") / "plain.yaml"
    write_config(file, config())
    return Run("t/one/seed0", "t/one", 0, (file,))


@pytest.fixture(scope="session")
def tested(plain) -> Run:
    """The same, tested on another set too, its alignment described."""
    return replace(plain, benchmarks=OtherSet("more"), diagnosed=True)


@pytest.fixture(scope="session")
def trained(tested, tmp_path_factory) -> Path:
    """A folder of runs in which ``tested`` is finished; not to be changed."""
    folder = tmp_path_factory.mktemp("trained")
    with runs_in(folder):
        execute(tested, "off")
    return folder / "runs"


@pytest.fixture
def finished(trained, runs) -> Path:
    """The test's own copy of ``trained``, as its folder of runs."""
    shutil.copytree(trained, runs)
    return runs
