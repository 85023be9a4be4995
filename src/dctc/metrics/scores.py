"""Word accuracy, NED and CER of each set; label and prediction of each sample."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn
from torchmetrics import MetricCollection

from dctc.metrics import CharacterErrorRate, NormalizedEditDistance, WordAccuracy
from dctc.text.decode import Certainty


class Outcome(NamedTuple):
    """Label and prediction of one sample.

    Attributes:
        key: Key of the sample.
        label: Its label under the protocol.
        prediction: The reading under the protocol.
        confidence: Geometric mean of the probabilities of its characters.
        certainty: Log-probabilities of the reading; None where they are not known.
    """

    key: str
    label: str
    prediction: str
    confidence: float
    certainty: Certainty | None = None


class SetScores(nn.Module):
    """Word accuracy, NED and CER of each set, and of all of them together.

    Args:
        names: Names of the sets.
    """

    # nn.Module's attributes are opaque to type checkers
    of_sets: Any
    of_all: Any

    def __init__(self, names: Sequence[str] = ()) -> None:
        super().__init__()
        self.names = tuple(names)
        self.of_sets = nn.ModuleList(_scores() for _ in self.names)
        self.of_all = _scores()

    def update(self, number: int, outcomes: Sequence[Outcome]) -> None:
        """Count samples of the set with this number."""
        predictions = [outcome.prediction for outcome in outcomes]
        labels = [outcome.label for outcome in outcomes]
        for scores in (self.of_sets[number], self.of_all):
            scores.update(predictions, labels)

    def compute(self) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Return the name and the scores of each set, then those of all, whose name is empty."""
        for name, scores in zip(self.names, self.of_sets, strict=True):
            yield name, scores.compute()
        yield "", self.of_all.compute()


def _scores() -> MetricCollection:
    return MetricCollection(
        {
            "accuracy": WordAccuracy(),
            "ned": NormalizedEditDistance(),
            "cer": CharacterErrorRate(),
        }
    )
