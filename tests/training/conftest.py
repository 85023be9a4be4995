"""Runs that are trained once for all tests of this folder."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from dctc.cli import main
from places import runs_in
from tiny import config, encode_text, write_config


@pytest.fixture(scope="session")
def rendered(tmp_path_factory) -> str:
    """Option that names the configuration of the trained runs: two steps on rendered words."""
    return write_config(tmp_path_factory.mktemp("configs") / "rendered.yaml", config())


@pytest.fixture(scope="session")
def trained(tmp_path_factory, rendered) -> Path:
    """A folder of runs: ``one`` and ``two``, of seeds 0 and 1; not to be changed."""
    folder = tmp_path_factory.mktemp("trained")
    with runs_in(folder):
        for name, seed in (("one", 0), ("two", 1)):
            main(["fit", rendered, f"--name={name}", "--log=off", f"--seed_everything={seed}"])
    return folder / "runs"


@pytest.fixture
def one(trained, runs) -> Path:
    """The folder of the run ``one`` among the test's own runs."""
    shutil.copytree(trained / "one", runs / "one")
    return runs / "one"


@pytest.fixture
def two(trained, runs) -> Path:
    """The folder of the run ``two`` among the test's own runs."""
    shutil.copytree(trained / "two", runs / "two")
    return runs / "two"


@pytest.fixture(scope="session")
def write_pixels(write_lmdb) -> Callable[[Path], str]:
    """``write_pixels(folder) -> option`` of a configuration of PixelNet with CUTE80 as test set.

    The set has 45 images below ``<folder>/data``: of three in a row the first two are read right,
    the third wrong, and the images 11 and 31 cannot be decoded.
    """

    def write(folder: Path) -> str:
        words = [("cat", "Cat"), ("four", "four"), ("dig", "dog")] * 15
        records = [(encode_text(read), label.encode()) for read, label in words]
        write_lmdb(folder / "data" / "train", records[:8])
        records[10] = records[30] = (b"broken", b"broken")
        write_lmdb(folder / "data" / "CUTE80", records)
        folders = {"train": ["train"], "val": {"a": ["train"], "b": ["train"]}}
        settings = config("english", eval_batch_size=4, **folders)
        settings["model"]["net"] = {"class_path": "tiny.PixelNet"}
        settings["model"]["optimizer"]["init_args"]["lr"] = 0.0
        return write_config(folder / "pixels.yaml", settings)

    return write


@pytest.fixture
def pixels(tmp_path, runs, write_pixels) -> str:
    """Option of that configuration, with data of the test's own."""
    return write_pixels(tmp_path)
