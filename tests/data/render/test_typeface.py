import copy
import shutil
import string
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from fontTools.ttLib import TTFont
from fontTools.ttLib.tables._g_l_y_f import Glyph

from dctc.data.render.fonts import find_fonts, font_report
from dctc.data.render.renderer import WordRenderer
from dctc.data.render.typeface import (
    CAPITALS,
    LEAST_LIKENESS,
    MOST_MISTAKEN,
    MOST_SMALL_MISTAKEN,
    drawings,
    examine,
    likeness,
    mistaken,
)

SHIPPED = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
LOWER, UPPER = string.ascii_lowercase, string.ascii_uppercase


def changed(path: Path, font: str, glyphs: dict[str, str | None]) -> Path:
    """Save a font with some glyphs replaced by others of it, or by blank ones."""
    with TTFont(SHIPPED / font) as file:
        drawn = {g: copy.deepcopy(file["glyf"][g]) for g in glyphs.values() if g}
        for to, source in glyphs.items():
            file["glyf"][to] = drawn[source] if source else Glyph()
            file["hmtx"][to] = file["hmtx"][source or to]
        file.save(path)
    return path


def shifted(letters: str) -> dict[str, str]:
    return dict(zip(letters, letters[13:] + letters[:13], strict=True))


def test_text_fonts_of_matplotlib_are_used_and_symbol_fonts_are_not(fonts):
    assert {"DejaVuSans", "DejaVuSerif-Bold", "STIXGeneral", "cmr10", "cmtt10"} <= set(fonts)
    assert all(f.covers(string.ascii_letters + string.digits) for f in fonts.values())
    symbols = {"cmsy10", "cmex10", "cmmi10", "LastResortHE-Regular", "DejaVuSansDisplay"}
    symbols |= {p.stem for p in SHIPPED.glob("STIXSiz*")} | {p.stem for p in SHIPPED.glob("*Non*")}
    assert len(symbols) > 15 and not symbols & set(fonts)


def test_characters_that_a_font_draws_as_others_are_not_its_own(fonts, sans):
    assert not fonts["cmr10"].characters & set("<>{|}\\")  # TeX has dashes and ligatures there
    assert "$" not in fonts["cmti10"].characters  # a pound sign
    assert sans.covers(string.punctuation) and not sans.covers("汉")
    assert " " not in sans.characters


def test_styles_of_one_typeface_share_its_family(fonts, sans):
    assert sans.family == fonts["DejaVuSans-BoldOblique"].family == "DejaVu Sans"
    assert fonts["DejaVuSerif"].family != sans.family


def test_the_report_says_why_a_font_is_not_used(tmp_path):
    for name in ("cmr10.ttf", "cmsy10.ttf"):
        shutil.copy(SHIPPED / name, tmp_path)
    (tmp_path / "bad.otf").write_bytes(b"not a font")
    report = {Path(face.path).name: face for face in font_report(str(tmp_path))}
    assert list(report) == ["bad.otf", "cmr10.ttf", "cmsy10.ttf"]
    assert report["cmr10.ttf"].reason == "" and report["cmr10.ttf"].family == "cmr10"
    assert len(report["cmr10.ttf"].characters) > 80
    assert "in the place of 0" in report["cmsy10.ttf"].reason
    assert report["bad.otf"].damaged and "cannot be read" in report["bad.otf"].reason


@pytest.mark.parametrize(
    ("font", "glyphs", "reason", "lost", "capitals"),
    [
        ("cmss10.ttf", {"Q": None}, "blank glyph for Q", "", True),
        ("cmss10.ttf", {c: c.upper() for c in LOWER}, "", LOWER, True),
        ("DejaVuSans.ttf", shifted(LOWER), "most of its small letters look like others", "", True),
        ("DejaVuSans.ttf", shifted(UPPER), "", "", False),
    ],
    ids=["blank", "small capitals", "scrawl", "swash"],
)
def test_fonts_with_wrong_letters(tmp_path, font, glyphs, reason, lost, capitals):
    face = examine(changed(tmp_path / font, font, glyphs))
    assert (face.reason, face.capitals) == (reason, capitals)
    if not reason:
        assert face.characters.issuperset(CAPITALS)
        assert set(string.ascii_letters) - face.characters == set(lost)


def test_a_font_does_not_draw_characters_that_it_leaves_blank(tmp_path, sans):
    changed(tmp_path / "blank.ttf", "DejaVuSans.ttf", {"eacute": None})
    (font,) = find_fonts(str(tmp_path))
    assert "é" in font.characters  # the file claims it
    assert font.covers("eèê") and not font.covers("é")
    assert WordRenderer([font]).covers("eèê") and not WordRenderer([font]).covers("caf\u00e9")
    assert WordRenderer([font, sans]).fonts_for("é") == [sans]


def test_shapes_that_are_no_letters_are_told_from_letters(fonts):
    rng = np.random.default_rng(0)
    noise = {c: ((20, 24), rng.bytes(480)) for c in CAPITALS}
    frame = {c: ((20, 24), bytes([255] * 480)) for c in CAPITALS}
    assert max(likeness(noise), likeness(frame)) < LEAST_LIKENESS
    assert likeness(drawings(fonts["cmtt10"].path)) > 0.5
    assert likeness(drawings(fonts["cmti10"].path)) > 0.4


def test_letters_that_look_like_others_are_counted(fonts, sans):
    for name in ("DejaVuSans", "DejaVuSerif-Italic", "cmr10", "cmtt10", "STIXGeneralBol"):
        drawn = drawings(fonts[name].path)
        assert mistaken(drawn) <= MOST_MISTAKEN and fonts[name].capitals
        assert mistaken(drawn, LOWER) <= MOST_SMALL_MISTAKEN
    drawn = drawings(sans.path)
    assert mistaken({c: drawn[other] for c, other in shifted(UPPER).items()}) == 26
    swapped = drawn | {"B": drawn["D"], "D": drawn["B"], "K": drawn["X"]}
    assert mistaken(swapped) == mistaken(drawn) + 3
