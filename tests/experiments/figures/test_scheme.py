"""Figure 2: nothing overlaps, nothing sticks out."""

import itertools

from experiments.figures.scheme import BOXES, SIZE, draw_scheme
from matplotlib.transforms import Bbox


def test_boxes_and_texts_lie_apart_inside_the_figure(tmp_path):
    figure = draw_scheme()
    figure.savefig(tmp_path / "figure2.png", dpi=100)  # dots are hundredths of an inch
    texts = {text.get_text(): text.get_window_extent() for text in figure.axes[0].texts}
    boxes = [Bbox([b.at(-1, -1), b.at(1, 1)]) for b in BOXES.values()]
    for extents in ([*texts.values()], boxes):
        for extent in extents:
            assert 0 <= extent.x0 and extent.x1 <= 100 * SIZE[0]
            assert 0 <= extent.y0 and extent.y1 <= 100 * SIZE[1]
        assert not any(a.overlaps(b) for a, b in itertools.combinations(extents, 2))
    for box in BOXES.values():
        assert max(texts[box.title].width, texts[box.text].width) < box.width
