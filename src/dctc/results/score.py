"""``dctc score``: accuracy, NED, CER and its parts of files of predictions."""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import lzma
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import pandas as pd
from rich.console import Console

from dctc.metrics.edit_distance import EditOperations, edit_operations, normalized_similarity
from dctc.results.tables import Table, percent
from dctc.text.protocol import PROTOCOLS, Protocol, get_protocol

PARTS = EditOperations._fields
NOTES = (
    "Accuracy: share of predictions that equal their label, both under the protocol.",
    "NED: mean of 1 - edit distance / length of the longer of the two; higher is better.",
    "CER: summed edit distance / summed length of the labels. Its parts, of the same length: sub, "
    "del, ins (substitutions, deletions, insertions). Where minimal alignments tie, rapidfuzz's "
    "counts; del minus ins does not depend on it.",
)
_OPENERS: dict[str, Any] = {".xz": lzma.open, ".gz": gzip.open}
_SEPARATOR = "] ["
_PUBLISHED = re.compile(r"(\d+) \[(.*)\]", re.DOTALL)


class Prediction(NamedTuple):
    """One line of a file of predictions.

    Attributes:
        key: Which sample; unique in its file.
        prediction: What was read.
        label: What it says.
    """

    key: str
    prediction: str
    label: str


def read_predictions(file: str | Path) -> Iterator[Prediction]:
    """Read a file of predictions, plain or compressed (``.xz``, ``.gz``), UTF-8.

    Its first line decides on the form: tab-separated with a head that has the columns key,
    prediction and label, as ``readings/<set>.tsv`` of a run is; or lines ``index [prediction]
    [label]``, as FudanVI publishes them. Those may hold brackets, but ``] [`` only once: more of
    them can be taken apart in several ways.

    Raises:
        OSError: If the file cannot be opened.
        ValueError: If it is empty, cut off or not UTF-8; for a line that is malformed or has
            the key of an earlier one; the message names file and line.
    """
    file, seen = Path(file), dict[str, int]()
    try:
        opened = _OPENERS.get(file.suffix, open)
        with opened(file, "rt", encoding="utf-8-sig", newline="") as stream:
            head = stream.readline()
            stream.seek(0)
            is_table = "\t" in head and not _PUBLISHED.match(head)
            for number, found in (_table if is_table else _lines)(stream, str(file)):
                if found.key in seen:
                    raise ValueError(
                        f"{file}:{number}: key {found.key} also occurs in line {seen[found.key]}; "
                        f"keep one of them"
                    )
                seen[found.key] = number
                yield found
    except (EOFError, lzma.LZMAError, zlib.error) as error:
        raise ValueError(f"{file}: cut off or damaged ({error}); fetch it again") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{file}: not UTF-8 ({error})") from error
    if not seen:
        raise ValueError(f"{file}: no predictions in it")


def _lines(stream: IO[str], name: str) -> Iterator[tuple[int, Prediction]]:
    """Yield line numbers and predictions of the published form."""
    # not splitlines(): a label may hold what that takes for a line break
    for number, line in enumerate(stream, start=1):
        line = line.rstrip("\r\n")
        matched = _PUBLISHED.fullmatch(line)
        parts = matched[2].split(_SEPARATOR) if matched else []
        if matched is None or len(parts) != 2:
            several = f", and {_SEPARATOR!r} only once" if len(parts) > 2 else ""
            shown = repr(line if len(line) <= 60 else f"{line[:57]}...")
            raise ValueError(
                f"{name}:{number}: {shown} is not of the form 'index [prediction] [label]'{several}"
            )
        yield number, Prediction(matched[1], *parts)


def _table(stream: IO[str], name: str) -> Iterator[tuple[int, Prediction]]:
    """Yield line numbers and predictions of a table."""
    rows = csv.reader(stream, delimiter="\t", strict=True)
    head = next(rows)
    if missing := [column for column in Prediction._fields if column not in head]:
        raise ValueError(
            f"{name}:1: no column {missing[0]!r} among {', '.join(head)}; a table of predictions "
            f"has the columns {', '.join(Prediction._fields)}"
        )
    places = [head.index(column) for column in Prediction._fields]
    try:
        for row in rows:
            if len(row) != len(head):
                raise ValueError(
                    f"{name}:{rows.line_num}: {len(row)} columns where the head has {len(head)}"
                )
            yield rows.line_num, Prediction(*(row[place] for place in places))
    except csv.Error as error:
        raise ValueError(f"{name}:{rows.line_num}: {error}; quote as csv.writer does") from error


class Score(NamedTuple):
    """Counts of a file of predictions.

    Attributes:
        name: The file, without folder and endings.
        n: Samples scored.
        correct: Samples read exactly.
        substitutions: Summed substitutions, see :mod:`dctc.metrics.edit_distance`.
        deletions: Summed deletions: characters of labels that predictions lack.
        insertions: Summed insertions: characters of predictions that labels lack.
        characters: Summed label length.
        similarity: Summed normalized similarity (NED times n).
        dropped: Samples left out because their label is empty under the protocol.
    """

    name: str
    n: int
    correct: int
    substitutions: int
    deletions: int
    insertions: int
    characters: int
    similarity: float
    dropped: int

    @property
    def edits(self) -> int:
        """Summed edit distance."""
        return self.substitutions + self.deletions + self.insertions

    def rates(self) -> dict[str, float]:
        """Return accuracy, NED, CER and its parts as shares; one of a zero total is omitted."""
        of_samples = {"accuracy": self.correct, "ned": self.similarity}
        of_characters = {"cer": self.edits, **{f"cer_{p}": getattr(self, p) for p in PARTS}}
        shares = ((of_samples, self.n), (of_characters, self.characters))
        return {k: part / whole for parts, whole in shares if whole for k, part in parts.items()}


def score(name: str, predictions: Iterable[Prediction], protocol: Protocol) -> Score:
    """Score predictions, the protocol applied to both sides.

    Args:
        name: Name of the score.
        predictions: From :func:`read_predictions`. Samples whose label is
            empty under the protocol are left out and counted.
        protocol: From :func:`dctc.text.protocol.get_protocol`.
    """
    samples = [Score(name, 0, 0, 0, 0, 0, 0, 0.0, dropped=0)]
    for key, prediction, label in predictions:
        prediction, label = protocol(prediction), protocol(label)
        if not label:
            samples.append(Score(key, 0, 0, 0, 0, 0, 0, 0.0, dropped=1))
            continue
        edits, ned = edit_operations(prediction, label), normalized_similarity(prediction, label)
        samples.append(Score(key, 1, prediction == label, *edits, len(label), ned, dropped=0))
    return pool(samples)._replace(name=name)


def pool(scores: Sequence[Score]) -> Score:
    """Return the sum of the counts of several scores, named ``weighted mean``."""
    return Score("weighted mean", *map(sum, zip(*(s[1:] for s in scores), strict=True)))


def mean(scores: Sequence[Score]) -> dict[str, float]:
    """Return the unweighted means over files, of the rates that every file has."""
    table = pd.DataFrame([score.rates() for score in scores])
    return {str(name): rate for name, rate in table.dropna(axis=1).mean().items()}


def table(scores: Sequence[Score], protocol: str) -> Table:
    """Lay scores out, with their means below if there are several."""
    rows = [_row(score) for score in scores]
    if len(scores) > 1:
        rows += [["mean", "", "", *_cells(mean(scores))], _row(pool(scores))]
    columns = ["file", "n", "dropped", "accuracy %", "NED", "CER %", "sub %", "del %", "ins %"]
    return Table(f"Scored under the protocol {protocol}", columns, rows, NOTES)


def _row(score: Score) -> list[str]:
    return [score.name, f"{score.n:,}", f"{score.dropped:,}", *_cells(score.rates())]


def _cells(rates: dict[str, float]) -> list[str]:
    names = ("accuracy", "ned", "cer", *(f"cer_{part}" for part in PARTS))
    cells = {k: f"{rate:.4f}" if k == "ned" else percent(rate, 1) for k, rate in rates.items()}
    return [cells.get(name, "-") for name in names]


def as_json(scores: Sequence[Score], protocol: str) -> str:
    """Return counts and rates as JSON: shares, not percent, those of the CER as ``cer_<part>``."""
    files = [{**s._asdict(), "edits": s.edits, **s.rates()} for s in (*scores, pool(scores))]
    together = files.pop()
    del together["name"]
    means = {"mean": mean(scores), "weighted_mean": together}
    content = {"protocol": protocol, "files": files, **means}
    return json.dumps(content, ensure_ascii=False, indent=1)


def main(args: list[str] | None = None) -> None:
    """Score files.

    Args:
        args: Command line without ``dctc score``; None takes that of the process.
    """
    parser = argparse.ArgumentParser(
        prog="dctc score",
        description="Accuracy, NED, CER and its parts of files of predictions.",
        epilog="A file has lines 'index [prediction] [label]', or is tab-separated with a head "
        "that has the columns key, prediction and label; .xz and .gz are unpacked.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="predictions with their labels")
    parser.add_argument(
        "--protocol",
        required=True,
        choices=list(PROTOCOLS),
        help="normalisation of predictions and labels before comparison",
    )
    parser.add_argument("--json", action="store_true", help="counts and shares as JSON")
    options = parser.parse_args(args)

    protocol = get_protocol(options.protocol)
    scores = [score(_name(file), read_predictions(file), protocol) for file in options.files]
    if options.json:
        print(as_json(scores, options.protocol))
    else:
        table(scores, options.protocol).print(Console())


def _name(file: str) -> str:
    return Path(Path(file).name.removesuffix(".xz").removesuffix(".gz")).stem
