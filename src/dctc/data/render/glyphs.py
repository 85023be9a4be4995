"""Draw characters with FreeType, set them to words, and paste words into masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFont, features

from dctc.text.scripts import clusters, is_right_to_left, is_shaped

Rule = tuple[int, int, int, int]  # a filled box: left, top, right and bottom

_TRIAL = 24  # pixels per em, ours: no stroke is so thin that it leaves no trace at that size
_JOINER = "\u200d"  # without width; a letter before it has the form that joins the next one
_UNKERNED = "\u2e80"  # from here on, Chinese characters and the like, all equally wide


class Glyph(NamedTuple):
    """One drawn character, or a text that is shaped as a whole."""

    mask: np.ndarray  # (h, w) uint8, cut to the ink, at the sides not within the advance
    left: int  # of the mask, from the pen, in pixels
    top: int  # of the mask, from the baseline; negative above it


def can_shape() -> bool:
    """Return whether Pillow can shape: it has Raqm, and the machine the library fribidi."""
    return bool(features.check("raqm"))


@lru_cache(maxsize=1024)
def face(path: str, size: int, shaped: bool = False) -> ImageFont.FreeTypeFont:
    """Return a font file at a size in pixels per em; ``shaped`` joins, stacks and orders."""
    # BASIC otherwise: the layout then does not depend on whether Pillow was built with Raqm
    engine = ImageFont.Layout.RAQM if shaped else ImageFont.Layout.BASIC
    return ImageFont.truetype(path, size, layout_engine=engine)


@lru_cache(maxsize=1 << 15)
def glyph(path: str, size: int, character: str) -> Glyph:
    """Draw a character."""
    return _draw(face(path, size), character)


def _draw(font: ImageFont.FreeTypeFont, text: str) -> Glyph:
    core, (left, top) = font.getmask2(text, mode="L", anchor="ls")
    width, height = core.size
    if not (width and height):  # a blank one
        return Glyph(np.zeros((height, width), np.uint8), left, top)
    picture = Image.new("L", core.size)
    picture.im.paste(core, (0, 0, width, height))  # bytes(core) would go pixel by pixel
    return Glyph(np.asarray(picture), left, top)


def has_ink(path: str, character: str) -> bool:
    """Return whether a font draws a character that is not blank; not if its outline is broken."""
    try:
        return face(path, _TRIAL).getmask(character).getbbox() is not None
    except OSError:
        return False


def gap(text: str, path: str, size: int) -> float:
    """Return the mean gap between strokes along rows, in pixels, of the first four characters."""
    blank, runs = zip(*(_gaps(path, size, c) for c in text[:4]), strict=True)
    return sum(blank) / sum(runs) if any(runs) else float("inf")


@lru_cache(maxsize=1 << 15)
def _gaps(path: str, size: int, character: str) -> tuple[int, int]:
    """Return the pixels of a character between ink and ink in their row, and their runs."""
    ink = glyph(path, size, character).mask > 127
    ink = ink[ink.any(axis=1)]
    if not len(ink):
        return 0, 0
    outside = ink.argmax(axis=1).sum() + ink[:, ::-1].argmax(axis=1).sum()
    runs = np.count_nonzero(ink[:, 1:] > ink[:, :-1]) + np.count_nonzero(ink[:, 0])
    return ink.size - int(outside) - int(ink.sum()), int(runs) - len(ink)


@lru_cache(maxsize=1 << 16)
def length(path: str, size: int, text: str) -> float:
    """Return by how much the pen moves over one or two characters, kerning included."""
    return face(path, size).getlength(text)


def prefix_limits(font: ImageFont.FreeTypeFont, text: str) -> np.ndarray:
    """Return ``(s + 1,)``: where the characters of a text meet, from left to right, in pixels.

    The pen starts at 0. The characters of a cluster, such as a letter and its accent, share its
    width. Of a text from right to left, the last character comes first.
    """
    shaped = is_shaped(text)
    joiner = _JOINER if shaped else ""
    ends = [0.0, *(font.getlength(text[:i] + joiner) for i in range(1, len(text)))]
    ends.append(font.getlength(text))
    if not shaped:
        return np.array(ends)
    starts = [*clusters(text), len(text)]
    known = np.maximum.accumulate([ends[i] for i in starts])
    limits = np.interp(range(len(ends)), starts, known)
    return limits[-1] - limits[::-1] if is_right_to_left(text) else limits


def extents_of(limits: np.ndarray, text: str) -> np.ndarray:
    """Return the extents ``(s, 2)`` of a text from its limits ``(s + 1,)`` from left to right."""
    extents = np.stack([limits[:-1], limits[1:]], axis=1).astype(np.float32)
    return extents[::-1].copy() if is_right_to_left(text) else extents


@dataclass(frozen=True)
class Word:
    """A word on a straight baseline; its leftmost character's pen stands at the origin.

    Attributes:
        path: The font.
        size: Pixels per em.
        text: s characters.
        pens: Where each character is drawn, s whole pixels; of a shaped text, where it begins.
        limits: ``(s + 1,)``, where characters begin and end from left to right, in pixels. Letter
            spacing is shared by the characters on its two sides.
    """

    path: str
    size: int
    text: str
    pens: tuple[int, ...]
    limits: np.ndarray

    def glyphs(self) -> list[Glyph]:
        """Return the drawn characters, or the shaped text in one."""
        if is_shaped(self.text):
            return [_draw(face(self.path, self.size, True), self.text)]
        return [glyph(self.path, self.size, c) for c in self.text]

    def boxes(self) -> list[tuple[int, int, int, int]]:
        """Return left, top, right and bottom of the masks of :meth:`glyphs` that have ink."""
        return [
            (pen + left, top, pen + left + mask.shape[1], top + mask.shape[0])
            for pen, (mask, left, top) in zip(self.pens, self.glyphs(), strict=True)
            if mask.size
        ]


def lay_out(text: str, path: str, size: int, spacing: float = 0.0) -> Word:
    """Set a word; ``spacing`` pixels are added between its characters, unless it is shaped."""
    if is_shaped(text):
        return Word(path, size, text, (0,), prefix_limits(face(path, size, True), text))
    pens, limits, pen = [], [0.0], 0.0
    for character, following in zip(text, [*text[1:], ""], strict=True):
        pens.append(round(pen))
        if following < _UNKERNED:
            pen += length(path, size, character + following) + spacing
            if following:
                pen -= length(path, size, following)
        else:
            pen += length(path, size, character) + spacing
        limits.append(pen - spacing / 2)
    limits[-1] -= spacing / 2
    return Word(path, size, text, tuple(pens), np.array(limits))


def paste(
    words: Sequence[tuple[Word, int, int]],
    rules: Sequence[Rule] = (),
    border: int = 1,
) -> tuple[np.ndarray, tuple[int, int]]:
    """Draw words, given with their origins, and rules into one mask.

    Returns:
        Mask ``(h, w)`` uint8, with ``border`` blank pixels around it all, of which interpolation
        needs one, and the position of its left upper corner.
    """
    placed = [
        (g.mask, x + pen + g.left, y + g.top)
        for word, x, y in words
        for pen, g in zip(word.pens, word.glyphs(), strict=True)
    ]
    for left, top, right, bottom in rules:
        placed.append((np.full((bottom - top, right - left), 255, np.uint8), left, top))
    placed = [p for p in placed if p[0].size] or [(np.zeros((1, 1), np.uint8), 0, 0)]
    left, top = min(x for _, x, _ in placed) - border, min(y for _, _, y in placed) - border
    right = max(x + mask.shape[1] for mask, x, _ in placed) + border
    bottom = max(y + mask.shape[0] for mask, _, y in placed) + border
    canvas = np.zeros((bottom - top, right - left), np.uint8)
    for mask, x, y in placed:
        part = canvas[y - top : y - top + mask.shape[0], x - left : x - left + mask.shape[1]]
        np.maximum(part, mask, out=part)
    return canvas, (left, top)


def widen(mask: np.ndarray, pixels: int) -> np.ndarray:
    """Return a mask whose ink reaches further by so many pixels.

    FreeType's own strokes are rounder, but for each character they take longer than all else.
    """
    for step in range(pixels):
        wide = mask.copy()
        np.maximum(wide[1:], mask[:-1], out=wide[1:])
        np.maximum(wide[:-1], mask[1:], out=wide[:-1])
        # Every other step a square, so that the whole is an octagon
        tall = wide if step % 2 else mask
        mask = wide.copy()
        np.maximum(mask[:, 1:], tall[:, :-1], out=mask[:, 1:])
        np.maximum(mask[:, :-1], tall[:, 1:], out=mask[:, :-1])
    return mask
