"""The last linear layer and both terms together, without ever holding all logits.

With 8,000 to 20,000 classes the ``(t, n, c)`` logits and their gradient are what fills the memory.
Here logits are made for some frames at a time, reduced to each frame's normaliser and the logits of
the label's classes, and made once more when their gradient is spread over features and weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dctc.ctc.alignment import NO_CLASS, estimate_alignment
from dctc.ctc.fused import FrameWeights, Options, choose_kernels, distil
from dctc.ctc.labels import Labels
from dctc.ctc.lattice import (
    candidate_classes,
    refuse_second_derivative,
    samples_last,
    valid_frames,
)
from dctc.ctc.torch_kernels import Normaliser, compute_dtype

CHUNK = 2**23  # logits held at a time: 32 MiB of float32


class LinearTerms(torch.autograd.Function):
    """Features ``(t, n, d)`` to nll ``(n,)``, cross-entropy ``(n,)`` and alignment ``(t, n)``."""

    @staticmethod
    def forward(  # noqa: D102  documented by torch
        ctx: Any,
        features: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        labels: Labels,
        options: Options,
    ) -> tuple[Tensor, Tensor, Tensor]:
        kernels = choose_kernels(features)
        columns = candidate_classes(labels, options.blank).expand(len(features), -1, -1)
        peaks, rests, candidates, best, at = [], [], [], [], []
        for frames in _chunks(features, weight):
            logits = F.linear(features[frames], weight, bias)  # (b, n, c)
            peak, rest = kernels.normalise(logits, options.scale)
            peaks.append(peak)
            rests.append(rest)
            candidates.append(logits.gather(2, columns[frames]))
            if options.alignment is not None:
                classes = options.alignment[frames].clamp(min=0)
                at.append(logits.gather(2, classes[:, :, None]))
            elif options.estimator == "greedy":
                highest = logits.max(2, keepdim=True)
                at.append(highest.values)
                best.append(highest.indices[:, :, 0])
        normaliser = Normaliser(torch.cat(peaks), torch.cat(rests))
        of_label = torch.cat(candidates)
        emissions = samples_last(normaliser.log_probs(of_label, options.scale))
        lattice = kernels.forward_backward(emissions, labels)
        if options.alignment is not None:
            alignment = options.alignment
        elif best:
            valid = valid_frames(labels, len(features))
            alignment = torch.cat(best).masked_fill(~valid, NO_CLASS)
        elif options.estimator is None:
            alignment = torch.full_like(normaliser.peak, NO_CLASS, dtype=torch.int64)
        else:
            alignment = estimate_alignment(
                options.estimator,
                features,
                emissions,
                lattice,
                labels,
                options.blank,
                kernels.best_candidate,
            )
        if not at:  # z* is one of the label's classes, or there is none
            place = (columns == alignment[:, :, None]).byte().argmax(2, keepdim=True)
            at.append(of_label.gather(2, place))
        chosen = normaliser.log_probs(torch.cat(at), options.scale)[:, :, 0]
        distill, weights = distil(chosen, alignment, lattice, labels, options)
        ctx.save_for_backward(features, weight, bias, *normaliser, *weights)
        ctx.kernels, ctx.scale = kernels, options.scale
        ctx.mark_non_differentiable(weights.alignment)
        ctx.set_materialize_grads(False)
        dtype = compute_dtype(features)
        return lattice.nll.to(dtype), distill.to(dtype), weights.alignment

    @staticmethod
    def backward(  # noqa: D102  documented by torch
        ctx: Any, grad_nll: Tensor | None, grad_distill: Tensor | None, _: Any
    ) -> tuple[Tensor | None, ...]:
        features, weight, bias, peak, rest, *weights = ctx.saved_tensors
        # autocast would compute other logits than the forward pass did
        with torch.no_grad(), torch.autocast(features.device.type, enabled=False):
            arguments = FrameWeights(*weights).arguments(grad_nll, grad_distill)
            grad_features = torch.empty_like(features, memory_format=torch.contiguous_format)
            # half precision is added up in float32
            grad_weight = torch.zeros_like(weight, dtype=compute_dtype(weight))
            grad_bias = grad_weight.new_zeros(len(weight))
            for frames in _chunks(features, weight):
                gradient = ctx.kernels.gradient(
                    F.linear(features[frames], weight, bias),
                    Normaliser(peak[frames], rest[frames]),
                    scale=ctx.scale,
                    **{k: None if v is None else v[frames] for k, v in arguments.items()},
                ).flatten(0, 1)  # (b n, c)
                torch.mm(gradient, weight, out=grad_features[frames].flatten(0, 1))
                grad_bias += gradient.sum(0, dtype=grad_bias.dtype)
                rows = features[frames].flatten(0, 1)
                if gradient.dtype == grad_weight.dtype:
                    grad_weight.addmm_(gradient.T, rows)
                else:
                    grad_weight += gradient.T @ rows
        outputs = [grad_features, grad_weight.to(weight.dtype)]
        sources = [features, weight]
        if bias is not None:
            outputs.append(grad_bias.to(bias.dtype))
            sources.append(bias)
        guarded = [refuse_second_derivative(g, x) for g, x in zip(outputs, sources, strict=True)]
        return (*guarded, *[None] * (5 - len(guarded)))


def _chunks(features: Tensor, weight: Tensor) -> Iterator[slice]:
    t, n, _ = features.shape
    step = max(1, CHUNK // max(1, n * len(weight)))
    return (slice(i, i + step) for i in range(0, t, step))
