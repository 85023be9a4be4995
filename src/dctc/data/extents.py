"""The horizontal limits of characters: those of the label, in pixels of the image as it is read."""

from __future__ import annotations

import numpy as np

from dctc.text.protocol import Protocol


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
