import numpy as np
import pytest
from PIL import Image, ImageDraw

from dctc.data.render.glyphs import face, gap, glyph, lay_out, paste, widen


@pytest.fixture
def font(sans) -> str:
    return sans.path


def test_a_word_is_drawn_as_pillow_draws_it(font):
    word = lay_out("Hamlet", font, 40)
    mask, (left, top) = paste([(word, 0, 0)])
    whole = Image.new("L", (300, 100))
    ImageDraw.Draw(whole).text((50, 60), "Hamlet", 255, face(font, 40), anchor="ls")
    pillow = np.asarray(whole)[60 + top : 60 + top + mask.shape[0], 50 + left :]
    pillow = pillow[:, : mask.shape[1]].astype(float)
    same = np.corrcoef(pillow.ravel(), mask.ravel())[0, 1]
    assert same > 0.9 and mask.sum() == pytest.approx(pillow.sum(), rel=0.03)  # pens are rounded


def test_limits_are_the_advances_with_kerning(font):
    word = lay_out("AVA", font, 40)
    lengths = [face(font, 40).getlength("AVA"[:i]) for i in range(4)]
    assert word.limits[-1] == pytest.approx(lengths[-1])
    assert word.limits[1] == pytest.approx(lengths[2] - face(font, 40).getlength("V"))
    wide = lay_out("AVA", font, 40, 10.0)
    assert np.allclose(wide.limits - word.limits, [0, 5, 15, 20])


def test_a_blank_character_has_no_ink(font):
    assert glyph(font, 40, " ").mask.size == 0
    assert len(lay_out("a b", font, 40).boxes()) == 2
    mask, _ = paste([(lay_out(" ", font, 40), 0, 0)])
    assert mask.max() == 0


def test_boxes_hold_the_ink_to_the_pixel_above_and_below(font):
    word = lay_out("jig", font, 40)
    mask, (x, y) = paste([(word, 0, 0)], border=3)
    left, top, right, bottom = np.array(word.boxes()).T - [[x], [y], [x], [y]]
    outside = mask.copy()
    for i in range(3):
        part = mask[top[i] : bottom[i], left[i] : right[i]]
        assert part[0].any() and part[-1].any()
        outside[top[i] : bottom[i], left[i] : right[i]] = 0
    assert not outside.any()


def test_gaps_are_the_distances_of_strokes(font):
    mask = glyph(font, 60, "H").mask > 127
    rows = ["".join("#" if ink else " " for ink in row).strip() for row in mask]
    gaps = [len(r) - r.count("#") for r in rows if " " in r]
    assert all(len(r.split()) == 2 for r in rows if " " in r)
    assert gap("H", font, 60) == gap("HIH", font, 60) == pytest.approx(np.mean(gaps))
    assert gap("H", font, 30) == pytest.approx(gap("H", font, 60) / 2, rel=0.15)
    assert gap("m", font, 60) < gap("n", font, 60) * 1.1 < gap("H", font, 60)
    assert gap("I", font, 60) == gap(" ", font, 60) == float("inf")


def test_rules_are_filled(font):
    mask, (left, top) = paste([(lay_out("a", font, 20), 0, 0)], [(-10, 5, 40, 7)])
    assert (mask[5 - top : 7 - top, -10 - left : 40 - left] == 255).all()


def test_widening_reaches_so_far_and_no_further():
    dot = np.zeros((15, 15), np.uint8)
    dot[7, 7] = 200
    for pixels in (0, 1, 2, 3):
        rows, columns = np.nonzero(widen(dot, pixels))
        assert set(rows) == set(columns) == set(range(7 - pixels, 8 + pixels))
    assert np.count_nonzero(widen(dot, 1)) == 5 and np.count_nonzero(widen(dot, 2)) == 21
    assert dot.sum() == 200
