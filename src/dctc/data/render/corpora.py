"""Words and Chinese characters with their frequencies: from Python's docs, wordfreq, or a file."""

from __future__ import annotations

import re
import sysconfig
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any

from dctc.text.characters import by_frequency, normal_form, unseen
from dctc.text.lines import decoded, text_lines

PYTHON, WORDFREQ = "python", "wordfreq"  # names of corpora that are no files
WORDFREQ_WORDS = 60_000  # the most frequent ones; beyond them come names and slips

# Prose in Python sources: docstrings and comment lines, and in these the words between spaces
_PROSE = re.compile(r'"""([^"]*)"""|^\s*#\s(.*)$', re.MULTILINE)
_WORD = re.compile(r"(?<![^\s(\"'])[A-Za-z][a-z]{1,14}(?=[.,;:!?)\"']*(?:\s|$))")
_SKIPPED = {"site-packages", "dist-packages", "test", "idlelib", "lib2to3", "tkinter", "turtledemo"}


def word_counts(name: str, language: str = "en", top_k: int | None = None) -> dict[str, float]:
    """Return words with their counts or frequencies, in alphabetical order.

    Args:
        name: ``python`` for the English words of Python's own documentation (none in other
            languages), ``wordfreq`` for the lists of the package of that name, or a UTF-8 file with
            a word on each line and perhaps, after white space, its count.
        language: ``en`` or ``zh``, of wordfreq's list.
        top_k: Only so many words; None takes all of a file, 60,000 of wordfreq.

    Raises:
        ValueError: If there is no such corpus, or it is empty.
    """
    if name == PYTHON:
        counts: dict[str, float] = dict(english_words()) if language == "en" else {}
    elif name == WORDFREQ:
        counts, top_k = frequencies(language), top_k or WORDFREQ_WORDS
    elif Path(name).is_file():
        counts = _read(Path(name))
    else:
        raise ValueError(f"words {name!r}: neither python nor wordfreq nor a file")
    return {word: counts[word] for word in sorted(by_frequency(counts)[:top_k])}


@lru_cache(maxsize=1)
def english_words() -> dict[str, int]:
    """Count the English words in the documentation that the standard library carries.

    The same Python gives the same words; another version of Python has slightly different ones.

    Returns:
        Count of each word of 2 to 15 letters, lower case, in alphabetical order. Words that occur
        once are left out: they are mostly names and slips.
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


@lru_cache(maxsize=2)
def frequencies(language: str) -> dict[str, float]:
    """Return wordfreq's words without digits: it replaces these by zeros."""
    try:
        import wordfreq  # here, because it is an extra
    except ModuleNotFoundError as error:
        raise ValueError(
            "words 'wordfreq': the package is not installed; pip install 'dctc[words]'"
        ) from error
    words: dict[str, Any] = wordfreq.get_frequency_dict(language)
    return {w: float(f) for w, f in words.items() if not any(c.isdigit() for c in w)}


@lru_cache(maxsize=1)
def character_frequencies() -> dict[str, float]:
    """Return the frequency of each Chinese character in wordfreq's words, highest first."""
    counts: dict[str, float] = {}
    for word, frequency in frequencies("zh").items():
        for character in filter(is_chinese, word):
            counts[character] = counts.get(character, 0.0) + frequency
    return {character: counts[character] for character in by_frequency(counts)}


def is_chinese(character: str) -> bool:
    """Return whether a character is a Chinese ideograph of Unicode's basic plane."""
    return "\u3400" <= character <= "\u9fff"


def _read(path: Path) -> dict[str, float]:
    counts: dict[str, float] = {}
    for number, line in text_lines(path):
        where = f"words {str(path)!r}, line {number}"
        try:
            fields = normal_form(decoded(line)).split()
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
        if fault := unseen("".join(fields)):
            raise ValueError(f"{where}: {line[:40]!r} has {fault}; remove it")
        try:
            count = float(fields[1]) if len(fields) == 2 else 1.0
        except ValueError:
            count = -1.0
        if len(fields) > 2 or not 0 < count < float("inf"):
            raise ValueError(
                f"{where}: {line[:40]!r}; each line holds a word and perhaps a positive count"
            )
        counts[fields[0]] = counts.get(fields[0], 0.0) + count
    if not counts:
        raise ValueError(f"words {str(path)!r}: it holds no word")
    return counts
