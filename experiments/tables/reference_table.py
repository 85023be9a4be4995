"""Several losses against one on several test sets and on the mean over them, a row each."""

from __future__ import annotations

from collections.abc import Sequence

from dctc.results.cells import (
    DIFFERENCE,
    DIFFERENCE_NOTE,
    UNCORRECTED,
    detectable_cell,
    detectable_column_notes,
    difference_cell,
    p_cell,
)
from dctc.results.registry import Registry
from dctc.results.significance import holm
from dctc.results.tables import Table
from experiments.tables.model_arms import ModelArm, Sets, common_seeds, contrasts

_EXPLAINED = (
    f"Percent. {DIFFERENCE_NOTE} p: paired t-test over seeds, "
    "corrected for the number of losses that are compared on the same words (Holm); - where it is "
    "unknown, as with one seed."
)


def reference_table(
    title: str,
    registry: Registry,
    reference: ModelArm,
    arms: Sequence[ModelArm],
    sets: Sequence[str],
    means: Sets,
    planned: str = "",
    notes: Sequence[str] = (),
) -> Table:
    """Return the difference of each arm to the reference, on the means first.

    Args:
        title: Heading.
        registry: Where the hits lie.
        reference: What the arms are compared with.
        arms: The others; those that have no seed in common with it are left out.
        sets: Names of the sets.
        means: Sets of each mean in which every set counts the same; one that lacks a set is left
            out.
        planned: Loss whose comparison on the means was planned as the only one: its p is not
            corrected there, nor counted where those of the others are.
        notes: Lines below the table.

    Raises:
        ValueError: If two arms were not scored on the same samples, or not trained as long.
    """
    arms = [arm for arm in arms if common_seeds(reference, arm, sets)]
    found = [contrasts(registry, reference, arm, sets, means, {}) for arm in arms]
    names = [*(name for name, of in means.items() if {*of} <= {*sets}), *sets]
    corrected = {
        name: holm(
            {
                arm.loss: of_arm[name].comparison.p
                for arm, of_arm in zip(arms, found, strict=True)
                if not (arm.loss == planned and name in means)
            }
        )
        for name in names
    }
    rows = []
    for name in names:
        for arm, of_arm in zip(arms, found, strict=True):
            contrast = of_arm[name]
            c = contrast.comparison
            p = p_cell(corrected[name].get(arm.loss))
            if arm.loss == planned and name in means:
                p = p_cell(c.p, UNCORRECTED)
            rows.append(
                [
                    name,
                    arm.loss,
                    str(c.seeds),
                    f"{100 * contrast.first:.2f}",
                    f"{100 * contrast.second:.2f}",
                    difference_cell(c),
                    p,
                    detectable_cell(c.detectable),
                ]
            )
    columns = ["on", "loss", "seeds", reference.loss, "own", DIFFERENCE, "p", "detectable"]
    explained = [_EXPLAINED]
    if planned in {arm.loss for arm in arms} and {*means} & {*names}:
        explained.append(
            f"{UNCORRECTED} {planned}: the planned comparison; its p is not corrected. The rows of "
            f"single sets were not planned."
        )
    explained += detectable_column_notes(
        *(of_arm[name].comparison for name in names for of_arm in found)
    )
    return Table(title, columns, rows, [*explained, *notes], text_columns=2)
