"""Greedy decoding: of the best path of CTC, and of what attention reads up to its end."""

from __future__ import annotations

import math
from itertools import accumulate, groupby
from typing import NamedTuple

import torch
from torch import Tensor

from dctc.ctc.threads import on_few_threads


class Certainty(NamedTuple):
    """Log-probabilities (nats) that say how sure a reading is.

    Attributes:
        path: Of the best path: the sum over its valid frames.
        weakest: The lowest among its characters, each at its most probable frame; of a reading
            without characters, among its frames.
        frames: Valid frames; ``path / frames`` is the log of the geometric mean.
    """

    path: float
    weakest: float
    frames: int


class Reading(NamedTuple):
    """One decoded sample.

    Attributes:
        classes: Collapsed classes, without blanks.
        confidence: Geometric mean of the probabilities of its characters, each at its most probable
            frame, in [0, 1]; of a reading without characters, of its frames.
        certainty: Other measures of it.
    """

    classes: list[int]
    confidence: float
    certainty: Certainty


def greedy_decode(logits: Tensor, input_lengths: Tensor, blank: int = 0) -> list[Reading]:
    """Take the best class of each frame, merge runs, remove blanks (Graves et al., ICML 2006).

    Args:
        logits: ``(t, n, c)`` logits or log-probabilities.
        input_lengths: ``(n,)`` valid frames of each sample; later frames are not read.
        blank: Class of the blank.

    Returns:
        n readings.
    """
    with on_few_threads(logits.device, logits.numel()):
        log_probs, best = logits.float().log_softmax(2).max(2)  # both (t, n)
        frames = torch.arange(best.shape[0], device=best.device)[:, None]
        valid = frames < input_lengths.to(best.device)[None, :]
        starts_run = torch.ones_like(valid)
        starts_run[1:] = best[1:] != best[:-1]
        keep = (valid & starts_run & (best != blank)).T  # (n, t)
        path = log_probs.masked_fill(~valid, 0.0).sum(0)
        run = starts_run.cumsum(0) - 1  # (t, n), number of the run that a frame belongs to
        usable = log_probs.masked_fill(~valid, -torch.inf)
        peaks = torch.full_like(usable, -torch.inf).scatter_reduce(0, run, usable, "amax")
        counted = torch.where(keep.any(1), keep.T, valid)
        measured = torch.where(keep.T, peaks.gather(0, run), log_probs)
        # 0 where no frame is
        weakest = measured.masked_fill(~counted, torch.inf).amin(0).clamp(max=0.0)
        mean = measured.masked_fill(~counted, 0.0).sum(0) / counted.sum(0).clamp(min=1)
        measures = zip(path.tolist(), weakest.tolist(), valid.sum(0).tolist(), strict=True)
        certainty = [Certainty(*measure) for measure in measures]
        confidence = mean.exp().tolist()
        # one list of all classes, cut up, which spares a tensor for each sample
        classes = best.T[keep].tolist()
        ends = list(accumulate(keep.sum(1).tolist()))
        return [
            Reading(classes[begin:end], *sure)
            for begin, end, *sure in zip([0, *ends], ends, confidence, certainty, strict=False)
        ]


def read_until_end(logits: Tensor, max_length: int) -> list[Reading]:
    """Take the best class of each position before the first end, which is class 0.

    Args:
        logits: ``(s, n, c)``.
        max_length: Characters of a reading at most.

    Returns:
        n readings; the confidence is the geometric mean over their characters and the end.
    """
    log_probs, best = logits.float().log_softmax(2).max(2)  # both (s, n)
    ends = (best == 0).int().cumsum(0)
    counts = ends - (best == 0).int() == 0  # up to and with the first end
    path = log_probs.where(counts, 0.0).sum(0)
    weakest = log_probs.where(counts, torch.inf).amin(0)
    number = counts.sum(0)
    measures = zip(path.tolist(), weakest.tolist(), number.tolist(), strict=True)
    sure = zip(
        (path / number).exp().tolist(), (Certainty(*measure) for measure in measures), strict=True
    )
    lengths = (ends == 0).sum(0).clamp(max=max_length).tolist()
    return [
        Reading(row[:length], *one)
        for row, length, one in zip(best.T.tolist(), lengths, sure, strict=True)
    ]


class Run(NamedTuple):
    """A character of a reading: a run of frames of the best path.

    Attributes:
        character: Its class.
        begin: Its first frame.
        end: The frame after its last.
        probability: At its most probable frame, in [0, 1].
    """

    character: int
    begin: int
    end: int
    probability: float


def character_runs(logits: Tensor, input_lengths: Tensor, blank: int = 0) -> list[list[Run]]:
    """Return the characters that :func:`greedy_decode` reads, with their frames.

    The best path is the most probable of all paths, hence of those of its own reading: these frames
    are the Viterbi alignment of the reading.

    Args:
        logits: ``(t, n, c)`` logits or log-probabilities.
        input_lengths: ``(n,)`` valid frames of each sample.
        blank: Class of the blank.
    """
    with on_few_threads(logits.device, logits.numel()):
        log_probs, best = (part.T.tolist() for part in logits.float().log_softmax(2).max(2))
    readings: list[list[Run]] = []
    for classes, row, frames in zip(best, log_probs, input_lengths.tolist(), strict=True):
        runs = [(k, list(group)) for k, group in groupby(range(frames), classes.__getitem__)]
        readings.append(
            [
                Run(k, group[0], group[-1] + 1, math.exp(max(row[i] for i in group)))
                for k, group in runs
                if k != blank
            ]
        )
    return readings
