"""Losses for CTC recognisers, each called exactly as :class:`torch.nn.CTCLoss` is."""

from dctc.losses.ctc import CTCLoss
from dctc.losses.dctc import DCTCLoss
from dctc.losses.linear import dctc_linear_loss

__all__ = ["CTCLoss", "DCTCLoss", "dctc_linear_loss"]
