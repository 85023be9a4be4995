"""ACE: aggregation cross-entropy on how often each class occurs (Xie et al., CVPR 2019)."""

from __future__ import annotations

import torch
from torch import Tensor

from dctc.ctc import Labels, compute_dtype, label_emissions, valid_frames
from dctc.ctc.lattice import IMPOSSIBLE, NEVER
from dctc.losses.base import Extras, SequenceLoss


class ACELoss(SequenceLoss):
    """L = -sum_k (N_k / T) log mean_t P_tk, N_k how often class k occurs in the label.

    The blank takes the frames that are left, N_blank = T - s. Source: Xie, Huang, Zhu, Jin, Liu and
    Xie, "Aggregation Cross-Entropy for Sequence Recognition", CVPR 2019 (arXiv 1904.08364), as in
    the authors' code (``ACE``), but for the 1e-10 that it adds to each probability.
    There is no CTC in it, and the order of the frames does not change it. A character is expected
    to fill one frame, and the authors decode every frame that is not blank as a character of its
    own; recognisers here decode its nets as those of CTC, equal neighbours as one character.

    Nats per sample, at least the entropy of the counts. T are the sample's own valid frames.
    Infeasible samples, and those with -inf logits for a label class in every frame, have loss 0.

    Args:
        blank: Class of the blank.
        reduction: See :func:`dctc.losses.base.reduce`.

    Example:
        >>> logits = torch.zeros(2, 1, 2)  # one of two frames is a "1", the other one blank
        >>> round(ACELoss()(logits, torch.tensor([[1]]), [2], [1]).item(), 4)  # log 2
        0.6931
    """

    def _per_sample(self, logits: Tensor, labels: Labels, extras: Extras) -> Tensor:
        emissions = label_emissions(logits, labels, self.blank)
        valid = valid_frames(labels, len(logits))[:, :, None]
        frames = labels.frames.clamp(min=1)[:, None].double()
        emissions = emissions.masked_fill(~valid | (emissions < NEVER), NEVER)
        shares = emissions.logsumexp(0) - frames.log()  # (n, s + 1), log mean_t P
        blanks = labels.frames - labels.lengths
        column = torch.arange(shares.shape[1], device=shares.device)
        counts = torch.where(
            column == 0, blanks[:, None], (column <= labels.lengths[:, None]).long()
        )
        possible = ((counts == 0) | ~(shares < IMPOSSIBLE)).all(1)
        takes_part = (labels.feasible & possible)[:, None] & (counts > 0)
        cross_entropy = -(counts / frames * shares).masked_fill(~takes_part, 0.0).sum(1)
        return cross_entropy.to(compute_dtype(logits))
