"""TPS rectifier: straightens text images (Shi et al., ASTER, TPAMI 2018; RARE, CVPR 2016)."""

from __future__ import annotations

import torch
from timm.layers import ConvNormAct
from torch import Tensor, nn
from torch.nn import functional as F

# ASTER's localisation net, and SVTR's settings of it
LOCALISATION_SIZE = (32, 64)
CHANNELS = (32, 64, 128, 256, 256, 256)
HIDDEN = 512
CONTROL_POINTS = 20
MARGIN = 0.05  # of the control points, as a share of height and width
DAMPING = 0.1  # on the features before the points; ASTER's code


class Rectifier(nn.Module):
    """Finds the upper and lower edge of the text and stretches the area between to a rectangle.

    A small net places 20 control points on the image, half along each edge; a thin plate spline
    takes the pixels of the result to the image. A new rectifier resizes and does nothing else:
    ASTER starts its points at a margin of .01, so that a new one magnifies; ours start at the
    margin of the result.

    Args:
        height: Height of the result in pixels.
        width: Width of the result in pixels.
        in_chans: Channels of the images.
    """

    grid: Tensor  # (h * w, 20): how much each control point moves each pixel of the result

    def __init__(self, height: int, width: int, in_chans: int = 3) -> None:
        super().__init__()
        self.size = (height, width)
        layers: list[nn.Module] = []
        for inputs, outputs in zip((in_chans, *CHANNELS[:-1]), CHANNELS, strict=True):
            layers += [ConvNormAct(inputs, outputs, 3), nn.MaxPool2d(2)]
        self.encoder = nn.Sequential(*layers[:-1])  # the last map, 1 x 2, is not pooled
        hidden = nn.Linear(2 * CHANNELS[-1], HIDDEN, bias=False)
        self.hidden = nn.Sequential(
            nn.Flatten(), hidden, nn.BatchNorm1d(HIDDEN), nn.ReLU(inplace=True)
        )
        self.points = nn.Linear(HIDDEN, 2 * CONTROL_POINTS)
        targets = _control_points()
        self.register_buffer("grid", _spline(targets, height, width).float(), persistent=False)
        for module in self.encoder.modules():
            if isinstance(module, nn.Conv2d):  # this and the next: ASTER's code
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        nn.init.normal_(hidden.weight, std=0.001)
        nn.init.zeros_(self.points.weight)
        with torch.no_grad():
            self.points.bias.copy_(targets.flatten())

    def locate(self, images: Tensor) -> Tensor:
        """Return control points ``(n, 20, 2)``, x and y in [0, 1], of images ``(n, ch, h, w)``."""
        small = F.interpolate(images, LOCALISATION_SIZE, mode="bilinear", align_corners=True)
        return self.points(DAMPING * self.hidden(self.encoder(small))).unflatten(1, (-1, 2))

    def forward(self, images: Tensor) -> Tensor:
        """Turn images ``(n, ch, h, w)`` of any size into ``(n, ch, height, width)``."""
        points = self.locate(images)
        device = "cpu" if images.is_meta else images.device.type  # meta has no autocast
        with torch.autocast(device, enabled=False):  # bf16 cannot tell pixels apart
            positions = (self.grid.float() @ points.float()).clamp(0, 1)  # (n, height * width, 2)
            positions = (2 * positions - 1).unflatten(1, self.size)
            straight = F.grid_sample(images.float(), positions, align_corners=True)
        return straight.to(images.dtype)


def _control_points() -> Tensor:
    """Return the points ``(20, 2)`` of the result, x and y in [0, 1]: upper edge, lower edge."""
    x = torch.linspace(MARGIN, 1 - MARGIN, CONTROL_POINTS // 2, dtype=torch.float64)
    upper, lower = torch.full_like(x, MARGIN), torch.full_like(x, 1 - MARGIN)
    return torch.cat([torch.stack([x, upper], 1), torch.stack([x, lower], 1)])


def _spline(targets: Tensor, height: int, width: int) -> Tensor:
    """Return the matrix ``(h * w, 20)`` from control points on the image to positions on it.

    The thin plate spline through (target, point) pairs is linear in the points: with K the radial
    terms between targets and [1 x y] the affine ones, its coefficients solve
    [[K, A], [A', 0]] [a; b] = [points; 0].
    """
    affine = _affine(targets)  # (20, 3)
    system = F.pad(_radial(targets, targets), (0, 3, 0, 3))
    system[:-3, -3:], system[-3:, :-3] = affine, affine.T
    y = torch.linspace(0, 1, height, dtype=torch.float64)
    x = torch.linspace(0, 1, width, dtype=torch.float64)
    pixels = torch.cartesian_prod(y, x).flip(1)  # (h * w, 2), x and y
    terms = torch.cat([_radial(pixels, targets), _affine(pixels)], 1)
    return torch.linalg.solve(system.T, terms.T).T[:, : len(targets)]


def _affine(points: Tensor) -> Tensor:
    return torch.cat([torch.ones_like(points[:, :1]), points], 1)


def _radial(points: Tensor, centres: Tensor) -> Tensor:
    squared = (points[:, None] - centres).square().sum(2)
    return torch.xlogy(squared, squared)  # r^2 log r^2; a factor makes no difference
