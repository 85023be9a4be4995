"""Chinese lines to draw: words and punctuation, characters by frequency, all characters alike."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np

from dctc.data.render.corpora import is_chinese
from dctc.data.render.texts import TEMPER, Chances, Limits, number, random_string

# Shares of the kinds of lines (ours): words as they are common, characters by frequency, all
# characters alike (so that the rare ones come up), numbers, and Latin letters
_KINDS = {"words": 0.4, "frequent": 0.25, "any": 0.2, "number": 0.08, "latin": 0.07}
_PUNCTUATED = 0.15  # of the lines of words have punctuation
_PUNCTUATION = (
    "{}， {}。 {}、 {}： {}； {}！ {}？ {}… （{}） 《{}》 “{}” 「{}」 【{}】 —{} ·{}".split()
)
_RAREST = 0.3  # of the median frequency, for characters of unknown frequency


class ChineseLines:
    """Draws Chinese lines of 1 to ``limits.max_length`` characters, mostly short ones.

    Args:
        characters: The characters to draw with, Chinese ones among them. Symbols come up among all
            characters alike, and Chinese punctuation beside words too.
        counts: Words with their frequencies, perhaps none; p ~ frequency ** TEMPER.
        frequencies: Of characters, perhaps none: all are then equally frequent.
        limits: Which lines may be drawn.

    Raises:
        ValueError: If there are words and none of them can be drawn.
    """

    def __init__(
        self,
        characters: Sequence[str],
        counts: dict[str, float],
        frequencies: dict[str, float],
        limits: Limits,
    ) -> None:
        self.limits, self.characters = limits, list(characters)
        self.alphabet = [c for c in characters if is_chinese(c)]
        self.latin = [c for c in characters if c.isascii() and c.isalnum()] or self.alphabet
        self.punctuation = [p for p in _PUNCTUATION if self._writes(p.replace("{}", ""))]
        known = set(self.alphabet)
        self.counts = {word: count for word, count in counts.items() if known.issuperset(word)}
        self.undrawn = [word for word in counts if word not in self.counts]
        if counts and not self.counts:
            raise ValueError(
                f"texts: none of the {len(counts):,} words of the corpus is made of the "
                f"{len(known):,} Chinese characters to draw; give another corpus or charset"
            )
        self.kinds = Chances(_KINDS)
        self.words = Chances({word: count**TEMPER for word, count in self.counts.items()})
        self.frequencies = frequencies
        floor = _RAREST * float(np.median(list(frequencies.values()))) if frequencies else 1.0
        self.frequent = Chances({c: frequencies.get(c, floor) ** TEMPER for c in self.alphabet})

    def draw(self, rng: np.random.Generator) -> str:
        """Draw one line; all that is random comes from ``rng``."""
        return self.limits.first_fit(self._any, rng)

    def _any(self, dice: random.Random) -> str:
        kind = self.kinds.draw(dice.random())
        # Mean 5, as of the lines of signs
        length = min(self.limits.max_length, 1 + int(dice.gammavariate(2, 2.25)))
        if kind == "number":
            return number(dice)
        if kind == "latin":
            return random_string(dice, self.latin, length)
        if kind == "words" and self.counts:
            line = ""
            while len(line) < length:
                line += self.words.draw(dice.random())
            if self.punctuation and dice.random() < _PUNCTUATED:
                around = dice.choice(self.punctuation)
                room = self.limits.max_length - len(around) + len("{}")
                return around.replace("{}", line[: max(1, room)])
            return line[: self.limits.max_length]
        if kind == "any":
            return self._mixed(dice.choices(self.characters, k=length))
        return "".join(self.frequent.draw(dice.random()) for _ in range(length))

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
