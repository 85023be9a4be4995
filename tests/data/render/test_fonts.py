import copy
import shutil
import string
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from fontTools.ttLib import TTFont
from fontTools.ttLib.tables._g_l_y_f import Glyph

from dctc.data.render import fonts as fonts_module
from dctc.data.render.fonts import Font, find_fonts, font_report, split_fonts
from dctc.data.render.renderer import WordRenderer
from dctc.data.render.typeface import (
    LEAST_LIKENESS,
    MOST_MISTAKEN,
    MOST_SMALL_MISTAKEN,
    drawings,
    likeness,
    mistaken,
)

SHIPPED = Path(matplotlib.get_data_path()) / "fonts" / "ttf"


@pytest.fixture(scope="module")
def fonts() -> dict[str, Font]:
    return {Path(font.path).stem: font for font in find_fonts()}


def test_text_fonts_of_matplotlib_are_found(fonts):
    assert {"DejaVuSans", "DejaVuSerif-Bold", "STIXGeneral", "cmr10", "cmtt10"} <= set(fonts)
    for font in fonts.values():
        assert font.covers(string.ascii_letters + string.digits)


def test_symbol_fonts_are_left_out(fonts):
    symbols = {"cmsy10", "cmex10", "cmmi10", "LastResortHE-Regular", "DejaVuSansDisplay"}
    symbols |= {p.stem for p in SHIPPED.glob("STIXSiz*")} | {p.stem for p in SHIPPED.glob("*Non*")}
    assert len(symbols) > 15
    assert not symbols & set(fonts)


def test_characters_that_a_font_draws_as_others_are_not_its_own(fonts):
    assert not fonts["cmr10"].characters & set("<>{|}\\")  # TeX has dashes and ligatures there
    assert "$" not in fonts["cmti10"].characters  # a pound sign
    assert fonts["DejaVuSans"].covers(string.punctuation)
    assert not fonts["DejaVuSans"].covers("汉")
    assert " " not in fonts["DejaVuSans"].characters


def test_a_folder_is_searched_in_order_with_its_subfolders(tmp_path):
    (tmp_path / "b").mkdir()
    shutil.copy(SHIPPED / "cmr10.ttf", tmp_path / "b" / "serif.TTF")
    shutil.copy(SHIPPED / "cmss10.ttf", tmp_path / "a.ttf")
    names = [Path(font.path).name for font in find_fonts(str(tmp_path))]
    assert names == ["a.ttf", "serif.TTF"]


@pytest.mark.parametrize("damage", ["nothing", "text", "cut"])
def test_an_unreadable_file_is_named_and_left_out(tmp_path, damage):
    shutil.copy(SHIPPED / "cmr10.ttf", tmp_path / "good.ttf")
    whole = (SHIPPED / "cmr10.ttf").read_bytes()
    bad = {"nothing": b"", "text": b"not a font at all", "cut": whole[: len(whole) // 3]}[damage]
    (tmp_path / "bad.ttf").write_bytes(bad)
    with pytest.warns(UserWarning, match=r"bad\.ttf: cannot be read \(.+\); left out"):
        fonts = find_fonts(str(tmp_path))
    assert [Path(font.path).name for font in fonts] == ["good.ttf"]


def test_no_font_at_all_is_an_error(tmp_path):
    shutil.copy(SHIPPED / "cmsy10.ttf", tmp_path)
    with pytest.raises(ValueError, match=r"none of its 1 .* is a text font; give a folder"):
        find_fonts(str(tmp_path))
    with pytest.raises(ValueError, match="no such folder"):
        find_fonts(str(tmp_path / "absent"))
    with pytest.raises(ValueError, match=r"cmsy10\.ttf': is a file; give a folder"):
        find_fonts(str(tmp_path / "cmsy10.ttf"))


def test_import_is_light():
    code = (
        "import sys, dctc.data.render.fonts; print({'matplotlib', 'fontTools'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_report_says_why_a_font_is_not_used(tmp_path):
    shutil.copy(SHIPPED / "cmr10.ttf", tmp_path)
    shutil.copy(SHIPPED / "cmsy10.ttf", tmp_path)
    (tmp_path / "bad.otf").write_bytes(b"not a font")
    report = {path.name: face for path, face in font_report(str(tmp_path))}
    assert list(report) == ["bad.otf", "cmr10.ttf", "cmsy10.ttf"]
    assert report["cmr10.ttf"].reason == "" and report["cmr10.ttf"].family == "cmr10"
    assert len(report["cmr10.ttf"].characters) > 80
    assert "in the place of 0" in report["cmsy10.ttf"].reason
    assert report["bad.otf"].damaged and "cannot be read" in report["bad.otf"].reason


def test_styles_of_one_typeface_share_its_family(fonts):
    assert fonts["DejaVuSans"].family == fonts["DejaVuSans-BoldOblique"].family == "DejaVu Sans"
    assert fonts["DejaVuSerif"].family != fonts["DejaVuSans"].family


def test_letters_without_ink_and_small_capitals_are_noticed(tmp_path):
    def variant(name: str, glyphs: dict[str, str | None]) -> None:
        with TTFont(SHIPPED / "cmss10.ttf") as file:
            for to, source in glyphs.items():
                outline = copy.deepcopy(file["glyf"][source]) if source else Glyph()
                file["glyf"][to] = outline
                file["hmtx"][to] = file["hmtx"][source or to]
            file.save(tmp_path / name)

    variant("blank.ttf", {"Q": None})
    variant("capitals.ttf", {c: c.upper() for c in string.ascii_lowercase})
    report = {path.name: face for path, face in font_report(str(tmp_path))}
    assert report["blank.ttf"].reason == "blank glyph for Q"
    (font,) = find_fonts(str(tmp_path))
    assert font.covers(string.ascii_uppercase + string.digits)
    assert not font.characters & set(string.ascii_lowercase)


def test_a_font_does_not_draw_characters_that_it_leaves_blank(tmp_path):
    with TTFont(SHIPPED / "DejaVuSans.ttf") as file:
        file["glyf"]["eacute"] = Glyph()
        file.save(tmp_path / "blank.ttf")
    (font,) = find_fonts(str(tmp_path))
    assert "é" in font.characters  # the file claims it
    assert font.covers("eèê") and not font.covers("é")
    blank = WordRenderer([font])
    assert blank.covers("eèê") and not blank.covers("caf\u00e9")
    whole = next(f for f in find_fonts() if f.path.endswith("DejaVuSans.ttf"))
    assert WordRenderer([font, whole]).fonts_for("é") == [whole]


def test_shapes_that_are_no_letters_are_told_from_letters(fonts):
    rng = np.random.default_rng(0)
    noise = {c: ((20, 24), rng.bytes(480)) for c in string.ascii_uppercase + string.digits}
    assert likeness(noise) < LEAST_LIKENESS
    frame = {c: ((20, 24), bytes([255] * 480)) for c in noise}
    assert likeness(frame) < LEAST_LIKENESS
    assert likeness(drawings(fonts["cmtt10"].path)) > 0.5
    assert likeness(drawings(fonts["cmti10"].path)) > 0.4


def test_the_fonts_of_the_machine_come_from_fontconfig_or_the_usual_folders(tmp_path, monkeypatch):
    (tmp_path / "share").mkdir()
    for name in ("cmr10.ttf", "cmss10.ttf"):
        shutil.copy(SHIPPED / name, tmp_path / "share")
    program = tmp_path / "fc-list"
    program.write_text(f"#!/bin/sh\necho {tmp_path}/share/cmss10.ttf\necho {tmp_path}/gone.ttf\n")
    program.chmod(0o755)
    monkeypatch.setattr(fonts_module.shutil, "which", lambda name: str(program))
    assert [Path(f.path).name for f in find_fonts("system")] == ["cmss10.ttf"]
    program.write_text("#!/bin/sh\necho no configuration >&2\nexit 3\n")
    with pytest.raises(ValueError, match=r"fc-list failed \(no configuration\); give a folder"):
        find_fonts("system")
    monkeypatch.setattr(fonts_module.shutil, "which", lambda name: None)
    monkeypatch.setattr(
        fonts_module, "_system_folders", lambda: [tmp_path / "share", tmp_path / "absent"]
    )
    assert [Path(f.path).name for f in find_fonts("system")] == ["cmr10.ttf", "cmss10.ttf"]


def test_held_out_families_are_a_tenth_and_stay_together():
    many = [Font(f"{i}-{j}.ttf", frozenset("a"), f"family {i}") for i in range(300) for j in "ab"]
    used, held_out = split_fonts(many, False), split_fonts(many, True)
    assert len(used) + len(held_out) == 600 and 30 < len(held_out) < 100
    assert not {f.family for f in used} & {f.family for f in held_out}
    with pytest.raises(ValueError, match=r"none of the 1 families is held out; give more fonts"):
        split_fonts([f for f in used if f.family == used[0].family], True)


def test_letters_that_look_like_others_are_counted(fonts):
    for name in ("DejaVuSans", "DejaVuSerif-Italic", "cmr10", "cmtt10", "STIXGeneralBol"):
        drawn = drawings(fonts[name].path)
        assert mistaken(drawn) <= MOST_MISTAKEN and fonts[name].capitals
        assert mistaken(drawn, string.ascii_lowercase) <= MOST_SMALL_MISTAKEN
    letters = string.ascii_uppercase
    drawn = drawings(fonts["DejaVuSans"].path)
    swapped = dict(zip(letters, [drawn[c] for c in letters[13:] + letters[:13]], strict=True))
    assert mistaken(swapped) == 26
    swapped = drawn | {"B": drawn["D"], "D": drawn["B"], "K": drawn["X"]}
    assert mistaken(swapped) == mistaken(drawn) + 3


def test_fonts_whose_letters_look_like_others_are_left_out_or_only_begin_words(tmp_path):
    def shuffled(name: str, letters: str) -> None:
        with TTFont(SHIPPED / "DejaVuSans.ttf") as file:
            glyphs = {c: copy.deepcopy(file["glyf"][c]) for c in letters}
            for to, source in zip(letters, letters[13:] + letters[:13], strict=True):
                file["glyf"][to] = glyphs[source]
            file.save(tmp_path / name)

    shuffled("swash.ttf", string.ascii_uppercase)
    shuffled("scrawl.ttf", string.ascii_lowercase)
    report = {path.name: face for path, face in font_report(str(tmp_path))}
    assert report["scrawl.ttf"].reason == "most of its small letters look like others"
    (font,) = find_fonts(str(tmp_path))
    assert font.path.endswith("swash.ttf") and not font.capitals
