"""CTC and self-distillation, the two terms of DCTC, and their gradient from one forward-backward.

The logits are passed over twice: once for the normaliser of each frame, once to write the gradient,
which is the one tensor of their size that is allocated. For large charsets logits are computed in
chunks, since with 8,000 to 20,000 classes logits and gradient dominate the memory: the last linear
layer is then part of the computation. The logits of some frames at a time are reduced to each
frame's normaliser and the logits of the label's classes, and computed again for the gradient of
features and weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from dctc.ctc.distil import FrameWeights, Options, distil
from dctc.ctc.estimators import NO_CLASS, Estimator, estimate_alignment
from dctc.ctc.kernels import choose_kernels
from dctc.ctc.labels import Labels, candidate_classes, valid_frames
from dctc.ctc.lattice import readable, refuse_second_derivative, samples_last
from dctc.ctc.threads import on_few_threads
from dctc.ctc.torch_kernels import Normaliser, compute_dtype

CHUNK = 2**23  # logits of the linear layer held at a time: 32 MiB of float32


class CTCTerms(NamedTuple):
    """Both terms of DCTC for each sample.

    Attributes:
        nll: ``(n,)``, -log p(label | logits), nats, not divided by the label's length.
        distill: ``(n,)``, cross-entropy towards z*, nats, summed over frames.
        alignment: ``(t, n)`` int64, z*; -1 on frames that take no part.
        feasible: ``(n,)`` bool, whether some path spells the label: it fits its frames, and no
            logits of -inf make it impossible. If not, the sample is 0 in both terms.
    """

    nll: Tensor
    distill: Tensor
    alignment: Tensor
    feasible: Tensor


def ctc_terms(
    logits: Tensor,
    labels: Labels,
    blank: int,
    estimator: Estimator | None = "likelihood",
    alignment: Tensor | None = None,
    margin: float = 0.0,
    scale: float = 1.0,
) -> CTCTerms:
    """Compute both terms of DCTC (authors' code, steps 1 to 5).

    Half precision is computed in float32; the lattice always in float64.

    Args:
        logits: ``(t, n, c)`` logits or log probabilities.
        labels: The labels.
        blank: Class of the blank; this and the following are :class:`dctc.ctc.distil.Options`.
        estimator: How z* is estimated, or None.
        alignment: ``(t, n)`` classes in place of the estimate.
        margin: m.
        scale: s.

    Raises:
        ValueError: If the alignment has another shape or holds a class that does not exist.
    """
    if alignment is not None:
        alignment = check_alignment(alignment, logits, labels)
    options = Options(blank, estimator, alignment, margin, scale)
    return CTCTerms(*_Terms.apply(logits, None, None, labels, options))


def ctc_nll(logits: Tensor, labels: Labels, blank: int, scale: float = 1.0) -> Tensor:
    """Compute the first term alone: ``(n,)`` nats, 0 for infeasible samples.

    Args:
        logits: ``(t, n, c)`` logits or log probabilities.
        labels: The labels.
        blank: Class of the blank.
        scale: Factor s on the logits.
    """
    nll, *_ = _Terms.apply(logits, None, None, labels, Options(blank, None, scale=scale))
    return nll


def linear_terms(
    features: Tensor, weight: Tensor, bias: Tensor | None, labels: Labels, options: Options
) -> CTCTerms:
    """Compute both terms from features, without ever holding all logits.

    Args:
        features: ``(t, n, d)``.
        weight: ``(c, d)`` of the last linear layer.
        bias: ``(c,)`` or None.
        labels: The labels.
        options: With an alignment that :func:`check_alignment` returned, or None.
    """
    return CTCTerms(*_Terms.apply(features, weight, bias, labels, options))


def check_alignment(alignment: Tensor, logits: Tensor, labels: Labels) -> Tensor:
    """Return a given alignment on the device of the logits, -1 where nothing takes part.

    Raises:
        ValueError: If it has another shape, or holds a class that does not exist on a frame that
            takes part.
    """
    t, n, c = logits.shape
    integers = not (alignment.is_floating_point() or alignment.dtype == torch.bool)
    if alignment.shape != (t, n) or not integers:
        raise ValueError(
            f"alignment: expected integers ({t}, {n}), got {alignment.dtype} "
            f"{tuple(alignment.shape)}"
        )
    alignment = alignment.to(logits.device, torch.long)  # first: bytes wrap around at -1 and at c
    alignment = alignment.masked_fill(~valid_frames(labels, t), NO_CLASS)
    wrong = (alignment < NO_CLASS) | (alignment >= c)
    if wrong.any():
        frame, i = wrong.nonzero()[0].tolist()
        raise ValueError(
            f"alignment: sample {i}, frame {frame} is class {int(alignment[frame, i])}, "
            f"outside {NO_CLASS}..{c - 1}"
        )
    return alignment


class _Terms(torch.autograd.Function):
    """Logits ``(t, n, c)``, or features ``(t, n, d)`` and a linear layer, to :class:`CTCTerms`."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        labels: Labels,
        options: Options,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        kernels, scale, estimator = choose_kernels(x), options.scale, options.estimator
        columns = candidate_classes(labels, options.blank).expand(len(x), -1, -1)
        given = options.alignment
        if given is None and estimator is None:
            given = torch.full(x.shape[:2], NO_CLASS, device=x.device)
        # Before the logits: what is allocated between chunks of them would split the memory that
        # the next chunk could have taken.
        normaliser = Normaliser(
            x.new_empty(x.shape[:2], dtype=compute_dtype(x)),
            x.new_empty(x.shape[:2], dtype=torch.float64),
        )
        candidates, at = x.new_empty(columns.shape), x.new_empty((*x.shape[:2], 1))
        best_class = torch.empty_like(at, dtype=torch.long) if estimator == "greedy" else None
        for frames, logits in _chunks(x, weight, bias):
            keep = weight is None and ctx.needs_input_grad[0]
            part = kernels.normalise(logits, scale, keep)
            if weight is None:
                normaliser = part
            else:
                normaliser.peak[frames], normaliser.rest[frames] = part.peak, part.rest
            torch.gather(logits, 2, columns[frames], out=candidates[frames])
            if given is not None:
                z = given[frames].clamp(min=0)[:, :, None]
                torch.gather(logits, 2, z, out=at[frames])
            elif best_class is not None:
                torch.max(logits, 2, keepdim=True, out=(at[frames], best_class[frames]))
        with on_few_threads(x.device, 2 * columns.numel()):
            emissions = samples_last(normaliser.log_probs(candidates, scale))
            lattice = kernels.forward_backward(emissions, labels)
            alignment = given
            if alignment is None:
                alignment = estimate_alignment(
                    estimator,
                    emissions,
                    lattice,
                    labels,
                    options.blank,
                    None if best_class is None else best_class[:, :, 0],
                    kernels.best_candidate,
                )
                if best_class is None and weight is None:
                    at = x.gather(2, alignment.clamp(min=0)[:, :, None])
                elif best_class is None:  # z* is one of the label's classes
                    place = (columns == alignment[:, :, None]).byte().argmax(2, keepdim=True)
                    at = candidates.gather(2, place)
            chosen = normaliser.log_probs(at, scale)[:, :, 0]
            distill, weights = distil(chosen, alignment, lattice, labels, options)
            read = readable(lattice, labels)
        ctx.save_for_backward(x, weight, bias, *normaliser, *weights)
        ctx.kernels, ctx.scale = kernels, scale
        ctx.mark_non_differentiable(weights.alignment, read)
        ctx.set_materialize_grads(False)
        dtype = compute_dtype(x)
        return lattice.nll.to(dtype), distill.to(dtype), weights.alignment, read

    @staticmethod
    def backward(
        ctx: Any, grad_nll: Tensor | None, grad_distill: Tensor | None, *_: Any
    ) -> tuple[Tensor | None, ...]:
        x, weight, bias, peak, rest, above, *weights = ctx.saved_tensors
        # autocast would compute other logits than the forward pass did
        with torch.no_grad(), torch.autocast(x.device.type, enabled=False):
            with on_few_threads(x.device, 2 * weights[0].numel()):
                arguments = FrameWeights(*weights).arguments(grad_nll, grad_distill)
            gradients = (
                (
                    frames,
                    ctx.kernels.gradient(
                        logits,
                        Normaliser(peak[frames], rest[frames], above),
                        scale=ctx.scale,
                        # in place of a chunk's logits
                        out=None if weight is None else logits,
                        **{k: None if v is None else v[frames] for k, v in arguments.items()},
                    ),
                )
                for frames, logits in _chunks(x, weight, bias)
            )
            found: tuple[Tensor, Tensor | None, Tensor | None]
            if weight is None:
                found = next(gradients)[1], None, None
            else:
                found = _through_linear(x, weight, bias, gradients)
        guarded = (
            None if g is None else refuse_second_derivative(g, source)
            for g, source in zip(found, (x, weight, bias), strict=True)
        )
        return (*guarded, None, None)


def _chunks(
    x: Tensor, weight: Tensor | None, bias: Tensor | None
) -> Iterator[tuple[slice, Tensor]]:
    """Return the logits of some frames at a time, or all of them if ``x`` are the logits.

    Each chunk takes the place of the one before.
    """
    if weight is None:
        yield slice(None), x
        return
    t, n, _ = x.shape
    step = max(1, CHUNK // max(1, n * len(weight)))
    buffer = x.new_empty((min(step, t) * n, len(weight)))  # (b n, c)
    for i in range(0, t, step):
        rows = x[i : i + step].flatten(0, 1)
        logits = buffer[: len(rows)]
        if bias is None:
            torch.mm(rows, weight.T, out=logits)
        else:
            torch.addmm(bias, rows, weight.T, out=logits)
        yield slice(i, i + step), logits.unflatten(0, (-1, n))


def _through_linear(
    features: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    gradients: Iterator[tuple[slice, Tensor]],
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return the gradients of features, weight and bias from those of the logits."""
    by_features = torch.empty_like(features, memory_format=torch.contiguous_format)
    # half precision is added up in float32
    by_weight = torch.zeros_like(weight, dtype=compute_dtype(weight))
    by_bias = by_weight.new_zeros(len(weight))
    for frames, by_logits in gradients:
        rows = by_logits.flatten(0, 1)  # (b n, c)
        torch.mm(rows, weight, out=by_features[frames].flatten(0, 1))
        by_bias += rows.sum(0, dtype=by_bias.dtype)
        if rows.dtype == by_weight.dtype:
            by_weight.addmm_(rows.T, features[frames].flatten(0, 1))
        else:
            by_weight += rows.T @ features[frames].flatten(0, 1)
    return by_features, by_weight.to(weight.dtype), None if bias is None else by_bias.to(bias.dtype)
