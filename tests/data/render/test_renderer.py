from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from dctc.data.records.batch import extents_fault
from dctc.data.render.colours import LUMINANCE
from dctc.data.render.easy import EasyPainter
from dctc.data.render.fonts import Font
from dctc.data.render.glyphs import can_shape, extents_of, face, lay_out, paste
from dctc.data.render.presets import EASY, PRESETS
from dctc.data.render.renderer import WordRenderer
from dctc.text.scripts import is_right_to_left


@pytest.fixture(params=PRESETS)
def preset(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def every(fonts) -> list[Font]:
    return list(fonts.values())


@pytest.mark.parametrize(("height", "width"), [(32, 128), (48, 320)])
def test_images_have_their_shape_and_characters_tile_the_word(every, preset, height, width):
    renderer = WordRenderer(every, height, width, preset)
    for seed in range(60):
        text = "Quick-0.5j!"[: 1 + seed % 11]
        image, extents = renderer.render(text, np.random.default_rng(seed))
        assert image.shape == (height, width, 3) and image.dtype == np.uint8
        assert image.flags.c_contiguous and image.flags.writeable
        assert extents.shape == (len(text), 2) and extents.dtype == np.float32
        assert (extents >= 0).all() and (extents <= width).all()
        assert (extents[:, 1] >= extents[:, 0]).all()
        assert np.array_equal(extents[1:, 0], extents[:-1, 1])


def test_words_stand_out_from_the_ground(every, preset):
    renderer, ranges = WordRenderer(every, preset=preset), []
    for seed in range(200):
        image, _ = renderer.render("contrast", np.random.default_rng(seed))
        ranges.append(np.ptp(np.percentile(image @ LUMINANCE, [2, 98])))
    assert np.mean(np.array(ranges) < renderer.preset.contrast / 2) < 0.02


@pytest.mark.parametrize("text", ["ilW", "HELLO", "mining", "0123"])
def test_ink_lies_within_the_extents(fonts, text):
    upright = [fonts[name] for name in ("DejaVuSans", "DejaVuSerif", "cmr10")]
    renderer = WordRenderer(upright)
    still = replace(EASY, max_rotation=0, max_shear=0, max_taper=0, max_margin=(0, 0))
    renderer.painter = EasyPainter(still, 32, 128)
    renderer.painter._colour = lambda alphas, *_: np.stack([255 - 255 * alphas[0]] * 3)
    for seed in range(10):
        image, extents = renderer.render(text, np.random.default_rng(seed))
        columns = 255.0 - image.min(axis=(0, 2))  # darkest pixel of each column
        left, right = int(extents[0, 0]), int(np.ceil(extents[-1, 1]))
        assert columns[left:right].sum() > 0.98 * columns.sum()
        for a, b in extents:  # and each character has its own
            assert columns[int(a) : int(np.ceil(b))].max() > 150


def test_extents_follow_the_distortion(sans):
    """The two bars of a distorted ``I...I`` are where the extents say."""
    renderer, hits = WordRenderer([sans]), []
    for seed in range(60):
        image, extents = renderer.render("I...I", np.random.default_rng(seed))
        upper = (image.astype(np.float32) @ LUMINANCE)[8:16]  # only the bars reach up here
        ink = np.abs(upper - np.median(upper, axis=1, keepdims=True)).sum(0)
        half = int(extents[2].mean())
        peaks = ink[:half].argmax(), half + ink[half:].argmax()
        hits += [a - 4 <= p <= b + 4 for p, (a, b) in zip(peaks, extents[[0, -1]], strict=True)]
    assert np.mean(hits) > 0.9  # a texture may outshine a faint bar


def test_a_family_of_many_files_does_not_rule(every):
    nine = [replace(every[0], family="nine") for _ in range(9)]
    renderer = WordRenderer([*nine, replace(every[1], family="one")], preset="scene")
    chosen = []
    renderer.painter.paint = lambda text, font, dice, rng: chosen.append(font.family)
    for seed in range(400):
        renderer.render("a", np.random.default_rng(seed))
    assert 0.18 < chosen.count("one") / 400 < 0.32  # 1 / (1 + sqrt(9))


def test_fonts_for_small_letters_draw_no_words_in_capitals(every):
    script = replace(every[0], family="script", capitals=False)
    renderer = WordRenderer([script, replace(every[1], family="print")], preset="scene")
    chosen = []
    renderer.painter.paint = lambda text, font, dice, rng: chosen.append((text, font.family))
    either, capitals = ("Exit", "exit", "'Exit'"), ("EXIT", "E", "No.9", "7")
    for seed in range(40):
        for text in either + capitals:
            renderer.render(text, np.random.default_rng(seed))
    for text in either + capitals:
        families = {family for t, family in chosen if t == text}
        assert families == ({"script", "print"} if text in either else {"print"})
    alone = WordRenderer([script], preset="scene")
    assert alone.render("EXIT", np.random.default_rng(0))[0].shape == (32, 128, 3)


def test_errors(every):
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="preset 'hard': it is one of easy, scene, document"):
        WordRenderer(every, preset="hard")
    for preset in PRESETS:
        renderer = WordRenderer(every, preset=preset)
        with pytest.raises(ValueError, match=r"no font draws 汉 \(U\+6C49\); tried DejaVu Sans, "):
            renderer.render("a汉", rng)
        with pytest.raises(ValueError, match="the text is empty"):
            renderer.render("", rng)
    halves = [Font("one.ttf", frozenset("a")), Font("two.ttf", frozenset("b"))]
    with pytest.raises(ValueError, match="no single font has all characters of 'ab'"):
        WordRenderer(halves).render("ab", rng)
    for size in ((3, 64), (32, 3)):
        with pytest.raises(ValueError, match="pixels: words need 4 x 4"):
            WordRenderer(every, *size, "scene")
    assert WordRenderer(every, 4, 4, "scene").render("a", rng)[0].shape == (4, 4, 3)


@pytest.mark.skipif(not can_shape(), reason="Pillow without Raqm, or no libfribidi")
@pytest.mark.parametrize("text", ["שלום", "سلام", "שָׁלוֹם!", "ສະບາຍ", "e\u0331a"])
def test_scripts_are_drawn_as_they_are_written(sans, preset, text):
    """Joined, stacked and from right to left, and the extents say where each character is."""
    right_to_left = is_right_to_left(text)
    for number in range(4):
        rng = np.random.default_rng(number)
        _, extents = WordRenderer([sans], preset=preset).render(text, rng)
        assert extents.shape == (len(text), 2) and (extents[:, 0] <= extents[:, 1]).all()
        middle = np.diff(extents.mean(1))
        assert (middle < 0).all() if right_to_left else (middle > 0).all()
        assert not extents_fault(extents.tobytes(), len(text), 128)
    word, raqm = lay_out(text, sans.path, 60, 9.0), face(sans.path, 60, True)
    mask, (left, top) = paste([(word, 0, 0)])
    pillow = Image.new("L", mask.shape[::-1])
    ImageDraw.Draw(pillow).text((-left, -top), text, 255, raqm, anchor="ls")
    assert np.abs(np.asarray(pillow).astype(int) - mask).mean() < 3
    assert word.limits[-1] == pytest.approx(raqm.getlength(text))  # and not spaced out


@pytest.mark.skipif(not can_shape(), reason="Pillow without Raqm, or no libfribidi")
def test_a_letter_is_where_its_extents_are(sans):
    """Of the last letter of an Arabic word nothing is left when it is cut off at its limit."""
    word, size = "سلام", 60
    whole, part = lay_out(word, sans.path, size), lay_out(word[:3], sans.path, size)
    (ink, left, _), (rest, start, _) = whole.glyphs()[0], part.glyphs()[0]
    last = extents_of(whole.limits, word)[3]
    assert last[0] == 0 and last[1] == pytest.approx(whole.limits[-1] - part.limits[-1], abs=0.1)
    kept = ink[:, int(last[1]) + 2 - left :] > 0
    assert kept.sum() == pytest.approx((rest > 0).sum(), rel=0.05)
    assert start >= 0


def test_what_cannot_be_drawn_as_written_is_refused_by_name(sans, preset, monkeypatch):
    renderer, rng = WordRenderer([sans], preset=preset), np.random.default_rng(0)
    everything = WordRenderer([Font(sans.path, frozenset("कא1"))], preset=preset)
    assert not any(map(renderer.covers, ("א1", "אa", "\u05b8א"))) and not everything.covers("क")
    for text in ("א1", "אa"):
        with pytest.raises(ValueError, match=f"'{text}' has letters and digits of both directions"):
            renderer.render(text, rng)
    with pytest.raises(ValueError, match=r"क \(U\+0915\): the renderer cannot write this script"):
        everything.render("क", rng)
    monkeypatch.setattr("dctc.data.render.renderer.can_shape", lambda: False)
    with pytest.raises(ValueError, match=r"ש \(U\+05E9\): .* need libfribidi"):
        WordRenderer([sans], preset=preset).render("ש", rng)
