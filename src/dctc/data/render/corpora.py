"""Words with their frequencies: out of Python's documentation, of wordfreq, or of a file."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from dctc.data.render.words import english_words

PYTHON, WORDFREQ = "python", "wordfreq"  # names that are no files
WORDFREQ_WORDS = 60_000  # the most frequent ones; beyond them come names and slips


def word_counts(name: str, language: str = "en", top_k: int | None = None) -> dict[str, float]:
    """Return words with their counts or frequencies, in alphabetical order.

    Args:
        name: ``python`` for the English words of Python's own documentation (of other languages it
            has none), ``wordfreq`` for the lists of the package of that name, or a UTF-8 file: a
            word and, after white space, perhaps its count on each line.
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
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return dict(sorted(ranked[:top_k]))


@lru_cache(maxsize=2)
def frequencies(language: str) -> dict[str, float]:
    """Return wordfreq's words without digits: it replaces these by zeros.

    Raises:
        ValueError: If wordfreq is not installed.
    """
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
    """Return how often each Chinese character stands in wordfreq's words, the most frequent first.

    Raises:
        ValueError: If wordfreq is not installed.
    """
    counts: dict[str, float] = {}
    for word, frequency in frequencies("zh").items():
        for character in word:
            if is_chinese(character):
                counts[character] = counts.get(character, 0.0) + frequency
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def is_chinese(character: str) -> bool:
    """Say whether a character is a Chinese ideograph of Unicode's basic plane."""
    return "\u3400" <= character <= "\u9fff"


def _read(path: Path) -> dict[str, float]:
    counts: dict[str, float] = {}
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"words {str(path)!r}: not UTF-8 ({error})") from error
    for number, line in enumerate(lines, 1):
        fields = line.split()
        if not fields:
            continue
        try:
            count = float(fields[1]) if len(fields) == 2 else 1.0
        except ValueError:
            count = -1.0
        if len(fields) > 2 or not 0 < count < float("inf"):
            raise ValueError(
                f"words {str(path)!r}, line {number}: {line[:40]!r}; each line holds a word and "
                f"perhaps a positive count"
            )
        counts[fields[0]] = counts.get(fields[0], 0.0) + count
    if not counts:
        raise ValueError(f"words {str(path)!r}: it holds no word")
    return counts
