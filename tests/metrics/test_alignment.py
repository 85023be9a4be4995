"""AACC on cases worked out by hand; the blank is 0, frames are four pixels."""

import pytest
import torch

from dctc.ctc import pack_labels
from dctc.data.records.batch import NO_EXTENT
from dctc.metrics.alignment import AlignmentCounts, compare_alignment, true_alignment
from dctc.text import CTCTokenizer

PAD = (NO_EXTENT, NO_EXTENT)


def truth(extents, classes, t=8, width=32, blank=0):
    lengths = torch.tensor([sum(e != PAD for e in row) for row in extents])
    limits = torch.tensor(extents, dtype=torch.float32)
    return true_alignment(limits, torch.tensor(classes), lengths, t, width, blank).T.tolist()


@pytest.mark.parametrize(
    ("extents", "classes", "expected"),
    [
        ([(4, 12), (20, 28)], [1, 2], [0, 1, 1, 0, 0, 2, 2, 0]),
        ([(0, 16), (16, 32)], [1, 2], [1, 1, 1, 1, 2, 2, 2, 2]),
        ([(0, 16), (16, 32)], [1, 1], [1, 1, 1, 1, 0, 1, 1, 1]),
        ([(0, 12), (12, 20), (20, 32)], [3, 3, 3], [3, 3, 3, 0, 3, 0, 3, 3]),
        ([(0, 15), (17, 32)], [1, 1], [1, 1, 1, 1, 0, 1, 1, 1]),  # gap between two centres
        ([(0, 12), (20, 32)], [1, 1], [1, 1, 1, 0, 0, 1, 1, 1]),  # blank there anyway
        ([(0, 15), (15, 17), (17, 32)], [1, 2, 1], [1, 1, 1, 1, 0, 1, 1, 1]),  # 2 has no frame
        ([(0, 18), (14, 32)], [1, 2], [1, 1, 1, 1, 2, 2, 2, 2]),
        ([(0, 19), (14, 32)], [1, 2], [1, 1, 1, 1, 1, 2, 2, 2]),  # both cover frame 4
        ([(-3, 6), (30, 99)], [1, 2], [1, 0, 0, 0, 0, 0, 0, 2]),  # out of the image
        ([(0, 6), (6, 10)], [1, 2], [1, 2, 0, 0, 0, 0, 0, 0]),  # a limit belongs to its right
    ],
)
def test_truth_by_hand(extents, classes, expected):
    assert truth([extents], [classes]) == [expected]
    other = truth([extents], [[k - 1 for k in classes]], blank=5)  # blank 5, class 0 a character
    assert other == [[5 if k == 0 else k - 1 for k in expected]]


def test_padding_has_no_frames_even_where_its_class_is_real():
    extents = [[(0, 16), PAD, PAD], [(0, 8), (8, 16), (24, 32)], [PAD, PAD, PAD]]
    assert truth(extents, [[1, 0, 0], [1, 2, 3], [0, 0, 0]]) == [
        [1, 1, 1, 1, 0, 0, 0, 0],
        [1, 1, 2, 2, 0, 0, 3, 3],
        [0, 0, 0, 0, 0, 0, 0, 0],
    ]
    # limits past the length are not looked at, whatever they say
    limits = torch.tensor([[[0.0, 16.0], [16.0, 32.0]]])
    found = true_alignment(limits, torch.tensor([[1, 2]]), torch.tensor([1]), 8, 32, 0)
    assert found[:, 0].tolist() == [1, 1, 1, 1, 0, 0, 0, 0]


@pytest.mark.parametrize(("text", "parted"), [("Aa", False), ("aa", True), ("AA", True)])
def test_upper_and_lower_case_are_different_characters(text, parted):
    classes, _ = CTCTokenizer("94").encode([text])
    (found,) = truth([[(0, 16), (16, 32)]], classes.reshape(1, 2).tolist())
    assert (0 in found) == parted


def labels_of(classes, lengths, frames, t, c=4):
    return pack_labels(torch.zeros(t, len(lengths), c), torch.tensor(classes), frames, lengths, 0)


def test_counts_by_hand():
    """Good; wrong word; infeasible; padded."""
    labels = labels_of([[1, 2], [1, 2], [1, 1], [3, 0]], [2, 2, 2, 1], [4, 4, 2, 2], t=4)
    assert labels.feasible.tolist() == [True, True, False, True]
    alignment = torch.tensor([[1, 0, 2, 2], [1, 1, 0, 0], [-1, -1, -1, -1], [3, 0, -1, -1]]).T
    viterbi = torch.tensor([[1, 1, 2, 2], [1, 2, 0, 0], [1, 1, 1, 1], [0, 3, 0, 0]]).T
    true = torch.tensor([[1, 0, 2, 2], [1, 1, 2, 0], [0, 0, 0, 0], [3, 3, 0, 0]]).T
    counts = compare_alignment(alignment, labels, viterbi, 0, true)
    assert counts == AlignmentCounts(label=2, true=8, viterbi=6, blank=4, samples=3, frames=10)
    assert counts.shares() == {
        "aacc_label": 2 / 3,
        "aacc_true": 0.8,
        "viterbi_agreement": 0.6,
        "blank_share": 0.4,
    }
    unknown = compare_alignment(alignment, labels, viterbi, 0)
    assert unknown == counts._replace(true=None)
    assert "aacc_true" not in unknown.shares()


@pytest.mark.parametrize(
    ("label", "path", "same"),
    [
        ((1, 2), (1, 2, 0, 0), True),
        ((1, 2), (1, 2, 3, 0), False),  # the label is only the beginning
        ((1, 2), (1, 1, 1, 1), False),  # only the beginning of the label
        ((1, 1), (1, 1, 1, 1), False),
        ((1, 1), (1, 0, 1, 1), True),
        ((), (0, 0, 0, 0), True),
        ((), (0, 1, 0, 0), False),
    ],
)
def test_a_path_that_reads_as_the_label(label, path, same):
    padded = [[*label, *[0] * (3 - len(label))]]
    labels = labels_of(padded, [len(label)], [4], t=4)
    alignment = torch.tensor([path]).T
    assert compare_alignment(alignment, labels, alignment, 0).label == same


def test_labels_that_do_not_fit_are_not_counted_whatever_they_are_distilled_towards():
    labels = labels_of([[1, 1], [1, 2]], [2, 2], [2, 2], t=2)  # only the second fits
    alignment = torch.tensor([[0, 1], [0, 2]])
    counts = compare_alignment(alignment, labels, alignment, 0, alignment)
    assert counts == AlignmentCounts(label=1, true=2, viterbi=2, blank=0, samples=1, frames=2)


def test_empty_labels_are_aligned_with_the_blank():
    classes = torch.empty((2, 0), dtype=torch.long)
    found = true_alignment(torch.empty(2, 0, 2), classes, torch.zeros(2, dtype=int), 4, 32, 3)
    assert found.dtype == torch.long and found.tolist() == [[3, 3]] * 4


def test_shares_of_nothing_are_zero():
    labels = labels_of([[1, 1]], [2], [2], t=2)  # infeasible
    nothing = torch.full((2, 1), -1)
    counts = compare_alignment(nothing, labels, nothing, 0, nothing)
    assert counts == AlignmentCounts(0, 0, 0, 0, 0, 0)
    assert set(counts.shares().values()) == {0.0}
