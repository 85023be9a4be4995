"""Text to CTC targets and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from dctc.text.characters import normal_form
from dctc.text.charset import Charset

BLANK = 0  # class of the CTC blank; character i of the charset is class i + 1


class CTCTokenizer:
    """Maps characters to classes 1..len(charset); class 0 is the CTC blank.

    An unknown character never becomes the blank: it raises, or it is dropped and counted.

    Args:
        charset: ``36``, ``62``, ``94`` or the path of a UTF-8 file of characters.
        unknown: What to do with a character outside the charset: ``raise`` a ValueError, or
            ``drop`` the character and count it in :attr:`dropped`.

    Attributes:
        dropped: How often each unknown character was dropped.

    Example:
        >>> tokenizer = CTCTokenizer("36")
        >>> targets, lengths = tokenizer.encode(["cat", "a"])
        >>> targets.tolist(), lengths.tolist()
        ([[13, 11, 30], [11, 0, 0]], [3, 1])
        >>> tokenizer.decode([13, 11, 30])
        'cat'
    """

    def __init__(self, charset: str = "36", unknown: Literal["raise", "drop"] = "raise") -> None:
        if unknown not in ("raise", "drop"):
            raise ValueError(f"unknown={unknown!r}: it is either 'raise' or 'drop'")
        self.charset = Charset.load(charset)
        self.unknown = unknown
        self.dropped: Counter[str] = Counter()
        self._class_of = {c: i for i, c in enumerate(self.charset.characters, start=BLANK + 1)}

    @property
    def num_classes(self) -> int:
        """Classes of the network's output: the charset and the blank."""
        return len(self.charset) + 1

    def check_net(self, net: Any) -> None:
        """Refuse a net whose classes are not those of the charset.

        Raises:
            ValueError: If they are not.
        """
        if net.num_classes != self.num_classes:
            raise ValueError(
                f"the net has {net.num_classes} classes, the charset and the blank need "
                f"{self.num_classes}"
            )

    def encode(self, labels: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Turn labels into padded targets.

        Args:
            labels: n strings.

        Returns:
            Targets ``(n, s)`` int64, padded with the blank, and their lengths ``(n,)`` int64.

        Raises:
            ValueError: If a character is unknown and the policy is ``raise``.
        """
        rows = [self._encode_one(label) for label in labels]
        lengths = torch.tensor([len(row) for row in rows], dtype=torch.int64)
        targets = torch.full((len(rows), max(map(len, rows), default=0)), BLANK, dtype=torch.int64)
        for row, target in zip(rows, targets, strict=True):
            target[: len(row)] = torch.tensor(row, dtype=torch.int64)
        return targets, lengths

    def _encode_one(self, label: str) -> list[int]:
        label = normal_form(label)
        unknown = [c for c in label if c not in self._class_of]
        if unknown and self.unknown == "raise":
            raise ValueError(
                f"label {label!r}: {unknown[0]!r} (U+{ord(unknown[0]):04X}) is not among the "
                f"{len(self.charset)} characters of the charset; choose another charset, or "
                f"CTCTokenizer(unknown='drop')"
            )
        self.dropped.update(unknown)
        return [self._class_of[c] for c in label if c in self._class_of]

    def decode(self, classes: Iterable[int]) -> str:
        """Turn collapsed classes into text; blanks and negative entries (padding) are left out."""
        return normal_form("".join(self.charset.characters[k - 1] for k in classes if k > BLANK))
