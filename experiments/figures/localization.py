"""Frame at which a net reads each character of a label, and disagreement of two nets.

The disagreement of two nets is the share of label characters whose frames lie more than
:data:`TOLERANCE` apart. It puts a number on what the paper calls the alignment inconsistency of two
CTC models; the measure is ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from dctc.ctc import candidate_classes, pack_labels
from dctc.ctc.labels import Integers, valid_frames
from dctc.ctc.lattice import in_logarithms
from dctc.text.tokenizer import BLANK

NOWHERE = -1  # frame of padding, and of a character whose label does not fit its frames
TOLERANCE = 1  # frames; a centre that lies on a limit may be rounded either way (ours)


class Disagreement(NamedTuple):
    """Characters that two nets read at different frames.

    Attributes:
        apart: Characters whose frames lie more than :data:`TOLERANCE` apart.
        n: Characters that both nets have a frame for.
    """

    apart: int
    n: int


@torch.no_grad()
def character_posterior(
    logits: Tensor, targets: Tensor, input_lengths: Integers, target_lengths: Integers
) -> Tensor:
    """Return p(frame belongs to the j-th character | label, logits) of a CTC net.

    Unlike the posterior of :class:`dctc.ctc.Lattice`, which adds up what a class has wherever it
    stands in the label, each occurrence of a character stands for itself here. The arguments are
    those of :class:`dctc.CTCLoss`.

    Returns:
        ``(n, s, t)`` float64; 0 on padding, padded frames and labels that do not fit.

    Raises:
        ValueError: If an argument does not fit, see :func:`dctc.ctc.pack_labels`.
    """
    labels = pack_labels(logits, targets, input_lengths, target_lengths, BLANK)
    t = len(logits)
    columns = candidate_classes(labels, BLANK).expand(t, -1, -1)
    emissions = logits.double().log_softmax(2).gather(2, columns)
    states = in_logarithms(emissions, labels).states[:, 1::2]  # (t, s, n)
    s = states.shape[1]
    position = torch.arange(s, device=logits.device)
    real = position < labels.lengths[:, None]  # (n, s)
    takes_part = valid_frames(labels, t).T[:, None] & real[:, :, None]  # (n, s, t)
    return states.permute(2, 1, 0).masked_fill(~takes_part, 0.0)


def best_frames(weights: Tensor, lengths: Tensor) -> Tensor:
    """Return the frame of the largest weight of each character, of equal ones the first.

    Returns:
        ``(n, s)`` int64 of weights ``(n, s, t)`` and label lengths ``(n,)``; :data:`NOWHERE` for
        padding and where all weights are 0.

    Example:
        >>> best_frames(torch.tensor([[[0.1, 0.7, 0.2], [0.0, 0.0, 0.0]]]), torch.tensor([2]))
        tensor([[ 1, -1]])
    """
    best, frame = weights.max(2)
    real = torch.arange(weights.shape[1], device=weights.device) < lengths[:, None]
    return frame.masked_fill(~real | (best <= 0), NOWHERE)


def disagreement(first: Iterable[Tensor], second: Iterable[Tensor]) -> Disagreement:
    """Count the characters that two nets read at different frames.

    Of each net these are :func:`best_frames` of the same batches.

    Example:
        >>> disagreement([torch.tensor([[3, 7, -1]])], [torch.tensor([[4, 9, -1]])])
        Disagreement(apart=1, n=2)
    """
    apart = n = 0
    for a, b in zip(first, second, strict=True):
        known = (a != NOWHERE) & (b != NOWHERE)
        apart += int(((a - b).abs()[known] > TOLERANCE).sum())
        n += int(known.sum())
    return Disagreement(apart, n)
