"""Greedy decoding against plain Python."""

import itertools
import math

import pytest
import torch

from dctc.text import greedy_decode
from dctc.text.decode import read_until_end


def plain_decode(logits, blank):
    """Classes, path, and characters' mean and weakest of one sample ``(t, c)``, frame by frame."""
    best, p = [], []
    for row in logits.tolist():
        best.append(row.index(max(row)))
        p.append(math.exp(max(row)) / sum(map(math.exp, row)))
    runs = itertools.groupby(range(len(best)), best.__getitem__)
    characters = [(k, max(p[i] for i in of)) for k, of in runs if k != blank]
    peaks = [of for _, of in characters] or p or [1.0]
    mean = math.prod(peaks) ** (1 / len(peaks))
    return [k for k, _ in characters], math.prod(p), mean, min(peaks)


@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
def test_equals_plain_python(blank, dtype):
    generator = torch.Generator().manual_seed(0)
    logits = (2 * torch.randn(12, 50, 3, generator=generator)).to(dtype)
    lengths = torch.randint(0, 13, (50,), generator=generator)
    readings = greedy_decode(logits, lengths, blank)
    assert len(readings) == 50
    for i, reading in enumerate(readings):
        classes, product, confidence, weakest = plain_decode(logits[: lengths[i], i], blank)
        assert reading.classes == classes
        assert reading.confidence == pytest.approx(confidence, rel=1e-4)
        path, least, frames = reading.certainty
        assert (math.exp(path), frames) == (pytest.approx(product, rel=1e-4), lengths[i])
        assert math.exp(least) == pytest.approx(weakest, rel=1e-4)


@pytest.mark.parametrize("garbage", [9.0, math.nan, math.inf])
def test_frames_past_the_input_length_are_not_read(garbage):
    logits = torch.tensor([[0.0, 2.0, 1.0]] * 4)[:, None]
    logits[2:, 0, 2] = garbage
    (reading,) = greedy_decode(logits, torch.tensor([2]))
    assert reading == greedy_decode(logits[:2], torch.tensor([2]))[0]
    assert reading.classes == [1]


def test_a_reading_goes_up_to_the_first_end():
    rows = [[2, 3, 0, 1, 0], [0, 1, 1, 1, 1], [1, 1, 2, 2, 3], [1, 2, 3, 2, 0]]
    torch.manual_seed(0)
    probabilities = torch.rand(5, 4, 4) * 0.1
    for i, row in enumerate(rows):
        for k, best in enumerate(row):
            probabilities[k, i, best] = 1.0 + 0.1 * k
    probabilities /= probabilities.sum(2, keepdim=True)
    best = probabilities.amax(2).T  # (n, s)
    readings = read_until_end(probabilities.log(), max_length=4)
    assert [r.classes for r in readings] == [[2, 3], [], [1, 1, 2, 2], [1, 2, 3, 2]]
    counted = (best[0, :3], best[1, :1], best[2], best[3])  # the end too
    expected = [p.log().mean().exp().item() for p in counted]
    assert [r.confidence for r in readings] == pytest.approx(expected, rel=1e-5)
