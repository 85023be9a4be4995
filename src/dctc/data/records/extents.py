"""The horizontal limits of characters: those of the label, in pixels of the image as it is read."""

from __future__ import annotations

import numpy as np

from dctc.text.protocol import Protocol


def extents_fault(raw: bytes, characters: int, width: int) -> str:
    """Return what is wrong with stored extents; empty if they are sound.

    Args:
        raw: As they are stored, ``(s, 2)`` float32.
        characters: Characters of the label.
        width: Width of the image.
    """
    if len(raw) != 8 * characters:
        return f"extents of {len(raw) / 8:g} characters for a label of {characters}"
    extents = np.frombuffer(raw, np.float32).reshape(-1, 2)
    if not np.isfinite(extents).all():
        return "extents are not finite"
    if extents.min(initial=0) < 0 or extents.max(initial=0) > width:
        return "extents reach out of the image"
    if (extents[:, 1] < extents[:, 0]).any() or (np.diff(extents, axis=0) < 0).any():
        return "extents are not in order"
    return ""


def label_extents(
    text: str, extents: np.ndarray, protocol: Protocol
) -> tuple[str, np.ndarray | None]:
    """Return the label of a drawn text, and the extents of the label's characters.

    Args:
        text: s characters, as drawn.
        extents: ``(s, 2)`` limits of these.
        protocol: Makes the label.

    Returns:
        The label, and the extents of the characters that the protocol keeps; None in their place
        where the protocol does not work character by character.
    """
    label, pieces = protocol(text), [protocol(c) for c in text]
    if "".join(pieces) != label or any(len(piece) > 1 for piece in pieces):
        return label, None
    return label, extents[[bool(piece) for piece in pieces]]
