"""Augmentation of training images: warp, colour, blur, noise; two views for consistency losses.

torchvision.transforms.v2 is not used: none of its transforms stretches characters one by one or
takes a generator of the sample's own, and the nearest of them (affine, perspective, colour jitter,
blur) together took longer in one process than what is here, on tensors as on Pillow's images.

All magnitudes and probabilities are ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageFilter
from torch.utils.data import Dataset

from dctc.data.records.batch import Corrupt, Sample
from dctc.data.records.image_size import pad_right
from dctc.data.records.sampler import Draw
from dctc.data.render.colours import LUMINANCE
from dctc.data.render.degrade import noise_bank
from dctc.data.warp import random_warp

MAX_STRENGTH = 2.0  # beyond it, words can no longer be read
_STREAM = 3  # keeps its generators apart from those of drawn words, which have 0, 1 and 2

# Probability of each effect, at any strength; images that are not warped keep their sharp pixels
WARP = 0.75
COLOUR, SATURATION, INVERT, BLUR, LOW_RESOLUTION, NOISE = 0.8, 0.4, 0.1, 0.2, 0.15, 0.4

# At strength 1
CONTRAST = 0.6  # of the logarithm of the range of levels
SHIFT = 0.25  # of all levels, how far they move
CAST = 0.08  # the same, of each colour independently
GAMMA = 0.5  # of the logarithm of the exponent
WASH = 0.6  # how far a colour may go towards grey, or away from it
RADIUS = 0.9  # of a blur, in pixels of an image of 32 rows
SHRINK = 0.5  # of the size, what a low resolution takes off
GRAIN = 0.3  # of the standard deviation of the image's levels: noise never hides faint text
STRIPE = 0.2  # of the height, the widest stripe

# At any strength
MIN_RANGE = 0.4  # an image loses no contrast below this share of all levels
MIN_SCALE = 0.4  # of a low resolution
STRIPES = 2  # at most
_SHIFTS = 4096  # places in the bank of noise to begin at
_RAMP = np.linspace(0, 1, 256)


@dataclass(frozen=True)
class Augmentation:
    """Warps an image with the extents of its characters, and changes its pixels.

    It works on the image in its final size, so all images cost the same and the net sees the noise
    as it was added. Only the valid part is changed, and keeps its width; padding stays padding.

    Two views are one image after the same warp: the pixels of each are changed anew, and vertical
    stripes of each are hidden, as SpecAugment hides stretches of time (Park et al., 2019) and
    CR-CTC (arXiv 2410.05101) does too. A single view has no hidden stripes.

    Args:
        strength: 0 is none, 1 usual, 2 the most.
        views: 1, or 2 for losses that compare two.
        fill: Level of the padding; None is the mean colour of what is padded.

    Raises:
        ValueError: If an argument is out of range, or the views would be equal.
    """

    strength: float = 0.0
    views: int = 1
    fill: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= MAX_STRENGTH:
            raise ValueError(
                f"augment={self.strength}: it lies between 0, none, and {MAX_STRENGTH}"
            )
        if self.views not in (1, 2):
            raise ValueError(f"views={self.views}: an image has one view or two")
        if self.views == 2 and not self.strength:
            raise ValueError("views=2: without augmentation both would be equal; set augment, to 1")

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample augmented; everything random comes from ``rng``."""
        if not self.strength:
            return sample
        height, width = sample.image.shape[:2]
        valid = width if sample.width is None else sample.width
        pixels, extents = sample.image[:, :valid], sample.extents
        if rng.random() < WARP:
            warp = random_warp(rng, self.strength, height, valid)
            pixels = warp.image(pixels)
            extents = None if extents is None else warp.extents(extents)
        if self.views == 1:
            view = photometric(pixels, rng, self.strength)
            return sample._replace(image=pad_right(view, width, self.fill), extents=extents)
        first, second = (
            pad_right(mask_stripes(view, rng, self.strength), width, self.fill)
            for view in (photometric(pixels, rng, self.strength) for _ in range(2))
        )
        return sample._replace(image=first, second=second, extents=extents)


class AugmentedDataset(Dataset[Sample | Corrupt]):
    """A set with its samples changed: a pure function of (seed, Draw.number) and the sample."""

    def __init__(
        self, dataset: Any, augmentation: Callable[[Sample, np.random.Generator], Sample], seed: int
    ) -> None:
        self.dataset, self.augmentation, self.seed = dataset, augmentation, seed

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, draw: Draw | int) -> Sample | Corrupt:
        number = draw.number if isinstance(draw, Draw) else draw
        sample = self.dataset[draw]
        if isinstance(sample, Corrupt):
            return sample
        return self.augmentation(sample, np.random.default_rng([self.seed, _STREAM, number]))


def photometric(pixels: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Change the colours of ``(h, w, ch)`` uint8, blur it, and add noise; all may happen or not."""
    colour, saturation, blur, low_resolution, noise = rng.random(5)
    if colour < COLOUR:
        pixels = _levels(pixels, rng, strength)
    wash = saturation < SATURATION and pixels.shape[2] == 3
    if wash or blur < BLUR or low_resolution < LOW_RESOLUTION:
        picture = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
        if wash:
            picture = picture.convert("RGB", _saturation(1 + strength * WASH * rng.uniform(-1, 1)))
        if blur < BLUR:  # along rows and along columns each its own: camera shake is among them
            radii = rng.random(2) * (RADIUS * strength * pixels.shape[0] / 32)
            picture = picture.filter(ImageFilter.BoxBlur(tuple(radii.tolist())))
        if low_resolution < LOW_RESOLUTION:
            picture = _low_resolution(picture, max(MIN_SCALE, 1 - SHRINK * strength * rng.random()))
        pixels = np.array(picture).reshape(pixels.shape)
    if noise < NOISE:
        pixels = _noisy(pixels, rng, strength)
    return pixels


def mask_stripes(pixels: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Hide up to two vertical stripes of ``(h, w, ch)`` uint8 under the image's mean colour."""
    h, w = pixels.shape[:2]
    pixels = pixels.copy()
    mean = np.rint(pixels[::4, ::4].mean((0, 1)))
    widest = min(STRIPE * strength * h, w / 8)
    for _ in range(rng.integers(0, STRIPES + 1)):
        wide = round(rng.random() * widest)
        first = rng.integers(0, w - wide + 1)
        pixels[:, first : first + wide] = mean
    return pixels


def _levels(pixels: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Map the levels that an image has to others by a curve for each channel."""
    seen = pixels[::2, ::2]
    low, high = int(seen.min()) / 255, int(seen.max()) / 255
    span = max(high - low, 1 / 255)
    contrast, shift, gamma, inverted, *casts = rng.uniform(-1, 1, 4 + pixels.shape[2]).tolist()
    wanted = span * math.exp(strength * CONTRAST * contrast)
    wanted = min(max(wanted, min(span, MIN_RANGE)), 1.0)
    ramp = ((_RAMP - low) / span).clip(0, 1) ** math.exp(strength * GAMMA * gamma)
    first = low + (span - wanted) / 2 + strength * SHIFT * shift
    changed = np.empty_like(pixels)
    for channel, cast in enumerate(casts):
        begin = min(max(first + strength * CAST * cast, 0.0), 1 - wanted)
        curve = begin + wanted * ramp
        if inverted < 2 * INVERT - 1:
            curve = 1 - curve
        table = (255 * curve + 0.5).astype(np.uint8).tobytes()
        # Three times as fast as to index the table by the pixels
        plane = pixels[..., channel].tobytes().translate(table)
        changed[..., channel] = np.frombuffer(plane, np.uint8).reshape(pixels.shape[:2])
    return changed


def _saturation(factor: float) -> tuple[float, ...]:
    rows = factor * np.eye(3) + (1 - factor) * LUMINANCE
    return tuple(np.concatenate([rows, np.zeros((3, 1))], 1).ravel().tolist())


def _low_resolution(picture: Image.Image, scale: float) -> Image.Image:
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    small = picture.resize(size, Image.Resampling.BILINEAR)
    return small.resize(picture.size, Image.Resampling.BICUBIC)


def _noisy(pixels: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    h, w, channels = pixels.shape
    if rng.random() < 0.5:
        channels = 1  # of brightness, not of each colour
    size = h * w * channels
    first = int(rng.integers(_SHIFTS))
    scale = np.float32(GRAIN * strength * rng.random() * pixels[::4, ::4].std())
    bank = noise_bank((size + _SHIFTS).bit_length())
    noise = scale * bank[first : first + size].reshape(h, w, channels)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)
