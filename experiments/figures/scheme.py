"""Figure 2: DCTC in the self-distillation scheme, from an image to the loss."""

from __future__ import annotations

from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from experiments.figures.figures import COLOURS

SIZE = (11.0, 4.5)  # inches; the drawing is in hundredths of them
NET, CTC, DISTILL = COLOURS[0], COLOURS[2], COLOURS[1]
INK = "#222222"
SMALL, LARGE = 11.0, 12.0  # points; 7 and more where the figure is printed 7 inches wide


class Box(NamedTuple):
    """A box of the scheme.

    Attributes:
        x: Centre, in hundredths of an inch from the left.
        y: Centre, from below.
        width: Of the box.
        height: Of the box.
        title: First line, bold.
        text: What follows; may hold mathematics, and a second line.
        colour: Of its frame.
    """

    x: float
    y: float
    width: float
    height: float
    title: str
    text: str
    colour: str


BOXES = {
    "image": Box(62, 235, 96, 74, "image", r"$x$   $(h \times w)$", INK),
    "net": Box(200, 235, 140, 74, "recogniser", "encoder, head", NET),
    "p": Box(374, 235, 170, 74, "softmax of logits", r"$P$   $(t \times c)$", NET),
    "label": Box(374, 395, 110, 74, "label", r"$y$", INK),
    "lattice": Box(612, 395, 244, 74, "CTC forward-backward", r"nll $= -\log p(y\,|\,x)$", CTC),
    "gamma": Box(612, 235, 244, 74, "posterior", r"$\gamma = P - G$", CTC),
    "z": Box(
        612,
        80,
        244,
        96,
        "latent alignment",
        r"$z^*_t=\arg\max_k\ \gamma_{tk}\,/\,P_{tk}$" "\n$k$: blank or a character of $y$",
        DISTILL,
    ),
    "ce": Box(940, 80, 172, 74, "self-distillation", r"CE $= \sum_t -\log P_t(z^*_t)$", DISTILL),
    "sum": Box(1023, 235, 130, 74, "loss", r"$\beta\,$nll$\,+\,\alpha\,$CE", INK),
}


def draw_scheme() -> Figure:
    """Draw Figure 2."""
    figure = Figure(figsize=SIZE)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 100 * SIZE[0]), ylim=(0, 100 * SIZE[1]))
    axes.set_axis_off()
    for box in BOXES.values():
        _draw_box(axes, box)
    _arrow(axes, _right("image"), _left("net"))
    _arrow(axes, _right("net"), _left("p"))
    _arrow(axes, _right("label"), _left("lattice"))
    _arrow(axes, _right("p"), (474, 235), (474, 375), _left("lattice", -20), colour=NET)
    _arrow(axes, _below("lattice"), _above("gamma"), colour=CTC)
    _arrow(axes, _below("gamma"), _above("z"), colour=CTC)
    _arrow(axes, _below("p", 30), (404, 80), _left("z"), colour=NET)
    _arrow(axes, _below("p", -10), (364, 14), (940, 14), _below("ce"), colour=NET)
    _arrow(axes, _right("z"), _left("ce"), colour=DISTILL, dashed=True)
    _arrow(axes, _right("lattice"), (1023, 395), _above("sum"), colour=CTC)
    _arrow(axes, _right("ce"), (1063, 80), _below("sum", 40), colour=DISTILL)
    note: dict[str, Any] = {"fontsize": SMALL, "ha": "center", "va": "center"}
    axes.text(792, 96, "stop-gradient", color=DISTILL, **note)
    axes.text(1062, 330, r"weight $\beta$", color=CTC, **note)
    axes.text(1025, 150, r"weight $\alpha$", color=DISTILL, **note)
    axes.text(
        744,
        235,
        "$G$: gradient of nll with\nrespect to the logits",
        color=CTC,
        **{**note, "ha": "left"},
    )
    axes.text(
        15,
        80,
        "One forward-backward gives the CTC\nterm, its gradient, and the target of the\n"
        "other term. No parameter is added;\ninference is that of CTC.",
        fontsize=SMALL,
        va="center",
        color=INK,
    )
    return figure


def _draw_box(axes: Axes, box: Box) -> None:
    corner = (box.x - box.width / 2, box.y - box.height / 2)
    for fill, alpha, line in ((box.colour, 0.10, 0.0), ("none", 1.0, 1.6)):
        axes.add_patch(
            FancyBboxPatch(
                corner,
                box.width,
                box.height,
                boxstyle="round,pad=0,rounding_size=9",
                facecolor=fill,
                edgecolor=box.colour,
                linewidth=line,
                alpha=alpha,
            )
        )
    middle: dict[str, Any] = {"ha": "center", "va": "center", "color": INK}
    axes.text(
        box.x, box.y + box.height / 2 - 22, box.title, fontsize=SMALL, fontweight="bold", **middle
    )
    axes.text(box.x, box.y - 14, box.text, fontsize=LARGE, **middle)


Point = tuple[float, float]


def _left(name: str, up: float = 0.0) -> Point:
    return BOXES[name].x - BOXES[name].width / 2, BOXES[name].y + up


def _right(name: str, up: float = 0.0) -> Point:
    return BOXES[name].x + BOXES[name].width / 2, BOXES[name].y + up


def _above(name: str, right: float = 0.0) -> Point:
    return BOXES[name].x + right, BOXES[name].y + BOXES[name].height / 2


def _below(name: str, right: float = 0.0) -> Point:
    return BOXES[name].x + right, BOXES[name].y - BOXES[name].height / 2


def _arrow(axes: Axes, *points: Point, colour: str = INK, dashed: bool = False) -> None:
    """Draw a line through the points, with an arrow's head at the last one."""
    x, y = zip(*points[:-1], strict=True)
    axes.plot(x, y, color=colour, linewidth=1.6, solid_joinstyle="round")
    axes.add_patch(
        FancyArrowPatch(
            points[-2],
            points[-1],
            arrowstyle="-|>",
            mutation_scale=13,
            color=colour,
            linewidth=1.6,
            linestyle=(0, (4, 2)) if dashed else "-",
            shrinkA=0,
            shrinkB=1,
        )
    )
