"""Figure 3: the AACC of every estimator of z* during training, by arm, over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dctc.ctc import ESTIMATORS
from dctc.results.cells import detectable_gains_note, gains_cell
from dctc.results.tables import Table
from experiments.figures.figures import COLOURS, FEW_POINTS, MANY_POINTS, Curve, running_mean
from experiments.figures.published import Arrays

# Name, and the unit of its share; see dctc.metrics.alignment
METRICS = {"aacc_label": "words", "aacc_true": "frames", "viterbi_agreement": "frames"}
CONSTANT = (("aacc_label", "viterbi"), ("viterbi_agreement", "viterbi"))  # 1 by construction
GREY = "#777777"
FONT_SIZE = 7.5
SIZE = (2.4, 2.0)  # inches of a panel; three fill the width of a page
# Of each estimator; where lines coincide, a wide one shows below a thin one, and markers alternate
STYLES: tuple[dict[str, Any], ...] = (
    {"linestyle": "-", "linewidth": 1.5, "marker": "o"},
    {"linestyle": "-", "linewidth": 3.6, "marker": "s", "alpha": 0.55, "zorder": 1.9},
    {"linestyle": (0, (4, 2)), "linewidth": 1.6, "marker": "^"},
    {"linestyle": (0, (1, 1.2)), "linewidth": 1.3, "marker": "D"},
)
MARKS = 5  # markers on a line of many points


def curve_arrays(arms: Mapping[str, Sequence[Mapping[str, Curve]]]) -> dict[str, np.ndarray]:
    """Gather what :class:`dctc.training.estimators.EstimatorLog` logged.

    Args:
        arms: Of each arm, the metrics of its seeds, as
            :func:`experiments.figures.figures.read_metrics` returns them.

    Returns:
        ``arms`` ``(a,)``, ``estimators`` ``(e,)``, ``metrics`` ``(m,)``, ``steps`` ``(k,)`` and
        ``values`` ``(a, seeds, m, e, k)`` float32.

    Raises:
        ValueError: If a run has not logged a metric, or at other steps than the first one.
    """
    steps: list[int] | None = None
    values = []
    for name, seeds in arms.items():
        for seed, metrics in enumerate(seeds):
            for metric in METRICS:
                for estimator in ESTIMATORS:
                    key = f"train/{metric}/{estimator}"
                    at, found = metrics.get(key, ([], []))
                    steps = at if steps is None else steps
                    if not at or at != steps:
                        raise ValueError(
                            f"{name}, run {seed + 1}: {key} was logged at {len(at)} steps, not at "
                            f"the {len(steps)} of the first run; train it with an EstimatorLog"
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
    """Draw Figure 3: a row for each arm, a column for each metric, a line for each estimator.

    The line is the mean over seeds, the band reaches from the lowest to the highest. Curves of many
    points are running means, as single batches are noisy.

    Args:
        arrays: Of :func:`curve_arrays`.
    """
    arms, metrics = arrays["arms"], [str(metric) for metric in arrays["metrics"]]
    size = (SIZE[0] * len(metrics), SIZE[1] * len(arms) + 0.6)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(arms), len(metrics), sharex=True, sharey=True, squeeze=False)
    for i, arm in enumerate(arms):
        for j, metric in enumerate(metrics):
            axes = grid[i, j]
            _draw_panel(axes, metric, arrays, arrays["values"][i, :, j])
            if i == 0:
                axes.set_title(f"{metric}\n(share of {METRICS[metric]})", fontsize=8.5)
            if i == len(arms) - 1:
                axes.set_xlabel("step", fontsize=FONT_SIZE)
        grid[i, 0].set_ylabel(f"trained with {arm}", fontsize=8.5)
    # where no line is grey
    lines, names = grid[0, metrics.index("aacc_true")].get_legend_handles_labels()
    figure.legend(
        lines,
        names,
        frameon=False,
        loc="outside upper center",
        ncols=len(names),
        fontsize=8.5,
        handlelength=4,
    )
    figure.supxlabel(_caption(arrays), fontsize=8)
    return figure


def _caption(arrays: Arrays) -> str:
    seeds, points = arrays["values"].shape[1], len(arrays["steps"])
    over = "one seed" if seeds == 1 else f"mean and range of {seeds} seeds"
    caption = f"Training batches of rendered words, {over}"
    if reach := _reach(points):
        caption += f"; each point a running mean over {2 * reach + 1} logged batches"
    return caption


def _reach(points: int) -> int:
    """Return how many neighbours to each side the running mean takes; 0 is none."""
    return points // 40 if points >= MANY_POINTS else 0


def _draw_panel(axes: Axes, metric: str, arrays: Arrays, values: np.ndarray) -> None:
    """Draw a panel; ``values`` is ``(seeds, e, k)``."""
    steps = arrays["steps"]
    every = 1 if len(steps) < FEW_POINTS else len(steps) // MARKS
    for e, estimator in enumerate(map(str, arrays["estimators"])):
        constant = (metric, estimator) in CONSTANT
        style = {**STYLES[e], "color": COLOURS[e]}
        if constant:
            style |= {"color": GREY, "linewidth": 1.0, "marker": None}
        curves = np.stack([running_mean(list(c), _reach(len(steps))) for c in values[:, e]])
        axes.plot(
            steps,
            curves.mean(0),
            markersize=4,
            markevery=(every * (e + 1) // (len(STYLES) + 1), every),
            label=f"{estimator} z*",
            **style,
        )
        if constant:
            axes.annotate(
                "viterbi: 1 by construction",
                (1.0, 1.0),
                xycoords=("axes fraction", "data"),
                xytext=(0, 2),
                textcoords="offset points",
                ha="right",
                va="bottom",
                fontsize=7.5,
                color=GREY,
            )
        elif len(curves) > 1:
            axes.fill_between(
                steps, curves.min(0), curves.max(0), color=COLOURS[e], alpha=0.18, linewidth=0
            )
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
    axes.set_ylim(-0.03, 1.12)
    axes.tick_params(labelsize=FONT_SIZE)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def last_values(arrays: Arrays) -> Table:
    """Return the means over the last tenth of the training and over seeds, and their differences.

    Args:
        arrays: Of :func:`curve_arrays`; the arms' seeds are the same ones.
    """
    tail = max(1, len(arrays["steps"]) // 10)
    last = 100 * arrays["values"][..., -tail:].mean(-1, dtype=np.float64)  # (arms, seeds, m, e)
    arms, estimators = ([str(name) for name in arrays[key]] for key in ("arms", "estimators"))
    rows = [
        [arm, estimator, *(f"{of_metric[:, e].mean():.2f}" for of_metric in of_arm.swapaxes(0, 1))]
        for arm, of_arm in zip(arms, last, strict=True)
        for e, estimator in enumerate(estimators)
    ]
    tested = {}
    for arm, of_arm in zip(arms[1:], last[1:], strict=True):
        gains = (of_arm - last[0]).transpose(2, 1, 0)  # (e, m, seeds)
        for estimator, of_estimator in zip(estimators, gains, strict=True):
            rows.append([f"{arm} - {arms[0]}", estimator, *map(gains_cell, of_estimator)])
            for metric, of_metric in zip(map(str, arrays["metrics"]), of_estimator, strict=True):
                if (metric, estimator) not in CONSTANT:
                    tested[f"{arm} {metric} {estimator}"] = of_metric
    notes = ["Percent; training batches of the last tenth of the steps, mean over seeds."]
    if len(arms) > 1 and last.shape[1] > 1:
        notes.append(
            "Differences: points, ± half the 95 % interval of the paired t-test over seeds."
        )
        notes.append(detectable_gains_note(tested))
    columns = ["trained with", "z*", *map(str, arrays["metrics"])]
    return Table("AACC at the end of training", columns, rows, notes, 2)
