"""The final runs of the comparison of losses as rows of tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dctc.results.comparison import Row
from dctc.studies.weight_search import Found, WeightSearch
from experiments.studies.loss_arms import AUGMENTED_REFERENCE, REFERENCE

# Whose p is not corrected for the number of comparisons.
ALONE = {
    "dctc": "the paper's claim, taken out of the correction when its own p was known and none of "
    "another loss",
    AUGMENTED_REFERENCE: "a control, there as the reference of CR-CTC",
}


def table_rows(study: WeightSearch, found: Found, chosen: Mapping[str, str]) -> list[Row]:
    """Return the rows of the table: the final runs of each arm's chosen weight."""
    rows = []
    for arm in study.arms():
        if arm.key in chosen:
            of_sets = study.final_records(found, arm, chosen[arm.key])
            reference = AUGMENTED_REFERENCE if arm.key == "cr_ctc" else REFERENCE
            reference = "" if arm.key == REFERENCE else reference
            alone = ALONE.get(arm.key, "")
            rows.append(Row(arm.key, arm.title, chosen[arm.key], *of_sets, reference, alone))
    return rows


def rival_rows(rows: Sequence[Row]) -> list[Row]:
    """Return DCTC, and what else trains on the same images, as rows compared with it."""
    return [
        replace(row, reference="" if row.key == "dctc" else "dctc")
        for row in rows
        if row.key == "dctc" or (row.reference == REFERENCE and not row.alone)
    ]
