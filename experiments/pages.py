"""Writes the tables of the committed evidence into the pages that show them, or compares them."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import runpy
import sys
import tempfile
from pathlib import Path

from dctc.bench import benchmark_tables
from dctc.cli import one_line_errors
from dctc.results.registry import Registry
from experiments.figures.published import TABLES, number_table
from experiments.studies.headline import edits_table, headline_table, parts_table
from experiments.tables.page import fill

RESULTS = Path("experiments/results")
PAGE, README = Path("experiments/README.md"), Path("README.md")
# Over tables 1 to 3
HEADLINES = {
    "headline": headline_table,
    "headline-edits": edits_table,
    "headline-parts": parts_table,
}
SCRIPTS = ("renderer", "table1", "table2", "table3", "ablations")


def tables() -> dict[str, str]:
    """Return every table that the evidence has, as Markdown, by script and name."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DCTC_RUNS"] = folder
        for name in SCRIPTS:
            script = Path(__file__).with_name(f"{name}.py")
            sys.argv = [str(script), "--scale", "small", "--from", str(RESULTS)]
            with contextlib.redirect_stdout(io.StringIO()):
                runpy.run_path(str(script), run_name="__main__")
            for file in sorted((Path(folder) / name).glob("*.md")):
                found[f"{name}/{file.stem}"] = file.read_text(encoding="utf-8")
    for name, draw in HEADLINES.items():
        if table := draw(Registry(RESULTS)):
            found[name] = table.markdown()
    for name in TABLES:
        found[name] = number_table(name).markdown()
    return found


def main() -> None:
    """Write the pages, or compare them.

    Raises:
        ValueError: If the pages are to be compared and one differs.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if one differs")
    options = parser.parse_args()
    measured = benchmark_tables(RESULTS / "bench")
    benchmarks = {f"bench/{name}": table.markdown() for name, table in measured.items()}
    for page, shown in ((PAGE, tables()), (README, benchmarks)):
        text = page.read_text(encoding="utf-8")
        filled = fill(text, shown)
        if options.check and filled != text:
            raise ValueError(f"{page} differs from {RESULTS}; ./reproduce.sh pages writes it")
        if not options.check:
            page.write_text(filled, encoding="utf-8")
            print(f"written to {page}")


if __name__ == "__main__":
    with one_line_errors("pages"):
        main()
