"""Texts as signs and forms carry them: words, prices, dates, codes, punctuation."""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np

from dctc.data.render.words import TEMPER, Split, is_held_out, no_word

_TRIES = 10_000

# Shares are ours, near those of the real training sets: of IIIT5K's, IC13's and IC15's labels 45 to
# 55 % are capitals, 14 to 18 % small letters, and 6 to 12 % have a digit.
WORDS, NUMBERS = 0.8, 0.13  # the rest is random strings, in which all characters come up
STYLES: tuple[tuple[Callable[[str], str], float], ...] = (
    (str.upper, 0.5),
    (str.capitalize, 0.27),
    (str.lower, 0.23),
)
_DECORATED = 0.08  # of the words have punctuation
_DECORATIONS = (
    "{}. {}. {}, {}, {}! {}? {}: {}; ({}) {}) '{}' \"{}\" {}'s {}... -{} #{} @{} {}&".split()
)
_NUMBERS = (  # 9 stands for any digit, the first one not for 0
    "9 99 99 999 999 9999 99999 999999 $9 $9.99 $99.99 $999 9.99 99.9 0.9 9% 99% 99:99 9:99 9am "
    "9pm 9th 9/9 99/99 99-99 99/99/99 99.99.9999 999-9999 999-999-9999 (999) +99 #9 No.9 9,999 "
    "99,999 9x9 9kg 99cm 9L 99km A9 B99 M9 99A X99 9-9 1st 2nd 3rd"
).split()
_LONGEST_RANDOM = 8


class TextSource(Protocol):
    """Draws texts; ``counts`` are the words that it knows with their frequencies."""

    counts: dict[str, float]

    def draw(self, rng: np.random.Generator) -> str:
        """Draw one text; all that is random comes from ``rng``."""


@dataclass(frozen=True)
class Limits:
    """Which texts may be drawn.

    Attributes:
        split: A text is either for training or held out, by a hash of its lower-case label, so
            nothing that a held-out source draws has been trained on.
        characters: The characters of labels.
        protocol: Makes the label of a text; punctuation that it leaves out may be drawn all the
            same.
        covers: Says whether a font draws a text.
        max_length: Characters of a label at most.
        max_frames: Frames for CTC: length plus adjacent repeats stays within it.
    """

    split: Split
    characters: frozenset[str]
    protocol: Callable[[str], str]
    covers: Callable[[str], bool]
    max_length: int
    max_frames: int

    def fits(self, text: str) -> bool:
        """Say whether a text may be drawn."""
        if len(text) > 2 * self.max_length:
            return False
        label = self.protocol(text)
        if not 1 <= len(label) <= self.max_length or not self.characters.issuperset(label):
            return False
        # Punctuation may go unlabelled, but not letters: a label without its umlauts is wrong.
        if not all(c in string.punctuation or self.protocol(c) for c in text):
            return False
        repeats = sum(a == b for a, b in pairwise(label))
        return (
            len(label) + repeats <= self.max_frames
            and is_held_out(label) == (self.split == "heldout")
            and self.covers(text)
        )

    def first_fit(self, draw: Callable[[random.Random], str], rng: np.random.Generator) -> str:
        """Draw until a text fits.

        Raises:
            ValueError: If none does.
        """
        dice = random.Random(int(rng.integers(1 << 62)))
        for _ in range(_TRIES):
            text = draw(dice)
            if self.fits(text):
                return text
        raise ValueError(
            f"texts: none of {_TRIES} drawn fits {len(self.characters)} characters, "
            f"max_length={self.max_length}, {self.max_frames} frames and split {self.split!r}; use "
            f"more characters, or raise max_length"
        )


class Chances:
    """Chooses among things by their weights.

    Args:
        things: What to choose from.
        weights: One for each, not all of them 0.
    """

    def __init__(self, things: Sequence[str], weights: Sequence[float]) -> None:
        self.things = list(things)
        self.cumulative: list[float] = np.cumsum(weights).tolist()

    def draw(self, dice: random.Random) -> str:
        """Choose one."""
        return dice.choices(self.things, cum_weights=self.cumulative)[0]


class EnglishTexts:
    """Draws words in the styles of signs, numbers of all kinds, and random strings.

    Args:
        counts: Words with their frequencies; p ~ frequency ** TEMPER.
        limits: Which texts may be drawn.

    Raises:
        ValueError: If there is no word that can be drawn, though the characters have letters.
    """

    def __init__(self, counts: dict[str, float], limits: Limits) -> None:
        if not counts:
            raise ValueError("texts: the corpus holds no word; choose another one")
        self.counts, self.limits = counts, limits
        self.words = Chances(list(counts), [count**TEMPER for count in counts.values()])
        self.styles = [style for style, _ in STYLES]
        self.style_weights = [share for _, share in STYLES]
        self.alphabet = sorted(limits.characters)
        fitting = (word for word in counts for style, _ in STYLES if limits.fits(style(word)))
        if any(map(str.isalpha, self.alphabet)) and next(fitting, None) is None:
            number_of = len(counts), len(self.alphabet)
            raise ValueError(
                no_word(*number_of, limits.max_length, limits.max_frames, limits.split)
            )

    def draw(self, rng: np.random.Generator) -> str:
        """Draw one text.

        Raises:
            ValueError: If the characters leave no text for this split.
        """
        return self.limits.first_fit(self._any, rng)

    def _any(self, dice: random.Random) -> str:
        kind = dice.random()
        if kind < WORDS:
            (style,) = dice.choices(self.styles, self.style_weights)
            text = style(self.words.draw(dice))
            if dice.random() < _DECORATED:
                if dice.random() < 0.15:
                    return text + dice.choice("-/&") + style(self.words.draw(dice))
                return dice.choice(_DECORATIONS).replace("{}", text)
            return text
        if kind < WORDS + NUMBERS:
            return number(dice)
        return random_string(dice, self.alphabet, _LONGEST_RANDOM)


def number(dice: random.Random) -> str:
    """Return a price, date, time, telephone number or the like."""
    text = ""
    for character in dice.choice(_NUMBERS):
        first = not text or not text[-1].isdigit()
        text += str(dice.randint(1 if first else 0, 9)) if character == "9" else character
    return text


def random_string(dice: random.Random, alphabet: Sequence[str], longest: int) -> str:
    """Return 1 to ``longest`` characters, all equally likely."""
    return "".join(dice.choices(alphabet, k=dice.randint(1, longest)))
