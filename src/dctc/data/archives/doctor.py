"""``dctc data doctor``: why a net cannot learn the labels of a set, or learns them slowly."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dctc.data.archives.verify import NO_IMAGE, UNDECODED, label_fault
from dctc.data.records.folders import count_records, label_text, read_record, reading
from dctc.data.records.image_size import TALL, ImageSize
from dctc.data.records.images import ImageError, load_image, upright_size
from dctc.data.render.texts import frames_needed
from dctc.tables import Table
from dctc.text import Charset, get_protocol, usual_protocol
from dctc.text.characters import by_frequency, listed, shown
from dctc.text.scripts import is_right_to_left

LOOKED_AT = 20_000  # ours: records of a set, evenly spaced; of a thousand the pixels too
PIXELS = 1_000
SQUASHED = 2.0  # ours: from this factor on, letters are hard to tell
ONE_LABEL = 0.5  # ours: a set with a label that has more than this share has little to tell
NAMED = 3  # records that are named for each finding


class Target(NamedTuple):
    """What a net expects of images and labels.

    Attributes:
        name: Of its configuration.
        charset: What it can read.
        protocol: Name of the rule that labels pass.
        size: What images are resized to.
        frames: Frames of an image of 0, 1, ... pixels of width.
        most: Characters that a net without frames can read; None for CTC.
        reads_padding: Whether the frames of the padding count too.
    """

    name: str
    charset: Charset
    protocol: str
    size: ImageSize
    frames: Sequence[int]
    most: int | None = None
    reads_padding: bool = False


@dataclass
class Examined:
    """What was found in a set.

    Attributes:
        records: How many it has.
        looked_at: How many of them were read.
        decoded: The pixels of how many were read; those of a large set take long.
        found: Record numbers of each finding.
        outside: How often each character outside the charset made a label unusable.
        needs: Frames that each usable label needs.
        gives: Frames that its image gives.
        labels: How often each usable label occurs.
    """

    records: int
    looked_at: int
    decoded: int = 0
    found: dict[str, list[int]] = field(default_factory=dict)
    outside: Counter[str] = field(default_factory=Counter)
    needs: list[int] = field(default_factory=list)
    gives: list[int] = field(default_factory=list)
    labels: Counter[str] = field(default_factory=Counter)

    def add(self, number: int, finding: str) -> None:
        """Note what was found in a record."""
        self.found.setdefault(finding, []).append(number)


OUTSIDE = "character outside the charset"
FORMS = "full-width or other form of a character of the charset"
CASE = "letter whose other case is in the charset"
SPACE = "space, which the charset lacks"
EMPTY = "label empty under the protocol"
LONG = "label does not fit its frames"
TALL_CROP = "image taller than wide, and not turned"
NARROW = f"image squashed to less than 1/{SQUASHED:g} of its width"
RIGHT_TO_LEFT = "label runs from right to left"
CONSTANT = "image of a single colour"
DAMAGED = "image whose pixels cannot be decoded"
TWICE = "same image as another record, with another label"
CURES = {
    OUTSIDE: "dctc data alphabet makes a charset of labels; dctc finetune adds characters to a "
    "pretrained net",
    FORMS: "protocol chinese_fold folds full-width forms; correct others (Unicode's NFKC)",
    CASE: "a charset and protocol with both cases (62, 94), or a protocol without (english36)",
    SPACE: "a charset with a space, or a protocol that removes spaces",
    EMPTY: "another protocol, or correct labels; else these records are left out",
    LONG: "wider images: data.init_args.width; else these add nothing to the loss",
    TALL_CROP: "rotate_tall: left or right, if these are vertical words",
    NARROW: "wider images, or cut lines into words",
    RIGHT_TO_LEFT: "frames run from left to right: reverse these labels, and the readings",
    CONSTANT: "remove these records",
    TWICE: "correct the labels; no net can read one image in two ways",
}
BROKEN = "correct or remove these records; dctc data verify counts all of them"


def examine(path: Path, target: Target, count: int = LOOKED_AT) -> Examined:
    """Look at labels and images of a set as a net would be trained on them.

    Args:
        path: LMDB folder.
        target: The net.
        count: Records at most, evenly spaced.

    Raises:
        FileNotFoundError: If there is no LMDB.
        ValueError: If it is none, or damaged.
    """
    records = count_records(path)
    numbers = np.unique(np.linspace(1, records, min(count, records)).round().astype(int)).tolist()
    done = Examined(records, len(numbers))
    rule, known = get_protocol(target.protocol), frozenset(target.charset.characters)
    seen: dict[bytes, tuple[int, str]] = {}
    step = max(1, len(numbers) // PIXELS)
    done.decoded = len(numbers[::step])
    with reading(path) as transaction:
        for i, number in enumerate(numbers):
            stored = read_record(transaction, number)
            valid = None
            if stored.image is None:
                done.add(number, NO_IMAGE)
            else:
                valid = _look_at_image(stored.image, number, target, done, i % step == 0)
            if fault := label_fault(stored.label):
                done.add(number, fault)
                continue
            label = rule(label_text(stored.label or b""))
            if valid is None or not _is_usable(label, number, valid, target, done, known):
                continue
            done.labels[label] += 1
            key = hashlib.blake2b(stored.image or b"", digest_size=8).digest()
            if seen.setdefault(key, (number, label))[1] != label:
                done.add(number, TWICE)
    return done


def _look_at_image(
    encoded: bytes, number: int, target: Target, done: Examined, pixels: bool
) -> int | None:
    """Return the valid width of an image when it is resized; None if it cannot be decoded."""
    finding = UNDECODED
    try:
        width, height = upright_size(encoded)
        finding = DAMAGED
        image = load_image(encoded) if pixels else None
    except ImageError as error:
        done.add(number, f"{finding} ({error.kind})")
        return None
    if image is not None and np.ptp(np.asarray(image), axis=(0, 1)).max() == 0:
        done.add(number, CONSTANT)
    size = target.size
    if size.turn(width, height) is not None:
        width, height = height, width
    elif height > TALL * width:
        done.add(number, TALL_CROP)
    if width * size.height / height > SQUASHED * size.width:
        done.add(number, NARROW)
    return size.valid(width, height)


def _is_usable(
    label: str, number: int, valid: int, target: Target, done: Examined, known: Set[str]
) -> bool:
    """Tell whether a net is trained on a label, or its record left out."""
    if not label:
        done.add(number, EMPTY)
        return False
    if is_right_to_left(label):
        done.add(number, RIGHT_TO_LEFT)
    if outside := set(label) - known:
        done.outside.update(outside)
        for kind in {_kind(c, known) for c in outside}:
            done.add(number, kind)
        return False
    if target.reads_padding:
        valid = target.size.width
    need, gives = frames_needed(label), target.frames[valid]
    if target.most is not None:
        need, gives = len(label), target.most
    done.needs.append(need)
    done.gives.append(gives)
    if need > gives:
        done.add(number, LONG)
    return True


def _kind(character: str, charset: Set[str]) -> str:
    """Say in which way a character is outside a charset."""
    folded = unicodedata.normalize("NFKC", character)
    if folded != character and all(c in charset for c in folded):
        return FORMS  # a no-break space too
    if character.isspace():
        return SPACE
    return CASE if character.swapcase() in charset else OUTSIDE


def first_target(frames: int, characters: int) -> float:
    """Return the share of frames that CTC pulls towards blank while all outputs are equal.

    It is the posterior of the blank under a net that knows nothing, whatever its charset.

    Args:
        frames: t.
        characters: s, of a label without equal neighbours; at most t.
    """
    # All C(t + s, 2s) paths are equally likely, so the t - s frames to spare fall, on average, in
    # equal shares on the s characters and the s + 1 blanks around them
    return (characters + 1) * (frames - characters) / ((2 * characters + 1) * frames)


def doctor_report(name: str, done: Examined, target: Target) -> Table:
    """Return the findings of a set as a table, with their cures and how long labels are."""
    ordered = sorted(done.found, key=lambda what: -len(done.found[what]))
    rows = [
        [
            f"{len(done.found[what]):,}",
            f"{100 * len(done.found[what]) / _of(what, done):.1f}",
            what,
            listed([*map(str, done.found[what])], NAMED),
        ]
        for what in ordered
    ]
    notes = [f"{what}: {CURES.get(what, BROKEN)}" for what in ordered]
    if done.outside:
        notes.append(f"Outside, most frequent first: {shown(by_frequency(done.outside))}")
    if target.protocol != usual_protocol(target.charset):
        notes.append(
            f"Protocol {target.protocol} is not the usual one of this charset, "
            f"{usual_protocol(target.charset)}"
        )
    if done.decoded < done.looked_at:
        notes.append(f"Pixels were read of {done.decoded:,} records; their findings count of these")
    notes += _lengths(done, target)
    size = target.size
    looked = "" if done.looked_at == done.records else f"{done.looked_at:,} of "
    title = (
        f"{name}: {looked}{done.records:,} records for {target.name} (charset of "
        f"{len(target.charset):,}, {target.protocol}, images {size.height} x {size.width})"
    )
    return Table(title, ["count", "%", "finding", "records"], rows, notes, text_columns=0)


def _of(finding: str, done: Examined) -> int:
    """Return of how many records a finding was looked for."""
    return done.decoded if finding.startswith((CONSTANT, DAMAGED)) else done.looked_at


def _lengths(done: Examined, target: Target) -> list[str]:
    if not done.needs:
        return ["No label is left to train on"]
    needs, gives = np.array(done.needs), np.array(done.gives)
    mean, t = needs.mean(), int(np.median(gives))
    unit = "frames" if target.most is None else "characters"
    said = [
        f"Labels left: {len(needs):,}, {len(done.labels):,} of them different; they need "
        f"{mean:.1f} {unit} on average, {needs.max()} at most; images give {t}"
    ]
    (label, often), *_ = done.labels.most_common(1)
    if often > ONE_LABEL * len(needs):
        said.append(f"{often:,} labels are {label!r}: a net that always reads this is often right")
    typical = max(1, round(float(np.median([len(one) for one in done.labels.elements()]))))
    if target.most is None and typical <= t:
        share = 100 * first_target(t, typical)
        said.append(
            f"While a net knows nothing, CTC's target for {typical} characters in {t} frames is "
            f"blank in {share:.0f} % of them, each character in {(100 - share) / typical:.0f} %: "
            f"it reads nothing at first (the all-blank plateau)"
        )
    return said
