"""What Figure 1 is drawn from, on nets whose spikes are known."""

import numpy as np
import pytest
import torch
from experiments.figures.localization import Disagreement
from experiments.figures.published import load_arrays, save_arrays
from experiments.figures.spikes import (
    character_weights,
    choose_misread,
    choose_words,
    disagreements,
    rate_arrays,
    select,
    word_panels,
)
from experiments.figures.spikes_figure import draw_one_word, draw_spikes, rate_table

from dctc.data.records.batch import collate
from dctc.text import CTCTokenizer
from tiny import noise_batch

TOKENIZER = CTCTokenizer("36")


class Spikes:
    """Emits the k-th character of every label at frame 3 k + shift, all else blank."""

    def __init__(self, labels, shift=0, t=16):
        self.targets, self.shift, self.t = TOKENIZER.encode(labels)[0], shift, t

    def __call__(self, images):
        logits = torch.zeros(self.t, len(images), TOKENIZER.num_classes)
        logits[:, :, 0] = 8.0
        for i, row in enumerate(self.targets[: len(images)]):
            for j, k in enumerate(row[row > 0]):
                logits[3 * j + self.shift, i, k] = 16.0
        return logits

    def frames(self, width):
        return width // 4


class Looks(Spikes):
    """Looks there instead."""

    max_length = 2

    def attention(self, images, targets, width):
        weights = torch.zeros(*targets.shape, self.t)
        for j in range(targets.shape[1]):
            weights[:, j, 3 * j + self.shift] = 1.0
        return weights


LABELS = ["abba", "c1", "abcd"]


def test_both_kinds_of_nets_are_read_where_they_spike_or_look():
    batch = noise_batch(LABELS)
    weights, lengths = character_weights(Spikes(LABELS), TOKENIZER, batch)
    assert weights.shape == (3, 4, 16) and lengths.tolist() == [4, 2, 4]
    assert weights.argmax(2)[0].tolist() == [0, 3, 6, 9]
    weights, lengths = character_weights(Looks(LABELS, shift=1), TOKENIZER, batch)
    assert lengths.tolist() == [2, 2, 2]  # as many as it can read
    assert weights.argmax(2)[0].tolist() == [1, 4]


@pytest.mark.parametrize(("shift", "apart"), [(0, 0), (1, 0), (2, 10)])
def test_nets_disagree_by_their_shift(shift, apart):
    nets = Spikes(LABELS), Spikes(LABELS), Spikes(LABELS, shift)
    found = disagreements(nets, TOKENIZER, [noise_batch(LABELS), collate([])])
    assert found == [Disagreement(n, 10) for n in (0, apart, apart)]  # 0 and 1, 0 and 2, 1 and 2


def test_the_first_different_words_that_are_long_enough():
    batch = noise_batch(["abcd", "abc", "abcd", "wxyz1", "qrst"])
    assert choose_words(batch, 2) == [0, 3]
    assert choose_words(batch, 9) == [0, 3, 4]
    assert select(batch, [3, 1]).label == ["wxyz1", "abc"]


@pytest.mark.parametrize(("read", "chosen"), [("wxyz qrss", 3), ("wxya qrss", 2), ("wxyz qrst", 1)])
def test_the_word_of_the_gradients_is_the_first_long_one_that_is_misread(read, chosen):
    batch = noise_batch(["ab", "abcd", "wxyz", "qrst"])
    assert choose_misread(Spikes(["abcd", *read.split()]), TOKENIZER, batch) == chosen


@pytest.fixture
def panels():
    words = ["abba", "abcd"]
    nets = [[Spikes(words), Spikes(words, shift)] for shift in (1, 2)]
    return word_panels(["CTC", "DCTC"], nets, TOKENIZER, noise_batch(words))


def test_gradients_of_a_word(panels):
    gradients, rows = panels["gradients"], panels["gradient_rows"].tolist()
    assert rows == ["blank", "a", "b", "others"]  # of abba, each once
    assert (panels["gradient_label"], panels["gradient_reading"]) == ("abba", "abba")
    np.testing.assert_allclose(gradients.sum(1), 0, atol=1e-5)  # of each frame's logits
    # CTC leaves the frames of sure spikes alone; the distillation adds alpha (P - z*) to that
    added = gradients[1] - gradients[0]
    assert abs(added).max() <= 0.1 + 1e-6
    # next to a spike, gamma / P is larger for the character than for the blank: it spreads
    assert added[rows.index("a"), 1] < -0.05 < 0.05 < added[rows.index("blank"), 1]


def test_figure_1_is_drawn_from_what_is_stored(panels, tmp_path):
    stored = load_arrays(save_arrays(panels, tmp_path / "figure1.npz"))
    for word, image in zip(("abba", "abcd"), stored["images"], strict=True):
        (sample,) = noise_batch([word], seed=stored["labels"].tolist().index(word)).image
        assert np.array_equal(image, ((sample + 1) * 127.5).round().permute(1, 2, 0))
    draw_spikes(stored).savefig(tmp_path / "figure1.png")


def test_one_word_is_drawn_by_the_packaged_nets(tmp_path):
    figure = draw_one_word("abba")
    figure.savefig(tmp_path / "one_word.png")
    _, *panels = figure.axes
    blanks = [axes.get_title("left").split("takes ")[1] for axes in panels]
    assert [axes.get_title("left").split(":")[0] for axes in panels] == ["CTC", "DCTC"]
    assert len({*blanks}) == 2  # two nets
    for axes in panels:
        assert "".join(text.get_text() for text in axes.texts) == "abba"


def test_rates_of_disagreement_by_set_and_family(record):
    records = [[{"SVT": record(correct=k, n=4)} for k in seeds] for seeds in ([2, 1, 1], [3, 0, 4])]
    nets = [[Spikes(LABELS), Spikes(LABELS), Spikes(LABELS, shift)] for shift in (0, 2)]
    loaders = {"SVT": lambda: [noise_batch(LABELS)]}
    arrays = rate_arrays((0, 1, 2), records, nets, loaders, TOKENIZER)
    table = rate_table({"families": np.array(["CTC", "DCTC"]), **arrays})
    assert table.rows == [
        ["CTC", "SVT (4 words)", "10", "0.00", "0.00, 0.00, 0.00", "50.00, 25.00, 25.00"],
        ["DCTC", "SVT (4 words)", "10", "66.67", "0.00, 100.00, 100.00", "75.00, 0.00, 100.00"],
    ]
    assert "Pairs, in this order: seeds 0 and 1, 0 and 2, 1 and 2." in table.notes[0]
