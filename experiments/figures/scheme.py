"""Figure 2: DCTC in the self-distillation scheme, from an image to the loss."""

from __future__ import annotations

from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from dctc.results.plots import INK
from experiments.figures import COLOURS

SIZE = (11.0, 4.5)  # inches; the drawing is in hundredths of them
NET, CTC, DISTILL = COLOURS[0], COLOURS[2], COLOURS[1]
SMALL, LARGE = 11.0, 12.0  # points; 7 and more where the figure is printed 7 inches wide

Point = tuple[float, float]


class Box(NamedTuple):
    """A box of the scheme: its centre, in hundredths of an inch, its size and what is in it.

    Attributes:
        x: Centre, from the left.
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

    def at(self, across: int, up: int, x: float = 0.0, y: float = 0.0) -> Point:
        """Return the middle of a side, -1 being left or below, moved by ``x`` and ``y``."""
        return self.x + across * self.width / 2 + x, self.y + up * self.height / 2 + y


_CE = r"CE $= \sum_t -\log P_t(z^*_t)$"
_Z = r"$z^*_t=\arg\max_k\ \gamma_{tk}\,/\,P_{tk}$" "\n$k$: blank or a character of $y$"
BOXES = {
    "image": Box(62, 235, 96, 74, "image", r"$x$   $(h \times w)$", INK),
    "net": Box(200, 235, 140, 74, "recogniser", "encoder, head", NET),
    "p": Box(374, 235, 170, 74, "softmax of logits", r"$P$   $(t \times c)$", NET),
    "label": Box(374, 395, 110, 74, "label", r"$y$", INK),
    "lattice": Box(612, 395, 244, 74, "CTC forward-backward", r"nll $= -\log p(y\,|\,x)$", CTC),
    "gamma": Box(612, 235, 244, 74, "posterior", r"$\gamma = P - G$", CTC),
    "z": Box(612, 80, 244, 96, "latent alignment", _Z, DISTILL),
    "ce": Box(940, 80, 172, 74, "self-distillation", _CE, DISTILL),
    "sum": Box(1023, 235, 130, 74, "loss", r"$\beta\,$nll$\,+\,\alpha\,$CE", INK),
}
# x, y, text, colour, horizontal alignment
NOTES = (
    (792, 96, "stop-gradient", DISTILL, "center"),
    (1062, 330, r"weight $\beta$", CTC, "center"),
    (1025, 150, r"weight $\alpha$", DISTILL, "center"),
    (744, 235, "$G$: gradient of nll with\nrespect to the logits", CTC, "left"),
    (
        *(15, 80),
        "One forward-backward pass gives the\nCTC term, its gradient and the target\n"
        "of the distillation. No parameter is\nadded; inference is that of CTC.",
        *(INK, "left"),
    ),
)


def draw_scheme() -> Figure:
    """Draw Figure 2."""
    figure = Figure(figsize=SIZE)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 100 * SIZE[0]), ylim=(0, 100 * SIZE[1]))
    axes.set_axis_off()
    for box in BOXES.values():
        _draw_box(axes, box)
    image, net, p, label, lattice, gamma, z, ce, total = BOXES.values()
    _arrow(axes, image.at(1, 0), net.at(-1, 0))
    _arrow(axes, net.at(1, 0), p.at(-1, 0))
    _arrow(axes, label.at(1, 0), lattice.at(-1, 0))
    _arrow(axes, p.at(1, 0), (474, 235), (474, 375), lattice.at(-1, 0, y=-20), colour=NET)
    _arrow(axes, lattice.at(0, -1), gamma.at(0, 1), colour=CTC)
    _arrow(axes, gamma.at(0, -1), z.at(0, 1), colour=CTC)
    _arrow(axes, p.at(0, -1, x=30), (404, 80), z.at(-1, 0), colour=NET)
    _arrow(axes, p.at(0, -1, x=-10), (364, 14), (940, 14), ce.at(0, -1), colour=NET)
    _arrow(axes, z.at(1, 0), ce.at(-1, 0), colour=DISTILL, dashed=True)
    _arrow(axes, lattice.at(1, 0), (1023, 395), total.at(0, 1), colour=CTC)
    _arrow(axes, ce.at(1, 0), (1063, 80), total.at(0, -1, x=40), colour=DISTILL)
    for x, y, text, colour, align in NOTES:
        axes.text(x, y, text, color=colour, fontsize=SMALL, ha=align, va="center")
    return figure


def _draw_box(axes: Axes, box: Box) -> None:
    shape: dict[str, Any] = {"boxstyle": "round,pad=0,rounding_size=9"}
    for fill, alpha, line in ((box.colour, 0.10, 0.0), ("none", 1.0, 1.6)):
        shape |= {"facecolor": fill, "edgecolor": box.colour, "linewidth": line, "alpha": alpha}
        corner = (box.x - box.width / 2, box.y - box.height / 2)
        axes.add_patch(FancyBboxPatch(corner, box.width, box.height, **shape))
    middle: dict[str, Any] = {"ha": "center", "va": "center", "color": INK}
    axes.text(*box.at(0, 1, y=-22), box.title, fontsize=SMALL, fontweight="bold", **middle)
    axes.text(box.x, box.y - 14, box.text, fontsize=LARGE, **middle)


def _arrow(axes: Axes, *points: Point, colour: str = INK, dashed: bool = False) -> None:
    """Draw a line through the points, with an arrow's head at the last one."""
    x, y = zip(*points[:-1], strict=True)
    axes.plot(x, y, color=colour, linewidth=1.6, solid_joinstyle="round")
    style: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 13, "shrinkA": 0, "shrinkB": 1}
    line = (0, (4, 2)) if dashed else "-"
    axes.add_patch(
        FancyArrowPatch(*points[-2:], color=colour, linewidth=1.6, linestyle=line, **style)
    )
