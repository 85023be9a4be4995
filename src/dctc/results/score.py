"""``dctc score``: accuracy, NED, CER and its parts of files of predictions."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from dctc.metrics.edit_distance import EditOperations, edit_operations, normalized_similarity
from dctc.results.predictions import Prediction, read_predictions
from dctc.results.tables import Table, percent
from dctc.text.protocol import PROTOCOLS, Protocol, get_protocol

PARTS = EditOperations._fields
NOTES = (
    "Accuracy: share of predictions that equal their label, both under the protocol.",
    "NED: mean of 1 - edit distance / length of the longer of the two; higher is better.",
    "CER: summed edit distance / summed length of the labels. Its parts, of the same length: sub "
    "(characters read as others), del (left out) and ins (added). Where several shortest ways lead "
    "from label to prediction, rapidfuzz's is taken; del less ins does not hang on that.",
)


@dataclass(frozen=True)
class Score:
    """How well a file of predictions reads.

    Attributes:
        name: The file, without folder and endings.
        n: Samples scored.
        correct: Samples read exactly.
        substitutions: Characters of the labels that were read as others.
        deletions: Characters of the labels that are missing.
        insertions: Characters that were read where the labels have none.
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
        """Return accuracy, NED, CER and its parts as shares; none that is a share of nothing."""
        rates = {}
        if self.n:
            rates = {"accuracy": self.correct / self.n, "ned": self.similarity / self.n}
        if self.characters:
            rates["cer"] = self.edits / self.characters
            rates |= {f"cer_{part}": getattr(self, part) / self.characters for part in PARTS}
        return rates


def score(name: str, predictions: Iterable[Prediction], protocol: Protocol) -> Score:
    """Score predictions, the protocol applied to both sides.

    Samples whose label is empty under the protocol are left out and counted.
    """
    n = correct = characters = dropped = 0
    similarity, operations = 0.0, EditOperations(0, 0, 0)
    for _, prediction, label in predictions:
        prediction, label = protocol(prediction), protocol(label)
        if not label:
            dropped += 1
            continue
        n += 1
        correct += prediction == label
        of_sample = edit_operations(prediction, label)
        operations = EditOperations(*map(sum, zip(operations, of_sample, strict=True)))
        characters += len(label)
        similarity += normalized_similarity(prediction, label)
    return Score(name, n, correct, *operations, characters, similarity, dropped)


def pool(scores: Sequence[Score]) -> Score:
    """Return the score of all samples together: each file weighs as its samples do."""
    counts = ("n", "correct", *PARTS, "characters", "similarity", "dropped")
    return Score("weighted mean", *(sum(getattr(s, count) for s in scores) for count in counts))


def mean(scores: Sequence[Score]) -> dict[str, float]:
    """Return the plain means over files; none where a file has nothing to take it of."""
    rates = [score.rates() for score in scores]
    names = [name for name in rates[0] if all(name in r for r in rates)]
    return {name: sum(r[name] for r in rates) / len(rates) for name in names}


def table(scores: Sequence[Score], protocol: str) -> Table:
    """Lay scores out, with their means below if there are several."""
    rows = [_row(score.name, score, score.rates()) for score in scores]
    if len(scores) > 1:
        together = pool(scores)
        rows += [
            ["mean", "", "", *_cells(mean(scores))],
            _row(together.name, together, together.rates()),
        ]
    columns = ["file", "n", "dropped", "accuracy %", "NED", "CER %", "sub %", "del %", "ins %"]
    return Table(f"Scored under the protocol {protocol}", columns, rows, NOTES)


def _row(name: str, score: Score, rates: dict[str, float]) -> list[str]:
    return [name, f"{score.n:,}", f"{score.dropped:,}", *_cells(rates)]


def _cells(rates: dict[str, float]) -> list[str]:
    ned = f"{rates['ned']:.4f}" if "ned" in rates else "-"
    shares = ("accuracy", "cer", *(f"cer_{part}" for part in PARTS))
    accuracy, *errors = (percent(rates[k], 1) if k in rates else "-" for k in shares)
    return [accuracy, ned, *errors]


def as_json(scores: Sequence[Score], protocol: str) -> str:
    """Return counts and rates as JSON: shares, not percent, those of the CER as ``cer_<part>``."""

    def row(score: Score) -> dict[str, Any]:
        return {**vars(score), "edits": score.edits, **score.rates()}

    together = row(pool(scores))
    del together["name"]
    return json.dumps(
        {
            "protocol": protocol,
            "files": [row(score) for score in scores],
            "mean": mean(scores),
            "weighted_mean": together,
        },
        ensure_ascii=False,
        indent=1,
    )


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
        "--protocol", required=True, choices=list(PROTOCOLS), help="what is not told apart"
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
