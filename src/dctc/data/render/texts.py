"""Texts to draw, for training or held out: words, numbers and random strings."""

from __future__ import annotations

import random
import string
import zlib
from bisect import bisect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Generic, Literal, TypeVar

import numpy as np

from dctc.text.characters import normal_form
from dctc.text.scripts import disorder

Split = Literal["train", "heldout"]
Style = Callable[[str], str]
T = TypeVar("T")

HELD_OUT = 10  # one text in ten is held out
TEMPER = 0.5  # p ~ count**TEMPER, so that "the" (5 % of running text) does not fill the set
_TRIES = 10_000

# Of the preset easy (ours); the rest is numbers and random strings, half and half
EASY_WORDS = 0.75
EASY_STYLES: dict[Style, float] = {str.lower: 0.4, str.capitalize: 0.25, str.upper: 0.35}
_EASY_RANDOM, _EASY_DIGITS, _EASY_TRIES = 8, 6, 1000  # the longest random string and number

# Of the other presets; the rest is random strings, in which all characters come up. Ours, near the
# real training sets: of IIIT5K's, IC13's and IC15's labels 45 to 55 % are capitals, 14 to 18 %
# small letters, and 6 to 12 % have a digit.
WORDS, NUMBERS = 0.8, 0.13
STYLES: dict[Style, float] = {str.upper: 0.5, str.capitalize: 0.27, str.lower: 0.23}
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


def frames_needed(label: str) -> int:
    """Return the fewest frames that CTC aligns with a label: its length plus adjacent repeats."""
    return len(label) + sum(a == b for a, b in pairwise(label))


def is_held_out(text: str) -> bool:
    """Return whether a text, whatever its case, belongs to the held-out tenth."""
    return zlib.crc32(text.lower().encode()) % HELD_OUT == 0


@dataclass(frozen=True)
class Limits:
    """Which texts may be drawn.

    Attributes:
        split: A text is either for training or held out, by a hash of its lower-case label, so no
            text that a held-out source draws is trained on. None takes both.
        characters: The characters of labels.
        protocol: Makes the label of a text. Punctuation that it drops may be drawn all the same.
        covers: Returns whether a font draws a text.
        max_length: Most characters of a label.
        max_frames: Frames for CTC: length plus adjacent repeats stays within it.

    Raises:
        ValueError: If a length is not positive.
    """

    split: Split | None
    characters: frozenset[str]
    protocol: Callable[[str], str]
    covers: Callable[[str], bool]
    max_length: int
    max_frames: int

    def __post_init__(self) -> None:
        if self.max_length < 1 or self.max_frames < 1:
            raise ValueError(
                f"texts: max_length={self.max_length} and {self.max_frames} frames; each has to be "
                f"at least 1"
            )

    def admits(self, label: str) -> bool:
        """Return whether a label has the right length and split."""
        return (
            1 <= len(label) <= self.max_length
            and frames_needed(label) <= self.max_frames
            and self.takes(label)
        )

    def takes(self, label: str) -> bool:
        """Return whether a label is of the split."""
        return self.split in (None, "heldout" if is_held_out(label) else "train")

    def fits(self, text: str) -> bool:
        """Return whether a text may be drawn."""
        if len(text) > 2 * self.max_length:
            return False
        label = self.protocol(text)
        return (
            self.characters.issuperset(label)
            # Punctuation may go unlabelled, but not letters: a label without its umlauts is wrong
            and all(c in string.punctuation or self.protocol(c) for c in text)
            and self.admits(label)
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

    def no_word(self, words: int) -> ValueError:
        """Return the error of a corpus without a word that can be drawn."""
        return ValueError(
            f"words: none of the {words:,} words of the corpus fits {len(self.characters):,} "
            f"characters, max_length={self.max_length}, {self.max_frames} frames and split "
            f"{self.split!r}; give more words, the characters that they need, or raise max_length"
        )


class Chances(Generic[T]):
    """Chooses among things by their weights, not all of which are 0."""

    def __init__(self, weights: Mapping[T, float]) -> None:
        self.things = list(weights)
        self.cumulative: list[float] = np.cumsum(list(weights.values())).tolist()

    def draw(self, number: float) -> T:
        """Choose one by a random number in [0, 1)."""
        at = bisect(self.cumulative, number * self.cumulative[-1], hi=len(self.things) - 1)
        return self.things[at]


class EasyTexts:
    """Draws texts for the preset easy: mostly English words, the rest numbers and random strings.

    Args:
        characters: The characters to draw with. Words that need others do not come up.
        counts: Words with their frequencies; p ~ frequency ** TEMPER.
        limits: Which texts may be drawn; they are checked in lower case.
        own: The words are somebody's own.

    Raises:
        ValueError: If there is no word that can be drawn, though the characters have letters or the
            words are somebody's own. Else all texts are random.
    """

    def __init__(
        self, characters: str, counts: dict[str, float], limits: Limits, own: bool = False
    ) -> None:
        self.counts, self.limits, self.characters = counts, limits, sorted(set(characters))
        self.digits = [c for c in string.digits if c in self.characters]
        lower, upper = any(map(str.islower, characters)), any(map(str.isupper, characters))
        usable: dict[Style, bool] = {
            str.lower: lower,
            str.upper: upper,
            str.capitalize: lower and upper,
        }
        styles = {style: share for style, share in EASY_STYLES.items() if usable[style]}
        styles = styles or {str: 1.0}  # digits, or scripts without case: words as they are
        self.drawable = frozenset(characters)
        both = replace(limits, split=None)
        drawn = {
            word: count**TEMPER
            for word, count in counts.items()
            if both.admits(word.lower())
            and any(self._suits(style(word), word) for style in styles)
            and not disorder(word)
        }
        self.undrawn = [word for word in counts if word not in drawn]
        kept = {word: share for word, share in drawn.items() if limits.takes(word.lower())}
        if not kept and (own or any(map(str.isalpha, characters))):
            raise limits.no_word(len(counts))
        self.styles, self.words = Chances(styles), Chances(kept)

    def _suits(self, text: str, word: str) -> bool:
        """Tell whether a style of a word can be drawn; not one that lengthens it, as of ß."""
        return len(text) == len(word) and self.drawable.issuperset(text)

    def draw(self, rng: np.random.Generator) -> str:
        """Draw one text; all that is random comes from ``rng``."""
        kind = rng.random()
        if self.words.things and kind < EASY_WORDS:
            word = self.words.draw(rng.random())
            texts = (style(word) for style in (self.styles.draw(rng.random()), *self.styles.things))
            return next(text for text in texts if self._suits(text, word))
        number = self.digits and kind < (1 + EASY_WORDS) / 2
        alphabet = self.digits if number else self.characters
        longest = min(_EASY_DIGITS if number else _EASY_RANDOM, self.limits.max_length)
        for _ in range(_EASY_TRIES):
            length = rng.integers(1, longest + 1)
            text = "".join(alphabet[i] for i in rng.integers(len(alphabet), size=length))
            written = text == normal_form(text) and not disorder(text)
            if written and self.limits.admits(text.lower()):
                return text
        raise ValueError(
            f"texts: no text of 1 to {longest} of the characters {''.join(alphabet)[:20]!r} found "
            f"for split {self.limits.split!r} in {_EASY_TRIES} tries; use more characters, or "
            f"raise max_length"
        )


class EnglishTexts:
    """Draws words in the styles of signs, numbers of all kinds, and random strings.

    Arguments and errors are those of :class:`EasyTexts`; the characters are those of the limits.
    """

    def __init__(self, counts: dict[str, float], limits: Limits, own: bool = False) -> None:
        if not counts:
            raise ValueError("texts: the corpus holds no word; choose another one")
        self.counts, self.limits, self.alphabet = counts, limits, sorted(limits.characters)
        both = replace(limits, split=None) if own else limits
        # a generator: a corpus of English is looked through only up to its first word that fits
        fitting = (word for word in counts if any(both.fits(style(word)) for style in STYLES))
        kept, self.undrawn = list(counts), list[str]()
        if own:
            drawn = dict.fromkeys(fitting)
            self.undrawn = [word for word in counts if word not in drawn]
            kept = [word for word in drawn if limits.takes(limits.protocol(word))]
        letters = any(map(str.isalpha, self.alphabet))
        if not kept or (letters and not own and not any(fitting)):
            raise limits.no_word(len(counts))
        self.words = Chances({word: counts[word] ** TEMPER for word in kept})
        self.styles = Chances(STYLES)

    def draw(self, rng: np.random.Generator) -> str:
        """Draw one text; all that is random comes from ``rng``."""
        return self.limits.first_fit(self._any, rng)

    def _any(self, dice: random.Random) -> str:
        kind = dice.random()
        if kind < WORDS:
            style = self.styles.draw(dice.random())
            text = style(self.words.draw(dice.random()))
            if dice.random() < _DECORATED:
                if dice.random() < 0.15:
                    return text + dice.choice("-/&") + style(self.words.draw(dice.random()))
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
