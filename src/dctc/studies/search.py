"""Hyper-parameter search: the value with the best validation accuracy, at a seed of its own."""

from __future__ import annotations

from typing import Any

import pandas as pd

from dctc.studies.study import SEARCH_SEED, Study
from dctc.tables import Table

_EDGE = "Edge: the best value is the first or the last; none beyond it was tried."


def searched(study: Study, frame: pd.DataFrame, key: str) -> dict[Any, pd.Series]:
    """Return the validation results of an arm's search by value; None where nothing is searched.

    Raises:
        ValueError: If two of them were scored on different samples.
    """
    arm = study.arms[key]
    on = (arm.owner or study).validation
    values = arm.search.values if arm.search else (None,)
    rows = frame[(frame.set == on) & (frame.seed == SEARCH_SEED)]
    found = {
        value: row.iloc[0]
        for value in values
        if len(row := rows[rows.arm == study.arm_name(key, value)])
    }
    if len({(row.samples, row.protocol) for row in found.values()}) > 1:
        raise ValueError(
            f"search of {study.name}/{key}: scored on different samples; run those of an old "
            f"configuration again"
        )
    return found


def choices(study: Study, frame: pd.DataFrame) -> dict[str, Any]:
    """Return the chosen value of each arm, of equal ones the first.

    Arms whose search is not complete are left out; the value of arms without one is None.
    """
    chosen: dict[str, Any] = {}
    for key, arm in study.arms.items():
        if arm.search is None:
            chosen[key] = arm.value
            continue
        found = searched(study, frame, key)
        if found.keys() == {*arm.search.values}:
            chosen[key] = max(found, key=lambda value: found[value].correct)
    return chosen


def open_searches(study: Study, frame: pd.DataFrame) -> str:
    """Say in a sentence which searches are not complete; empty if all are."""
    chosen = choices(study, frame)
    waiting = [arm.title for key, arm in study.arms.items() if key not in chosen]
    if not waiting:
        return ""
    return f"Open searches: {', '.join(waiting)}. Their final runs are planned when they are done."


def search_table(study: Study, frame: pd.DataFrame) -> Table | None:
    """Return the table of searches, a row for each value that is trained; None if nothing is."""
    rows, sources = [], []
    chosen = choices(study, frame)
    for key, arm in study.arms.items():
        found = {} if arm.owner is not None else searched(study, frame, key)
        values = arm.search.values if arm.search else ()
        for value, row in found.items():
            mark = "chosen" if value is not None and value == chosen.get(key) else ""
            if mark and len(found) > 1 and value in (values[0], values[-1]):
                mark = "chosen, edge"
            cells = [f"{row.n:,}", f"{row.accuracy:.2f}", f"{row.ned:.2f}", mark]
            rows.append([arm.title, "-" if value is None else str(value), *cells])
        if found and arm.search and arm.search.source:
            sources.append(f"{arm.title} ({arm.search.source})")
    if not rows:
        return None
    explained = [
        f"Percent of {study.validation}, after training with seed {SEARCH_SEED}, which no final "
        f"run has. With one seed this selects a value; it does not show that values differ.",
        *([_EDGE] if any("edge" in row[-1] for row in rows) else []),
        *([f"Sources of the values: {'; '.join(sources)}."] if sources else []),
    ]
    columns = ["arm", "value", "n", "accuracy", "NED", "choice"]
    return Table(f"{study.title}: search", columns, rows, explained)
