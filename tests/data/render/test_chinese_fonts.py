import warnings

import pytest

from dctc.data.archives.alphabet import write_common_characters
from dctc.data.render.fonts import Font, chinese_families, find_fonts, split_fonts
from dctc.data.rendered import RenderedDataModule

CHINESE = "".join(chr(0x4E00 + i) for i in range(100))
CHARSET = "0123456789" + CHINESE
LATIN = "0123456789abcdef"


def font(family, characters):
    return Font(f"{family}.ttf", frozenset(LATIN + characters), family)


FONTS = [
    *(font(name, "") for name in ("Serif", "Sans", "Mono", "Inconsolata", "Nimbus Roman")),
    font("Japanese", CHINESE[:60]),
    font("Ming", CHINESE),
    font("Hei", CHINESE[:95]),
    font("Kai", CHINESE),
]


def names(fonts):
    return {font.family for font in fonts}


def test_families_draw_chinese_if_they_have_most_of_the_characters():
    assert chinese_families(FONTS, CHARSET) == ["Hei", "Kai", "Ming"]
    assert chinese_families(FONTS, LATIN) == []


def test_one_chinese_family_is_held_out_and_the_others_as_ever():
    training, rest = (split_fonts(FONTS, held_out, CHARSET) for held_out in (False, True))
    chinese = {"Hei", "Kai", "Ming"}
    assert names(training) | names(rest) == names(FONTS) and not names(training) & names(rest)
    assert len(names(rest) & chinese) == 1
    assert names(rest) - chinese == names(split_fonts(FONTS, True)) - chinese
    # whatever else is installed, and in any order
    (kept,) = names(rest) & chinese
    fewer = [f for f in reversed(FONTS) if f.family in chinese]
    assert names(split_fonts(fewer, True, CHARSET)) == {kept}


@pytest.mark.parametrize(("count", "named"), [(0, "none of 6"), (1, "Ming of 7")])
def test_too_few_families_are_an_error_that_says_what_to_install(count, named):
    with pytest.raises(ValueError, match=f"fonts: {named} families draws.*fonts-wqy") as caught:
        split_fonts(FONTS[: 6 + count], True, CHARSET)
    assert "\n" not in str(caught.value)


@pytest.mark.slow  # the fonts of the machine are examined
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
    families = [
        {f.family for f in words.renderer.fonts}
        for words in (data.train_set, data.test_sets["rendered"])
    ]
    assert not families[0] & families[1]
