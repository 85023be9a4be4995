"""Draw a word as an image: choose a font, and let the preset's painter draw with it."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dctc.data.render.easy import EasyPainter
from dctc.data.render.fonts import Font
from dctc.data.render.glyphs import can_shape
from dctc.data.render.presets import PRESETS, Easy
from dctc.data.render.scene import ScenePainter
from dctc.data.render.texts import Chances
from dctc.text.characters import listed
from dctc.text.scripts import disorder, writing

_Families = Chances[tuple[Font, ...]]

LEAST = 4  # pixels of height and width, ours; CTC's first frame needs as many
_LISTED = 100  # most characters or families in a message, ours: a dozen lines of a terminal
_CAPITALS = re.compile("[0-9]|[A-Z]{2}|^[^a-z]*$")  # in texts for which fonts need capitals


def named(characters: str) -> str:
    """Return characters with their code points for a message."""
    return listed([f"{c} (U+{ord(c):04X})" for c in characters], _LISTED)


class WordRenderer:
    """Draws words as images of one size.

    Args:
        fonts: Fonts to choose from. ``easy`` draws each file as often as any other; the other
            presets draw each family in proportion to the root of its number of files, so that one
            of forty files does not dominate, and use scripts (see :attr:`Font.capitals`) only for
            words without two capitals in a row and without digits.
        height: Pixels of the image.
        width: Pixels of the image. Words of any length are squashed or stretched to it, as
            recognisers do with crops of scene text.
        preset: ``easy``, ``scene`` or ``document``, see :mod:`dctc.data.render.presets`.
        distort: False draws black on white, upright, filling the image; for ``easy`` only.

    Raises:
        ValueError: If there is no such preset, it cannot be drawn undistorted, or the images have
            fewer than :data:`LEAST` rows or columns.
    """

    def __init__(
        self,
        fonts: Sequence[Font],
        height: int = 32,
        width: int = 128,
        preset: str = "easy",
        distort: bool = True,
    ) -> None:
        if min(height, width) < LEAST:
            raise ValueError(f"images of {height} x {width} pixels: words need {LEAST} x {LEAST}")
        self.fonts, self.height, self.width = tuple(fonts), height, width
        if preset not in PRESETS:
            raise ValueError(f"preset {preset!r}: it is one of {', '.join(PRESETS)}")
        self.preset = PRESETS[preset]
        self._bits: dict[str, int] = {}  # of a character: bit i is set if font i draws it
        self._plain = sum(1 << i for i, font in enumerate(self.fonts) if font.capitals)
        self._fitting: dict[int, tuple[list[Font], _Families]] = {}
        self.painter: EasyPainter | ScenePainter
        if isinstance(self.preset, Easy):
            self.painter = EasyPainter(self.preset, height, width, distort)
        elif distort:
            self.painter = ScenePainter(self.preset, height, width)
        else:
            raise ValueError(f"preset {preset!r}: only easy is drawn with distort=False")

    def fonts_for(self, text: str) -> list[Font]:
        """Return the fonts that draw all characters of ``text``.

        Raises:
            ValueError: If there is none.
        """
        return self._fonts_and_families(text, any_style=True)[0]

    def covers(self, text: str) -> bool:
        """Return whether a font draws ``text`` as it is written."""
        return self._fitting_bits(text) != 0 and not disorder(text)

    def undrawn(self, characters: str) -> str:
        """Return those of some characters that no font draws, each once."""
        return "".join(c for c in dict.fromkeys(characters) if not self._fitting_bits(c))

    def tried(self) -> str:
        """Return the names of the fonts' families for a message."""
        return listed(sorted({f.family or Path(f.path).name for f in self.fonts}), _LISTED)

    def render(self, text: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw ``text``.

        Args:
            text: s characters, at least one.
            rng: All that is random comes from it.

        Returns:
            Image ``(h, w, 3)`` uint8 and extents ``(s, 2)`` float32: the left and right limit of
            each character in pixels of the image, at half the height of a small letter. The
            characters tile the word: each begins where the one before it ends.

        Raises:
            ValueError: If no font has all characters of the text, they have no known order, or
                there is no character.
        """
        if not text:
            raise ValueError("render: the text is empty; give at least one character")
        if reason := disorder(text):
            raise ValueError(f"render: {text!r} has {reason}; draw its parts as words of their own")
        # Python's generator, seeded by numpy's, because it is ten times faster for single numbers
        dice = random.Random(int(rng.integers(1 << 62)))
        if isinstance(self.painter, EasyPainter):
            return self.painter.paint(text, self.fonts_for(text), dice, rng)
        families = self._fonts_and_families(text, not _CAPITALS.search(text))[1]
        font = dice.choice(families.draw(dice.random()))
        return self.painter.paint(text, font, dice, rng)

    def _fonts_and_families(self, text: str, any_style: bool) -> tuple[list[Font], _Families]:
        fitting = self._fitting_bits(text)
        if not fitting:
            raise ValueError(self._missing(text))
        if not any_style:  # where no other font has the characters, a script has to do
            fitting = fitting & self._plain or fitting
        if fitting not in self._fitting:
            fonts = [font for i, font in enumerate(self.fonts) if fitting >> i & 1]
            families: dict[str, list[Font]] = {}
            for font in fonts:
                families.setdefault(font.family, []).append(font)
            chances = Chances({tuple(files): len(files) ** 0.5 for files in families.values()})
            self._fitting[fitting] = fonts, chances
        return self._fitting[fitting]

    def _fitting_bits(self, text: str) -> int:
        """Return a number of which bit i is set if font i draws all characters."""
        fitting = (1 << len(self.fonts)) - 1
        for character in text:
            if character not in self._bits:
                refused = _refused(character)
                draws = [not refused and font.covers(character) for font in self.fonts]
                self._bits[character] = sum(1 << i for i, yes in enumerate(draws) if yes)
            fitting &= self._bits[character]
        return fitting

    def _missing(self, text: str) -> str:
        nowhere = self.undrawn(text)
        for reason in filter(None, map(_refused, nowhere)):
            refused = "".join(c for c in nowhere if _refused(c) == reason)
            return f"{named(refused)}: {reason}"
        what = (
            f"no font draws {named(nowhere)}"
            if nowhere
            else f"no single font has all characters of {text!r}"
        )
        return (
            f"{what}; tried {self.tried()}; give a folder with a font that has them, or another "
            f"charset"
        )


def _refused(character: str) -> str:
    """Return why a character is not drawn with any font; empty if it may be."""
    kind = writing(character)
    if kind == "unknown":
        return "the renderer cannot write this script; take another charset"
    if kind == "shaped" and not can_shape():
        return "joined, stacked and right-to-left scripts need libfribidi, install it"
    return ""
