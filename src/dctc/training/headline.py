"""CTC against DCTC on all that tables 1 to 3 test, in one table: the paper's claim of accuracy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dctc.data.document_sets import SOURCES
from dctc.data.rendered import NAME as RENDERED
from dctc.reporting.cells import (
    DIFFERENCE,
    DIFFERENCE_NOTE,
    detectable_cell,
    detectable_column_notes,
    difference_cell,
    p_cell,
)
from dctc.reporting.model_arms import Contrast, ModelArm, common_seeds, contrasts, find_pairs
from dctc.reporting.registry import Registry
from dctc.reporting.significance import holm
from dctc.reporting.tables import Table
from dctc.training import chinese_runs
from dctc.training.loss_runs import MODEL, forms_pair
from dctc.training.scene_runs import SIX, models_target

SCALE = "small"
_SIX_SETS = "six-set mean"

_EXPLAINED = (
    f"Percent. {DIFFERENCE_NOTE} p: paired t-test over seeds; corrected: Holm, for the rows of "
    "this table, which are all that tables 1 to 3 test both on, each with one weight. They were "
    "put together when the results of all but the receipts were known."
)


def headline_table(registry: Registry) -> Table | None:
    """Return a row for each kind of test data that both losses have results of; None without any.

    Args:
        registry: Where the records lie.

    Raises:
        ValueError: If two arms were not scored on the same samples, or not trained as long.
    """
    found = dict(_contrasts(registry))
    if not found:
        return None
    corrected = holm({name: of.comparison.p for name, of in found.items()})
    rows = [_row(name, of, corrected) for name, of in found.items()]
    columns = ["on", "n", "seeds", "CTC", "DCTC", DIFFERENCE, "p", "corrected", "detectable"]
    notes = detectable_column_notes(*(of.comparison for of in found.values()))
    return Table(f"CTC and DCTC: {MODEL}", columns, rows, [_EXPLAINED, *notes])


def _row(name: str, found: Contrast, corrected: Mapping[str, float]) -> list[str]:
    c = found.comparison
    return [
        name,
        f"{c.n:,}",
        str(c.seeds),
        f"{100 * found.first:.2f}",
        f"{100 * found.second:.2f}",
        difference_cell(c),
        p_cell(c.p),
        p_cell(corrected.get(name)),
        detectable_cell(c.detectable),
    ]


def _contrasts(registry: Registry) -> Iterator[tuple[str, Contrast]]:
    forms, receipts = SOURCES["funsd"].name, SOURCES["sroie"].name
    scene, chinese = (
        find_pairs(registry, f"{target(SCALE)}/").get(MODEL)
        for target in (models_target, chinese_runs.target)
    )
    lines = find_pairs(registry, f"{models_target(SCALE)}-sroie/").get(MODEL)
    tested: list[tuple[str, tuple[ModelArm, ModelArm] | None, tuple[str, ...]]] = [
        (f"words of forms ({forms})", forms_pair(SCALE, registry), (forms,)),
        (f"scene words, {_SIX_SETS}", scene, SIX),
        ("scene words, rendered", scene, (RENDERED,)),
        (f"lines of receipts ({receipts})", lines, (receipts,)),
        ("Chinese lines, rendered", chinese, (RENDERED,)),
    ]
    for name, pair, sets in tested:
        if pair is not None and common_seeds(*pair, sets):
            means = {_SIX_SETS: sets} if len(sets) > 1 else {}
            of = contrasts(registry, *pair, sets, means, {})
            yield name, of[_SIX_SETS if means else sets[0]]
