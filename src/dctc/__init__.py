"""DCTC: self-distillation regularised CTC for text recognition (arXiv 2308.08806).

Importing this package loads torch and nothing else, so that a project with its own trainer can
take the losses alone::

    from dctc import DCTCLoss
"""

from dctc.losses import CTCLoss, DCTCLoss, dctc_linear_loss

__all__ = ["CTCLoss", "DCTCLoss", "__version__", "dctc_linear_loss"]
__version__ = "0.1.0"
