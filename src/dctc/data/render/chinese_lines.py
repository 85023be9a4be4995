"""Chinese lines: words and punctuation, characters by their frequency, all characters alike."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np

from dctc.data.render.corpora import is_chinese
from dctc.data.render.texts import Chances, Limits, number, random_string
from dctc.data.render.words import TEMPER

# Shares of the kinds of lines, ours: words as they are common, characters by frequency, all
# characters alike (so that the rare ones come up), numbers, and Latin letters.
_KINDS = ("words", "frequent", "any", "number", "latin")
_SHARES = (0.4, 0.25, 0.2, 0.08, 0.07)
_PUNCTUATED = 0.15  # of the lines of words have punctuation; ours
_PUNCTUATION = (
    "{}， {}。 {}、 {}： {}； {}！ {}？ {}… （{}） 《{}》 “{}” 「{}」 【{}】 —{} ·{}".split()
)
_RAREST = 0.3  # of the median frequency, for characters of which none is known


class ChineseLines:
    """Draws lines of 1 to ``limits.max_length`` characters, mostly short ones.

    Args:
        characters: The characters to draw with; symbols too, which come up among all characters
            alike and, Chinese punctuation, beside words.
        counts: Words with their frequencies, perhaps none; p ~ frequency ** TEMPER.
        frequencies: Of characters, perhaps none: all are then alike.
        limits: Which lines may be drawn.

    Raises:
        ValueError: If there is no character, or there are words and none of them can be drawn.
    """

    def __init__(
        self,
        characters: Sequence[str],
        counts: dict[str, float],
        frequencies: dict[str, float],
        limits: Limits,
    ) -> None:
        if not characters:
            raise ValueError("texts: the fonts draw no character of the charset; give other fonts")
        self.limits, self.characters = limits, list(characters)
        # Fonts without a Chinese character draw what else there is
        self.alphabet = [c for c in characters if is_chinese(c)] or list(characters)
        self.latin = [c for c in characters if c.isascii() and c.isalnum()] or self.alphabet
        self.punctuation = [p for p in _PUNCTUATION if self._writes(p.replace("{}", ""))]
        known = set(self.alphabet)
        self.counts = {word: count for word, count in counts.items() if known.issuperset(word)}
        if counts and not self.counts and any(map(is_chinese, known)):
            raise ValueError(
                f"texts: none of the {len(counts):,} words of the corpus is made of the "
                f"{len(known):,} Chinese characters to draw; give another corpus or charset"
            )
        self.words = Chances(list(self.counts), [c**TEMPER for c in self.counts.values()])
        self.frequencies = frequencies
        floor = _RAREST * float(np.median(list(frequencies.values()))) if frequencies else 1.0
        weights = [frequencies.get(c, floor) ** TEMPER for c in self.alphabet]
        self.frequent = Chances(self.alphabet, weights)

    def draw(self, rng: np.random.Generator) -> str:
        """Draw one line.

        Raises:
            ValueError: If the characters leave no line for this split.
        """
        return self.limits.first_fit(self._any, rng)

    def _any(self, dice: random.Random) -> str:
        (kind,) = dice.choices(_KINDS, _SHARES)
        # Mean 5, as of the lines of signs
        length = min(self.limits.max_length, 1 + int(dice.gammavariate(2, 2.25)))
        if kind == "number":
            return number(dice)
        if kind == "latin":
            return random_string(dice, self.latin, length)
        if kind == "words" and self.counts:
            line = ""
            while len(line) < length:
                line += self.words.draw(dice)
            if self.punctuation and dice.random() < _PUNCTUATED:
                around = dice.choice(self.punctuation)
                room = self.limits.max_length - len(around) + len("{}")
                return around.replace("{}", line[: max(1, room)])
            return line[: self.limits.max_length]
        if kind == "any":
            return self._mixed(dice.choices(self.characters, k=length))
        return "".join(self.frequent.draw(dice) for _ in range(length))

    def _writes(self, marks: str) -> bool:
        label = self.limits.protocol(marks)
        return self.limits.characters.issuperset(label) and self.limits.covers(marks)

    def _mixed(self, characters: Sequence[str]) -> str:
        """Return the first character and those of the others that a font draws beside it."""
        line = ""
        for character in characters:
            if not line or self.limits.covers(line + character):
                line += character
        return line
