"""Label-prior CTC: path scores are divided by how common their classes are (Zeyer et al., 2021)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from dctc.ctc import (
    Labels,
    candidate_classes,
    compute_dtype,
    forward_backward,
    label_emissions,
    valid_frames,
)
from dctc.ctc.lattice import readable
from dctc.losses.base import COUNT, NOT_NEGATIVE, SHARE, Allowed, Extras, SequenceLoss
from dctc.losses.frames import frame_log_probs

PRIOR_FLOOR = 1e-8  # ours: a class that is never read would be worth infinitely much


class PriorCTCLoss(SequenceLoss):
    """L = -log sum over the paths of the label of prod_t P_t(path_t) / prior(path_t)^a.

    The lattice runs on the scores log P - a log prior, which are not normalised and do not pass
    through a softmax again. With gamma the posterior of that lattice the gradient with respect to
    the logits is P - gamma, as in CTC. Dividing by the prior takes from the blank what it gains by
    being common, which makes CTC peaky. Source: Zeyer, Schlueter and Ney, "Why does CTC result in
    peaky behavior?", arXiv 2105.14849.

    The prior is the running mean of P over valid frames, without gradient: whenever the loss is
    called in training mode, after it was computed, prior = m prior + (1 - m) mean P. It starts
    uniform, and is a buffer, stored with a checkpoint. With several processes each averages its
    own frames; where the loss is part of the module that DistributedDataParallel wraps, that of the
    first is then copied to all before each forward pass.

    Nets trained with it are read as CTC's are, by P alone. Nats, and negative where the ratio
    exceeds 1. Padded frames do not enter the prior, nor do samples that are infeasible or whose
    loss is not finite. With ``prior_scale=0`` this is CTC; with a uniform prior CTC - a T log c.

    Args:
        num_classes: c, the classes including the blank.
        prior_scale: a.
        momentum: m, from 0 to 1; 1 keeps the prior as it is.
        **common: ``blank``, ``reduction`` and ``zero_infinity``, see :class:`SequenceLoss`.

    Raises:
        ValueError: If an argument of a call does not fit, or the loss was cast to 16 bits, too few
            for the running mean.

    Attributes:
        prior: ``(c,)`` the prior.
    """

    options: Mapping[str, Allowed] = {
        "num_classes": COUNT,
        "prior_scale": NOT_NEGATIVE,
        "momentum": SHARE,
    }
    prior: Tensor

    def __init__(
        self,
        num_classes: int,
        *,
        prior_scale: float = 0.3,  # ours
        momentum: float = 0.99,  # ours
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.num_classes = num_classes
        self.prior_scale = prior_scale
        self.momentum = momentum
        self.register_buffer("prior", torch.full((num_classes,), 1.0 / num_classes))

    def _per_sample(self, logits: Tensor, labels: Labels, extras: Extras) -> Tensor:
        if logits.shape[2] != len(self.prior):
            raise ValueError(f"logits: {logits.shape[2]} classes, but a prior of {len(self.prior)}")
        if self.prior.dtype not in (torch.float32, torch.float64):
            raise ValueError(f"prior: {self.prior.dtype}; keep the loss in float32")
        log_prior = self.prior.double().clamp(min=PRIOR_FLOOR).log()
        emissions = label_emissions(logits, labels, self.blank)
        scores = emissions - self.prior_scale * log_prior[candidate_classes(labels, self.blank)]
        lattice = forward_backward(scores, labels)
        nll = lattice.nll
        nll = nll * (1.0 + 0.0 * nll.detach())  # NaN has a NaN gradient
        nll = nll.to(compute_dtype(logits))
        if self.training:
            entering = readable(lattice, labels) & nll.isfinite()
            self._update_prior(logits, labels._replace(feasible=entering))
        return nll

    @torch.no_grad()
    def _update_prior(self, logits: Tensor, labels: Labels) -> None:
        valid = valid_frames(labels, len(logits))
        if valid.any():
            probs = frame_log_probs(logits.to(compute_dtype(logits)), valid).exp()
            mean = probs.masked_fill_(~valid[:, :, None], 0.0).sum((0, 1)) / valid.sum()
            self.prior.lerp_(mean.to(self.prior.dtype), 1 - self.momentum)
