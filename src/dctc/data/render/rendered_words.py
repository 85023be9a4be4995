"""Dataset of rendered words: a text source, a renderer and a protocol make samples on demand."""

from __future__ import annotations

import string
import warnings
from collections import Counter
from typing import Any, Literal

import numpy as np
from torch.utils.data import Dataset

from dctc.data.records.batch import Sample, label_extents
from dctc.data.records.sampler import Draw
from dctc.data.render.chinese_lines import ChineseLines
from dctc.data.render.colours import LUMINANCE
from dctc.data.render.corpora import (
    PYTHON,
    WORDFREQ,
    character_frequencies,
    is_chinese,
    word_counts,
)
from dctc.data.render.fonts import INSTALL_CHINESE
from dctc.data.render.presets import Easy
from dctc.data.render.renderer import WordRenderer, named
from dctc.data.render.texts import (
    EasyTexts,
    EnglishTexts,
    Limits,
    Split,
)
from dctc.text.characters import by_frequency, listed, printed, shown
from dctc.text.charset import NAMED, Charset
from dctc.text.protocol import Protocol, get_protocol, usual_protocol

Stage = Literal["train", "val", "test"]

STREAM: dict[Stage, int] = {"train": 0, "val": 1, "test": 2}  # keeps the sets' generators apart
STRIDE = 4  # pixels per frame of the recognisers of scene text; labels fit into width / STRIDE
LANGUAGES = ("en", "zh")
NAMED_WORDS = 3  # of those that are never drawn


def is_own(language: str = "en", words: str = PYTHON, charset: str = "36") -> bool:
    """Return whether words, not Chinese lines, are those of a file or have a file's characters."""
    return language != "zh" and (words not in (PYTHON, WORDFREQ) or charset not in NAMED)


class RenderedWords(Dataset[Sample]):
    """Words drawn on demand; sample ``number`` is a pure function of (seed, split, number).

    The preset ``easy`` draws English words, digits and random strings of label characters; the
    other presets also punctuation that the protocol drops, prices, dates and the like.

    Args:
        split: ``train`` draws from the training texts, ``val`` and ``test`` from the held-out ones.
            Of the usual words it is the whole text that is held out: a word of it may be trained
            on with other punctuation.
        size: Length of the set; numbers beyond it can be drawn too.
        renderer: Draws the words.
        charset: Name or file, see :meth:`Charset.load`. Words are drawn with those characters that
            the protocol maps to one of the charset's; white space is not drawn.
        protocol, seed, max_length, words: As :class:`dctc.data.rendered.RenderedDataModule` says.
        grayscale: Images ``(h, w, 1)`` instead of ``(h, w, 3)``.
        language: ``en``, or ``zh`` for Chinese lines. Characters of a Chinese charset that no font
            draws are left out with a warning; in English they are an error.
        top_k: In English, only the most frequent words; in Chinese, only the most frequent Chinese
            characters by wordfreq, and the charset's ASCII letters and digits.

    Attributes:
        left_out: Characters that no font draws.
        own: Whether the words are somebody's own, see :func:`is_own`.

    Raises:
        ValueError: If an argument is unknown, no font has all the characters to draw, or no word
            of the corpus can be drawn.
    """

    def __init__(
        self,
        split: Stage,
        size: int,
        renderer: WordRenderer,
        charset: str = "36",
        protocol: str | None = None,
        seed: int = 0,
        max_length: int = 12,
        grayscale: bool = False,
        language: str = "en",
        words: str = "python",
        top_k: int | None = None,
    ) -> None:
        self.drops: dict[str, int] = {}  # nothing that is drawn is dropped
        if size < 0:
            raise ValueError(f"rendered words for {split}: {size}; give 0 or more")
        if split not in STREAM:
            raise ValueError(f"split={split!r}: it is one of {', '.join(STREAM)}")
        if language not in LANGUAGES:
            raise ValueError(f"language={language!r}: it is one of {', '.join(LANGUAGES)}")
        if top_k is not None and top_k < 1:
            raise ValueError(f"top_k={top_k}: it has to be at least 1")
        self.split, self.size, self.renderer, self.seed = split, size, renderer, seed
        loaded = Charset.load(charset)
        self.charset, protocol = loaded.characters, protocol or usual_protocol(loaded)
        self.protocol, self.grayscale = get_protocol(protocol), grayscale
        self.options: dict[str, Any] = {
            "protocol": protocol,
            "max_length": max_length,
            "grayscale": grayscale,
            "language": language,
            "words": words,
            "top_k": top_k,
        }
        self.left_out, self.own = "", is_own(language, words, charset)
        characters = _drawable(self.charset, self.protocol)
        if not characters:
            raise ValueError(
                f"charset {charset!r}: protocol {protocol!r} maps no character to one of its; "
                f"choose a charset and a protocol that go together"
            )
        altered = [c for c in self.charset if self.protocol(c) != c]
        if dropped := [c for c in altered if not self.protocol(c)]:
            raise ValueError(
                f"charset {charset!r}: protocol {protocol!r} drops {len(dropped):,} of its "
                f"{len(loaded):,} characters ({shown(dropped)}), so no label has them; name "
                f"protocol {usual_protocol(loaded)!r}, or a charset without them"
            )
        if altered and split == "train":
            warnings.warn(
                f"rendered: protocol {protocol!r} turns {len(altered):,} of the {len(loaded):,} "
                f"characters of the charset into others ({shown(altered)}), so no label has them",
                stacklevel=2,
            )
        self.words: EasyTexts | EnglishTexts | ChineseLines
        counts = word_counts(words, language, None if language == "zh" else top_k)
        own = words not in (PYTHON, WORDFREQ)
        if language == "zh":
            self.words = self._chinese(characters, counts, words, top_k)
        elif isinstance(renderer.preset, Easy):
            renderer.fonts_for(characters)  # so that no text fails in the middle of a run
            self.words = EasyTexts(characters, counts, self._limits(characters), own)
        else:
            if missing := renderer.undrawn(characters):
                renderer.fonts_for(missing)  # raises, naming all of them
            self.words = EnglishTexts(counts, self._limits(characters), own)
        if own and split == "train":
            self._name_undrawn(len(counts), characters)

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, draw: Draw | int) -> Sample:
        number = draw.number if isinstance(draw, Draw) else draw
        rng = np.random.default_rng([self.seed, STREAM[self.split], number])
        text = self.words.draw(rng)
        image, extents = self.renderer.render(text, rng)
        if self.grayscale:
            image = np.rint(image @ LUMINANCE).astype(np.uint8)[..., None]
        label, kept = label_extents(text, extents, self.protocol)
        return Sample(image, label, f"rendered/{self.seed}/{self.split}/{number}", kept)

    def _limits(self, characters: str) -> Limits:
        part: Split = "train" if self.split == "train" else "heldout"
        return Limits(
            part,
            frozenset(map(self.protocol, characters)),
            self.protocol,
            self.renderer.covers,
            self.options["max_length"],
            self.renderer.width // STRIDE,
        )

    def _name_undrawn(self, total: int, characters: str) -> None:
        """Warn of words of a file that are never drawn."""
        undrawn, limits = self.words.undrawn, self._limits(characters)
        if not undrawn:
            return
        known = {*characters.lower(), *string.punctuation}
        if isinstance(self.words, ChineseLines):
            known = set(self.words.alphabet)
        outside = Counter(c for word in undrawn for c in {*word.lower()} - known)
        named = f" ({shown(by_frequency(outside))})" if outside else ""
        which = listed([*map(printed, undrawn)], NAMED_WORDS)
        warnings.warn(
            f"words: {len(undrawn):,} of {total:,} are not drawn ({which}): they have "
            f"more than max_length {limits.max_length} or {limits.max_frames} frames, both "
            f"directions of writing, or characters that are not drawn{named}",
            stacklevel=3,
        )

    def _chinese(
        self, characters: str, counts: dict[str, float], words: str, top_k: int | None
    ) -> ChineseLines:
        if not any(map(is_chinese, characters)):
            raise ValueError(
                f"charset: none of its {len(self.charset)} characters is Chinese; give the file of "
                f"a Chinese charset, or language 'en'"
            )
        weighted = words == "wordfreq" or top_k is not None
        frequencies = character_frequencies() if weighted else {}
        if top_k is not None:
            kept = set(list(frequencies)[:top_k])
            kept |= set(string.digits + string.ascii_letters)
            characters = "".join(c for c in characters if c in kept)
        if missing := self.renderer.undrawn(characters):
            if not any(is_chinese(c) for c in characters if c not in missing):
                raise ValueError(
                    f"language 'zh': no font draws a Chinese character of the charset; tried "
                    f"{self.renderer.tried()}; {INSTALL_CHINESE}, or give a folder with one"
                )
            warnings.warn(
                f"rendered: {len(missing):,} of {len(characters):,} characters are in no font and "
                f"left out: {named(missing)}; tried {self.renderer.tried()}; give a folder with a "
                f"font that has them",
                stacklevel=3,
            )
            self.left_out, missed = missing, set(missing)
            characters = "".join(c for c in characters if c not in missed)
        return ChineseLines(characters, counts, frequencies, self._limits(characters))


def _drawable(charset: str, protocol: Protocol) -> str:
    """Return the characters that the protocol maps to one character of the charset each."""
    known = set(charset)
    candidates = sorted({*string.printable, *charset})
    return "".join(c for c in candidates if not c.isspace() and protocol(c) in known)
