"""Choice between torch operations and Triton kernels, and the log probabilities they compute.

:mod:`dctc.ctc.torch_kernels` and, on a GPU, :mod:`dctc.ctc.triton_kernels` have the same functions:
``emissions``, ``frame_terms`` and ``gradient``.
"""

from __future__ import annotations

import os
import warnings
from functools import cache
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from dctc.ctc import torch_kernels
from dctc.ctc.distil import FrameWeights
from dctc.ctc.labels import Labels, candidate_classes, first_column, pack_labels
from dctc.ctc.lattice import refuse_second_derivative
from dctc.ctc.torch_kernels import Normaliser

# DCTC_KERNELS: "torch" or "triton" forces that path, for tests and benchmarks. Otherwise triton is
# used on a GPU, where it is installed and runs. Read when this module is imported.
KERNELS = os.environ.get("DCTC_KERNELS") or "auto"


def choose_kernels(logits: Tensor) -> ModuleType:
    """Return the module whose kernels take these logits.

    Raises:
        ValueError: If DCTC_KERNELS names no path.
        RuntimeError: If it asks for triton where triton cannot run.
    """
    if KERNELS not in ("auto", "torch", "triton"):
        raise ValueError(f"DCTC_KERNELS={KERNELS}: not one of torch, triton, auto")
    if KERNELS == "torch" or (KERNELS == "auto" and not logits.is_cuda):
        return torch_kernels
    if find_spec("triton") is None:
        if KERNELS == "triton":
            raise RuntimeError("DCTC_KERNELS=triton: triton is not installed")
        return torch_kernels
    if not logits.is_cuda and os.environ.get("TRITON_INTERPRET") != "1":
        raise RuntimeError(
            f"Triton kernels: the logits are on {logits.device.type}; a GPU is needed, or "
            "TRITON_INTERPRET=1 in the environment before the first loss"
        )
    if KERNELS == "auto" and not triton_works(logits.device):
        return torch_kernels
    from dctc.ctc import triton_kernels  # here, so that the losses load torch alone

    return triton_kernels


@cache
def triton_works(device: torch.device) -> bool:
    """Return whether a kernel can be compiled and run there; if not, warn once.

    Triton may be installed and yet of no use: a GPU older than it supports, no C compiler.
    """
    try:
        from dctc.ctc import triton_kernels

        logits = torch.zeros((1, 1, 2), device=device)
        triton_kernels.emissions(logits, pack_labels(logits, [[1]], [1], [1], 0), 0, 1.0)
    except Exception as error:  # whatever the compiler, its tools or the driver raise
        warnings.warn(
            f"Triton does not run on {device} ({type(error).__name__}: {error}); torch operations "
            "are used instead. DCTC_KERNELS=torch asks for them from the start.",
            stacklevel=2,
        )
        return False
    return True


def label_emissions(logits: Tensor, labels: Labels, blank: int) -> Tensor:
    """Return log softmax of the logits at the candidate classes, ``(t, n, s + 1)`` float64.

    What is differentiated by the emissions with gradient g has the gradient
    ``sum_j g_j (onehot(class_j) - P)`` with respect to the logits, written in one pass over them.

    Args:
        logits: ``(t, n, c)`` logits or log probabilities.
        labels: The labels.
        blank: Class of the blank.
    """
    return _LabelEmissions.apply(logits, labels, blank)


class _LabelEmissions(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Labels, blank: int) -> Tensor:
        ctx.kernels, ctx.labels, ctx.blank = choose_kernels(logits), labels, blank
        keep = ctx.needs_input_grad[0]
        normaliser, emissions = ctx.kernels.emissions(logits, labels, blank, 1.0, keep)
        ctx.save_for_backward(logits, *normaliser)
        return emissions

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        logits, *normaliser = ctx.saved_tensors
        with torch.no_grad():
            # Triton's kernel takes the weights of a class that repeats in one of its columns
            first = first_column(candidate_classes(ctx.labels, ctx.blank)).expand_as(grad)
            merged = torch.zeros_like(grad).scatter_add_(2, first, grad)
            total = grad.sum(2)  # (t, n)
            nothing = torch.zeros_like(total)
            weights = FrameWeights(-merged, -total, nothing.long(), *(nothing,) * 3)
            gradient = ctx.kernels.gradient(
                logits, Normaliser(*normaliser), weights, ctx.labels, ctx.blank,
                grad.new_ones(grad.shape[1]), None, 1.0,
            )  # fmt: skip
        return refuse_second_derivative(gradient, logits), None, None
