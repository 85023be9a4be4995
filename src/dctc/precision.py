"""What 32 bit means, whatever the device."""

from __future__ import annotations

import torch


def compute_in_float32() -> None:
    """Let 32 bit be what it is on a CPU; torch lets a GPU round to TF32 in convolutions and LSTMs.

    ``trainer.precision`` is there for less.
    """
    torch.backends.cudnn.allow_tf32 = False
