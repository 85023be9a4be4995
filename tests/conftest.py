"""Fixtures that several test modules share: tiny images and tiny LMDBs."""

import dataclasses
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import lmdb
import numpy as np
import pytest
from PIL import Image

from dctc.cli import main
from dctc.results.registry import Record
from places import runs_in


@pytest.fixture(autouse=True)
def _messages_anew() -> None:
    """Let messages about data that an earlier test had printed be printed again."""
    if module := sys.modules.get("dctc.data.lmdb_sets"):
        module.say.cache_clear()


@pytest.fixture(scope="session")
def encode_image() -> Callable[..., bytes]:
    """``encode_image(seed=0, width=40, height=16, format="PNG") -> bytes`` of a noise image."""

    def encode(seed: int = 0, width: int = 40, height: int = 16, format: str = "PNG") -> bytes:
        pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, format)
        return buffer.getvalue()

    return encode


@pytest.fixture(scope="session")
def write_lmdb() -> Callable[..., Path]:
    """``write_lmdb(path, [(image bytes, label bytes)], num_samples=None) -> path``.

    None in place of an image or a label leaves its key out. ``num_samples`` is written as it is
    (b"" leaves the key out); None is the number of records.
    """

    def write(
        path: Path,
        records: Sequence[tuple[bytes | None, bytes | None]],
        num_samples: bytes | None = None,
    ) -> Path:
        path.mkdir(parents=True, exist_ok=True)
        environment = lmdb.open(str(path), map_size=16 * 2**20)
        with environment.begin(write=True) as transaction:
            for record, (image, label) in enumerate(records, start=1):
                if image is not None:
                    transaction.put(b"image-%09d" % record, image)
                if label is not None:
                    transaction.put(b"label-%09d" % record, label)
            count = str(len(records)).encode() if num_samples is None else num_samples
            if count:
                transaction.put(b"num-samples", count)
        environment.close()
        return path

    return write


RECORD = Record(
    run="0123456789abcdef",
    arm="dctc",
    seed=0,
    set="IC15_2077",
    n=4,
    correct=3,
    edits=1,
    characters=16,
    similarity=3.75,
    drops={},
    protocol="english36",
    hits="",
    samples="fedcba9876543210",
    wall_s=1.5,
    about={"commit": "abc", "note": "é 中"},
)


@pytest.fixture
def record():
    """``record(set="SVT", ...) -> Record``."""
    return lambda **changes: dataclasses.replace(RECORD, **changes)


@pytest.fixture
def refused(capsys):
    """``refused("read", "a.png", code=1) -> stderr`` of a command that ends with this code."""

    def call(*arguments, code=1):
        with pytest.raises(SystemExit) as ended:
            main([*map(str, arguments)])
        assert ended.value.code == code
        return capsys.readouterr().err

    return call


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Path]:
    """The folder of runs, the test's own; all below it is computed on one thread."""
    with runs_in(tmp_path):
        yield tmp_path / "runs"
