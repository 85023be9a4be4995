"""CTC and self-distillation, the two terms of DCTC, and their gradient from one forward-backward.

The logits are passed over twice: once for the normaliser of each frame, once to write the gradient,
which is the one tensor of their size that is allocated; torch operations hold the exponentials too,
of small logits until the gradient, on a GPU of all logits in the forward pass. For large charsets
logits are computed in chunks, since with 8,000 to 20,000 classes logits and gradient dominate the
memory: the last linear layer is then part of the computation. The logits of some frames at a time
are reduced to each frame's normaliser and the logits of the label's classes, and computed again for
the gradient of features and weights.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from dctc.ctc.distil import FrameWeights, Options
from dctc.ctc.estimators import ESTIMATORS, NO_CLASS, Estimator, viterbi_alignment
from dctc.ctc.kernels import choose_kernels
from dctc.ctc.labels import Labels, candidate_classes, valid_frames
from dctc.ctc.lattice import refuse_second_derivative
from dctc.ctc.linear import LinearLogits, Logits, chunks, outline, through_linear
from dctc.ctc.threads import on_few_threads
from dctc.ctc.torch_kernels import Normaliser, compute_dtype


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
    logits: Logits,
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
        logits: ``(t, n, c)`` logits or log probabilities, or a :class:`LinearLogits`.
        labels: The labels.
        blank: Class of the blank; this and the following are :class:`dctc.ctc.distil.Options`.
        estimator: How z* is estimated; None, without an alignment, computes the first term alone.
        alignment: ``(t, n)`` classes in place of the estimate.
        margin: m.
        scale: s.

    Raises:
        ValueError: If the estimator is unknown, or the alignment has another shape or holds a class
            that does not exist.
    """
    if estimator not in (None, *ESTIMATORS):
        raise ValueError(f"estimator {estimator!r}: not one of {', '.join(ESTIMATORS)}")
    if alignment is not None:
        alignment = _check_alignment(alignment, outline(logits), labels)
    options = Options(blank, estimator, alignment, margin, scale)
    if isinstance(logits, Tensor):
        return CTCTerms(*_Terms.apply(logits, None, None, labels, options))
    with torch.autocast(logits.features.device.type, enabled=False):  # its type is settled
        return CTCTerms(*_Terms.apply(*logits, labels, options))


def _check_alignment(alignment: Tensor, logits: Tensor, labels: Labels) -> Tensor:
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


def _logits(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Logits:
    return x if weight is None else LinearLogits(x, weight, bias)


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
        kernels, scale, blank = choose_kernels(x), options.scale, options.blank
        (t, n, _), width = x.shape, labels.classes.shape[1] + 1
        alignment, estimator = options.alignment, options.estimator
        greedy = alignment is None and estimator == "greedy"
        if greedy:
            alignment = torch.empty((t, n), dtype=torch.long, device=x.device)
        # Before the logits: what is allocated between chunks of them would split the memory that
        # the next chunk could have taken.
        rest = x.new_empty((t, n), dtype=torch.float64)
        normaliser = Normaliser(x.new_empty((t, n), dtype=compute_dtype(x)), rest)
        emissions, at = rest.new_empty((t, width, n)).transpose(1, 2), torch.empty_like(rest)
        for frames, logits in chunks(_logits(x, weight, bias)):
            keep = weight is None and ctx.needs_input_grad[0]
            part, of_label = kernels.emissions(logits, labels, blank, scale, keep)
            if alignment is not None:
                if greedy:
                    alignment[frames] = logits.argmax(2)
                at[frames] = _at(alignment[frames], logits, part, scale)
            if weight is None:
                normaliser, emissions = part, of_label
            else:
                normaliser.peak[frames], rest[frames] = part.peak, part.rest
                emissions[frames] = of_label

        def chosen(z: Tensor) -> Tensor:
            if weight is None:
                return _at(z, x, normaliser, scale)
            columns = candidate_classes(labels, blank)  # z* is one of the label's classes
            place = (columns == z[:, :, None]).byte().argmax(2, keepdim=True)
            return emissions.gather(2, place)[:, :, 0]

        with on_few_threads(x.device, 2 * emissions.numel()):
            if estimator == "viterbi" and alignment is None:
                alignment = viterbi_alignment(emissions, labels, blank)
                at = chosen(alignment)
            if alignment is not None:
                alignment = alignment.masked_fill(~valid_frames(labels, t), NO_CLASS)
            given = None if alignment is None else (alignment, at)
            nll, distill, read, weights = kernels.frame_terms(
                emissions, labels, options, compute_dtype(x), given, chosen
            )
        ctx.save_for_backward(x, weight, bias, *normaliser, *weights)
        ctx.kernels, ctx.scale, ctx.labels, ctx.blank = kernels, scale, labels, blank
        ctx.mark_non_differentiable(weights.alignment, read)
        ctx.set_materialize_grads(False)
        return nll, distill, weights.alignment, read

    @staticmethod
    def backward(
        ctx: Any, grad_nll: Tensor | None, grad_distill: Tensor | None, *_: Any
    ) -> tuple[Tensor | None, ...]:
        x, weight, bias, peak, rest, above, *weights = ctx.saved_tensors
        # autocast would compute other logits than the forward pass did
        with torch.no_grad(), torch.autocast(x.device.type, enabled=False):
            gradients = (
                (
                    frames,
                    ctx.kernels.gradient(
                        logits,
                        Normaliser(peak[frames], rest[frames], above),
                        FrameWeights(*(part[frames] for part in weights)),
                        ctx.labels,
                        ctx.blank,
                        grad_nll,
                        grad_distill,
                        ctx.scale,
                        out=None if weight is None else logits,  # in place of a chunk's logits
                    ),
                )
                for frames, logits in chunks(_logits(x, weight, bias))
            )
            found: tuple[Tensor | None, ...]
            if weight is None:
                found = next(gradients)[1], None, None
            else:
                found = through_linear(x, weight, bias, gradients, ctx.needs_input_grad[0])
        guarded = (
            None if g is None else refuse_second_derivative(g, source)
            for g, source in zip(found, (x, weight, bias), strict=True)
        )
        return (*guarded, None, None)


def _at(alignment: Tensor, logits: Tensor, normaliser: Normaliser, scale: float) -> Tensor:
    """Return the log probability of an alignment's classes, ``(t, n)`` float64; any for -1."""
    z = alignment.clamp(min=0)[:, :, None]
    return normaliser.log_probs(logits.gather(2, z), scale)[:, :, 0]
