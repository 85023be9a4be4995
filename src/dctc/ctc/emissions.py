"""Log probabilities of the classes of a label, differentiable with respect to the logits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dctc.ctc.fused import choose_kernels
from dctc.ctc.labels import Labels
from dctc.ctc.lattice import candidate_classes, first_column, refuse_second_derivative
from dctc.ctc.torch_kernels import Normaliser


def label_emissions(logits: Tensor, labels: Labels, blank: int) -> Tensor:
    """Return log softmax of the logits at the candidate classes, ``(t, n, s + 1)`` float64.

    The classes are those of :func:`dctc.ctc.candidate_classes`. What is differentiated by the
    emissions with gradient g has the gradient ``sum_j g_j (onehot(class_j) - P)`` with respect to
    the logits, written in one pass over them.

    Args:
        logits: ``(t, n, c)`` logits or log probabilities.
        labels: The labels.
        blank: Class of the blank.
    """
    return _LabelEmissions.apply(logits, labels, blank)


class _LabelEmissions(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Labels, blank: int) -> Tensor:
        kernels = choose_kernels(logits)
        normaliser = kernels.normalise(logits, 1.0)
        columns = candidate_classes(labels, blank).expand(len(logits), -1, -1)  # (t, n, s + 1)
        ctx.kernels = kernels
        ctx.save_for_backward(logits, *normaliser, columns)
        return normaliser.log_probs(logits.gather(2, columns), 1.0)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        logits, peak, rest, columns = ctx.saved_tensors
        with torch.no_grad():
            total = grad.sum(2)
            # Triton's kernel takes the weights of a class that repeats in one of its columns
            first = first_column(columns[0]).expand_as(grad)
            merged = torch.zeros_like(grad).scatter_add_(2, first, grad)
            gradient = ctx.kernels.gradient(
                logits,
                Normaliser(peak, rest),
                p_weight=-total,
                alignment=None,
                at_alignment=torch.zeros_like(total),
                columns=columns,
                column_weights=merged,
                scale=1.0,
            )
        return refuse_second_derivative(gradient, logits), None, None
