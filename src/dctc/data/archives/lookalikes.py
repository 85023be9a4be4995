"""Images that look alike: pairs of difference hashes that are close."""

from __future__ import annotations

import heapq
from typing import NamedTuple

import numpy as np

# Bits of 256, ours. Of the six English test sets and their training words, 9 test images are as
# close to a training word, all to one that reads the same; at 40 it is 31, two to another word.
MAX_DISTANCE = 32
NAMED = 5  # closest pairs of two sets that are named
_BLOCK = 2048  # hashes compared at once with a block of as many


class Pair(NamedTuple):
    """Two images that look alike: bits that differ, and the records, counted from 1."""

    distance: int
    first: int
    second: int


def look_alikes(
    first: np.ndarray, second: np.ndarray, max_distance: int = MAX_DISTANCE
) -> tuple[int, list[Pair]]:
    """Compare every image of a set with every image of another.

    Hashes of all zeros, of missing and of plain images, match nothing.

    Args:
        first: ``(k, 32)`` uint8, hashes of :func:`dctc.data.archives.scan.difference_hash`.
        second: ``(m, 32)`` uint8.
        max_distance: Bits that may differ.

    Returns:
        How many records of ``first`` look like one of ``second``, and the closest pairs.
    """
    count, closest = 0, []
    blank_ours = np.all(first == 0, axis=1)
    blank_theirs = np.all(second == 0, axis=1)
    bits = 8 * first.shape[1]
    for i in range(0, len(first), _BLOCK):
        left = _signs(first[i : i + _BLOCK])
        alike = np.zeros(len(left), bool)
        for j in range(0, len(second), _BLOCK):
            right = _signs(second[j : j + _BLOCK])
            # of signs, the product is the bits that agree less those that differ
            product = left @ right.T
            close = np.greater_equal(product, bits - 2 * max_distance)
            close &= ~blank_theirs[None, j : j + _BLOCK] & ~blank_ours[i : i + _BLOCK, None]
            alike |= close.any(1)
            rows, columns = np.nonzero(close)
            distances = (bits - product[rows, columns]) / 2
            order = np.argsort(distances, kind="stable")[:NAMED]
            closest += [
                Pair(int(distances[o]), i + int(rows[o]) + 1, j + int(columns[o]) + 1)
                for o in order
            ]
            closest = heapq.nsmallest(NAMED, closest)
        count += int(alike.sum())
    return count, closest


def _signs(hashes: np.ndarray) -> np.ndarray:
    return 2 * np.unpackbits(hashes, axis=1).astype(np.float32) - 1
