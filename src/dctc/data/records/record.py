"""What the LMDB writer takes, item by item, and how far it is."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np


class Record(NamedTuple):
    """One record to write.

    Attributes:
        image: Encoded image.
        label: Text, as the source has it.
        extents: ``(s, 2)`` float32, left and right limit of each character of the label in pixels
            of the image; None where unknown.
    """

    image: bytes
    label: str
    extents: np.ndarray | None = None


class Fault(NamedTuple):
    """An item of the source that cannot be written.

    Attributes:
        name: Which one.
        reason: Why, in a few words; faults are counted by it.
        detail: What was seen.
    """

    name: str
    reason: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}" + (f" ({self.detail})" if self.detail else "")


@dataclass
class Progress:
    """How far a set has been written.

    Attributes:
        taken: Items of the source read, faults included.
        records: Records written.
        faults: Items left out, by reason.
    """

    taken: int = 0
    records: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    def encode(self) -> bytes:
        """Return the progress as JSON."""
        return json.dumps(vars(self)).encode()

    @classmethod
    def decode(cls, raw: bytes) -> Progress:
        """Return what :meth:`encode` wrote."""
        values = json.loads(raw)
        return cls(values["taken"], values["records"], Counter(values["faults"]))
