"""Augmentation of training images, and the two views that consistency losses compare.

torchvision.transforms.v2 is not used: none of its transforms stretches characters one by one or
takes a generator of the sample's own, and the nearest of them (affine, perspective, colour jitter,
blur) together took longer in one process than what is here, on tensors as on Pillow's images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from dctc.data.records.batch import Corrupt, Sample
from dctc.data.records.resize import pad_right
from dctc.data.records.sampler import Draw
from dctc.data.render.photometric import mask_stripes, photometric
from dctc.data.render.warp import random_warp

MAX_STRENGTH = 2.0  # ours: beyond it, words can no longer be read
WARP = 0.75  # ours: how often an image is warped; the others keep their sharp pixels
_STREAM = 3  # keeps its generators apart from those of drawn words, which have 0, 1 and 2


@dataclass(frozen=True)
class Augmentation:
    """Warps an image with the extents of its characters, and changes its pixels.

    It works on the image in its final size: an image of any origin costs the same, drawn words have
    no other size, and what is filtered and noisy is what the net sees. Padding is left as padding:
    the valid part alone is changed, and keeps its width.

    Two views are one image after the same warp: the pixels of each are changed anew, and vertical
    stripes of each are hidden, as SpecAugment hides stretches of time (Park et al., 2019); CR-CTC
    (arXiv 2410.05101) masks time so too. A single view never loses a stripe.

    Args:
        strength: 0 is none, 1 usual, 2 the most.
        views: 1, or 2 for losses that compare two.

    Raises:
        ValueError: If an argument is out of range, or the views would be equal.
    """

    strength: float = 0.0
    views: int = 1

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
            return sample._replace(image=pad_right(view, width), extents=extents)
        first, second = (
            pad_right(mask_stripes(view, rng, self.strength), width)
            for view in (photometric(pixels, rng, self.strength) for _ in range(2))
        )
        return sample._replace(image=first, second=second, extents=extents)


class AugmentedDataset(Dataset[Sample | Corrupt]):
    """A training set after augmentation: a pure function of (seed, Draw.number) and the sample.

    Args:
        dataset: Takes a :class:`~dctc.data.records.sampler.Draw`.
        augmentation: What is done to each sample.
        seed: Seed of all that is random about it.
    """

    def __init__(self, dataset: Any, augmentation: Augmentation, seed: int) -> None:
        self.dataset, self.augmentation, self.seed = dataset, augmentation, seed

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, draw: Draw) -> Sample | Corrupt:
        sample = self.dataset[draw]
        if isinstance(sample, Corrupt):
            return sample
        return self.augmentation(sample, np.random.default_rng([self.seed, _STREAM, draw.number]))
