import shutil
import warnings
from pathlib import Path

import pytest

from dctc.data.archives.alphabet import write_common_characters
from dctc.data.render import fonts as fonts_module
from dctc.data.render.fonts import Font, chinese_families, find_fonts, split_fonts
from dctc.data.render.typeface import matplotlib_folder
from dctc.data.rendered import RenderedDataModule
from tiny import run_python

SHIPPED = matplotlib_folder()
CHINESE = "".join(chr(0x4E00 + i) for i in range(100))
LATIN = "0123456789abcdef"
CHARSET = "0123456789" + CHINESE
FONTS = [
    Font(f"{family}.ttf", frozenset(LATIN + characters), family)
    for family, characters in (
        *((name, "") for name in ("Serif", "Sans", "Mono", "Inconsolata", "Nimbus Roman")),
        *(("Japanese", CHINESE[:60]), ("Ming", CHINESE), ("Hei", CHINESE[:95]), ("Kai", CHINESE)),
    )
]


def files(fonts: list[Font]) -> list[str]:
    return [Path(font.path).name for font in fonts]


def families(fonts: list[Font]) -> set[str]:
    return {font.family for font in fonts}


def test_import_is_light():
    heavy = "{'matplotlib', 'fontTools'} & {*sys.modules}"
    code = f"import sys, dctc.data.render.fonts; print({heavy})"
    assert run_python("-c", code).stdout.strip() == "set()"


def test_a_folder_is_searched_in_order_with_its_subfolders_and_links(tmp_path):
    for folder, name, font in (("b", "serif.TTF", "cmr10"), ("", "a.ttf", "cmss10")):
        (tmp_path / "fonts" / folder).mkdir(parents=True, exist_ok=True)
        shutil.copy(SHIPPED / f"{font}.ttf", tmp_path / "fonts" / folder / name)
    (tmp_path / "other").mkdir()
    shutil.copy(SHIPPED / "cmtt10.ttf", tmp_path / "other" / "linked.ttf")
    (tmp_path / "fonts" / "c").symlink_to(tmp_path / "other")
    (tmp_path / "other" / "loop").symlink_to(tmp_path / "fonts")
    assert files(find_fonts(str(tmp_path / "fonts"))) == ["a.ttf", "serif.TTF", "linked.ttf"]


@pytest.mark.parametrize("content", [b"", b"not a font at all", None])
def test_an_unreadable_file_is_named_and_left_out(tmp_path, content):
    whole = (SHIPPED / "cmr10.ttf").read_bytes()
    (tmp_path / "good.ttf").write_bytes(whole)
    (tmp_path / "bad.ttf").write_bytes(whole[: len(whole) // 3] if content is None else content)
    with pytest.warns(UserWarning, match=r"bad\.ttf: cannot be read \(.+\); left out"):
        assert files(find_fonts(str(tmp_path))) == ["good.ttf"]


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("", r"none of its 1 .* is a text font; give a folder"),
        ("absent", "no such folder"),
        ("cmsy10.ttf", r"cmsy10\.ttf': is a file; give a folder"),
    ],
)
def test_no_font_at_all_is_an_error(tmp_path, folder, message):
    shutil.copy(SHIPPED / "cmsy10.ttf", tmp_path)
    with pytest.raises(ValueError, match=message):
        find_fonts(str(tmp_path / folder))


def test_the_fonts_of_the_machine_come_from_fontconfig_or_the_usual_folders(tmp_path, monkeypatch):
    (tmp_path / "share").mkdir()
    for name in ("cmr10.ttf", "cmss10.ttf"):
        shutil.copy(SHIPPED / name, tmp_path / "share")
    program = tmp_path / "fc-list"
    program.write_text(f"#!/bin/sh\necho {tmp_path}/share/cmss10.ttf\necho {tmp_path}/gone.ttf\n")
    program.chmod(0o755)
    monkeypatch.setattr(fonts_module.shutil, "which", lambda name: str(program))
    assert files(find_fonts("system")) == ["cmss10.ttf"]
    program.write_text("#!/bin/sh\necho no configuration >&2\nexit 3\n")
    with pytest.raises(ValueError, match=r"fc-list failed \(no configuration\); give a folder"):
        find_fonts("system")
    monkeypatch.setattr(fonts_module.shutil, "which", lambda name: None)
    folders = [tmp_path / "share", tmp_path / "absent"]
    monkeypatch.setattr(fonts_module, "_system_folders", lambda: folders)
    assert files(find_fonts("system")) == ["cmr10.ttf", "cmss10.ttf"]


def test_held_out_families_are_a_tenth_and_stay_together():
    many = [Font(f"{i}-{j}.ttf", frozenset("a"), f"family {i}") for i in range(300) for j in "ab"]
    used, held_out = split_fonts(many, False), split_fonts(many, True)
    assert len(used) + len(held_out) == 600 and 30 < len(held_out) < 100
    assert not families(used) & families(held_out)
    with pytest.raises(ValueError, match=r"none of the 1 families is held out; give more fonts"):
        split_fonts([f for f in used if f.family == used[0].family], True)


def test_one_chinese_family_is_held_out_and_the_others_as_ever():
    chinese = {"Hei", "Kai", "Ming"}
    assert chinese_families(FONTS, CHARSET) == sorted(chinese)
    assert chinese_families(FONTS, LATIN) == []
    training, rest = (split_fonts(FONTS, held_out, CHARSET) for held_out in (False, True))
    assert families(training) | families(rest) == families(FONTS)
    assert not families(training) & families(rest)
    assert families(rest) - chinese == families(split_fonts(FONTS, True)) - chinese
    (kept,) = families(rest) & chinese
    # whatever else is installed, and in any order
    fewer = [f for f in reversed(FONTS) if f.family in chinese]
    assert families(split_fonts(fewer, True, CHARSET)) == {kept}


@pytest.mark.parametrize(("count", "named"), [(0, "none of 6"), (1, "Ming of 7")])
def test_too_few_chinese_families_are_an_error_that_says_what_to_install(count, named):
    with pytest.raises(ValueError, match=f"fonts: {named} families draws.*fonts-wqy") as caught:
        split_fonts(FONTS[: 6 + count], True, CHARSET)
    assert "\n" not in str(caught.value)


def test_held_out_chinese_lines_are_drawn_in_chinese(tmp_path):
    file = tmp_path / "common.txt"
    charset = write_common_characters(file, 20)
    if len(chinese_families(find_fonts("system"), charset.characters)) < 2:
        pytest.skip("fewer than two families of fonts on this machine draw Chinese")
    data = RenderedDataModule(
        **{"batch_size": 4, "epoch_size": 4, "val_size": 40, "test_size": 4, "width": 64},
        **{"fonts": "system", "charset": str(file), "protocol": "chinese_fold", "num_workers": 0},
        **{"language": "zh", "preset": "scene", "hold_out_fonts": True, "words": "wordfreq"},
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data.setup()
    labels = "".join(label for batch in data.val_dataloader()[0] for label in batch.label)
    assert len(set(labels) & set(charset.characters[36:])) == 20
    train, test = data.train_set.renderer.fonts, data.test_sets["rendered"].renderer.fonts
    assert not families(train) & families(test)
