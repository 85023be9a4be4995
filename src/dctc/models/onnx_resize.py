"""ONNX's operator Resize, as exporters write :func:`torch.nn.functional.interpolate`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

# Resize's mode and places of pixels: mode and align_corners of torch's interpolate
_RESIZES = {
    ("nearest", "asymmetric"): ("nearest", None),
    ("linear", "half_pixel"): ("bilinear", False),
    ("linear", "align_corners"): ("bilinear", True),
    ("cubic", "half_pixel"): ("bicubic", False),
    ("cubic", "align_corners"): ("bicubic", True),
}


def refuse(unsupported: dict[str, bool]) -> None:
    """Raise ValueError with the names of all that is true."""
    if any(unsupported.values()):
        raise ValueError(f"{', '.join(k for k, v in unsupported.items() if v)}: not supported")


def resize(inputs: Sequence[Any], given: dict[str, Any]) -> Tensor:
    """Resize images ``(n, ch, h, w)`` by the operator's inputs and attributes.

    torch's cubic weights are others where it antialiases.

    Raises:
        ValueError: If torch has no such resizing.
    """
    x, _, scales, sizes = (*inputs, None, None)[:4]
    refuse({"two inputs": len(inputs) == 2})  # of opset 10, whose places are others
    mode = given.get("mode", "nearest")
    places = given.get("coordinate_transformation_mode", "half_pixel")
    smooth, cubic = bool(given.get("antialias", 0)), mode == "cubic"
    to = scales if sizes is None else sizes
    kept = [1, 1] if sizes is None else [*x.shape[:2]]
    refuse(
        {
            f"mode {mode}, {places}": (mode, places) not in _RESIZES,
            "nearest_mode": mode == "nearest" and given.get("nearest_mode") != "floor",
            "cubic_coeff_a": cubic
            and given.get("cubic_coeff_a", -0.75) != (-0.5 if smooth else -0.75),
            "exclude_outside": mode != "nearest"
            and bool(given.get("exclude_outside", 0)) != smooth,
            "keep_aspect_ratio_policy": given.get("keep_aspect_ratio_policy", "stretch")
            != "stretch",
            "axes": "axes" in given or x.ndim != 4 or to[:2].tolist() != kept,
        }
    )
    how: dict[str, Any] = {"size": to[2:].tolist()}
    if sizes is None:
        how = {"scale_factor": [_scale(n, s) for n, s in zip(x.shape[2:], to[2:], strict=True)]}
    kind, corners = _RESIZES[mode, places]
    return F.interpolate(x, mode=kind, align_corners=corners, antialias=smooth, **how)


def _scale(pixels: int, scale: Tensor) -> float:
    """Return a scale that gives as many pixels in float64 as ONNX's gives in float32."""
    size = math.floor(torch.tensor(float(pixels)) * scale.float().cpu())
    return max(float(scale), (size + 1e-6) / pixels)  # 10 * 0.7 is 7, not 6.9999998
