"""Several losses against one on several test sets and on the mean over them, a row each."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dctc.reporting.model_arms import ModelArm, Sets, common_seeds, contrasts
from dctc.reporting.registry import Registry
from dctc.reporting.statistics import holm
from dctc.reporting.tables import Table

_EXPLAINED = (
    "Percent, over the seeds that both have. Difference: points, with the 95 % interval of the "
    "paired two-level bootstrap over seeds and samples. p: paired t-test over seeds, corrected for "
    "the number of losses that are compared on the same words (Holm); - with one seed. "
    "Detectable: the least true difference, in points, that such a comparison finds with a "
    "probability of 80 %."
)


def reference_table(
    title: str,
    registry: Registry,
    reference: ModelArm,
    arms: Sequence[ModelArm],
    sets: Sequence[str],
    means: Sets,
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
                arm.loss: p
                for arm, of_arm in zip(arms, found, strict=True)
                if (p := of_arm[name].comparison.p) is not None
            }
        )
        for name in names
    }
    rows = []
    for name in names:
        for arm, of_arm in zip(arms, found, strict=True):
            contrast = of_arm[name]
            c, p = contrast.comparison, corrected[name].get(arm.loss)
            rows.append(
                [
                    name,
                    arm.loss,
                    str(c.seeds),
                    f"{100 * contrast.first:.2f}",
                    f"{100 * contrast.second:.2f}",
                    f"{c.points:+.2f} [{c.low:+.2f}, {c.high:+.2f}]",
                    "-" if p is None else f"{p:.3f}",
                    "-" if math.isnan(c.detectable) else f"{c.detectable:.2f}",
                ]
            )
    columns = ["on", "loss", "seeds", reference.loss, "own", "difference", "p", "detectable"]
    return Table(title, columns, rows, [_EXPLAINED, *notes])
