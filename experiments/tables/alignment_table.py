"""The table of alignments: how trained nets align labels with frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dctc.results.comparison import ONE_SEED, Row
from dctc.results.hardware import hardware_notes
from dctc.results.tables import Table


def alignment_table(
    title: str, rows: Sequence[Row], notes: Sequence[str] = (), of: str = "Validation words"
) -> Table:
    """Return how the trained nets align labels with frames: mean and spread over seeds.

    Args:
        title: Heading.
        rows: The arms; of their validation records those count that have an ``alignment``, and what
            no record has is ``-``.
        notes: Lines below the table.
        of: What was aligned.
    """
    names = ("aacc_label", "viterbi_agreement", "blank_share", "greedy_blank_share")
    cells = []
    for row in rows:
        found = [r.about["alignment"] for r in row.validated.values() if "alignment" in r.about]
        if not row.validated:
            continue
        shares = [_over_seeds([100 * f[n] for f in found], 2) for n in names]
        entropy = _over_seeds([f["frame_entropy"] for f in found], 4)
        mark = ONE_SEED if len(found) == 1 else ""
        cells.append([row.title + mark, row.weight or "-", str(len(found)), *shares, entropy])
    explained = (
        f"{of}, mean ± standard deviation over seeds, for every net with the likelihood estimate "
        "z*. In percent: aacc_label, those whose collapsed z* is the label; viterbi_agreement and "
        "blank_share, frames where z* is the Viterbi alignment, and blank; greedy_blank_share, "
        "frames that the net reads as blank. frame_entropy: nats per frame."
    )
    columns = ["loss", "weight", "seeds", *names, "frame_entropy"]
    marked = [f"{ONE_SEED} One seed."] if any(ONE_SEED in cell[0] for cell in cells) else []
    hardware = hardware_notes({row.title: row.validated.values() for row in rows})
    return Table(title, columns, cells, [explained, *marked, *hardware, *notes])


def _over_seeds(values: Sequence[float], digits: int) -> str:
    if not values:
        return "-"
    spread = f" ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{np.mean(values):.{digits}f}{spread}"
