"""Boxes in the pixels of an image as it is stored, from columns of what a net sees of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from dctc.data.records.image_size import ImageSize
from dctc.data.records.images import UPRIGHT, image_header

_TURN = Image.Transpose
# What leads from a transposed image back: flip x, flip y, then swap both
_BACK = {
    _TURN.FLIP_LEFT_RIGHT: (True, False, False),
    _TURN.ROTATE_180: (True, True, False),
    _TURN.FLIP_TOP_BOTTOM: (False, True, False),
    _TURN.TRANSPOSE: (False, False, True),
    _TURN.ROTATE_270: (True, False, True),
    _TURN.TRANSVERSE: (True, True, True),
    _TURN.ROTATE_90: (False, True, True),
}


def stored_boxes(
    source: bytes | Path, size: ImageSize, limits: np.ndarray, upright: bool = False
) -> np.ndarray:
    """Return boxes as high as an image, from their limits in what it was resized to.

    Resizing, turning of tall images and the orientation of photographs (EXIF) are undone, so that
    the boxes are those of the pixels in the file, which some viewers turn.

    Args:
        source: The encoded image, or its file.
        size: How it was resized.
        limits: ``(s, 2)`` left and right limit in pixels of the resized image.
        upright: Return them in pixels of the image as viewers show it instead.

    Returns:
        ``(s, 4)`` float64: left, top, right, bottom.

    Raises:
        ImageError: If the image cannot be opened.
    """
    width, height, orientation = image_header(source)
    turns = [None if upright else UPRIGHT.get(orientation), size.turn(width, height)]
    if turns[1] is not None:
        width, height = height, width
    boxes = np.empty((len(limits), 2, 2))  # corners, x and y
    boxes[:, :, 0] = np.clip(limits * (width / size.valid(width, height)), 0, width)
    boxes[:, :, 1] = 0, height
    for turn in reversed(turns):
        flip_x, flip_y, swap = (False,) * 3 if turn is None else _BACK[turn]
        if flip_x:
            boxes[:, :, 0] = width - boxes[:, ::-1, 0]
        if flip_y:
            boxes[:, :, 1] = height - boxes[:, ::-1, 1]
        if swap:
            boxes, width, height = boxes[:, :, ::-1], height, width
    return boxes.reshape(-1, 4)
