"""Losses for CTC recognisers, each called exactly as :class:`torch.nn.CTCLoss` is."""

from dctc.losses.ctc import CTCLoss
from dctc.losses.dctc import DCTCLoss

__all__ = ["CTCLoss", "DCTCLoss"]
