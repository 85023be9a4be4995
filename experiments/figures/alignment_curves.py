"""Figure 3: the AACC of every estimator of z* during training, by arm, over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dctc.ctc import ESTIMATORS
from dctc.results.plots import MUTED
from dctc.results.statistics import difference_cell, seeds_difference
from dctc.tables import Table
from experiments.figures import COLOURS, FONT_SIZE, WIDTH, Arrays
from experiments.figures.curves import FEW_POINTS, MANY_POINTS, Curve, running_mean, style_axes

# What each metric counts, and of what; see dctc.metrics.alignment
METRICS = {
    "aacc_label": "z* collapses to the label\n(aacc_label, share of words)",
    "aacc_true": "z* is the true alignment\n(aacc_true, share of frames)",
    "viterbi_agreement": "z* is the Viterbi alignment\n(viterbi_agreement, share of frames)",
}
CONSTANT = (("aacc_label", "viterbi"), ("viterbi_agreement", "viterbi"))  # 1 by construction
# Of each estimator; where lines coincide, a wide one shows below a thin one, and markers alternate
STYLES: tuple[dict[str, Any], ...] = (
    {"linestyle": "-", "linewidth": 1.5, "marker": "o"},
    {"linestyle": "-", "linewidth": 3.6, "marker": "s", "alpha": 0.55, "zorder": 1.9},
    {"linestyle": (0, (4, 2)), "linewidth": 1.6, "marker": "^"},
    {"linestyle": (0, (1, 1.2)), "linewidth": 1.3, "marker": "D"},
)
MARKS = 5  # markers on a line of many points


def curve_arrays(arms: Mapping[str, Sequence[Mapping[str, Curve]]]) -> dict[str, np.ndarray]:
    """Gather what :class:`dctc.training.callbacks.EstimatorLog` logged in each seed of each arm.

    Returns:
        ``arms`` ``(a,)``, ``estimators`` ``(e,)``, ``metrics`` ``(m,)``, ``steps`` ``(k,)`` and
        ``values`` ``(a, seeds, m, e, k)`` float32.

    Raises:
        ValueError: If a run has not logged a metric, or at other steps than the first one.
    """
    steps: list[int] | None = None
    values = []
    keys = [f"train/{metric}/{estimator}" for metric in METRICS for estimator in ESTIMATORS]
    for name, seeds in arms.items():
        for seed, metrics in enumerate(seeds):
            for key in keys:
                at, found = metrics.get(key, ([], []))
                steps = at if steps is None else steps
                if not at or at != steps:
                    raise ValueError(
                        f"{name}, run {seed + 1}: {key} was logged at {len(at)} steps, not at the "
                        f"{len(steps)} of the first run; train it with an EstimatorLog"
                    )
                values.append(found)
    shape = (len(arms), -1, len(METRICS), len(ESTIMATORS), len(steps or ()))
    return {
        "arms": np.array([*arms]),
        "estimators": np.array(ESTIMATORS),
        "metrics": np.array([*METRICS]),
        "steps": np.array(steps),
        "values": np.array(values, dtype=np.float32).reshape(shape),
    }


def draw_alignment_curves(arrays: Arrays) -> Figure:
    """Draw the arrays of :func:`curve_arrays`: arms by metrics, a line for each estimator.

    The line is the mean over seeds, the band reaches from the lowest to the highest. Curves of many
    points are running means, as single batches are noisy.
    """
    arms, metrics = arrays["arms"], [str(metric) for metric in arrays["metrics"]]
    figure = Figure(figsize=(WIDTH, 2.0 * len(arms) + 0.6), layout="constrained")
    grid = figure.subplots(len(arms), len(metrics), sharex=True, sharey=True, squeeze=False)
    for i, arm in enumerate(arms):
        for j, metric in enumerate(metrics):
            _draw_panel(grid[i, j], metric, arrays, arrays["values"][i, :, j])
        grid[i, 0].set_ylabel(f"trained with {arm}", fontsize=8.5)
    for axes, metric in zip(grid[0], metrics, strict=True):
        axes.set_title(METRICS[metric], fontsize=8.5)
    for axes in grid[-1]:
        axes.set_xlabel("step", fontsize=FONT_SIZE)
    # of the panel in which no line is grey
    lines, names = grid[0, metrics.index("aacc_true")].get_legend_handles_labels()
    where: dict[str, Any] = {"loc": "outside upper center", "ncols": len(names)}
    figure.legend(lines, names, frameon=False, fontsize=8.5, handlelength=4, **where)
    seeds, reach = arrays["values"].shape[1], _reach(arrays)
    over = "one seed" if seeds == 1 else f"mean and range of {seeds} seeds"
    smoothed = f"; running mean over {2 * reach + 1} logged batches" if reach else ""
    figure.supxlabel(f"Training batches of rendered words, {over}{smoothed}", fontsize=8)
    return figure


def _reach(arrays: Arrays) -> int:
    """Return how many neighbours to each side the running mean takes; 0 is none."""
    points = len(arrays["steps"])
    return points // 40 if points >= MANY_POINTS else 0


def _draw_panel(axes: Axes, metric: str, arrays: Arrays, values: np.ndarray) -> None:
    """Draw a panel; ``values`` is ``(seeds, e, k)``."""
    steps, reach = arrays["steps"], _reach(arrays)
    every = 1 if len(steps) < FEW_POINTS else len(steps) // MARKS
    for e, estimator in enumerate(map(str, arrays["estimators"])):
        constant = (metric, estimator) in CONSTANT
        style = {**STYLES[e], "color": COLOURS[e], "label": f"{estimator} z*", "markersize": 4}
        if constant:
            style |= {"color": MUTED, "linewidth": 1.0, "marker": None}
        curves = np.stack([running_mean(list(curve), reach) for curve in values[:, e]])
        marks = (every * (e + 1) // (len(STYLES) + 1), every)
        axes.plot(steps, curves.mean(0), markevery=marks, **style)
        if constant:
            text = "viterbi: 1 by construction"
            place: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "ha": "right"}
            axes.text(1, 1.02, text, va="bottom", fontsize=FONT_SIZE, color=MUTED, **place)
        elif len(curves) > 1:
            low, high = curves.min(0), curves.max(0)
            axes.fill_between(steps, low, high, color=COLOURS[e], alpha=0.18, linewidth=0)
    style_axes(axes)
    axes.set_ylim(-0.03, 1.14)
    axes.tick_params(labelsize=FONT_SIZE)


def last_values(arrays: Arrays) -> Table:
    """Return the means over the last tenth of the training and over seeds, and their differences.

    The arrays are those of :func:`curve_arrays`; the arms have the same seeds.
    """
    tail = max(1, len(arrays["steps"]) // 10)
    last = 100 * arrays["values"][..., -tail:].mean(-1, dtype=np.float64)  # (arms, seeds, m, e)
    arms, estimators = ([str(name) for name in arrays[key]] for key in ("arms", "estimators"))
    rows = [
        [arm, estimator, *(f"{mean:.2f}" for mean in of_arm[..., e].mean(0))]
        for arm, of_arm in zip(arms, last, strict=True)
        for e, estimator in enumerate(estimators)
    ]
    for arm, of_arm in zip(arms[1:], last[1:], strict=True):
        for e, estimator in enumerate(estimators):
            cells = [
                difference_cell(seeds_difference(last[0, :, m, e], of_arm[:, m, e]))
                for m in range(len(arrays["metrics"]))
            ]
            rows.append([f"{arm} - {arms[0]}", estimator, *cells])
    notes = [
        "Percent; training batches of the last tenth of the steps, mean over seeds. aacc_label: "
        "words whose collapsed z* is the label. aacc_true: frames of z* that agree with the true "
        "alignment. viterbi_agreement: frames of z* that agree with the Viterbi alignment."
    ]
    if len(arms) > 1 and last.shape[1] > 1:
        notes.append("Differences: points, with the 95 % CI over seeds.")
    columns = ["trained with", "z*", *map(str, arrays["metrics"])]
    return Table("AACC at the end of training", columns, rows, notes, 2)
