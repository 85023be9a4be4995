import shutil
import string
import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest

from dctc.data.fonts import Font, find_fonts

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


def test_import_is_light():
    code = "import sys, dctc.data.fonts; print({'matplotlib', 'fontTools'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
