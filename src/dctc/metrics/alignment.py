"""Alignment accuracy (AACC) of z*, and the true alignment of rendered words.

The paper's definition of its AACC is not known to us. Ours, always named in full:

- ``aacc_label``: share of samples whose collapsed z* equals the label (1 by construction for the
  Viterbi estimator);
- ``aacc_true``: share of frames of z* that equal the true alignment, known for rendered words;
- ``viterbi_agreement``: share of frames where z* equals the Viterbi alignment;
- ``blank_share``: share of frames where z* is blank.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from dctc.ctc import NO_CLASS, collapse
from dctc.ctc.labels import Labels


class AlignmentCounts(NamedTuple):
    """Hits and totals of a batch; padded frames and infeasible samples are not counted.

    Attributes:
        label: Samples whose collapsed z* equals the label.
        true: Frames that equal the true alignment; None where that is unknown.
        viterbi: Frames that equal the Viterbi alignment.
        blank: Frames that are blank.
        samples: Feasible samples.
        frames: Frames that take part.
    """

    label: int
    true: int | None
    viterbi: int
    blank: int
    samples: int
    frames: int

    def shares(self) -> dict[str, float]:
        """Return the four shares by name, those that are known."""
        frames = max(self.frames, 1)
        shares = {
            "aacc_label": self.label / max(self.samples, 1),
            "viterbi_agreement": self.viterbi / frames,
            "blank_share": self.blank / frames,
        }
        return shares if self.true is None else {**shares, "aacc_true": self.true / frames}


def compare_alignment(
    alignment: Tensor, labels: Labels, viterbi: Tensor, blank: int, true: Tensor | None = None
) -> AlignmentCounts:
    """Count the agreement of an alignment with the label, the best path and the truth.

    Args:
        alignment: ``(t, n)`` z*; -1 on frames that take no part.
        labels: The labels.
        viterbi: ``(t, n)`` Viterbi alignment.
        blank: Class of the blank.
        true: ``(t, n)`` true alignment, see :func:`true_alignment`.
    """
    takes_part = (alignment != NO_CLASS) & labels.feasible
    read, lengths = collapse(alignment, blank)
    s = min(read.shape[1], labels.classes.shape[1])
    same = (read[:, :s] == labels.classes[:, :s]).all(1) & (lengths == labels.lengths)
    return AlignmentCounts(
        label=int((same & labels.feasible).sum()),
        true=None if true is None else int(((alignment == true) & takes_part).sum()),
        viterbi=int(((alignment == viterbi) & takes_part).sum()),
        blank=int(((alignment == blank) & takes_part).sum()),
        samples=int(labels.feasible.sum()),
        frames=int(takes_part.sum()),
    )


def true_alignment(
    extents: Tensor, classes: Tensor, lengths: Tensor, t: int, width: int, blank: int
) -> Tensor:
    """Return the true class of each frame.

    A frame belongs to the character that covers its centre, else to the blank; where equal
    characters touch, the first frame of the second one is blank, as CTC requires (ours).

    Args:
        extents: ``(n, s, 2)`` left and right limit of each character in pixels.
        classes: ``(n, s)`` padded labels.
        lengths: ``(n,)`` label lengths.
        t: Frames.
        width: Pixels that the t frames span.
        blank: Class of the blank.

    Returns:
        ``(t, n)`` int64.
    """
    if not classes.shape[1]:  # all labels are empty
        return torch.full((t, len(classes)), blank, device=classes.device)
    centre = (torch.arange(t, device=extents.device) + 0.5) * (width / t)  # (t,)
    left, right = extents[:, :, 0], extents[:, :, 1]  # (n, s)
    real = torch.arange(classes.shape[1], device=classes.device) < lengths[:, None]
    covers = (left <= centre[:, None, None]) & (centre[:, None, None] < right) & real  # (t, n, s)
    position = torch.where(covers.any(2), covers.int().argmax(2), -1)  # (t, n)
    frame_class = classes.T.gather(0, position.clamp(min=0))  # (t, n)
    aligned = torch.where(position >= 0, frame_class, blank)
    touches = (
        (position[1:] != position[:-1])
        & (position[1:] >= 0)
        & (position[:-1] >= 0)
        & (frame_class[1:] == frame_class[:-1])
    )
    aligned[1:][touches] = blank
    return aligned
