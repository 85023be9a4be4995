"""Evaluation protocols: pure functions ``str -> str`` applied to predictions and labels alike.

A protocol folds away the differences that a benchmark does not count. Labels pass it when a set is
indexed, labels and predictions when these are scored. Each begins with
:func:`dctc.text.characters.normal_form`.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from functools import cache
from pathlib import Path

from dctc.text.characters import normal_form
from dctc.text.charset import Charset

Protocol = Callable[[str], str]

_NOT_ALPHANUMERIC = re.compile("[^0-9a-zA-Z]")
_NOT_PRINTABLE = re.compile(f"[^0-9a-zA-Z{re.escape(string.punctuation)}]")

# Full-width forms U+FF01..U+FF5E to ASCII, and the ideographic space.
_HALF_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}


def english36(text: str) -> str:
    """Keep ASCII letters and digits, lower-case: the usual English word-accuracy protocol.

    Example:
        >>> english36("It's 5 PM")
        'its5pm'
    """
    return english62(text).lower()


def english62(text: str) -> str:
    """Keep ASCII letters and digits, case-sensitive.

    Example:
        >>> english62("It's 5 PM")
        'Its5PM'
    """
    return _NOT_ALPHANUMERIC.sub("", normal_form(text))


def english94(text: str) -> str:
    """Keep printable ASCII without spaces, case-sensitive.

    Example:
        >>> english94("It's 5 PM")
        "It's5PM"
    """
    return _NOT_PRINTABLE.sub("", normal_form(text))


def chinese(text: str) -> str:
    """Apply :func:`chinese_fold`, then turn traditional characters into simplified ones.

    The protocol of the Chinese benchmark (FudanVI, benchmarking-chinese-text-recognition).
    zhconv's ``zh-cn`` table holds phrases too: a character may depend on its neighbours (乾 in 乾隆
    stays), a phrase may change its length, and some change again when it is applied twice. So
    training labels, which have to stand for what the image shows, pass :func:`chinese_fold` alone.

    Raises:
        ValueError: If zhconv is not installed.
    """
    return _simplifier()(chinese_fold(text), "zh-cn")


def chinese_fold(text: str) -> str:
    r"""Turn full-width forms into ASCII, lower-case, and remove spaces.

    Example:
        >>> chinese_fold("\uff23\uff34\uff23 漢字")
        'ctc漢字'
    """
    return normal_form(text).translate(_HALF_WIDTH).lower().replace(" ", "")


@cache
def _simplifier() -> Callable[[str, str], str]:
    try:
        from zhconv import zhconv
    except ImportError as error:
        raise ValueError(
            "protocol 'chinese': zhconv is not installed; pip install 'dctc[chinese]'"
        ) from error
    # by its path, because zhconv leaves its table open (a ResourceWarning) where it looks for it
    zhconv.loaddict(str(Path(zhconv.__file__).with_name(zhconv.DICTIONARY)))
    return zhconv.convert


def verbatim(text: str) -> str:
    """Change nothing but the :func:`~dctc.text.characters.normal_form`.

    Example:
        >>> verbatim("a b")
        'a b'
    """
    return normal_form(text)


# FudanVI's scorer counts a sample whose label is empty under its rules; others leave it out
EMPTY_LABELS_COUNT: tuple[Protocol, ...] = (chinese, chinese_fold)

PROTOCOLS: dict[str, Protocol] = {
    rule.__name__: rule
    for rule in (english36, english62, english94, chinese, chinese_fold, verbatim)
}


def get_protocol(name: str) -> Protocol:
    """Return the protocol called ``name``.

    Raises:
        ValueError: If there is none (the message lists those that exist), or if what it needs is
            not installed.
    """
    if name not in PROTOCOLS:
        raise ValueError(f"protocol {name!r}: not one of {', '.join(PROTOCOLS)}")
    PROTOCOLS[name]("")  # what it needs is missed here, and not at the first word of a long run
    return PROTOCOLS[name]


def usual_protocol(charset: Charset) -> str:
    """Name the protocol that goes with a charset: no character of it is dropped or changed.

    Returns:
        ``english36`` for the charset ``36``, so for ``62`` and ``94``; ``verbatim`` for a file's.
    """
    return f"english{charset.name}" if charset.name else "verbatim"
