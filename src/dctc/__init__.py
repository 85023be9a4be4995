"""DCTC: self-distillation regularised CTC for text recognition (arXiv 2308.08806).

Importing this package loads nothing; its losses load torch and nothing else, so that a project with
its own trainer can take them alone::

    from dctc import DCTCLoss
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dctc.losses import CTCLoss, DCTCLoss, dctc_linear_loss

__all__ = ["CTCLoss", "DCTCLoss", "__version__", "dctc_linear_loss"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import the losses when they are asked for: the help of a command needs no torch."""
    if name in ("ctc", "losses"):
        return import_module(f"dctc.{name}")
    if name in __all__:
        return getattr(import_module("dctc.losses"), name)
    raise AttributeError(f"module 'dctc' has no attribute {name!r}")
