"""EnCTC, EsCTC and EnEsCTC: entropy of the paths, and evenly spaced paths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from dctc.ctc import Labels, compute_dtype, label_emissions
from dctc.ctc.paths import path_sums
from dctc.losses.base import POSITIVE, SHARE, Allowed, Extras, RegularizedTerms, SequenceLoss

# ours: tau and its product are each rounded by at most 2**-53 of themselves; this makes up for it
ROUNDING = 1 + 2**-51
TAU = POSITIVE._replace(high=float("inf"), expected="a number above 0")


class _PathLoss(SequenceLoss[RegularizedTerms]):
    """L = -(1 - h) log of the probability of the paths - h times their entropy."""

    entropy_weight: float = 0.0
    tau: float = float("inf")

    def _per_sample(self, logits: Tensor, labels: Labels, extras: Extras) -> Tensor:
        h = self.entropy_weight
        return self._terms(logits, labels, extras, entropy=h != 0).weighted(-h, nll=1 - h)

    def _terms(
        self, logits: Tensor, labels: Labels, extras: Extras, entropy: bool = True
    ) -> RegularizedTerms:
        longest = None
        if self.tau != float("inf"):
            longest = longest_segment(labels, self.tau)
            before, after = labels.classes[:, :-1], labels.classes[:, 1:]
            repeats = (after == before) & (after != self.blank)
            shortest = torch.where(repeats.any(1), 2, labels.lengths.clamp(max=1))
            spelled = (shortest <= longest) & (labels.frames <= (labels.lengths + 1) * longest)
            labels = labels._replace(feasible=labels.feasible & spelled)
        emissions = label_emissions(logits, labels, self.blank)
        nll, value, readable = path_sums(emissions, labels, longest, entropy)
        dtype = compute_dtype(logits)
        return RegularizedTerms(nll.to(dtype), value.to(dtype), readable)


class EnCTCLoss(_PathLoss):
    """L = (1 - h) CTC - h H(path | label, logits).

    H is the entropy of the posterior over the paths that collapse to the label, in nats: large
    where many alignments are plausible. It keeps CTC from settling on one of them early. Source:
    Liu, Jin and Zhang, "Connectionist Temporal Classification with Maximum Entropy
    Regularization", NeurIPS 2018; H is that of the authors' code (``ctc_ent_cost``), and so are the
    convex combination and its weight. Value and gradient come from one recursion in each direction,
    see :mod:`dctc.ctc.paths`.

    With ``entropy_weight=0`` this is CTC. The loss may be negative. ``terms`` holds CTC and the
    entropy, which is subtracted.

    Args:
        entropy_weight: h, from 0 to 1.
        **common: ``blank``, ``reduction`` and ``zero_infinity``, see :class:`SequenceLoss`.

    Example:
        >>> import torch
        >>> logits = torch.zeros(2, 1, 2)  # "1" has three paths of equal probability 1/4
        >>> terms = EnCTCLoss().terms(logits, torch.tensor([[1]]), [2], [1])
        >>> round(terms.nll.exp().item(), 4), round(terms.regularizer.exp().item(), 4)
        (1.3333, 3.0)
    """

    options: Mapping[str, Allowed] = {"entropy_weight": SHARE}

    def __init__(self, *, entropy_weight: float = 0.1, **common: Any) -> None:  # their h_rate
        super().__init__(**common)
        self.entropy_weight = entropy_weight


class EsCTCLoss(_PathLoss):
    """L = -log of the probability of all evenly spaced paths that collapse to the label.

    A segment is the blanks before a character together with its run; the blanks after the last
    character are one more. The label of s characters over T frames is summed over the paths none
    of whose segments takes more than floor(tau (floor(T / s) + 1)) frames, T the sample's own valid
    frames. An empty label is not constrained.

    Source: Liu, Jin and Zhang, "Connectionist Temporal Classification with Maximum Entropy
    Regularization", NeurIPS 2018. This is the paper's definition; the authors' code
    (``seg_ctc_ent_cost``) allows one frame more to the first segment and to the segments of
    repeated characters, whose separating blank it does not count.

    Nats. A sample that no such path spells is 0 and not feasible in the terms; with ``tau`` of at
    least 1 these are CTC's own infeasible samples, since then s segments of that length exceed T.
    With ``tau=float("inf")`` this is CTC. ``terms`` holds the loss, as nll, and the entropy of its
    paths, which is no part of it.

    Args:
        tau: Maximum segment length relative to an even split; positive.
        **common: ``blank``, ``reduction`` and ``zero_infinity``, see :class:`SequenceLoss`.

    Example:
        >>> logits = torch.zeros(6, 1, 2)  # "1-1": segments of at most 4 frames
        >>> loss, arguments = EsCTCLoss(tau=1.0), (torch.tensor([[1, 1]]), [6], [2])
        >>> round(loss(logits, *arguments).neg().exp().item() * 2**6)  # of 35 paths
        31
    """

    options: Mapping[str, Allowed] = {"tau": TAU}

    def __init__(self, *, tau: float = 1.5, **common: Any) -> None:  # their uni_rate
        super().__init__(**common)
        self.tau = tau


class EnEsCTCLoss(_PathLoss):
    """L = (1 - h) EsCTC - h H(path | label, logits), the entropy over evenly spaced paths too.

    See :class:`EsCTCLoss` and :class:`EnCTCLoss`, of which this is the combination, as in the
    authors' code (``seg_ctc_ent_cost``, weighed by ``h_rate`` in its training script); with
    ``entropy_weight=0`` it is the former, with ``tau=float("inf")`` the latter. Nats; the loss may
    be negative. ``terms`` holds EsCTC, as nll, and the entropy, which is subtracted.

    Args:
        entropy_weight: h, from 0 to 1.
        tau: Maximum segment length relative to an even split; positive.
        **common: ``blank``, ``reduction`` and ``zero_infinity``, see :class:`SequenceLoss`.
    """

    options: Mapping[str, Allowed] = {"entropy_weight": SHARE, "tau": TAU}

    def __init__(
        self,
        *,
        entropy_weight: float = 0.2,  # authors' code, h_rate of the script for EnEsCTC
        tau: float = 1.5,  # authors' code, uni_rate
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.entropy_weight = entropy_weight
        self.tau = tau


def longest_segment(labels: Labels, tau: float) -> Tensor:
    """Return how many frames a segment of each label may take, ``(n,)``, at most its frames.

    A product that is an integer but for rounding counts as that integer: 1.4 * 45 is 63.
    """
    even = labels.frames // labels.lengths.clamp(min=1) + 1
    longest = (even.double() * tau * ROUNDING).floor().minimum(labels.frames.double()).long()
    return torch.where(labels.lengths == 0, labels.frames, longest)
