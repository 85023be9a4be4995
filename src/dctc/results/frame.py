"""Results as one tidy pandas DataFrame: a row for each arm, seed and test set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from dctc.metrics.edit_distance import EditOperations
from dctc.results.environment import gpu
from dctc.results.registry import EDIT_PARTS, Record, Registry

PARTS = EditOperations._fields


def read_frame(registry: Registry) -> pd.DataFrame:
    """Read the results of a registry; of several runs of an arm and seed, the last one scored.

    Args:
        registry: Where the records lie.

    Returns:
        One row for each arm, seed and set, with the columns

        - ``study``, ``arm`` (the name in the registry, ``<study>/<key>``), ``key``, ``seed``,
          ``set``, ``run`` (key of the run);
        - counts: ``n`` samples, ``correct``, ``characters``, ``edits`` and, where the record has
          them, ``substitutions``, ``deletions``, ``insertions`` (else NaN);
        - percentages: ``accuracy``, ``ned``, ``cer``;
        - ``hits``, ``samples``, ``protocol``, ``steps``, ``drawn_from``: what can be compared;
        - ``gpu`` (name of the GPU that trained it, empty for a CPU), ``torch``, ``seconds`` of
          training, ``drops`` (samples left out, by reason), ``alignment`` (or None).
    """
    rows = [_row(record) for of_set in registry.latest().values() for record in of_set.values()]
    frame = pd.DataFrame(rows, columns=_COLUMNS)
    return frame.assign(
        accuracy=100 * frame.correct / frame.n,
        ned=100 * frame.similarity / frame.n,
        cer=100 * frame.edits / frame.characters,
    )


_COLUMNS = [
    *("arm", "seed", "set", "run", "n", "correct", "edits", "characters", "similarity", "hits"),
    *("samples", "protocol", "study", "key", "steps", "drawn_from", "gpu", "torch", "seconds"),
    *("drops", "alignment", *PARTS),
]


def _row(record: Record) -> dict[str, Any]:
    study, _, key = record.arm.rpartition("/")
    about = record.about
    return {
        **{name: about.get(name) for name in ("steps", "drawn_from", "alignment")},
        **dict.fromkeys(PARTS, float("nan")),
        **about.get(EDIT_PARTS, {}),
        **vars(record),
        **{"study": study, "key": key, "gpu": gpu(about), "seconds": record.wall_s},
        "torch": about.get("versions", {}).get("torch", ""),
    }


def per_run(
    frame: pd.DataFrame, arm: str, sets: Sequence[str], metric: str = "accuracy"
) -> pd.Series:
    """Return a metric of each run of an arm: the mean over test sets, each counted the same.

    Args:
        frame: From :func:`read_frame`.
        arm: Name of the arm.
        sets: Names of the sets; runs that lack one are left out.
        metric: A column of the frame.

    Returns:
        The values, indexed by seed.
    """
    rows = frame[(frame.arm == arm) & frame.set.isin(list(sets))]
    of_seed = rows.groupby("seed")[metric]
    return of_seed.mean()[of_seed.count() == len(sets)]


def rows_of(frame: pd.DataFrame, arm: str, sets: Sequence[str]) -> pd.DataFrame:
    """Return the rows of an arm on some sets, of the runs that were scored on all of them."""
    seeds = per_run(frame, arm, sets).index
    return frame[(frame.arm == arm) & frame.set.isin(list(sets)) & frame.seed.isin(seeds)]
