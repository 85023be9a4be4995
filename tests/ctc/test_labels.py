"""Labels: the form they are brought into, whether they fit, and every complaint about them."""

import numpy as np
import pytest
import torch

from dctc import CTCLoss, DCTCLoss
from dctc.ctc import ESTIMATORS, frames_needed, pack_labels
from dctc.ctc.labels import moved
from oracle.enumeration import paths_of

LOGITS = torch.zeros(5, 2, 4)


def pack(targets, input_lengths=(5, 5), target_lengths=(2, 1), blank=0, logits=LOGITS):
    return pack_labels(logits, targets, input_lengths, target_lengths, blank)


@pytest.mark.parametrize("label", [(), (1,), (1, 2), (1, 1), (1, 1, 2), (1, 2, 1), (2, 2, 2)])
def test_frames_needed_is_the_length_of_the_shortest_path(label):
    shortest = next(t for t in range(6) if len(paths_of(label, t, 3, 0)))
    for padding in {0, *label}:  # which needs no frame, be it the last character again
        padded = torch.full((1, 4), padding)
        padded[0, : len(label)] = torch.tensor(label)
        assert frames_needed(padded, torch.tensor([len(label)])).tolist() == [shortest]


def test_labels_move_as_a_whole():
    labels = pack(torch.tensor([[1, 1, 2], [1, 0, 0]]), (3, 5), (3, 1))
    there = moved(labels, torch.device("cpu"))
    for found, expected in zip(there, labels, strict=True):
        assert torch.equal(found, expected) and found.dtype == expected.dtype
        assert found.is_contiguous()


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.int64])
@pytest.mark.parametrize("lengths", [tuple, list, torch.tensor, lambda x: torch.tensor(x).int()])
@pytest.mark.parametrize(
    "targets", [[[1, 2], [3, 0]], [[1, 2, 3], [3, 3, 3]], [1, 2, 3]], ids=["fit", "wide", "1-D"]
)
def test_all_ways_to_give_labels_become_one_form(targets, lengths, dtype):
    labels = pack(torch.tensor(targets, dtype=dtype), lengths([5, 4]), lengths([2, 1]))
    assert labels.classes.tolist() == [[1, 2], [3, 0]]
    assert labels.lengths.tolist() == [2, 1]
    assert labels.frames.tolist() == [5, 4]
    assert {part.dtype for part in labels[:3]} == {torch.int64}


@pytest.mark.parametrize("form", [list, np.array])
def test_labels_may_be_lists_and_arrays(form):
    labels = pack(form([[1, 2], [3, 0]]), form([5, 4]), form([2, 1]))
    expected = pack(torch.tensor([[1, 2], [3, 0]]), (5, 4), (2, 1))
    assert all(torch.equal(a, b) for a, b in zip(labels, expected, strict=True))
    assert pack(form([]), target_lengths=form([0, 0])).classes.tolist() == [[0], [0]]


def test_that_no_label_fits_is_said_once(monkeypatch):
    monkeypatch.setattr("dctc.ctc.labels._warned", [])
    with pytest.warns(UserWarning, match="comes closest needs 4 frames and has 3") as said:
        for _ in range(2):
            pack([[1, 1, 2], [2, 0, 0]], (3, 0), (3, 1))
    assert len(said) == 1


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_labels_are_cut_to_the_longest_that_fits(estimator):
    long = torch.cat((torch.tensor([[1, 2], [3, 3]]), torch.ones(2, 3000).long()), 1)
    logits = torch.randn(5, 2, 4, generator=torch.Generator().manual_seed(0))
    assert pack(long, target_lengths=(2, 3002), logits=logits).classes.shape == (2, 2)
    loss = DCTCLoss(estimator=estimator, reduction="none")
    value = loss(logits, long, [5, 5], [2, 3002])
    assert value.tolist() == [loss(logits[:, :1], long[:1], [5], [2]).item(), 0.0]


@pytest.mark.parametrize("shape", [(2, 0), (2, 3), (0,)])
def test_empty_labels_keep_one_column(shape):
    labels = pack(torch.ones(shape, dtype=torch.int64), target_lengths=(0, 0))
    assert labels.classes.tolist() == [[0], [0]]
    assert labels.feasible.all()


def test_padding_is_the_blank_wherever_it_is():
    labels = pack(torch.tensor([[1, 2], [0, 7]]), blank=3)
    assert labels.classes.tolist() == [[1, 2], [0, 3]]


GOOD = torch.tensor([[1, 2], [3, 0]])


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"targets": GOOD, "input_lengths": 5}, r"input_lengths: expected 2 integers, got \(\)"),
        ({"targets": None}, "targets: expected integers"),
        ({"targets": torch.tensor([[1, 2], [4, 0]])}, "sample 1, position 0 is class 4, outside"),
        ({"targets": torch.tensor([[1, -1], [3, 0]])}, "sample 0, position 1 is class -1, outside"),
        ({"targets": torch.tensor([[1, 2], [0, 0]])}, "sample 1, position 0 is class 0, the blank"),
        ({"targets": torch.tensor([1, 2, 0])}, "sample 1, position 0 is class 0, the blank"),
        ({"targets": GOOD, "blank": 3}, "sample 1, position 0 is class 3, the blank"),
        ({"targets": GOOD, "input_lengths": (5, 6)}, "input_lengths: sample 1 has 6, outside 0..5"),
        ({"targets": GOOD, "input_lengths": (-1, 5)}, r"input_lengths: sample 0 has -1"),
        ({"targets": GOOD, "target_lengths": (2, 3)}, r"target_lengths: sample 1 has 3, .*0..2"),
        ({"targets": GOOD, "target_lengths": (-1, 1)}, r"target_lengths: sample 0 has -1"),
        ({"targets": torch.tensor([1]), "target_lengths": (2, 0)}, r"lengths: sample 0 has 2"),
        ({"targets": torch.tensor([1, 2])}, "2 concatenated classes, but .* add up to 3"),
        ({"targets": torch.tensor([1, 2, 3, 1])}, "4 concatenated classes, but .* add up to 3"),
        ({"targets": GOOD[:1]}, r"targets: expected \(2, s\) or 1-D, got \(1, 2\)"),
        ({"targets": GOOD[None]}, r"targets: expected \(2, s\) or 1-D, got \(1, 2, 2\)"),
        ({"targets": GOOD.float()}, "targets: expected integers, got torch.float32"),
        ({"targets": GOOD.bool()}, "targets: expected integers, got torch.bool"),
        ({"targets": GOOD, "input_lengths": (5,)}, "input_lengths: expected 2 integers"),
        ({"targets": GOOD, "input_lengths": (5.0, 5.0)}, "input_lengths: expected integers, got"),
        ({"targets": GOOD, "target_lengths": (True, True)}, "expected integers, got torch.bool"),
        ({"targets": [[1, 2], [3]]}, "targets: expected integers, in rows of equal length"),
        ({"targets": "ab"}, "targets: expected integers"),
        ({"targets": GOOD, "logits": LOGITS.transpose(0, 1)}, r"frames first, .*, got \(2, 5, 4\)"),
        ({"targets": GOOD, "target_lengths": (2, 1, 1)}, "target_lengths: expected 2 integers"),
        ({"targets": GOOD, "blank": 4}, "blank 4: not among the 4 classes"),
        ({"targets": GOOD, "blank": -1}, "blank -1: not among the 4 classes"),
        ({"targets": GOOD, "logits": LOGITS[0]}, r"logits: expected .*, got .*\(2, 4\)"),
        ({"targets": GOOD, "logits": LOGITS.long()}, "logits: expected floating .*torch.int64"),
        ({"targets": GOOD, "logits": LOGITS[:0]}, "at least one frame and one sample"),
        ({"targets": GOOD, "logits": LOGITS[:, :0]}, "at least one frame and one sample"),
    ],
)
def test_what_does_not_fit_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        pack(**arguments)


def test_logits_that_are_no_tensor_are_named():
    with pytest.raises(ValueError, match="logits: expected a tensor, got ndarray"):
        CTCLoss()(LOGITS.numpy(), GOOD, (5, 5), (2, 1))
