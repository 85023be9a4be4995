"""Counts of character substitutions, and groups of the characters confused most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from rapidfuzz.distance import Levenshtein

Pair = tuple[str, str]  # two characters, the lower one first


def substitutions(readings: Iterable[tuple[str, str]]) -> Counter[Pair]:
    """Count the substitutions of each pair of characters, in either direction.

    They are those of a shortest edit from label to prediction, as rapidfuzz finds it.

    Example:
        >>> substitutions([("cool", "c0oi"), ("1o", "l0")]) == {
        ...     ("0", "o"): 2, ("i", "l"): 1, ("1", "l"): 1
        ... }
        True
    """
    counts: Counter[Pair] = Counter()
    for label, prediction in readings:
        for edit in Levenshtein.editops(label, prediction):
            if edit.tag == "replace":
                a, b = sorted((label[edit.src_pos], prediction[edit.dest_pos]))
                counts[a, b] += 1
    return counts


def confused_groups(counts: Mapping[Pair, int], groups: int, size: int = 3) -> list[str]:
    """Return the groups of characters that are confused most, no character in two of them (ours).

    A group begins with the pair confused most among the characters that are left. It grows by the
    character that is confused most with its members, as long as that is at least half as often as
    the pair, and to ``size`` at most. Ties go to the lower characters.

    Example:
        >>> counts = {("0", "o"): 9, ("1", "l"): 8, ("i", "l"): 5, ("c", "e"): 1, ("e", "o"): 2}
        >>> confused_groups(counts, 2)
        ['0o', '1il']
    """
    left: dict[Pair, int] = dict(counts)
    found: list[str] = []
    while left and len(found) < groups:
        first = min(left, key=lambda pair: (-left[pair], pair))
        group, least = set(first), left[first] / 2
        while len(group) < size:
            ties: Counter[str] = Counter()
            for (a, b), count in left.items():
                if (a in group) != (b in group):
                    ties[b if a in group else a] += count
            best = min(ties, key=lambda c: (-ties[c], c), default=None)
            if best is None or ties[best] < least:
                break
            group.add(best)
        found.append("".join(sorted(group)))
        left = {pair: count for pair, count in left.items() if group.isdisjoint(pair)}
    return found
