"""Charsets: the ordered characters that a recogniser can emit."""

from __future__ import annotations

import string
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from dctc.onnx_files import PRETRAINED, names_onnx, onnx_characters, read_onnx
from dctc.text.characters import normal_form, shown, unseen

# The three charsets of the English benchmarks, in the order of digits, lower case, upper case,
# punctuation that PARSeq (Bautista & Atienza, ECCV 2022) and its successors use.
NAMED = {
    "36": string.digits + string.ascii_lowercase,
    "62": string.digits + string.ascii_lowercase + string.ascii_uppercase,
    "94": string.digits + string.ascii_lowercase + string.ascii_uppercase + string.punctuation,
}

ASCII = "".join(map(chr, range(32, 127)))  # printable, with the space

_EXPECTED = "\u00ad\u200c\u200d"  # see Charset.load


@dataclass(frozen=True)
class Charset:
    """An ordered set of characters.

    Attributes:
        characters: The characters in class order. The CTC blank is not one of them.
        name: ``36``, ``62`` or ``94``; empty for any other.

    Raises:
        ValueError: If the charset is empty or holds a character twice.

    Example:
        >>> len(Charset.load("36"))
        36
        >>> "A" in Charset.load("36")
        False
    """

    characters: str
    name: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if not self.characters:
            raise ValueError("charset: it holds no character")
        counts = Counter(self.characters)
        if twice := sorted(c for c, count in counts.items() if count > 1):
            raise ValueError(f"charset: {shown(twice)} occur in it more than once")

    @classmethod
    def load(cls, name_or_file: str) -> Charset:
        """Return the charset called ``36``, ``62`` or ``94``, or read one from a UTF-8 file.

        A file's line breaks are layout; every other character, a space too, belongs to the charset.
        Of several lines, none may begin or end with a blank, unless that is all there is on it.
        Accents are composed line by line, see :func:`~dctc.text.characters.normal_form`. A warning
        names characters that no image shows; joiners, which some scripts need, and the soft hyphen
        of the Chinese benchmark's alphabet are not among them.

        The charset of a recogniser in ONNX goes by the recogniser's name or file, and is taken as
        it is. ``A+B`` is the charset A and what B has beyond it.

        Args:
            name_or_file: ``36``, ``62``, ``94``, the path of a text file, a name of
                :data:`dctc.onnx_files.PRETRAINED`, an ONNX file, or such joined by ``+``.

        Raises:
            ValueError: If there is neither such a name nor such a file, or the file is not UTF-8,
                has a byte order mark inside, blanks around characters, or a character twice.
        """
        if name_or_file in NAMED:
            return cls(NAMED[name_or_file], name_or_file)
        if len(parts := charset_parts(name_or_file)) > 1:
            joined = "".join(cls.load(part).characters for part in parts)
            return cls("".join(dict.fromkeys(joined)))
        path = Path(name_or_file)
        if names_onnx(name_or_file):
            return cls(onnx_characters(read_onnx(name_or_file)))
        if not path.is_file():
            raise ValueError(
                f"charset {name_or_file!r}: neither one of {', '.join(NAMED)} nor a file, nor a "
                f"recogniser ({', '.join(PRETRAINED)})"
            )
        raw = path.read_bytes()
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = 1 + raw.count(b"\n", 0, error.start)
            raise ValueError(
                f"charset {name_or_file!r}, line {line}: not UTF-8 ({error.reason}); save it as "
                f"UTF-8"
            ) from error
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        characters = "".join(_in_lines(lines, name_or_file))
        if not characters:
            raise ValueError(f"charset {name_or_file!r}: the file holds no character")
        if hidden := [c for c in characters if unseen(c) and c not in _EXPECTED]:
            warnings.warn(
                f"charset {name_or_file!r}: {shown(hidden)} cannot be seen or have no known form; "
                f"remove them, unless labels have them",
                stacklevel=2,
            )
        return cls(characters)

    def __len__(self) -> int:
        return len(self.characters)

    def __contains__(self, character: object) -> bool:
        return isinstance(character, str) and len(character) == 1 and character in self.characters


def charset_parts(name: str) -> list[str]:
    """Split the name ``A+B`` of a charset into its parts; paths may have a ``+`` too.

    Example:
        >>> charset_parts("36+a+b/c.txt")
        ['36', 'a+b/c.txt']
    """
    if not Path(name).is_file():
        for at in (at for at, character in enumerate(name) if character == "+" and at):
            first = name[:at]
            if first in NAMED or names_onnx(first) or Path(first).is_file():
                return [first, *charset_parts(name[at + 1 :])]
    return [name]


def _in_lines(lines: list[str], file: str) -> dict[str, int]:
    """Return the characters of a file in their order, each with the number of its line."""
    found: dict[str, int] = {}
    parts: set[str] = set()  # of characters that NFC takes apart, as some of Indic scripts
    several = sum(map(bool, lines)) > 1
    for number, raw in enumerate(lines, 1):
        line = normal_form(raw)
        where = f"charset {file!r}, line {number}"
        if several and len(line) > 1 and line != line.strip():
            raise ValueError(
                f"{where}: {line[:40]!r} has a blank at its end or beginning; remove it, or give "
                f"the blank a line of its own if the charset is to have it"
            )
        for character in line:
            if character == "\ufeff":
                raise ValueError(f"{where}: a byte order mark (U+FEFF) inside the file; remove it")
            if character in found:
                if character in parts or len(raw) == 1 < len(line):
                    continue
                raise ValueError(
                    f"{where}: {shown(character)} stands in line {found[character]} already; a "
                    f"charset has each character once (a list of words is none)"
                )
            found[character] = number
            if len(raw) == 1 < len(line):
                parts.add(character)
    return found
