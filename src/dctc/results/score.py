"""``dctc score``: accuracy, NED, CER and its parts of files of predictions."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from dctc.metrics.edit_distance import EditOperations, edit_operations, normalized_similarity
from dctc.results.predictions import Prediction, read_predictions
from dctc.tables import Table, percent
from dctc.text.alterations import Alterations
from dctc.text.protocol import EMPTY_LABELS_COUNT, Protocol, get_protocol

PARTS = EditOperations._fields
NOTES = (
    "Accuracy: share of predictions that equal their label, both under the protocol.",
    "NED: mean of 1 - edit distance / length of the longer of the two; higher is better.",
    "CER: summed edit distance / summed length of the labels. Its parts, of the same length: sub, "
    "del, ins (substitutions, deletions, insertions). Where minimal alignments tie, rapidfuzz's "
    "counts; del minus ins does not depend on it.",
)


class Score(NamedTuple):
    """Counts of a file of predictions.

    Attributes:
        name: The file, without folder and endings, unless several would bear one name.
        n: Samples scored.
        correct: Samples read exactly.
        substitutions: Summed substitutions, see :mod:`dctc.metrics.edit_distance`.
        deletions: Summed deletions: characters of labels that predictions lack.
        insertions: Summed insertions: characters of predictions that labels lack.
        characters: Summed label length.
        similarity: Summed normalized similarity (NED times n).
        dropped: Samples left out because their label is empty under the protocol.
        empty: Samples scored although it is, as FudanVI's scorer has it.
        unread: Samples left out because their image could not be decoded.
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
    empty: int = 0
    unread: int = 0

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
        predictions: From :func:`~dctc.results.predictions.read_predictions`. Samples whose label is
            empty under the protocol are left out and counted; under those of
            :data:`EMPTY_LABELS_COUNT` they are scored. Those without a prediction, as their image
            could not be decoded, are left out and counted too.
        protocol: From :func:`dctc.text.protocol.get_protocol`.
    """
    kept = protocol in EMPTY_LABELS_COUNT
    samples = [Score(name, 0, 0, 0, 0, 0, 0, 0.0, dropped=0)]
    for key, prediction, label in predictions:
        if prediction is None:
            samples.append(Score(key, 0, 0, 0, 0, 0, 0, 0.0, dropped=0, unread=1))
            continue
        prediction, label = protocol(prediction), protocol(label)
        if not (label or kept):
            samples.append(Score(key, 0, 0, 0, 0, 0, 0, 0.0, dropped=1))
            continue
        edits, ned = edit_operations(prediction, label), normalized_similarity(prediction, label)
        hit, empty = prediction == label, int(not label)
        samples.append(Score(key, 1, hit, *edits, len(label), ned, dropped=0, empty=empty))
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
    empty = sum(score.empty for score in scores)
    notes = (f"Scored too: {empty:,} with an empty label, as FudanVI's scorer does.",) * bool(empty)
    for one in scores:
        if one.unread:
            notes += (f"{one.name}: {one.unread:,} images could not be decoded; not scored.",)
        if not one.n:
            notes += (f"{one.name}: no sample has a label under this protocol.",)
    return Table(f"Scored under the protocol {protocol}", columns, rows, NOTES + notes)


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


def main(options: Namespace) -> None:
    """Run ``dctc score``."""
    protocol = get_protocol(options.protocol)
    scores = []
    for name, file in zip(_names(options.files), options.files, strict=True):
        altered, predictions = Alterations(protocol), read_predictions(file)
        scores.append(score(name, _watched(predictions, altered), protocol))
        if altered.texts:
            said = altered.said(scores[-1].n + scores[-1].dropped)
            print(f"dctc: {name}: {said}; verbatim keeps them", file=sys.stderr)
    if options.json:
        print(as_json(scores, options.protocol))
    else:
        table(scores, options.protocol).print()


def _watched(predictions: Iterable[Prediction], altered: Alterations) -> Iterator[Prediction]:
    for found in predictions:
        altered.add(found.label, found.prediction or "")
        yield found


def _names(files: Sequence[str]) -> list[str]:
    """Return names of files without folders and endings; as given, where these would be equal."""
    names = [Path(Path(file).name.removesuffix(".xz").removesuffix(".gz")).stem for file in files]
    return [
        name if names.count(name) == 1 else file for name, file in zip(names, files, strict=True)
    ]
