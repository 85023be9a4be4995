"""Convert official archives to LMDBs: the forms of archives, and the conversion.

Labels are stored as the archive has them, but for accents, which are composed, and blanks around
them, which are taken off; protocols are applied on reading.
Images are stored byte for byte where the archive holds crops; crops out of larger images as PNG.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

from dctc.data.archives.annotations import (
    synthtext_lacks,
    words_of_iiit5k,
    words_of_svt,
    words_of_synthtext,
)
from dctc.data.archives.text_lists import (
    Word,
    icdar_line,
    image_list_line,
    mjsynth_lacks,
    mjsynth_line,
    words_of_ic13_1015,
    words_of_lines,
    words_of_table,
)
from dctc.data.archives.verify import label_fault
from dctc.data.catalogue import ARCHIVES
from dctc.data.records.folders import PARTIAL
from dctc.data.records.images import ImageError, load_image
from dctc.data.records.provenance import Progress
from dctc.data.records.writer import SOURCE_HASH, Fault, Record, write_set
from dctc.text import normal_form

# What reads each form of annotation files, given one and the folder of its images
FORMS: dict[str, Callable[[Path, Path], Iterator[Word | Fault]]] = {
    "iiit5k": words_of_iiit5k,
    "svt": words_of_svt,
    "ic13_1015": words_of_ic13_1015,
    "icdar": partial(words_of_lines, parse=icdar_line),
    "image_list": partial(words_of_lines, parse=image_list_line),
    "mjsynth": partial(words_of_lines, parse=mjsynth_line),
    "synthtext": words_of_synthtext,
    "table": words_of_table,
}
# Tells what an annotation file of training data lacks; empty if it is whole
LACKS = {"mjsynth": mjsynth_lacks, "synthtext": synthtext_lacks}


def convert(
    kind: str,
    source: Path,
    out: Path,
    images: Path | None = None,
    lenient: bool = False,
    advance: Callable[[int], None] = lambda taken: None,
    literal_quotes: bool = False,
) -> Progress:
    """Convert an archive to an LMDB, or go on with a conversion that was cut off.

    Args:
        kind: Key of :data:`dctc.data.catalogue.ARCHIVES`.
        source: The archive's annotation file.
        out: Folder of the LMDB.
        images: Folder that the image names are relative to; None is that of ``source``.
        lenient: Leave out words whose image is missing or unreadable or whose line or label is
            broken, warn about them and count them, and accept a different number of words.
        advance: Told how many words have been read, now and then.
        literal_quotes: Of a table: whether quotes around labels are parts of them.

    Returns:
        The counts of the set.

    Raises:
        ValueError: If the annotation file is not of its form or there is no word; unless
            ``lenient``, if an image is missing or cannot be decoded, a line or label is broken, the
            number of words is wrong, or ``out`` was completed without some words.
        OSError: If there is no annotation file, or the disk is full.
    """
    form, wanted, benchmark = ARCHIVES[kind]
    words = FORMS[form]
    if not source.is_file():
        raise FileNotFoundError(f"{source}: no such file; for {kind} give the path of {wanted}")
    if form in LACKS and (lack := LACKS[form](source)):
        if not lenient:
            raise ValueError(f"{lack}; get the complete archive, or take it with --lenient")
        warnings.warn(lack, UserWarning, stacklevel=2)
    folder = images or source.parent
    if literal_quotes:
        if kind != "table":
            raise ValueError(f"{kind}: --literal-quotes is for tables")
        words = partial(words_of_table, literal_quotes=True)

    def items(taken: int) -> Iterator[Record | Fault]:
        stream = islice(words(source, folder), taken, None)
        for word in stream:
            item = read_word(word)
            if isinstance(item, Fault) and not lenient:
                others = sum(_label_fault(other) is not None for other in stream)
                more = f", and {others:,} more lines or labels after it" if others else ""
                raise ValueError(
                    f"{source}: {item}{more}; mend it, or leave such words out with --lenient"
                )
            yield item

    def check(progress: Progress) -> None:
        left_out = progress.left_out()
        if not progress.records:
            raise ValueError(f"{source}: no word to write; left out: {left_out or 'nothing'}")
        if left_out and not lenient:
            there = out if out.is_dir() else out.with_name(f"{out.name}{PARTIAL}")
            raise ValueError(
                f"{there}: words were left out with --lenient ({left_out}); take it with "
                f"--lenient, or remove it and convert a complete archive"
            )
        if benchmark and progress.records != benchmark.size and not lenient:
            raise ValueError(
                f"{benchmark.name}: {progress.records:,} words where {benchmark.size:,} are "
                f"expected, in {source}; get the complete archive, or take it with --lenient"
            )

    with source.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    recipe = {
        "kind": kind,
        "source": source.name,
        SOURCE_HASH: digest,
        # from the annotation file, so that an archive may move as a whole
        "images": os.path.relpath(folder.resolve(), source.resolve().parent),
        **({"literal_quotes": True} if literal_quotes else {}),
    }
    return write_set(out, recipe, items, check, advance)


def _label_fault(word: Word | Fault) -> Fault | None:
    """Return why a word cannot be written whatever its image is, if so."""
    if isinstance(word, Fault):
        return word
    # MATLAB's characters need not be valid Unicode; label_fault tells
    broken = label_fault(word.label.encode("utf-8", "surrogatepass"))
    return Fault(word.name, broken, repr(word.label)) if broken else None


def read_word(word: Word | Fault) -> Record | Fault:
    """Read and decode a word's image; return a fault if that fails or the label is broken."""
    if isinstance(word, Fault):
        return word
    if fault := _label_fault(word):
        return fault
    try:
        encoded = word.read()
        load_image(encoded)
    except FileNotFoundError as error:
        return Fault(word.name, "image missing", "" if error.errno else str(error))
    except ImageError as error:
        return Fault(word.name, "image cannot be decoded", error.args[0])
    except (OSError, ValueError) as error:  # of the file system, its name or its box
        return Fault(word.name, "image cannot be read", " ".join(str(error).split()))
    return Record(encoded, normal_form(word.label).strip())
