import string

import numpy as np
import pytest

from dctc.data.render.colours import LUMINANCE
from dctc.data.render.fonts import Font, find_fonts
from dctc.data.render.presets import EASY
from dctc.data.render.renderer import WordRenderer


@pytest.fixture(scope="module")
def fonts() -> list[Font]:
    return find_fonts()


def upright(fonts: list[Font]) -> list[Font]:
    return [f for f in fonts if f.path.endswith(("DejaVuSans.ttf", "DejaVuSerif.ttf", "cmr10.ttf"))]


def test_image_and_extents_have_their_shapes(fonts):
    for height, width in ((32, 128), (48, 320)):
        image, extents = WordRenderer(fonts, height, width).render("shape", np.random.default_rng())
        assert image.shape == (height, width, 3) and image.dtype == np.uint8
        assert image.flags.c_contiguous
        assert extents.shape == (5, 2) and extents.dtype == np.float32


def test_an_image_depends_on_the_generator_only(fonts):
    renderer = WordRenderer(fonts)
    first = renderer.render("Pure", np.random.default_rng(7))
    renderer.render("other", np.random.default_rng(8))
    again = WordRenderer(fonts).render("Pure", np.random.default_rng(7))
    other = renderer.render("Pure", np.random.default_rng(9))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_characters_tile_the_word_inside_the_image(fonts):
    renderer = WordRenderer(fonts)
    for seed in range(200):
        _, extents = renderer.render("ilWjf-Ty7."[: 1 + seed % 10], np.random.default_rng(seed))
        assert (extents >= 0).all() and (extents <= 128).all()
        assert (extents[:, 1] > extents[:, 0]).all()
        assert np.array_equal(extents[1:, 0], extents[:-1, 1])


@pytest.mark.parametrize("text", ["ilW", "HELLO", "mining", "0123"])
def test_ink_lies_within_the_extents(fonts, text):
    renderer = WordRenderer(upright(fonts), distort=False)
    for seed in range(10):
        image, extents = renderer.render(text, np.random.default_rng(seed))
        columns = 255.0 - image.min(axis=(0, 2))  # darkest pixel of each column
        left, right = int(extents[0, 0]), int(np.ceil(extents[-1, 1]))
        assert columns[left:right].sum() > 0.98 * columns.sum()
        for a, b in extents:  # and each character has its own
            assert columns[int(a) : int(np.ceil(b))].max() > 150


def test_limits_fall_between_letters(fonts):
    renderer = WordRenderer([f for f in fonts if f.path.endswith("DejaVuSans.ttf")], distort=False)
    for seed in range(10):
        image, extents = renderer.render("HIH1H", np.random.default_rng(seed))
        columns = 255.0 - image.min(axis=(0, 2))
        assert (columns[extents[1:, 0].astype(int)] < 40).all()


def test_extents_follow_the_distortion(fonts):
    """The two bars of a distorted ``I...I`` are where the extents say."""
    renderer = WordRenderer([f for f in fonts if f.path.endswith("DejaVuSans.ttf")])
    hits = []
    for seed in range(60):
        image, extents = renderer.render("I...I", np.random.default_rng(seed))
        gray = image.astype(np.float32) @ LUMINANCE
        upper = gray[8:16]  # only the bars reach up here
        ink = np.abs(upper - np.median(upper, axis=1, keepdims=True)).sum(0)
        half = int(extents[2].mean())
        peaks = ink[:half].argmax(), half + ink[half:].argmax()
        hits += [a - 4 <= p <= b + 4 for p, (a, b) in zip(peaks, extents[[0, -1]], strict=True)]
    assert np.mean(hits) > 0.9  # a texture may outshine a faint bar


def test_words_stand_out_from_the_ground(fonts):
    renderer = WordRenderer(fonts)
    for seed in range(100):
        image, _ = renderer.render("contrast", np.random.default_rng(seed))
        gray = image.astype(np.float32) @ LUMINANCE
        assert np.ptp(np.percentile(gray, [2, 98])) > EASY.contrast / 2


def test_only_fonts_with_all_characters_are_used(fonts):
    renderer = WordRenderer(fonts)
    assert all(font.covers("<{|}>") for font in renderer.fonts_for("a<{|}>b"))
    assert len(renderer.fonts_for(string.ascii_letters)) == len(fonts)


def test_missing_characters_are_errors(fonts):
    renderer = WordRenderer(fonts[:2])
    with pytest.raises(
        ValueError,
        match=r"no font draws 汉 \(U\+6C49\); tried DejaVu .*; give",
    ):
        renderer.render("a汉", np.random.default_rng(0))
    halves = [Font("one.ttf", frozenset("a")), Font("two.ttf", frozenset("b"))]
    with pytest.raises(ValueError, match="no single font has all characters of 'ab'"):
        WordRenderer(halves).render("ab", np.random.default_rng(0))
    with pytest.raises(ValueError, match="the text is empty"):
        renderer.render("", np.random.default_rng(0))
