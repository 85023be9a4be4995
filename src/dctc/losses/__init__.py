"""Losses for CTC recognisers, each called as :class:`torch.nn.CTCLoss` is, on batches.

All take ``(logits (t, n, c), targets, input_lengths, target_lengths)`` and the keywords
``features`` and ``alignment``, used or not. What a loss needs beyond logits and label in training
it names in ``needs``, a frozenset of keywords:

- ``"features"``: what the head of the net makes logits of, ``(t, n, d)``.
- ``"alignment"``: the true class of each frame, ``(t, n)``.
- ``"second"``: logits of a second view of the same images, ``(t, n, c)``. The views share every
  geometric transform, so that their frames correspond.
- ``"teacher"``: logits of a teacher on the same images, ``(t, n, c)``; no gradient flows to them.
  The loss then has a ``teacher_decay``.

:mod:`dctc.training.objective` gives them. In evaluation they may be missing; the term that needs
one is then left out. Where a loss has terms, ``loss.terms(...)`` gives them per sample, with the
same arguments. Infeasible samples, whose label does not fit their frames, are 0 in every term of
every loss (but for DCTCLoss's ``mask_infeasible=False``). So are samples whose label has
probability 0, because of logits of -inf or of the lowest float32 number. Padded frames are never
read, and a mean or sum over frames is one over a sample's own valid frames. The reduction is
``batchmean`` by default, where torch's is ``mean``. An argument that does not fit is a ValueError,
an unknown option a TypeError.

To add a loss: its file here, its YAML beside the others, and a line in :func:`every_loss`, which
the tests of all losses and the benchmark read.
"""

from typing import Any

from dctc.losses.ace import ACELoss
from dctc.losses.base import RegularizedTerms, SequenceLoss
from dctc.losses.center import CenterCTCLoss
from dctc.losses.consistency import ConsistencyCTCLoss
from dctc.losses.ctc import CTCLoss
from dctc.losses.dctc import DCTCLoss
from dctc.losses.distillation import DistillationCTCLoss
from dctc.losses.enctc import EnCTCLoss, EnEsCTCLoss, EsCTCLoss
from dctc.losses.focal import FocalCTCLoss
from dctc.losses.linear import dctc_linear_loss
from dctc.losses.prior import PriorCTCLoss
from dctc.losses.smoothing import ConfidencePenaltyCTCLoss, LabelSmoothingCTCLoss

__all__ = [
    "ACELoss",
    "CTCLoss",
    "CenterCTCLoss",
    "ConfidencePenaltyCTCLoss",
    "ConsistencyCTCLoss",
    "DCTCLoss",
    "DistillationCTCLoss",
    "EnCTCLoss",
    "EnEsCTCLoss",
    "EsCTCLoss",
    "FocalCTCLoss",
    "LabelSmoothingCTCLoss",
    "PriorCTCLoss",
    "RegularizedTerms",
    "dctc_linear_loss",
    "every_loss",
]


def every_loss(num_classes: int, num_features: int) -> dict[str, SequenceLoss[Any]]:
    """Return every loss with its own defaults, by name.

    Args:
        num_classes: c, the classes including the blank.
        num_features: d, the size of a frame's features.
    """
    return {
        "ctc": CTCLoss(),
        "dctc": DCTCLoss(),
        "dctc_posterior": DCTCLoss(estimator="posterior"),
        "dctc_viterbi": DCTCLoss(estimator="viterbi"),
        "focal": FocalCTCLoss(),
        "enctc": EnCTCLoss(),
        "esctc": EsCTCLoss(),
        "enesctc": EnEsCTCLoss(),
        "label_smoothing": LabelSmoothingCTCLoss(),
        "confidence_penalty": ConfidencePenaltyCTCLoss(),
        "center": CenterCTCLoss(num_classes, num_features),
        "prior": PriorCTCLoss(num_classes),
        "distillation": DistillationCTCLoss(),
        "cr_ctc": ConsistencyCTCLoss(),
        "ace": ACELoss(),
    }
