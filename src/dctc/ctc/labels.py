"""Labels of a batch: argument checks, padding, feasibility, candidate classes, valid frames."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

Integers = Tensor | Sequence[Any]  # or an array; what torch.as_tensor takes
_warned: list[bool] = []  # filled when a warning has been given


class Labels(NamedTuple):
    """Labels of a batch, on the device of its logits.

    Attributes:
        classes: ``(n, s)`` int64, padded with the blank; s is the length of the longest feasible
            label, at least 1. Infeasible ones are cut to it.
        lengths: ``(n,)`` int64, characters of each label, before it was cut.
        frames: ``(n,)`` int64, valid frames of each sample.
        feasible: ``(n,)`` bool, whether the label fits into its frames.
    """

    classes: Tensor
    lengths: Tensor
    frames: Tensor
    feasible: Tensor


def frames_needed(classes: Tensor, lengths: Tensor) -> Tensor:
    """Return how many frames each label needs: its length, and a blank between equal neighbours.

    Args:
        classes: ``(n, s)`` padded labels.
        lengths: ``(n,)`` their lengths.

    Returns:
        ``(n,)`` int64 frames.

    Example:
        >>> frames_needed(torch.tensor([[1, 1, 2]]), torch.tensor([3])).tolist()
        [4]
    """
    position = torch.arange(1, classes.shape[1], device=classes.device)
    repeats = (classes[:, 1:] == classes[:, :-1]) & (position < lengths[:, None])
    return lengths + repeats.sum(1)


def pack_labels(
    logits: Tensor, targets: Integers, input_lengths: Integers, target_lengths: Integers, blank: int
) -> Labels:
    """Check the arguments of a CTC loss and pad its targets.

    Args:
        logits: ``(t, n, c)`` floating point.
        targets: Integer classes, padded ``(n, s)`` or concatenated ``(sum(target_lengths),)``; a
            tensor, an array or lists.
        input_lengths: ``(n,)`` valid frames of each sample, at most t.
        target_lengths: ``(n,)`` length of each label.
        blank: Class of the blank.

    Raises:
        ValueError: If anything does not fit; the message names the first sample concerned.
    """
    if logits.ndim != 3 or not logits.is_floating_point():
        raise ValueError(
            f"logits: expected floating point (t, n, c), got {logits.dtype} {tuple(logits.shape)}"
        )
    t, n, c = logits.shape
    if t == 0 or n == 0:
        raise ValueError(f"logits: expected at least one frame and one sample, got {t} and {n}")
    if not 0 <= blank < c:
        raise ValueError(f"blank {blank}: not among the {c} classes of the logits")
    frames, lengths = (
        _integers("input_lengths", input_lengths),
        _integers("target_lengths", target_lengths),
    )
    if t != n and frames.shape == lengths.shape == (t,):
        raise ValueError(
            f"logits: expected frames first, (t, n, c), got {tuple(logits.shape)} and the lengths "
            f"of {t} samples; logits.transpose(0, 1) has frames first"
        )
    _check_lengths(frames, "input_lengths", n, t, "frames of the logits")
    targets = _integers("targets", targets)
    longest = targets.shape[1] if targets.ndim == 2 else targets.numel()
    _check_lengths(lengths, "target_lengths", n, longest, "columns of the targets")
    classes = _padded(targets, lengths, blank)
    _check_range(classes, lengths, blank, c)
    needed = frames_needed(classes, lengths)
    feasible = needed <= frames
    if not feasible.any():
        nearest = int((needed - frames).argmin())
        _warn_once(int(needed[nearest]), int(frames[nearest]))
    s = int((lengths * feasible).max())
    labels = Labels(classes[:, : max(s, 1)], lengths, frames, feasible)
    return labels if logits.device.type == "cpu" else moved(labels, logits.device)


def _warn_once(needed: int, frames: int) -> None:
    """Say that no label fits its frames; once, not with each batch of a training."""
    if not _warned:
        _warned.append(True)
        warnings.warn(
            "CTC: no label of the batch fits its frames, so that CTC is 0 and trains nothing. "
            f"The one that comes closest needs {needed} frames and has {frames}. Check "
            "input_lengths, or give the net more frames (wider images).",
            stacklevel=3,
        )


def moved(labels: Labels, device: torch.device) -> Labels:
    """Return labels of the CPU on another device, moved there in one copy.

    The copy is from pinned memory, so that nothing waits for it.
    """
    numbers = torch.cat([part.flatten() for part in labels[:3]]).view(torch.uint8)
    packed = torch.cat((numbers, labels.feasible.view(torch.uint8)))
    if device.type == "cuda":
        packed = packed.pin_memory()
    there = packed.to(device, non_blocking=True)
    integers = there[: len(numbers)].view(torch.int64)
    classes, lengths, frames = integers.split([part.numel() for part in labels[:3]])
    feasible = there[len(numbers) :].view(torch.bool)
    return Labels(classes.view_as(labels.classes), lengths, frames, feasible)


def _integers(name: str, given: Integers) -> Tensor:
    """Return integers as an int64 tensor on the CPU."""
    try:
        tensor = torch.as_tensor(given)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{name}: expected integers, in rows of equal length: {error}") from None
    if tensor.is_floating_point() and not isinstance(given, Tensor) and tensor.numel() == 0:
        tensor = tensor.long()  # an empty list has no type
    if tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool:
        raise ValueError(f"{name}: expected integers, got {tensor.dtype}")
    return tensor.cpu().long()


def _check_lengths(lengths: Tensor, name: str, n: int, most: int, of_what: str) -> None:
    if lengths.shape != (n,):
        raise ValueError(f"{name}: expected {n} integers, got {tuple(lengths.shape)}")
    wrong = (lengths < 0) | (lengths > most)
    if wrong.any():
        i = int(wrong.nonzero()[0])
        raise ValueError(f"{name}: sample {i} has {int(lengths[i])}, outside 0..{most} ({of_what})")


def _padded(targets: Tensor, lengths: Tensor, blank: int) -> Tensor:
    n, s = len(lengths), max(int(lengths.max()), 1)
    inside = torch.arange(s) < lengths[:, None]  # (n, s)
    classes = torch.full((n, s), blank, dtype=torch.int64)
    if targets.ndim == 1:
        if len(targets) != int(lengths.sum()):
            raise ValueError(
                f"targets: {len(targets)} concatenated classes, but target_lengths add up to "
                f"{int(lengths.sum())}"
            )
        classes[inside] = targets
        return classes
    if targets.ndim != 2 or targets.shape[0] != n:
        raise ValueError(f"targets: expected ({n}, s) or 1-D, got {tuple(targets.shape)}")
    width = min(s, targets.shape[1])
    return torch.where(inside[:, :width], targets[:, :width], blank) if width else classes


def _check_range(classes: Tensor, lengths: Tensor, blank: int, c: int) -> None:
    inside = torch.arange(classes.shape[1]) < lengths[:, None]
    wrong = inside & ((classes < 0) | (classes >= c) | (classes == blank))
    if wrong.any():
        i, j = wrong.nonzero()[0].tolist()
        value = int(classes[i, j])
        what = "the blank" if value == blank else f"outside 0..{c - 1}"
        raise ValueError(f"targets: sample {i}, position {j} is class {value}, {what}")


def candidate_classes(labels: Labels, blank: int) -> Tensor:
    """Return the classes that a label can use, ``(n, s + 1)``: the blank, then its characters.

    These are the columns of every tensor of shape ``(t, n, s + 1)``; columns of padding are the
    blank's.
    """
    return F.pad(labels.classes, (1, 0), value=blank)


def first_column(classes: Tensor) -> Tensor:
    """Return the column of the first occurrence of each of a sample's classes, ``(n, k)``."""
    ordered, order = classes.sort(dim=1, stable=True)
    position = torch.arange(classes.shape[1], device=classes.device).expand_as(classes)
    begins = position.masked_fill(F.pad(ordered[:, 1:] == ordered[:, :-1], (1, 0)), 0)
    return torch.empty_like(order).scatter_(1, order, order.gather(1, begins.cummax(1).values))


def valid_frames(labels: Labels, t: int) -> Tensor:
    """Return which frames take part, ``(t, n)`` bool: before the input length, label feasible."""
    frame = torch.arange(t, device=labels.frames.device)[:, None]
    return (frame < labels.frames) & labels.feasible
