"""CTC against DCTC on all that tables 1 to 3 test: the paper's claim of accuracy, and the edits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from dctc.data.document_sets import SOURCES
from dctc.data.rendered import NAME as RENDERED
from dctc.results.cells import (
    DETECTABLE_NOTE,
    DIFFERENCE,
    DIFFERENCE_NOTE,
    detectable_cell,
    detectable_column_notes,
    detectable_gains_note,
    difference_cell,
    gains_cell,
    p_cell,
)
from dctc.results.comparison import find_arms
from dctc.results.power import detectable_over_seeds
from dctc.results.registry import EDIT_PARTS, Registry
from dctc.results.significance import NO_TEST, holm, paired_t
from dctc.results.tables import Table
from experiments.studies import chinese_runs
from experiments.studies.ablation_factors import ALPHA, NARROW, NARROW_FRAMES
from experiments.studies.loss_runs import MODEL, forms_pair
from experiments.studies.scene_runs import SIX, models_target
from experiments.tables.model_arms import Contrast, ModelArm, common_seeds, contrasts, find_pairs

SCALE = "small"
_SIX_SETS = "six-set mean"

_EXPLAINED = (
    f"Percent. {DIFFERENCE_NOTE} p: paired t-test over seeds; corrected: Holm, for the rows of "
    "this table, which are all that tables 1 to 3 test both on, each with one weight. They were "
    "put together when all of these results but those of the receipts and of two seeds of scene "
    "words were known."
)


_EDITS = (
    "Percent, of the samples and seeds of the table above. NED: mean similarity of reading and "
    "label, the higher the better; CER: edit distance per character of the labels, the lower the "
    "better. Difference: after ± half the 95 % interval of the paired t-test over seeds, which "
    "allows for other seeds, not for other samples; p is its own, not corrected. The measure that "
    "was planned is accuracy."
)


_CONDITIONS = {
    **{
        name: (f"ablations/ctc-{key}", f"ablations/dctc-{ALPHA}-{key}")
        for name, key in {
            f"{NARROW_FRAMES} frames": f"w{NARROW}",
            **{f"{words:,} words": f"{words}w" for words in (1000, 3000, 10_000)},
            **{f"{steps:,} steps": f"{steps}s" for steps in (1600, 3125, 12_500)},
        }.items()
    },
    "augmented": ("table3/ctc_augmented", f"ablations/dctc-{ALPHA}-augmented"),
}
_CALLED = {"substitutions": "read as others", "deletions": "dropped", "insertions": "added"}
_PARTS_EXPLAINED = (
    "Percent of the labels' characters, of the seeds whose records say it; those of earlier tests "
    "hold the sum alone. Where several shortest ways lead from label to reading, rapidfuzz's is "
    "taken; dropped less added does not hang on that. Difference: after ± half the 95 % interval "
    "of the paired t-test over seeds; p is its own, not corrected. It was looked at after the "
    "accuracies were known. FUNSD with a condition: arms of the ablations."
)


class Tested(NamedTuple):
    """What both losses were tested on.

    Attributes:
        name: What the rows call it.
        pair: CTC and DCTC.
        sets: Names of the sets, of which each counts the same.
        seeds: Those that both have on all sets.
    """

    name: str
    pair: tuple[ModelArm, ModelArm]
    sets: Sequence[str]
    seeds: Sequence[int]


def headline_table(registry: Registry) -> Table | None:
    """Return a row for each kind of test data that both losses have results of; None without any.

    Args:
        registry: Where the records lie.

    Raises:
        ValueError: If two arms were not scored on the same samples, or not trained as long.
    """
    found = {of.name: _contrast(registry, of) for of in _tested(registry)}
    if not found:
        return None
    corrected = holm({name: of.comparison.p for name, of in found.items()})
    rows = [_row(name, of, corrected) for name, of in found.items()]
    columns = ["on", "n", "seeds", "CTC", "DCTC", DIFFERENCE, "p", "corrected", "detectable"]
    notes = detectable_column_notes(*(of.comparison for of in found.values()))
    return Table(f"CTC and DCTC: {MODEL}", columns, rows, [_EXPLAINED, *notes])


def edits_table(registry: Registry) -> Table | None:
    """Return NED and CER on the same test data: how near the readings are, right or not.

    Args:
        registry: Where the records lie.
    """
    rows, tested = [], dict[str, np.ndarray]()
    for of in _tested(registry):
        cells = [of.name, str(len(of.seeds))]
        for measure in ("ned", "cer"):
            first, second = (_over_seeds(arm, of, measure) for arm in of.pair)
            gains, test = second - first, NO_TEST
            if len(of.seeds) > 1:
                test = paired_t(gains)
                tested[f"{measure.upper()} of {of.name}"] = gains
            means = [f"{first.mean():.2f}", f"{second.mean():.2f}"]
            cells += [*means, gains_cell(gains), p_cell(test.p)]
        rows.append(cells)
    if not rows:
        return None
    heads = [
        head
        for measure in ("NED", "CER")
        for head in (f"CTC {measure}", f"DCTC {measure}", f"{measure} difference ± t", "p")
    ]
    notes = [_EDITS, *([detectable_gains_note(tested)] if tested else [])]
    return Table(f"NED and CER: {MODEL}", ["on", "seeds", *heads], rows, notes)


def parts_table(registry: Registry) -> Table | None:
    """Return what the edits are, of the nets whose records say it.

    Args:
        registry: Where the records lie.
    """
    rows = []
    for of in (*_tested(registry), *_forms_elsewhere(registry)):
        seeds = [
            seed
            for seed in of.seeds
            if all(
                EDIT_PARTS in arm.records[name][seed].about for arm in of.pair for name in of.sets
            )
        ]
        for part, called in _CALLED.items() if seeds else ():
            first, second = (_part_over_seeds(arm, of.sets, seeds, part) for arm in of.pair)
            gains, test, least = second - first, NO_TEST, float("nan")
            if len(seeds) > 1:
                test, least = paired_t(gains), detectable_over_seeds(gains)
            rows.append(
                [
                    *(of.name, called, str(len(seeds))),
                    *(f"{first.mean():.2f}", f"{second.mean():.2f}"),
                    *(gains_cell(gains), p_cell(test.p), detectable_cell(least)),
                ]
            )
    if not rows:
        return None
    columns = ["on", "characters", "seeds", "CTC", "DCTC", "difference ± t", "p", "detectable"]
    notes = [_PARTS_EXPLAINED, DETECTABLE_NOTE]
    return Table(f"What is misread: {MODEL}", columns, rows, notes, text_columns=2)


def _forms_elsewhere(registry: Registry) -> Iterator[Tested]:
    """Yield the pairs of the ablations on words of forms, under other conditions than table 3."""
    found, name = find_arms(registry, ""), SOURCES["funsd"].name
    for condition, (ctc, dctc) in _CONDITIONS.items():
        pair = (
            ModelArm(MODEL, "CTC", found.get(ctc, {})),
            ModelArm(MODEL, "DCTC", found.get(dctc, {})),
        )
        yield Tested(f"{name}, {condition}", pair, (name,), common_seeds(*pair, (name,)))


def _part_over_seeds(
    arm: ModelArm, sets: Sequence[str], seeds: Sequence[int], part: str
) -> np.ndarray:
    """Return ``(seeds,)``, the mean over the sets, in percent of the labels' characters."""
    records = [[arm.records[name][seed] for name in sets] for seed in seeds]
    return np.mean(
        [[100 * r.about[EDIT_PARTS][part] / r.characters for r in one] for one in records], axis=1
    )


def _over_seeds(arm: ModelArm, of: Tested, measure: str) -> np.ndarray:
    """Return ``(seeds,)``, the mean over the sets."""
    values = [[getattr(arm.records[name][seed], measure) for name in of.sets] for seed in of.seeds]
    return np.mean(values, axis=1)


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


def _contrast(registry: Registry, of: Tested) -> Contrast:
    means = {_SIX_SETS: of.sets} if len(of.sets) > 1 else {}
    return contrasts(registry, *of.pair, of.sets, means, {})[_SIX_SETS if means else of.sets[0]]


def _tested(registry: Registry) -> Iterator[Tested]:
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
        if pair is not None and (seeds := common_seeds(*pair, sets)):
            yield Tested(name, pair, sets, seeds)
