"""Every CTC loss with weights that show in its value, and what it needs besides logits and labels.

The list is :func:`dctc.losses.every_loss`; a new loss is tested as soon as it stands there.
"""

import torch
from torch import Tensor

from dctc.losses import DCTCLoss, every_loss

CLASSES, FEATURES = 5, 3
OPTIONS = {
    "weight": 0.3,
    "entropy_weight": 0.3,
    "tau": 1.1,
    "prior_scale": 0.6,
    "distill_weight": 0.3,
    "ctc_weight": 0.7,
}


def losses():
    """Return all losses anew, by name."""
    return {**every_loss(CLASSES, FEATURES), "dctc_greedy": DCTCLoss(estimator="greedy")}


NAMES = list(losses())


def make(name: str, blank: int = 0, reduction: str = "none"):
    """Return a loss; one with statistics is in evaluation mode, and has some that tell classes."""
    loss = losses()[name]
    loss.blank, loss.reduction = blank, reduction
    for option in set(OPTIONS) & set(loss.options):
        setattr(loss, option, OPTIONS[option])
    if name == "center":
        centers = torch.randn(CLASSES, FEATURES, generator=torch.Generator().manual_seed(3))
        loss.centers.copy_(centers.roll(blank, 0))
    if name == "prior":
        loss.prior.copy_(torch.tensor([0.6, 0.2, 0.1, 0.07, 0.03]).roll(blank))
    return loss.eval() if loss.state_dict() else loss


def extras(loss, logits: Tensor) -> dict[str, Tensor]:
    """Return what the loss needs; the features know no order of the classes and no offset."""
    logits = logits.detach()
    ranked = logits.sort(2).values
    known = {
        "features": 3 * (ranked[:, :, 1:4] - ranked[:, :, 2:5]).tanh(),
        "second": 0.3 * logits,
        "teacher": 2 * logits,
    }
    return {name: known[name] for name in loss.needs}


def bound(name: str, blank: int = 0, reduction: str = "none"):
    """Return the loss as a function of logits and labels alone."""
    loss = make(name, blank, reduction)
    return lambda logits, *rest, **more: loss(logits, *rest, **extras(loss, logits), **more)
