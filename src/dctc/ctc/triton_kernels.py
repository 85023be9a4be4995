"""The passes over the logits and the lattice as Triton kernels, and where they run: on a GPU.

No kernel uses atomics, so equal inputs give equal bits. The functions have the signatures of
:mod:`dctc.ctc.torch_kernels`, which is their reference. Importing this module imports triton. Where
TRITON_INTERPRET is 1 at that time, the kernels run in Triton's interpreter, which takes tensors of
the CPU.
"""

from __future__ import annotations

import warnings
from functools import cache

import torch
import triton

from dctc.ctc import triton_logits
from dctc.ctc.triton_alignment import best_candidate
from dctc.ctc.triton_lattice import forward_backward
from dctc.ctc.triton_logits import gradient, normalise

__all__ = [
    "best_candidate",
    "forward_backward",
    "gradient",
    "normalise",
    "require",
    "work_on",
]


def require(device: torch.device) -> None:
    """Refuse a device that the kernels do not run on.

    Raises:
        RuntimeError: If it is not a GPU, outside the interpreter.
    """
    interpreted = not isinstance(triton_logits._normalise, triton.JITFunction)
    if device.type != "cuda" and not interpreted:
        raise RuntimeError(
            f"Triton kernels: the logits are on {device.type}; a GPU is needed, or "
            "TRITON_INTERPRET=1 in the environment before the first loss"
        )


@cache
def work_on(device: torch.device) -> bool:
    """Return whether a kernel can be compiled and run there; if not, warn once.

    Triton may be installed and yet of no use: a GPU older than it supports, no C compiler.
    """
    try:
        normalise(torch.zeros((1, 1, 2), device=device), 1.0)
    except Exception as error:  # whatever the compiler, its tools or the driver raise
        warnings.warn(
            f"Triton does not run on {device} ({type(error).__name__}: {error}); torch operations "
            "are used instead. DCTC_KERNELS=torch asks for them from the start.",
            stacklevel=2,
        )
        return False
    return True
