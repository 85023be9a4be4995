"""Figure 2: nothing overlaps, nothing sticks out."""

import itertools

from experiments.figures.scheme import BOXES, SIZE, draw_scheme


def test_boxes_lie_apart_inside_the_figure():
    corners = {
        name: (b.x - b.width / 2, b.y - b.height / 2, b.x + b.width / 2, b.y + b.height / 2)
        for name, b in BOXES.items()
    }
    for left, bottom, right, top in corners.values():
        assert 0 < left < right < 100 * SIZE[0] and 0 < bottom < top < 100 * SIZE[1]
    for a, b in itertools.combinations(corners.values(), 2):
        assert a[2] < b[0] or b[2] < a[0] or a[3] < b[1] or b[3] < a[1]


def test_texts_fit_their_boxes_and_the_figure(tmp_path):
    figure = draw_scheme()
    figure.savefig(tmp_path / "figure2.png", dpi=100)  # dots are hundredths of an inch
    (axes,) = figure.axes
    titles = {box.title: box for box in BOXES.values()} | {box.text: box for box in BOXES.values()}
    extents = {t.get_text(): t.get_window_extent() for t in axes.texts}
    assert set(titles) <= set(extents)
    for text, extent in extents.items():
        assert extent.x0 >= 0 and extent.x1 <= 100 * SIZE[0]
        if text in titles:
            assert extent.width < titles[text].width, text
    for a, b in itertools.combinations(extents.values(), 2):
        assert not a.overlaps(b)
