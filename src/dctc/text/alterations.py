"""Count labels and predictions that lose characters to an evaluation protocol."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Iterable

from dctc.text.characters import by_frequency, normal_form, shown
from dctc.text.charset import Charset
from dctc.text.protocol import Protocol

EXAMPLES = 3  # ours: texts that a message shows


class Alterations:
    """Counts the texts that a protocol alters: their characters of a charset, letters or digits.

    A protocol leaves out punctuation and case by intention. But a character that the charset has,
    and a letter or digit that is dropped as ``english36`` drops an umlaut, make a label wrong.

    Args:
        protocol: From :func:`dctc.text.get_protocol`.
        charset: Its characters count if the protocol drops or changes them; other letters and
            digits count if it drops them. None is a charset without characters.

    Attributes:
        texts: Texts that were altered.
        characters: How many of them had each character that was dropped or changed.
        examples: Some of them, as they were and as they are under the protocol.
    """

    def __init__(self, protocol: Protocol, charset: Charset | None = None) -> None:
        self.protocol = protocol
        self.of_charset = set(charset.characters if charset else "")
        self.texts, self.characters, self.examples = 0, Counter[str](), list[str]()
        self._lost: dict[str, bool] = {}
        self._ascii_too = bool(self._altered(string.printable))

    def add(self, *texts: str) -> None:
        """Look at the texts of one sample."""
        if not self._ascii_too and all(map(str.isascii, texts)):
            return
        normal = [normal_form(text) for text in texts]
        if lost := self._altered("".join(normal)):
            self.texts += 1
            self.characters.update(lost)
            if len(self.examples) < EXAMPLES:
                text = next(text for text in normal if not lost.isdisjoint(text))
                self.examples.append(f"{text!r} -> {self.protocol(text)!r}")

    def _altered(self, text: str) -> set[str]:
        lost = self._lost
        for c in set(text) - lost.keys():
            kept = self.protocol(c)
            lost[c] = kept != c if c in self.of_charset else c.isalnum() and not kept
        return {c for c in text if lost[c]}

    def extend(self, others: Iterable[Alterations]) -> Alterations:
        """Add what others of the same protocol and charset have counted, and return this one."""
        for other in others:
            self.texts += other.texts
            self.characters += other.characters
            self.examples = (self.examples + other.examples)[:EXAMPLES]
        return self

    @property
    def drops_of_charset(self) -> bool:
        """Whether a character of the charset was dropped from a text."""
        return any(c in self.of_charset and not self.protocol(c) for c in self.characters)

    def said(self, total: int) -> str:
        """Say what was counted among so many texts, in one clause."""
        lost = shown(by_frequency(self.characters))
        return (
            f"protocol {self.protocol.__name__} drops or changes characters ({lost}) of "
            f"{self.texts:,} of {total:,} texts: {', '.join(self.examples)}"
        )
