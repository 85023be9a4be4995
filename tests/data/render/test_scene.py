import random
from dataclasses import replace

import numpy as np
import pytest

from dctc.data.render.colours import (
    LEAST_CONTRAST,
    LEAST_LIKENESS,
    LUMINANCE,
    colour_apart,
    colour_pair,
    is_legible,
    letters_left,
)
from dctc.data.render.fonts import Font, find_fonts
from dctc.data.render.layout import lay_out_scene
from dctc.data.render.presets import DOCUMENT, SCENE, Preset, get_preset
from dctc.data.render.renderer import WordRenderer
from dctc.data.render.scene import ScenePainter, solid, stroke_widths

PRESETS = (SCENE, DOCUMENT)


@pytest.fixture(scope="module")
def fonts() -> list[Font]:
    return find_fonts()


@pytest.mark.parametrize("preset", PRESETS, ids=lambda p: p.name)
@pytest.mark.parametrize("height, width", [(32, 128), (48, 320)])
def test_images_and_extents_have_their_shapes(fonts, preset, height, width):
    renderer = WordRenderer(fonts, height, width, preset.name)
    for seed in range(60):
        text = "Quick-0.5j!"[: 1 + seed % 11]
        image, extents = renderer.render(text, np.random.default_rng(seed))
        assert image.shape == (height, width, 3) and image.dtype == np.uint8
        assert image.flags.c_contiguous and image.flags.writeable
        assert extents.shape == (len(text), 2) and extents.dtype == np.float32
        assert np.isfinite(extents).all() and (extents >= 0).all() and (extents <= width).all()
        assert np.array_equal(extents[1:, 0], extents[:-1, 1])


@pytest.mark.parametrize("preset", PRESETS, ids=lambda p: p.name)
def test_an_image_depends_on_the_generator_only(fonts, preset):
    renderer = WordRenderer(fonts, preset=preset.name)
    first = renderer.render("Pure", np.random.default_rng(7))
    renderer.render("other", np.random.default_rng(8))
    again = WordRenderer(fonts, preset=preset.name).render("Pure", np.random.default_rng(7))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], renderer.render("Pure", np.random.default_rng(9))[0])


def test_each_character_alone_lies_within_its_extents(fonts):
    """Through arcs, perspective, rotation and spacing; measured at half a small letter's height."""
    upright = next(f for f in fonts if f.path.endswith("DejaVuSans.ttf"))
    busy = replace(SCENE, curve=0.5, perspective=0.8, spacing=0.5)
    width, height, arcs, seen = 256, 64, 0, 0
    for seed in range(60):
        layout = lay_out_scene("HaM1ndx", upright, busy, height, width, random.Random(seed))
        extents, box = layout.extents(width), layout.box
        arcs += layout.geometry.radius != 0
        word = layout.word
        for i, (left, right) in enumerate(extents):
            alone = replace(word, text=word.text[i], pens=(word.pens[i],))
            only = replace(layout, word=alone, around=(), rules=())
            (mask,) = only.masks((width, height), 0)
            ink = np.asarray(mask) > 100
            # The pixels of the image that lie on the line at which the limits are taken
            rows, columns = np.nonzero(ink)
            scale = np.array([(box[2] - box[0]) / width, (box[3] - box[1]) / height])
            points = (np.stack([columns, rows]) + 0.5) * scale[:, None]
            _, y = layout.geometry.backward(points + np.array(box[:2])[:, None])
            x = columns[np.abs(y + word.size / 4) < 2] + 0.5
            seen += len(x) > 0
            assert (x > left - 1.5).all() and (x < right + 1.5).all()
    assert arcs > 15 and seen > 0.95 * 60 * 7


@pytest.mark.parametrize("preset", PRESETS, ids=lambda p: p.name)
def test_ink_and_ground_keep_their_contrast(preset: Preset):
    for seed in range(300):
        dice = random.Random(seed)
        ground, ink = colour_pair(dice, preset)
        assert abs(float(LUMINANCE @ (ground - ink))) >= preset.contrast
        assert min(ground.min(), ink.min()) >= 0 and max(ground.max(), ink.max()) <= 255
        rim = colour_apart(dice, preset, ink)
        assert abs(float(LUMINANCE @ (rim - ink))) >= preset.contrast


@pytest.mark.parametrize("preset", PRESETS, ids=lambda p: p.name)
def test_words_stand_out_from_the_ground(fonts, preset):
    renderer = WordRenderer(fonts, preset=preset.name)
    ranges = []
    for seed in range(200):
        image, _ = renderer.render("contrast", np.random.default_rng(seed))
        ranges.append(np.ptp(np.percentile(image @ LUMINANCE, [2, 98])))
    assert np.mean(np.array(ranges) < preset.contrast / 2) < 0.02


def test_scenes_are_dark_on_light_and_light_on_dark_pages_are_not():
    def dark(preset: Preset) -> float:
        pairs = [colour_pair(random.Random(seed), preset) for seed in range(400)]
        return float(np.mean([LUMINANCE @ ink < LUMINANCE @ ground for ground, ink in pairs]))

    assert 0.35 < dark(SCENE) < 0.65
    assert dark(DOCUMENT) == 1


def test_letters_are_widened_where_their_gaps_allow(fonts):
    upright = next(f for f in fonts if f.path.endswith("DejaVuSans.ttf"))
    bold = replace(SCENE, bold=1.0)

    def strokes(text: str, height: int) -> set[int]:
        dice = random.Random(0)
        width = 4 * height
        return {lay_out_scene(text, upright, bold, height, width, dice).stroke for _ in range(20)}

    assert strokes("Regular", 32) == {1}
    assert strokes("I", 32) == {1, 2}  # no gap, and drawn larger
    assert strokes("Regular", 14) == {0}


def test_widths_of_strokes():
    bars = np.zeros((40, 60), np.float32)
    bars[5:35, 10:13] = bars[5:35, 30:33] = 1
    assert stroke_widths(bars) == pytest.approx((3, 30))


def test_a_family_of_many_files_does_not_rule(fonts):
    nine = [replace(fonts[0], family="nine") for _ in range(9)]
    renderer = WordRenderer([*nine, replace(fonts[1], family="one")], preset="scene")
    chosen = []
    renderer.painter.paint = lambda text, font, dice, rng: chosen.append(font.family)
    for seed in range(400):
        renderer.render("a", np.random.default_rng(seed))
    assert 0.18 < chosen.count("one") / 400 < 0.32  # 1 / (1 + sqrt(9))


def test_fonts_for_small_letters_draw_no_words_in_capitals(fonts):
    script = replace(fonts[0], family="script", capitals=False)
    renderer = WordRenderer([script, replace(fonts[1], family="print")], preset="scene")
    chosen = []
    renderer.painter.paint = lambda text, font, dice, rng: chosen.append((text, font.family))
    texts = ("Exit", "exit", "'Exit'", "EXIT", "E", "No.9", "7")
    for seed in range(40):
        for text in texts:
            renderer.render(text, np.random.default_rng(seed))
    families = {text: {family for t, family in chosen if t == text} for text in texts}
    assert families == {text: {"script", "print"} for text in texts[:3]} | {
        text: {"print"} for text in texts[3:]
    }
    alone = WordRenderer([script], preset="scene")
    assert alone.render("EXIT", np.random.default_rng(0))[0].shape == (32, 128, 3)


@pytest.mark.parametrize("preset", PRESETS, ids=lambda p: p.name)
def test_hairlines_do_not_vanish(fonts, preset):
    """Under all losses of sharpness at once, every word stays above both limits."""
    faint = replace(preset, blur=1.0, low_resolution=1.0, noise=1.0, bold=0.0)
    painter = ScenePainter(faint, 32, 128)
    font = next(f for f in fonts if f.path.endswith("cmr10.ttf"))
    left = []

    def measured(pixels, letters):
        left.append(letters_left(pixels, letters))
        return is_legible(pixels, letters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dctc.data.render.scene.is_legible", measured)
        for seed in range(150):
            painter.paint("Hairline", font, random.Random(seed), np.random.default_rng(seed))
            likeness, contrast = left[-1]
            assert likeness >= LEAST_LIKENESS and contrast >= LEAST_CONTRAST
    assert len(left) > 150  # some were drawn anew


def test_ink_is_made_opaque():
    thin = np.zeros((20, 30), np.float32)
    thin[:, 5:7] = 0.4  # a line between two columns of pixels
    assert solid(thin)[:, 5:7] == pytest.approx(0.7)
    thick = np.zeros((20, 30), np.float32)
    thick[:, 5:15] = 1
    assert np.array_equal(solid(thick), thick)
    assert np.array_equal(solid(0 * thick), 0 * thick)


def test_errors(fonts):
    with pytest.raises(ValueError, match="preset 'hard': it is one of easy, scene, document"):
        get_preset("hard")
    with pytest.raises(ValueError, match="only easy is drawn with distort=False"):
        WordRenderer(fonts, preset="scene", distort=False)
    with pytest.raises(
        ValueError, match=r"no font draws 汉 .*; tried DejaVu Sans, .*, cmtt10; give"
    ):
        WordRenderer(fonts, preset="scene").render("汉", np.random.default_rng(0))
