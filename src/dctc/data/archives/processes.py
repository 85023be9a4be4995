"""Read damaged LMDBs in processes of their own, so that one that ends takes nothing with it."""

from __future__ import annotations

import faulthandler
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NoReturn, TypeVar

# LMDB trusts the sizes and addresses in its pages: a damaged page may end the process
ENDS = "reading it ends the process: data.mdb is damaged, or memory is short"
Item = TypeVar("Item")
Result = TypeVar("Result")


def in_processes(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int,
    ended: Callable[[Item], Iterable[Result]],
) -> Iterator[Result]:
    """Yield ``function(item)`` of all items in their order, computed in ``workers`` processes.

    ``ended`` returns the results of an item at which its process ended, as by a crash.
    """
    left = list(items)
    while left:
        # a process that ends is told in one line
        pool = ProcessPoolExecutor(min(workers, len(left)), initializer=faulthandler.disable)
        try:
            for future in [pool.submit(function, item) for item in left]:
                yield future.result()
                left = left[1:]
        except BrokenProcessPool:  # by any of those that are under way
            pass
        finally:  # after an error, the items that have not begun are left
            pool.shutdown(cancel_futures=True)
        if left and workers > 1:
            yield from in_processes(function, left[:1], 1, ended)
        elif left:
            yield from ended(left[0])
        left = left[1:]


def refuse(path: Path) -> NoReturn:
    """Raise ValueError about an LMDB whose reading ended its process."""
    raise ValueError(f"LMDB {path}: {ENDS}")
