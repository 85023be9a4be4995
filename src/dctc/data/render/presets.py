"""How words are drawn: every probability and range of the renderers, in one place.

All magnitudes are ours, chosen by eye beside crops of real training images.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Easy:
    """Clean words in one line: small distortions, strong contrast, little blur.

    Attributes:
        sizes: Pixels per em; a word is drawn at about the size that it ends up with.
        max_rotation: Degrees, of words as high as wide; longer ones less.
        max_shear: Of the letters' height.
        max_taper: Perspective: one end is by this share larger than the middle.
        max_margin: Shares of the word's height: beside it, above and below it.
        contrast: Luminance levels (0 to 255) between ink and ground, at least.
    """

    name: str = "easy"
    sizes: tuple[int, ...] = (24, 27, 30, 33, 36)
    max_rotation: float = 4.0
    max_shear: float = 0.25
    max_taper: float = 0.25
    max_margin: tuple[float, float] = (0.15, 0.15)
    contrast: float = 70.0


@dataclass(frozen=True)
class Preset:
    """What may happen to a word, and how often. A plain float is a probability.

    Attributes:
        bold: Letters widened by a stroke.
        spacing: Wider or narrower letter spacing; ``max_spacing`` is in em.
        curve: A baseline bent to an arc of at most ``max_arc`` radians.
        perspective: One end or edge larger than the middle by at most the share ``max_taper``.
        shear: Slanted letters, by at most ``max_shear`` of their height.
        max_rotation: Degrees, of words as high as wide; longer ones less.
        margin: From the least to the greatest margin around the ink, in shares of the word's
            height; a negative one cuts into the ink.
        neighbours: Parts of other words at a border.
        rules: Lines under or beside the word.
        outline: Letters with a rim of another colour.
        shadow: A shadow below the letters.
        emboss: Letters lit from one side.
        contrast: Luminance levels (0 to 255) between ink and ground, at least.
        ground: Range of the ground's luminance.
        ink: Range of the ink's luminance.
        chroma: Spread of the colours around grey, in levels, of plain, tinted and bright pairs.
        pattern: A ground with a gradient, a texture or an edge.
        ink_pattern: The same in the ink.
        light: Light that falls off over the image.
        glare: A bright spot.
        blur: Gaussian blur of at most ``max_blur`` pixels of an image 32 high.
        motion: Motion blur.
        low_resolution: Sampled down to a height of ``lines`` pixels of 32 and up again.
        noise: Noise of a standard deviation of at most ``max_noise`` levels.
        fax: Black and white by a threshold, with specks.
        jpeg: JPEG compression of a quality in ``quality``.
    """

    name: str
    bold: float
    spacing: float
    max_spacing: float
    curve: float
    max_arc: float
    perspective: float
    max_taper: float
    shear: float
    max_shear: float
    max_rotation: float
    margin: tuple[float, float]
    neighbours: float
    rules: float
    outline: float
    shadow: float
    emboss: float
    contrast: float
    ground: tuple[float, float]
    ink: tuple[float, float]
    chroma: tuple[float, float, float]
    pattern: float
    ink_pattern: float
    light: float
    glare: float
    blur: float
    max_blur: float
    motion: float
    low_resolution: float
    lines: tuple[float, float]
    noise: float
    max_noise: float
    fax: float
    jpeg: float
    quality: tuple[int, int]


EASY = Easy()

SCENE = Preset(
    name="scene",
    bold=0.4,
    spacing=0.35,
    max_spacing=0.3,
    curve=0.1,
    max_arc=1.3,
    perspective=0.5,
    max_taper=0.3,
    shear=0.4,
    max_shear=0.3,
    max_rotation=9.0,
    margin=(-0.02, 0.25),
    neighbours=0.25,
    rules=0.04,
    outline=0.1,
    shadow=0.15,
    emboss=0.08,
    contrast=40.0,
    ground=(5.0, 250.0),
    ink=(5.0, 250.0),
    chroma=(5.0, 22.0, 60.0),
    pattern=0.6,
    ink_pattern=0.3,
    light=0.3,
    glare=0.06,
    blur=0.55,
    max_blur=1.3,
    motion=0.08,
    low_resolution=0.4,
    lines=(11.0, 26.0),
    noise=0.3,
    max_noise=8.0,
    fax=0.0,
    jpeg=0.35,
    quality=(25, 80),
)

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


def get_preset(name: str) -> Easy | Preset:
    """Return the preset called ``name``.

    Raises:
        ValueError: If there is none; the message lists those that exist.
    """
    if name not in PRESETS:
        raise ValueError(f"preset {name!r}: it is one of {', '.join(PRESETS)}")
    return PRESETS[name]
