"""Words to draw: English out of Python's own documentation, numbers and random strings."""

from __future__ import annotations

import re
import string
import sysconfig
import zlib
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np

Split = Literal["train", "heldout"]

HELD_OUT = 10  # one word in ten is held out
TEMPER = 0.5  # p ~ count**TEMPER, so that "the" (5 % of running text) does not fill the set
WORD_SHARE = 0.75  # the rest is numbers and random strings, half and half
STYLES = ((str.lower, 0.4), (str.capitalize, 0.25), (str.upper, 0.35))  # signs are often capitals
_MAX_RANDOM = 8  # characters of a random string; 6 of a number
_MAX_DIGITS = 6
_TRIES = 1000

# Prose in Python sources: docstrings and comment lines, and in these the words between spaces.
_PROSE = re.compile(r'"""([^"]*)"""|^\s*#\s(.*)$', re.MULTILINE)
_WORD = re.compile(r"(?<![^\s(\"'])[A-Za-z][a-z]{1,14}(?=[.,;:!?)\"']*(?:\s|$))")
_SKIPPED = {"site-packages", "dist-packages", "test", "idlelib", "lib2to3", "tkinter", "turtledemo"}


@lru_cache(maxsize=1)
def english_words() -> dict[str, int]:
    """Count the English words in the documentation that the standard library carries.

    The same Python gives the same words; another version of Python has slightly different ones.

    Returns:
        Count of each word of 2 to 15 letters, lower case, in alphabetical order. Words that occur
        once are left out: they are mostly names and slips.

    Raises:
        ValueError: If the standard library is there without its sources.
    """
    library = Path(sysconfig.get_path("stdlib"))
    files = sorted(
        p for p in [*library.glob("*.py"), *library.glob("*/*.py")] if p.parent.name not in _SKIPPED
    )
    counts: Counter[str] = Counter()
    for file in files:
        text = file.read_text(encoding="utf-8", errors="ignore")
        if file.parent.name != "pydoc_data":  # that one is prose throughout
            text = "\n".join(docstring or comment for docstring, comment in _PROSE.findall(text))
        counts.update(word.lower() for word in _WORD.findall(text))
    words = {word: counts[word] for word in sorted(counts) if counts[word] > 1}
    if len(words) < 1000:
        raise ValueError(
            f"words: only {len(words)} English words in the {len(files)} sources under {library}; "
            f"install Python with the sources of its standard library"
        )
    return words


def is_held_out(text: str) -> bool:
    """Say whether a text, whatever its case, belongs to the held-out tenth."""
    return zlib.crc32(text.lower().encode()) % HELD_OUT == 0


def no_word(words: int, characters: int, max_length: int, max_frames: int, split: Split) -> str:
    """Return what is said of a corpus without a word that can be drawn."""
    return (
        f"words: none of the {words:,} words of the corpus fits {characters:,} characters, "
        f"max_length={max_length}, {max_frames} frames and split {split!r}; give more words, the "
        f"characters that they need, or raise max_length"
    )


class WordSource:
    """Draws texts: three quarters English words, the rest numbers and random strings.

    A text is either for training or held out, by a hash of its lower-case form, so nothing that a
    held-out source draws has been trained on.

    Args:
        split: ``train`` or ``heldout``.
        characters: The characters to draw with. Words that need others do not come up; without
            letters all texts are random.
        max_length: Characters of a text at most.
        max_frames: Frames for CTC: length plus adjacent repeats stays within it.
        counts: Words with their frequencies, of which one at least can be drawn; None takes those
            of :func:`english_words` that can, perhaps none.

    Raises:
        ValueError: If an argument is out of its range, or no word of ``counts`` can be drawn.
    """

    def __init__(
        self,
        split: Split,
        characters: str = string.digits + string.ascii_letters,
        max_length: int = 12,
        max_frames: int = 32,
        counts: Mapping[str, float] | None = None,
    ) -> None:
        if split not in ("train", "heldout"):
            raise ValueError(f"split={split!r}: it is either 'train' or 'heldout'")
        if not characters or max_length < 1 or max_frames < 1:
            raise ValueError(
                f"words: {len(characters)} characters, max_length={max_length} and "
                f"max_frames={max_frames}; each has to be at least 1"
            )
        self.split, self.max_length, self.max_frames = split, max_length, max_frames
        self.counts = dict(english_words() if counts is None else counts)
        self.characters = sorted(set(characters))
        self.digits = [c for c in string.digits if c in self.characters]
        drawable = set(characters)
        lower, upper = any(map(str.islower, drawable)), any(map(str.isupper, drawable))
        usable = {str.lower: lower, str.upper: upper, str.capitalize: lower and upper}
        self.styles = [(style, p) for style, p in STYLES if usable[style]]
        kept = {
            word: count**TEMPER
            for word, count in (self.counts if self.styles else {}).items()
            if self._fits(word) and all(drawable.issuperset(s(word)) for s, _ in self.styles)
        }
        if counts is not None and self.styles and not kept:
            raise ValueError(no_word(len(counts), len(drawable), max_length, max_frames, split))
        self.words = list(kept)
        self.cumulative = np.cumsum(list(kept.values()))

    def draw(self, rng: np.random.Generator) -> str:
        """Draw one text.

        Raises:
            ValueError: If the characters leave no text for this split (a charset of two or three).
        """
        kind = rng.random()
        if self.words and kind < WORD_SHARE:
            at = rng.random() * self.cumulative[-1]
            word = self.words[int(np.searchsorted(self.cumulative, at, side="right"))]
            limits = np.cumsum([p for _, p in self.styles])
            style, _ = self.styles[int(np.searchsorted(limits, rng.random() * limits[-1]))]
            return style(word)
        number = self.digits and kind < (1 + WORD_SHARE) / 2
        alphabet = self.digits if number else self.characters
        longest = min(_MAX_DIGITS if number else _MAX_RANDOM, self.max_length)
        for _ in range(_TRIES):
            length = rng.integers(1, longest + 1)
            text = "".join(alphabet[i] for i in rng.integers(len(alphabet), size=length))
            if self._fits(text):
                return text
        raise ValueError(
            f"words: no text of 1 to {longest} of the characters {''.join(alphabet)[:20]!r} found "
            f"for split {self.split!r} in {_TRIES} tries; use more characters or raise max_length"
        )

    def _fits(self, text: str) -> bool:
        folded = text.lower()  # protocols that fold case make "Aa" a repeat
        repeats = sum(a == b for a, b in pairwise(folded))
        return (
            len(text) <= self.max_length
            and len(text) + repeats <= self.max_frames
            and is_held_out(text) == (self.split == "heldout")
        )
