"""Published accuracies as tables: quoted digit by digit, with their sources."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from dctc.tables import Table

FOLDER = Path(__file__).parents[1] / "paper"


def english_table(five: Sequence[str]) -> Table:
    """Return the published English accuracies, with the mean of five sets computed from each row.

    Raises:
        ValueError: If a row has not one value for each set.
    """
    content = _read("english.yaml")
    sets: dict[str, int] = content["sets"]
    rows, sources = [], dict[str, list[str]]()
    for row in content["rows"]:
        name = f"{row['model']}, {row['loss']}"
        values = _values(row["accuracy"], len(sets), name)
        mean = sum(float(values[list(sets).index(one)]) for one in five) / len(five)
        rows.append([name, row["mark"], *values, row["mean"], f"{mean:.2f}"])
        sources.setdefault(row["source"], []).append(name)
    columns = ["published", "mark", *_heads(sets), "six-set mean", "five-set mean"]
    notes = [
        f"As published, in percent; the five-set mean ({', '.join(five)}) is computed from it. "
        "IC15_1811 is a subset of the IC15_2077 that ours are scored on: compare five-set means.",
        "Q: quoted by a later paper, not seen in the paper itself.",
        *(f"{source}: {'; '.join(names)}." for source, names in sources.items()),
    ]
    return Table("Published: English, trained on MJSynth and SynthText", columns, rows, notes)


def chinese_tables() -> dict[str, Table]:
    """Return the published accuracies of the Chinese benchmark: of both losses, of its baselines.

    Raises:
        ValueError: If a row has not one value for each column.
    """
    content = _read("chinese.yaml")
    more = {"losses": ["mean", "weighted mean", "size"], "baselines": []}
    titles = {
        "losses": "Published: Chinese benchmark, word accuracy in percent",
        "baselines": "Published: the Chinese benchmark's baselines, word accuracy in percent / NED",
    }
    tables = {}
    for key, further in more.items():
        columns = [*_heads(content["sets"]), *further]
        rows = [
            [row["trained"], row["mark"], *_values(row["values"], len(columns), row["trained"])]
            for row in content[key]
        ]
        marks = {row[1] for row in rows}
        notes = [f"{mark}: {text}." for mark, text in content["marks"].items() if mark in marks]
        if further:
            notes.append(
                "Size: parameters. -: not known. The paper claims gains of up to 2.6 %; Web gains "
                "2.9 points with SVTR-B here, so that the claim cannot be placed."
            )
        tables[key] = Table(titles[key], ["published", "mark", *columns], rows, notes)
    return tables


def _read(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((FOLDER / name).read_text(encoding="utf-8")))


def _heads(sets: dict[str, int]) -> list[str]:
    return [f"{name} {size:,}" for name, size in sets.items()]


def _values(text: str, count: int, row: str) -> list[str]:
    values = text.split()
    if len(values) != count:
        raise ValueError(f"published row {row}: {len(values)} of {count} values")
    return values
