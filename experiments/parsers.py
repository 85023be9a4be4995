"""Argument parsers of the scripts, apart from what these run: help needs no torch."""

from __future__ import annotations

import argparse
import ast
from pathlib import Path

from dctc.parsers import study_parser

SCALES = ("tiny", "smoke", "small")
RESULTS = "experiments/results"
FIGURES = ("figure1", "figure2", "figure3", "figure4", "figure4-chinese", "one_word")
# What experiments/results/TABLES.md is drawn from, as far as it is there
TARGETS = (
    "renderer",
    "table1",
    "table1-sroie",
    "protocol",
    "protocol-scene",
    "finetune",
    "table2",
    "table3",
    "table3-english",
    "ablations",
)
_SCALES_OF = {  # scripts that run studies
    **dict.fromkeys(("table1", "table2", "table3", "ablations"), SCALES),
    **dict.fromkeys(("figure1", "figure2", "figure3", "figure4"), SCALES),
    "demo": ("tiny", "smoke"),
    "renderer": ("tiny", "small"),
}
SCRIPTS = (*_SCALES_OF, "pages", "publish", "status")


def parser_of(name: str) -> argparse.ArgumentParser:
    """Return the parser of a script, one of :data:`SCRIPTS`; its docstring is the description."""
    source = Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8")
    description = ast.get_docstring(ast.parse(source)) or ""
    if name in _SCALES_OF:
        parser = study_parser(description, _SCALES_OF[name], not name.startswith("figure"))
    else:
        parser = argparse.ArgumentParser(description=description)
    parser.prog = f"python -m experiments {name}"
    add = parser.add_argument
    if name == "table3":
        english = "train the losses on scene words; without it those on FUNSD words"
        add("--english", action="store_true", help=english)
    elif name == "pages":
        add("--check", action="store_true", help="write nothing; fail if it differs")
    elif name == "status":
        add("--scale", choices=SCALES, default="smoke", help="default: smoke")
        add(
            "targets",
            nargs="*",
            help="of ./reproduce.sh, such as table1; without: tables and figures",
        )
    elif name == "publish":
        runs = f"names of runs, with * for any part (default: all of {', '.join(TARGETS)})"
        figures = (
            f"figures in place of runs, of {', '.join(FIGURES)}: arrays from runs, or else those "
            f"that are published, and pictures drawn from them"
        )
        bench = "benchmarks, such as losses, in place of runs"
        adopted = (
            "the other way round: take published results over, so that those runs are not trained "
            "again"
        )
        add("--to", type=Path, default=Path(RESULTS), help=f"default: {RESULTS}")
        add = parser.add_mutually_exclusive_group().add_argument
        add("--runs", nargs="+", metavar="NAME", help=runs)
        add("--figures", nargs="+", choices=FIGURES, metavar="FIGURE", help=figures)
        add("--bench", nargs="+", metavar="NAME", help=bench)
        add("--adopt", action="store_true", help=adopted)
    return parser
