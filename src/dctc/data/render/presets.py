"""Presets easy, scene and document: every probability and range of the renderers.

All magnitudes are ours, chosen by eye beside crops of real training images.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Easy:
    """Clean words in one line: small distortions, strong contrast, little blur."""

    name: str = "easy"
    sizes: tuple[int, ...] = (24, 27, 30, 33, 36)  # pixels per em, about the size in the image
    max_rotation: float = 4.0  # degrees, of words as high as wide; longer ones less
    max_shear: float = 0.25  # of the letters' height
    max_taper: float = 0.25  # perspective: one end is by this share larger than the middle
    max_margin: tuple[float, float] = (0.15, 0.15)  # of the height: beside, and above and below
    contrast: float = 70.0  # least difference of ink and ground, in luminance levels (0 to 255)


@dataclass(frozen=True)
class Preset:
    """Effects on a drawn word and their probabilities. Defaults are those of the preset scene.

    Numbers are probabilities unless a comment says otherwise.
    """

    name: str = "scene"
    bold: float = 0.4  # letters widened by a stroke
    spacing: float = 0.35  # wider or narrower letter spacing
    max_spacing: float = 0.3  # em
    curve: float = 0.1  # a baseline bent to an arc
    max_arc: float = 1.3  # radians
    perspective: float = 0.5  # one end or edge larger than the middle
    max_taper: float = 0.3  # by at most this share
    shear: float = 0.4  # slanted letters
    max_shear: float = 0.3  # of their height
    max_rotation: float = 9.0  # degrees, of words as high as wide; longer ones less
    # Least and greatest margin around the ink, of its height; a negative one cuts into the ink
    margin: tuple[float, float] = (-0.02, 0.25)
    neighbours: float = 0.25  # parts of other words at a border
    rules: float = 0.04  # lines under or beside the word
    outline: float = 0.1  # letters with a rim of another colour
    shadow: float = 0.15  # a shadow below the letters
    emboss: float = 0.08  # letters lit from one side
    contrast: float = 40.0  # least difference of ink and ground, in luminance levels (0 to 255)
    ground: tuple[float, float] = (5.0, 250.0)  # range of the ground's luminance
    ink: tuple[float, float] = (5.0, 250.0)  # range of the ink's luminance
    # Spread of the colours around grey, in levels, of plain, tinted and bright pairs
    chroma: tuple[float, float, float] = (5.0, 22.0, 60.0)
    pattern: float = 0.6  # a ground with a gradient, a texture or an edge
    ink_pattern: float = 0.3  # the same in the ink
    light: float = 0.3  # light that falls off over the image
    glare: float = 0.06  # a bright spot
    blur: float = 0.55  # Gaussian blur
    max_blur: float = 1.3  # pixels of an image 32 high
    motion: float = 0.08  # motion blur
    low_resolution: float = 0.4  # sampled down and up again
    lines: tuple[float, float] = (11.0, 26.0)  # range of its height, in pixels of 32
    noise: float = 0.3
    max_noise: float = 8.0  # levels, the standard deviation
    fax: float = 0.0  # black and white by a threshold, with specks
    jpeg: float = 0.35  # JPEG compression
    quality: tuple[int, int] = (25, 80)  # range of its quality


EASY, SCENE = Easy(), Preset()

# Scanned forms and receipts: dark on light, nearly level, worn by fax machines and compression
DOCUMENT = Preset(
    name="document",
    bold=0.25,
    spacing=0.2,
    max_spacing=0.15,
    curve=0.0,
    max_arc=0.0,
    perspective=0.15,
    max_taper=0.08,
    shear=0.15,
    max_shear=0.1,
    max_rotation=2.5,
    margin=(0.0, 0.25),
    neighbours=0.35,
    rules=0.3,
    outline=0.0,
    shadow=0.0,
    emboss=0.0,
    contrast=80.0,
    ground=(170.0, 255.0),
    ink=(0.0, 120.0),
    chroma=(1.0, 4.0, 15.0),
    pattern=0.4,
    ink_pattern=0.4,
    light=0.25,
    glare=0.0,
    blur=0.4,
    max_blur=0.9,
    motion=0.03,
    low_resolution=0.35,
    lines=(12.0, 26.0),
    noise=0.5,
    max_noise=14.0,
    fax=0.25,
    jpeg=0.5,
    quality=(15, 70),
)

PRESETS: dict[str, Easy | Preset] = {preset.name: preset for preset in (EASY, SCENE, DOCUMENT)}
