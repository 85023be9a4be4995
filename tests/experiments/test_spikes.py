"""What Figure 1 is drawn from, on nets whose spikes are known."""

import numpy as np
import pytest
import torch
from experiments.figures.published import load_arrays, save_arrays
from experiments.figures.spikes import (
    character_weights,
    choose_misread,
    choose_words,
    disagreements,
    gradient_arrays,
    select,
    word_arrays,
)
from experiments.figures.spikes_figure import draw_spikes, rate_rows, rate_table

from dctc.data.records.batch import Sample, collate
from dctc.metrics.localization import Disagreement
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


def test_the_word_of_the_gradients_is_the_first_long_one_that_is_misread():
    batch = noise_batch(["ab", "abcd", "wxyz", "qrst"])
    assert choose_misread(Spikes(["abcd", "wxyz", "qrss"]), TOKENIZER, batch) == 3
    assert choose_misread(Spikes(["abcd", "wxya", "qrss"]), TOKENIZER, batch) == 2
    assert choose_misread(Spikes(["abcd", "wxyz", "qrst"]), TOKENIZER, batch) == 1


@pytest.fixture
def arrays():
    words = noise_batch(LABELS)
    families = [[Spikes(LABELS), Spikes(LABELS, shift)] for shift in (1, 2)]
    return {
        "families": np.array(["CTC", "DCTC"]),
        **word_arrays(families, TOKENIZER, words),
        **gradient_arrays(families[0][0], TOKENIZER, select(words, [0]), 0.1),
        "sets": np.array(["rendered"]),
        "pairs": np.array([[0, 1], [0, 2], [1, 2]]),
        "apart": np.array([[[0, 1, 5]], [[10, 0, 2]]]),
        "characters": np.array([[[10, 10, 10]], [[10, 10, 12]]]),
        "correct": np.array([[[2], [1], [1]], [[3], [0], [4]]]),
        "words": np.array([4]),
    }


def test_gradients_of_a_word(arrays):
    gradients, rows = arrays["gradients"], arrays["gradient_rows"].tolist()
    assert rows == ["blank", "a", "b", "others"]  # of abba, each once
    assert (arrays["gradient_label"], arrays["gradient_reading"]) == ("abba", "abba")
    np.testing.assert_allclose(gradients.sum(1), 0, atol=1e-5)  # of each frame's logits
    # CTC leaves the frames of sure spikes alone; the distillation adds alpha (P - z*) to that
    added = gradients[1] - gradients[0]
    assert abs(added).max() <= 0.1 + 1e-6
    # next to a spike, gamma / P is larger for the character than for the blank: it spreads
    assert added[rows.index("a"), 1] < -0.05 < 0.05 < added[rows.index("blank"), 1]


def test_figure_1_is_drawn_from_what_is_stored(arrays, tmp_path):
    stored = load_arrays(save_arrays(arrays, tmp_path / "figure1.npz"))
    figure = draw_spikes(stored)
    figure.savefig(tmp_path / "figure1.png")
    assert rate_rows(stored) == [
        [
            *("CTC", "rendered (4 words)", "10", "20.00"),
            *("0.00, 10.00, 50.00", "50.00, 25.00, 25.00"),
        ],
        [
            *("DCTC", "rendered (4 words)", "10, 12", "37.50"),
            *("100.00, 0.00, 16.67", "75.00, 0.00, 100.00"),
        ],
    ]
    assert "Pairs, in this order: seeds 0 and 1, 0 and 2, 1 and 2." in rate_table(stored).notes[0]
    bare = {
        k: v
        for k, v in stored.items()
        if k in ("families", "images", "labels", "weights", "frames")
    }
    assert rate_rows(bare) == []
    draw_spikes(bare).savefig(tmp_path / "bare.png")


def test_images_are_stored_as_they_were():
    pixels = np.arange(8 * 64 * 3, dtype=np.uint8).reshape(8, 64, 3)
    words = collate([Sample(pixels, "ab", "x/1")])
    stored = word_arrays([[Spikes(["ab"]), Spikes(["ab"])]], TOKENIZER, words)
    assert np.array_equal(stored["images"][0], pixels)
