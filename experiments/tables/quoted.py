"""Published accuracies, as the paper or later papers print them: a table of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from dctc.results.tables import Table


@dataclass(frozen=True)
class Quoted:
    """One published row.

    Attributes:
        model: Name of the model.
        loss: What it was trained with.
        mark: How it is known to us: Q is quoted by a later paper.
        source: Where it was read.
        accuracy: Percent by set, digit by digit as published.
        mean: The mean as published.
    """

    model: str
    loss: str
    mark: str
    source: str
    accuracy: Mapping[str, str]
    mean: str

    def mean_of(self, sets: Sequence[str]) -> float:
        """Return the mean over some of its sets, in percent."""
        return sum(float(self.accuracy[name]) for name in sets) / len(sets)


def read_quoted(file: Path) -> tuple[dict[str, int], list[Quoted]]:
    """Return the sizes of the sets and the rows of a file of published values.

    Args:
        file: YAML with ``sets`` (name to size) and ``rows`` (the attributes of :class:`Quoted`;
            the accuracies in the order of the sets, with spaces between them).

    Raises:
        OSError: If the file cannot be read.
        ValueError: If a row has not one accuracy for each set.
    """
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    sets: dict[str, int] = content["sets"]
    rows = []
    for row in content["rows"]:
        values = row["accuracy"].split()
        if len(values) != len(sets):
            raise ValueError(
                f"{file}: {row['model']}, {row['loss']} has {len(values)} accuracies for the "
                f"{len(sets)} sets"
            )
        rows.append(Quoted(**{**row, "accuracy": dict(zip(sets, values, strict=True))}))
    return sets, rows


def quoted_table(
    title: str,
    sets: Mapping[str, int],
    rows: Sequence[Quoted],
    mean: str,
    shared: tuple[str, Sequence[str]],
    notes: Sequence[str] = (),
) -> Table:
    """Draw published rows as they were printed, with one mean that we compute.

    Args:
        title: Heading.
        sets: Sizes of the sets by name.
        rows: What was published.
        mean: Name of the published mean.
        shared: Name of the computed mean, and its sets.
        notes: Lines below the table.
    """
    name, of = shared
    cells = [
        [
            f"{row.model}, {row.loss}",
            row.mark,
            *(row.accuracy[column] for column in sets),
            row.mean,
            f"{row.mean_of(of):.2f}",
        ]
        for row in rows
    ]
    heads = [f"{column} {size:,}" for column, size in sets.items()]
    sources: dict[str, list[str]] = {}
    for row in rows:
        sources.setdefault(row.source, []).append(f"{row.model}, {row.loss}")
    explained = [
        f"As published, in percent; the {name} ({', '.join(of)}) is computed from the row.",
        "Q: quoted by a later paper, not seen in the paper itself.",
        *(f"{source}: {'; '.join(found)}." for source, found in sources.items()),
    ]
    columns = ["published", "mark", *heads, mean, name]
    return Table(title, columns, cells, [*explained, *notes])
