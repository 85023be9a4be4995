"""Make charsets of training labels or of frequent characters, and compare one with labels."""

from __future__ import annotations

import string
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from dctc.data.records.folders import count_records, find_lmdbs, label_text, reading
from dctc.data.render.corpora import character_frequencies
from dctc.files import write_whole
from dctc.text import Charset, get_protocol, normal_form
from dctc.text.characters import by_frequency
from dctc.text.characters import shown as characters_shown
from dctc.text.protocol import Protocol

LAYOUT = "\r\n\ufeff"  # what a charset file cannot hold as characters


def read_labels(folder: str | Path) -> Iterator[str]:
    """Yield the labels of an LMDB folder, without blanks around them.

    Labels that are missing or not UTF-8 are left out, and a warning counts them.
    """
    records, unreadable = count_records(folder), 0
    with reading(folder) as transaction:
        for record in range(1, records + 1):
            raw = transaction.get(b"label-%09d" % record)
            try:
                text = None if raw is None else label_text(raw)
            except UnicodeDecodeError:
                text = None
            if text is None:
                unreadable += 1
            else:
                yield text
    if unreadable:
        warnings.warn(
            f"{folder}: {unreadable:,} of {records:,} labels are missing or not UTF-8, and left "
            f"out; `dctc data verify` names them",
            stacklevel=2,
        )


def write_alphabet(
    file: str | Path, folders: Sequence[str | Path], protocol: str = "verbatim"
) -> Charset:
    """Write the characters of training labels to a file that ``charset`` options take.

    The most frequent character comes first, equally frequent ones by their code points, so
    the same labels give the same classes. Line breaks and byte order marks are left out; in the
    file they are layout.
    A warning names the characters of labels that the protocol drops or changes.

    The protocol is that of the training labels, ``chinese_fold`` for the Chinese benchmark.

    Raises:
        FileNotFoundError: If a folder does not exist or there is no LMDB in or below it.
        ValueError: If there is no such protocol, or the labels hold no character.
    """
    rule, counts, raw = get_protocol(protocol), Counter[str](), Counter[str]()
    for folder in folders:
        lmdbs = find_lmdbs(folder)
        if not lmdbs:
            raise FileNotFoundError(f"alphabet: no LMDB (data.mdb) in or below {folder}")
        for path in lmdbs.values():
            for label in read_labels(path):
                counts.update(rule(label))
                raw.update(normal_form(label))
    for mark in LAYOUT:
        del raw[mark]
    if altered := [c for c in by_frequency(raw) if c not in counts]:
        warnings.warn(
            f"alphabet: protocol {protocol} drops or changes {len(altered):,} of the {len(raw):,} "
            f"characters of the labels ({characters_shown(altered)}); verbatim keeps them",
            stacklevel=2,
        )
    return _write(file, [c for c in by_frequency(counts) if c not in LAYOUT])


def write_common_characters(file: str | Path, top_k: int) -> Charset:
    """Write digits, small letters and the ``top_k`` most frequent Chinese characters of wordfreq.

    Raises:
        ValueError: If wordfreq is not installed.
    """
    plain = string.digits + string.ascii_lowercase
    return _write(file, [*plain, *list(character_frequencies())[:top_k]])


def _write(file: str | Path, characters: Sequence[str]) -> Charset:
    """Write each character on a line of its own, where no accent can join the one before it."""
    charset = Charset("".join(characters))
    write_whole(Path(file), "".join(f"{c}\n" for c in characters).encode())
    return charset


def characters_lacking(
    folder: str | Path, charset: Charset, compared: Protocol, shown: Protocol
) -> tuple[str, int]:
    """Compare the labels of an LMDB folder with what a recogniser can write.

    Labels and readings are ``compared`` under a protocol; training labels have passed ``shown``.

    Returns:
        The characters of the labels as shown that the charset lacks, in the order of their code
        points; and how many labels no reading can equal: neither do they show characters of the
        charset only, nor does ``compared`` make them, one by one, out of such characters.
    """
    ours = set(charset.characters)
    within_reach = {character for c in ours for character in compared(c)}
    lacking: set[str] = set()
    missed = 0
    for label in read_labels(folder):
        seen = set(shown(label))
        lacking |= seen - ours
        missed += not (within_reach >= set(compared(label)) or ours >= seen)
    return "".join(sorted(lacking)), missed
