"""Processes that read damaged sets: one that ends takes nothing with it."""

import os
import signal
from pathlib import Path

import pytest

from dctc.data.archives.processes import in_processes, refuse


def _read(item):
    if item == "kills":
        os.kill(os.getpid(), signal.SIGSEGV)
    if item == "fails":
        raise ValueError(item)
    if isinstance(item, Path):
        item.touch()
    return item


@pytest.mark.parametrize("workers", [1, 3])
def test_an_item_that_ends_its_process_is_told_and_the_others_are_read(workers, capfd):
    items = ["a", "kills", "b", "c"]
    assert [*in_processes(_read, items, workers, lambda item: [f"{item} it"])] == [
        *("a", "kills it", "b", "c")
    ]
    assert capfd.readouterr().err == ""
    with pytest.raises(ValueError, match="LMDB kills: reading it ends the process"):
        [*in_processes(_read, ["kills"], 1, refuse)]


def test_after_an_error_nothing_more_is_begun(tmp_path):
    files = [tmp_path / str(i) for i in range(20)]
    with pytest.raises(ValueError, match="fails"):
        [*in_processes(_read, ["fails", *files], 1, refuse)]
    assert not files[-1].exists()
