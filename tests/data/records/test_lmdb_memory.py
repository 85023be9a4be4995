"""Reading an LMDB at random does not take more and more memory."""

from pathlib import Path

import pytest
import torch

from dctc.data.records.lmdb import LmdbDataset
from dctc.data.records.sampler import Draw
from dctc.text import Charset

STATUS = Path("/proc/self/status")


def own_bytes():
    """Return this process's memory without mapped files: an LMDB fills the page cache."""
    lines = STATUS.read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))


@pytest.mark.skipif(not STATUS.is_file(), reason="needs /proc, where a process's memory is told")
def test_a_process_does_not_grow_while_it_reads(tmp_path, write_lmdb, encode_image):
    write_lmdb(tmp_path / "set", [(encode_image(i), b"word") for i in range(100)])
    dataset = LmdbDataset(tmp_path / "set", "set", "english36", Charset.load("36"))
    draws = torch.randint(100, (4000,), generator=torch.Generator().manual_seed(0)).tolist()
    before = 0
    for number, index in enumerate(draws):
        if number == 1000:  # caches are filled
            before = own_bytes()
        dataset[Draw(index, number)]
    assert own_bytes() - before < 2**20  # an image is 12 KB: 36 MB if they were kept
