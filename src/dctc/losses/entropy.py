"""EnCTC: CTC that keeps the entropy of its paths high (Liu, Jin and Zhang, NeurIPS 2018)."""

from __future__ import annotations

from torch import Tensor

from dctc.ctc import Labels, compute_dtype, label_emissions
from dctc.ctc.paths import path_sums
from dctc.losses.base import Extras, Reduction, RegularizedTerms, SequenceLoss, check_share


class EnCTCLoss(SequenceLoss[RegularizedTerms]):
    """L = (1 - h) CTC - h H(path | label, logits).

    H is the entropy of the posterior over the paths that collapse to the label, in nats: large
    where many alignments are plausible. It keeps CTC from settling on one of them early. Source:
    Liu, Jin and Zhang, "Connectionist Temporal Classification with Maximum Entropy
    Regularization", NeurIPS 2018; H is that of the authors' code (``ctc_ent_cost``), and so are the
    convex combination and its weight. Value and gradient come from one recursion in each direction,
    see :mod:`dctc.ctc.paths`.

    Padded frames do not count. A sample whose label does not fit its frames is 0 in both terms.
    With ``entropy_weight=0`` this is CTC. The loss may be negative.

    ``terms`` holds CTC and the entropy, which is subtracted.

    Args:
        entropy_weight: h, from 0 to 1.
        blank: Class of the blank.
        reduction: Of the per-sample sums of both terms, see :func:`dctc.losses.base.reduce`.

    Raises:
        ValueError: If an option is unknown or an argument of a call does not fit.

    Example:
        >>> import torch
        >>> logits = torch.zeros(2, 1, 2)  # "1" has three paths of equal probability 1/4
        >>> terms = EnCTCLoss().terms(logits, torch.tensor([[1]]), [2], [1])
        >>> round(terms.nll.exp().item(), 4), round(terms.regularizer.exp().item(), 4)
        (1.3333, 3.0)
    """

    options = ("entropy_weight",)

    def __init__(
        self,
        entropy_weight: float = 0.1,  # authors' code, h_rate
        blank: int = 0,
        reduction: Reduction = "batchmean",
    ) -> None:
        super().__init__(blank, reduction)
        self.entropy_weight = check_share("entropy_weight", entropy_weight)

    def _per_sample(self, logits: Tensor, labels: Labels, extras: Extras) -> Tensor:
        h = self.entropy_weight
        terms = path_terms(logits, labels, self.blank, entropy=h != 0)
        return terms.weighted(-h, nll=1 - h)

    def _terms(self, logits: Tensor, labels: Labels, extras: Extras) -> RegularizedTerms:
        return path_terms(logits, labels, self.blank)


def path_terms(
    logits: Tensor,
    labels: Labels,
    blank: int,
    longest: Tensor | None = None,
    entropy: bool = True,
) -> RegularizedTerms:
    """Return -log of the summed path probabilities, and the entropy of the paths.

    Args:
        logits: ``(t, n, c)`` logits or log probabilities.
        labels: The labels.
        blank: Class of the blank.
        longest: ``(n,)`` frames that a segment may take; None for all paths.
        entropy: Whether to compute the entropy; 0 if not.
    """
    emissions = label_emissions(logits, labels, blank)
    sums = path_sums(emissions, labels, longest, entropy)
    dtype = compute_dtype(logits)
    return RegularizedTerms(sums.nll.to(dtype), sums.entropy.to(dtype), sums.readable)
