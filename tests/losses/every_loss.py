"""Every regularised loss, with what it needs besides logits and labels."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from dctc.losses import (
    ACELoss,
    CenterCTCLoss,
    ConfidencePenaltyCTCLoss,
    ConsistencyCTCLoss,
    DistillationCTCLoss,
    EnCTCLoss,
    EnEsCTCLoss,
    EsCTCLoss,
    FocalCTCLoss,
    LabelSmoothingCTCLoss,
    PriorCTCLoss,
)

CLASSES, FEATURES = 5, 3


def _center(**options):
    loss = CenterCTCLoss(CLASSES, FEATURES, 0.3, **options)
    generator = torch.Generator().manual_seed(3)
    loss.centers.copy_(torch.randn(CLASSES, FEATURES, generator=generator))
    loss.centers.copy_(loss.centers.roll(options.get("blank", 0), 0))
    return loss.eval()


def _prior(**options):
    loss = PriorCTCLoss(CLASSES, 0.6, **options)
    prior = torch.tensor([0.6, 0.2, 0.1, 0.07, 0.03])
    loss.prior.copy_(prior.roll(options.get("blank", 0)))
    return loss.eval()


def features(logits: Tensor) -> dict[str, Tensor]:
    """Some that know no order of the classes, no offset, and not the least probable class."""
    ranked = logits.sort(2).values
    return {"features": 3 * (ranked[:, :, 1:4] - ranked[:, :, 2:5]).tanh()}


def nothing(logits: Tensor) -> dict[str, Tensor]:
    return {}


class Subject(NamedTuple):
    """A loss, by name; ``make(blank=, reduction=)``; its further arguments, of the logits."""

    name: str
    make: Callable[..., nn.Module]
    extras: Callable[[Tensor], dict[str, Tensor]] = nothing
    options: str = ""  # that print(loss) shows before blank and reduction

    def __str__(self):
        return self.name

    def loss(self, blank: int = 0, reduction: str = "none"):
        """The loss as a function of logits and labels alone."""
        loss = self.make(blank=blank, reduction=reduction)
        return lambda logits, *rest, **unused: loss(
            logits, *rest, **self.extras(logits.detach()), **unused
        )


SUBJECTS = [
    Subject("focal", FocalCTCLoss, options="alpha=1.0, gamma=2.0, "),
    Subject("enctc", lambda **k: EnCTCLoss(0.3, **k), options="entropy_weight=0.3, "),
    Subject("esctc", lambda **k: EsCTCLoss(1.1, **k), options="tau=1.1, "),
    Subject(
        "enesctc",
        lambda **k: EnEsCTCLoss(0.3, 1.1, **k),
        options="entropy_weight=0.3, tau=1.1, ",
    ),
    Subject("label_smoothing", lambda **k: LabelSmoothingCTCLoss(0.3, **k), options="weight=0.3, "),
    Subject(
        "confidence_penalty", lambda **k: ConfidencePenaltyCTCLoss(0.3, **k), options="weight=0.3, "
    ),
    Subject("ace", ACELoss),
    Subject("center", _center, features, "weight=0.3, center_rate=0.5, "),
    Subject(
        "crctc",
        lambda **k: ConsistencyCTCLoss(0.3, **k),
        lambda x: {"second": 0.3 * x},
        "weight=0.3, ",
    ),
    Subject("prior", _prior, options="prior_scale=0.6, momentum=0.99, "),
    Subject(
        "distillation",
        lambda **k: DistillationCTCLoss(0.3, **k),
        lambda x: {"teacher": 2 * x},
        "weight=0.3, teacher_decay=0.999, ",
    ),
]
