"""Sample and Batch, what datasets and DataModules yield: images, labels, character extents."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dctc.text.protocol import Protocol

NO_EXTENT = -1.0  # pads Batch.extents; pixel positions are never negative


class Sample(NamedTuple):
    """One decoded sample, as a dataset returns it.

    Attributes:
        image: ``(h, w, ch)`` uint8.
        label: Text, already passed through the protocol and the charset filter.
        key: Where it comes from: ``set/record`` or ``rendered/seed/number``.
        extents: ``(s, 2)`` float32, left and right limit of each character of the label in pixels
            of ``image``; None where unknown.
        width: Valid pixels of the image's width, at least 1; the rest, on the right, is padding.
            None if the whole width is valid.
        second: A second view, of the shape of ``image``: the same geometry, other pixels. None
            where there is one view only.
    """

    image: np.ndarray
    label: str
    key: str
    extents: np.ndarray | None = None
    width: int | None = None
    second: np.ndarray | None = None


class Corrupt(NamedTuple):
    """A record that could not be read; it takes the place of its :class:`Sample`.

    Attributes:
        key: Which record: ``set/record``.
        reason: Why, in one line.
    """

    key: str
    reason: str


class Batch(NamedTuple):
    """One batch (n samples of one size).

    Attributes:
        image: ``(n, ch, h, w)`` float32 in [-1, 1].
        label: n texts.
        key: n keys.
        width: ``(n,)`` int64, valid pixels of each image's width (the rest is padding).
        extents: ``(n, s, 2)`` float32 character limits in pixels, padded with
            :data:`NO_EXTENT`; None unless every sample has them.
        corrupt: Records of this batch that could not be read; they are in no other field.
        second: ``(n, ch, h, w)``, a second view of each image; None unless every sample has one.
    """

    image: Tensor
    label: list[str]
    key: list[str]
    width: Tensor
    extents: Tensor | None
    corrupt: list[Corrupt]
    second: Tensor | None = None


def collate(samples: Sequence[Sample | Corrupt]) -> Batch:
    """Stack samples into a :class:`Batch`; corrupt records are listed and warned about.

    If no record of the batch can be read, the batch has no samples and an empty ``image``.
    """
    good = [s for s in samples if isinstance(s, Sample)]
    corrupt = [s for s in samples if isinstance(s, Corrupt)]
    for bad in corrupt:
        warnings.warn(f"{bad.key}: {bad.reason}; not read", UserWarning, stacklevel=2)
    if not good:
        return Batch(torch.empty(0), [], [], torch.empty(0, dtype=torch.int64), None, corrupt)
    image = _stack([s.image for s in good])
    second = [s.second for s in good if s.second is not None]
    width = torch.tensor([image.shape[3] if s.width is None else s.width for s in good])
    return Batch(
        image=image,
        label=[s.label for s in good],
        key=[s.key for s in good],
        width=width,
        extents=_pad_extents([s.extents for s in good]),
        corrupt=corrupt,
        second=_stack(second) if len(second) == len(good) else None,
    )


def collate_by_width(samples: Sequence[Sample | Corrupt]) -> list[Batch]:
    """Stack samples of each width into a batch of their own, and corrupt records into the first.

    So the padded width of an image does not depend on the rest of the batch.
    """
    groups: dict[int, list[Sample | Corrupt]] = {}
    for sample in samples:
        if isinstance(sample, Sample):
            groups.setdefault(sample.image.shape[1], []).append(sample)
    corrupt = [s for s in samples if isinstance(s, Corrupt)]
    first, *others = list(groups.values()) or [[]]
    return [collate([*first, *corrupt]), *map(collate, others)]


def _stack(images: Sequence[np.ndarray]) -> Tensor:
    pixels = torch.from_numpy(np.stack(images))  # (n, h, w, ch) uint8
    # (n, ch, h, w); the memory stays channels-last, which suits convolutions on a CPU
    return pixels.permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)


def pixels_of(images: Tensor) -> np.ndarray:
    """Return the 8-bit pixels ``(n, h, w, ch)`` of a batch's images ``(n, ch, h, w)``."""
    return images.add(1.0).mul_(127.5).round_().byte().permute(0, 2, 3, 1).cpu().numpy()


def _pad_extents(extents: Sequence[np.ndarray | None]) -> Tensor | None:
    known = [e for e in extents if e is not None]
    if len(known) < len(extents):
        return None
    padded = torch.full((len(known), max(map(len, known)), 2), NO_EXTENT)
    for row, extent in zip(padded, known, strict=True):
        row[: len(extent)] = torch.from_numpy(extent)
    return padded


def label_extents(
    text: str, extents: np.ndarray, protocol: Protocol
) -> tuple[str, np.ndarray | None]:
    """Apply a protocol to a text, and keep the extents ``(s, 2)`` of the characters that remain.

    Returns:
        The label, and the extents of its characters; None for a protocol that does not work
        character by character.
    """
    label, pieces = protocol(text), [protocol(c) for c in text]
    if "".join(pieces) != label or any(len(piece) > 1 for piece in pieces):
        return label, None
    return label, extents[[bool(piece) for piece in pieces]]


def extents_fault(raw: bytes, characters: int, width: float = math.inf) -> str:
    """Check stored extents; return what is wrong, empty if nothing is.

    Args:
        raw: ``(s, 2)`` float32 as stored.
        characters: Characters of the label (s).
        width: Width of the image in pixels; infinite if it is not known yet.
    """
    if len(raw) != 8 * characters:
        return f"extents of {len(raw) / 8:g} characters for a label of {characters}"
    extents = np.frombuffer(raw, np.float32).reshape(-1, 2)
    if not np.isfinite(extents).all():
        return "extents are not finite"
    if extents.min(initial=0) < 0 or extents.max(initial=0) > width:
        return "extents reach out of the image"
    steps = np.diff(extents, axis=0)  # of one sign: from left to right, or from right to left
    if (extents[:, 1] < extents[:, 0]).any() or ((steps < 0).any() and (steps > 0).any()):
        return "extents are not in order"
    return ""
