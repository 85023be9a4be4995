"""Losses for CTC recognisers, each called as :class:`torch.nn.CTCLoss` is, on batches.

All take ``(logits (t, n, c), targets, input_lengths, target_lengths)`` and the keywords
``features`` and ``alignment``, used or not. Some need more than logits and label in training, and
name it in ``needs``, a frozenset:

- ``"features"``: what the head of the net makes logits of, as ``features=(t, n, d)``.
- ``"views"``: the logits of a second view of the same images, as ``second=(t, n, c)``. The views
  share every geometric transform, so that their frames correspond.
- ``"teacher"``: the logits of a teacher on the same images, as ``teacher=(t, n, c)``; no gradient
  flows to them.
- ``"alignment"``: the true class of each frame, as ``alignment=(t, n)``.

What a loss needs may be missing in evaluation; the term that needs it is then left out. Where a
loss has terms, ``loss.terms(...)`` gives them per sample, with the same arguments. Infeasible
samples, whose label does not fit their frames, are 0 in every term of every loss (but for
DCTCLoss's ``mask_infeasible=False``), and so are those whose label logits of -inf make impossible,
or the lowest numbers of float32 in their place. Padded frames are never read. The reduction is
``batchmean`` by default, where torch's is ``mean``.
"""

from dctc.losses.ace import ACELoss
from dctc.losses.center import CenterCTCLoss
from dctc.losses.consistency import ConsistencyCTCLoss
from dctc.losses.ctc import CTCLoss
from dctc.losses.dctc import DCTCLoss
from dctc.losses.distillation import DistillationCTCLoss
from dctc.losses.entropy import EnCTCLoss
from dctc.losses.focal import FocalCTCLoss
from dctc.losses.linear import dctc_linear_loss
from dctc.losses.prior import PriorCTCLoss
from dctc.losses.smoothing import ConfidencePenaltyCTCLoss, LabelSmoothingCTCLoss
from dctc.losses.spacing import EnEsCTCLoss, EsCTCLoss
from dctc.losses.terms import RegularizedTerms

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
]
