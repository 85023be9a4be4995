"""Arrays and drawing of Figure 4, on nets whose features say which character they are of."""

import numpy as np
import pytest
import torch
from experiments.figures.clusters import (
    LEAST,
    balanced,
    character_features,
    choose_groups,
    cluster_arrays,
    cohesion_table,
    draw_clusters,
    embed,
)
from matplotlib.text import Text

from dctc.data.render.fonts import find_fonts
from dctc.text import CTCTokenizer
from experiments.figures import clusters
from tiny import text_batch

TOKENIZER = CTCTokenizer("36")


class Clusters:
    """Reads the classes that text_batch draws; features of a class lie around a point of its own.

    Args:
        spread: Standard deviation around the point; the points of two classes are 10 apart or more.
    """

    def __init__(self, spread):
        self.spread = spread

    def features(self, images):
        classes = ((images[:, 0, 0, ::4] + 1) * 127.5).round().long().T  # (t, n)
        generator = torch.Generator().manual_seed(0)
        around = torch.randn(*classes.shape, 2, generator=generator)
        return torch.cat([10.0 * classes[:, :, None], self.spread * around], 2)

    def head(self, features):
        classes = (features[:, :, 0] / 10).long()
        return 12.0 * torch.nn.functional.one_hot(classes, TOKENIZER.num_classes).float()

    def frames(self, width):
        return width // 4


def words(*labels):
    return text_batch([(label, label) for label in labels])


def test_groups_are_those_confused_most_of_chinese_ones_that_occur_often():
    readings = [("对1", "时l"), ("时", "对"), ("来", "对"), ("1", "l"), ("1", "l")]
    assert choose_groups(readings) == ["1l", "对时来"]
    labels = ["对时1"] * LEAST + ["来"] * (LEAST - 1)
    assert choose_groups(readings, labels) == ["对时"]
    with pytest.raises(ValueError, match="no character was confused"):
        choose_groups([("1", "l")], labels)


def test_features_of_the_characters_frames_balanced_in_the_order_of_the_words():
    def found(batches, characters, limit=9):
        return character_features(Clusters(0.0), TOKENIZER, batches, characters, limit)

    batches = [words("abca", "bxa"), words("ba")]
    features, characters = balanced(*found(batches, "ab"), "ab")
    assert "".join(characters) == "ababab"  # the fourth a is one too many
    classes = {"a": 110.0, "b": 120.0}  # 10 times the class: digits come first
    assert features[:, 0].tolist() == [classes[c] for c in characters]
    assert "".join(found(batches, "ab", limit=2)[1]) == "abab"
    with pytest.raises(ValueError, match="'x' occurs less than twice"):
        balanced(*found(batches, "ax"), "ax")


def test_words_that_are_given_twice_are_refused():
    batch = words("ab", "ba", "ab", "ba")
    with pytest.raises(ValueError, match=f"4 words are given more than once, as {batch.key[0]}"):
        cluster_arrays([[Clusters(1.0)]], TOKENIZER, [batch, batch], ["ab"])


def test_the_plane_is_the_same_each_time():
    points = np.random.default_rng(0).normal(size=(20, 5))
    assert np.array_equal(embed(points), embed(points)) and embed(points).shape == (20, 2)


@pytest.fixture(scope="module")
def arrays():
    batches = [words(*["abcab", "cabca", "bcabc"] * 3)]
    arms = [[Clusters(30.0), Clusters(30.0)], [Clusters(0.1), Clusters(0.2)]]
    found = cluster_arrays(arms, TOKENIZER, batches, ["ab", "abc"], limit=8)
    return {**found, "arms": np.array(["CTC", "DCTC"])}


def test_the_tighter_net_measures_better(arrays):
    assert arrays["points_1"].shape == (2, 24, 2)
    assert arrays["cohesion"].shape == (2, 2, 2, 3)
    silhouette, purity, ratio = arrays["cohesion"].mean((1, 2)).T
    assert silhouette[0] < 0.5 < 0.9 < silhouette[1]
    assert purity[0] < 1.0 and ratio[1] < 0.1 < ratio[0]
    rows = cohesion_table(arrays).rows
    groups, nets = [("a b", "16"), ("a b c", "24")], ("CTC", "DCTC", "DCTC - CTC")
    assert [row[:3] for row in rows] == [[name, net, n] for name, n in groups for net in nets]
    first, second = arrays["cohesion"][1, :, 0, 0]
    mean, deviation = (first + second) / 2, abs(first - second) / np.sqrt(2)
    assert rows[1][3] == f"{mean:.3f} ± {deviation:.3f}"
    gain = (arrays["cohesion"][1] - arrays["cohesion"][0]).mean(0)[0]
    # both seeds are better, in a ratio by less
    assert rows[2][3] == f"{gain[0]:+.3f} (2 of 2)" and gain[0] > 0
    assert rows[2][5] == f"{gain[2]:+.3f} (2 of 2)" and gain[2] < 0


def drawn(arrays, characters):
    """Return the texts of the figure with other characters in place of a, b and c."""
    names = dict(zip("abc", characters, strict=True))
    renamed = {
        name: np.array(["".join(names[c] for c in text) for text in arrays[name]])
        for name in ("groups", "characters_0", "characters_1")
    }
    figure = draw_clusters({**arrays, **renamed})
    figure.draw_without_rendering()
    table = cohesion_table({**arrays, **renamed}, by_font=True)
    cells = " ".join(row[0] for row in table.rows).split()
    return {*cells, *(text.get_text() for text in figure.findobj(Text))}


@pytest.mark.parametrize("fonts", [[], find_fonts()])
def test_characters_that_no_font_of_the_machine_draws_are_code_points(arrays, fonts, monkeypatch):
    monkeypatch.setattr(clusters, "find_fonts", lambda _: fonts)
    with pytest.warns(UserWarning, match="地也地也他: no font .* code points"):
        texts = drawn(arrays, "地也他")
    assert {"CTC", "DCTC", "U+5730", "U+4E5F", "U+4ED6"} <= texts
    assert not any(c in text for c in "地也他" for text in texts)


def test_a_font_of_the_machine_draws_them(arrays, monkeypatch):
    monkeypatch.setattr(clusters, "find_fonts", lambda _: find_fonts())
    assert {"δ", "λ", "π"} <= drawn(arrays, "δλπ")  # which the fonts of matplotlib draw
