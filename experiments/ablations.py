"""Ablations of DCTC: one factor at a time, each with a table of its own.

Words of forms (FUNSD), trained as in the comparison of losses; runs that it has trained are not
trained again. Against the true alignment, which only rendered words have, on rendered scene words.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from rich.console import Console

from dctc.arguments import names, seeds
from dctc.cli import one_line_errors
from dctc.data.rendered import NAME as RENDERED
from dctc.results.comparison import Row, find_arms
from dctc.results.registry import Registry
from dctc.results.tables import Table
from dctc.results.upload import LogMode, report
from dctc.studies.parallel import Outcome, execute_all
from dctc.studies.runner import Run
from dctc.studies.study import Study
from dctc.studies.weight_search import Found
from experiments.studies.ablation_factors import ALPHA, MODEL, Factor, Level, Scale, factors
from experiments.studies.scene_runs import TINY, SceneRuns, both_losses, limited
from experiments.studies.table_script import run_script, table_parser
from experiments.studies.word_runs import WordRuns, words_are_there
from experiments.tables.factor_table import factor_table

# What the comparison of losses (experiments/table3.py) and that of models (table1.py) train too
TABLE3 = (
    *("ctc", "dctc-0.01", "dctc-0.03", "dctc-0.1", "dctc_posterior-0.1", "dctc_viterbi-0.1"),
    "ctc_augmented",
)
TABLE1 = tuple(arm.key for arm in both_losses(MODEL))
COMMON = {f"dctc-{ALPHA}", *TABLE1}  # what is compared with CTC in every factor

SCALES = {
    "tiny": Scale(
        seeds=(0,),
        steps=1,
        weights=(ALPHA,),
        estimators=(),
        lengths=(),
        words=(8,),
        options=TINY,
        scene="tiny",
    ),
    "smoke": Scale(
        seeds=(0,),
        steps=60,
        weights=("0.01", ALPHA),
        estimators=("posterior",),
        lengths=(30,),
        words=(1000,),
        options=(*limited(60), "--trainer.limit_test_batches=4"),
        scene="short",
    ),
    "small": Scale(
        seeds=(0, 1, 2),
        steps=6250,
        weights=("0.01", "0.03", ALPHA, "0.3", "1.0"),
        estimators=("posterior", "viterbi", "greedy"),
        lengths=(1600, 3125, 12500),
        words=(1000, 3000, 10_000),
    ),
}


@dataclass(frozen=True)
class Plan:
    """The runs of one scale.

    Attributes:
        scale: Name of the scale.
        real: Whether FUNSD is there; rendered words stand in where it is not.
    """

    scale: str
    real: bool

    @property
    def name(self) -> str:
        """Folder of the runs, and the first part of the names of arms that are ours alone."""
        return "ablations" if self.scale == "small" else f"ablations-{self.scale}"

    @property
    def words(self) -> WordRuns:
        """The data of trainings on FUNSD."""
        return WordRuns(self.real, tiny=self.scale == "tiny")

    @property
    def scene(self) -> SceneRuns:
        """The data of trainings on rendered scene words."""
        return SceneRuns(SCALES[self.scale].scene)

    def factors(self, only: Sequence[str] = ()) -> list[Factor]:
        """Return the factors among those asked for; none means all.

        The amount of data can be varied where it is limited, which rendered words are not.
        """
        known = factors(SCALES[self.scale])
        return [f for f in known if (not only or f.key in only) and (self.real or f.key != "words")]

    def study(self, key: str) -> str:
        """Return the first part of the name of an arm: whose runs they are."""
        if self.scale == "small":
            for name, keys in (("table3", TABLE3), ("table1", TABLE1)):
                if key in keys:
                    return name
        return self.name

    def arm_name(self, key: str) -> str:
        """Return the name of an arm in the registry."""
        return f"{self.study(key)}/{key}"

    def run(self, factor: Factor, level: Level, seed: int) -> Run:
        """Return the training of a level."""
        scale, arm = SCALES[self.scale], level.arm
        if not factor.scene:
            return self.words.run(self.arm_name(arm.key), (*scale.options, *arm.options), seed)
        return Study(self.study(arm.key), (arm,), (seed,), self.scene.options).run(arm, seed)

    def runs(self, chosen: Sequence[Factor], seeds: Sequence[int]) -> list[Run]:
        """Return all runs once: of each seed all levels, so that a sitting cut short compares."""
        every = (self.run(f, level, seed) for seed in seeds for f in chosen for level in f.levels)
        return list({run.name: run for run in every}.values())

    def rows(self, factor: Factor, found: Found) -> Iterator[Row]:
        """Yield the rows of a factor's table: the runs of its seeds."""
        test = RENDERED if factor.scene else self.words.sets[1]
        for level in factor.levels:
            of_set = found.get(self.arm_name(level.arm.key), {}).get(test, {})
            tested = {s: r for s, r in sorted(of_set.items()) if s in SCALES[self.scale].seeds}
            yield Row(level.arm.key, level.arm.title, "", tested, {}, level.against)


def draw(plan: Plan, registry: Registry, log: LogMode, console: Console) -> None:
    """Print the tables of what a registry holds, and write them as Markdown and CSV."""
    found = find_arms(registry, "")
    tables: dict[str, Table] = {}
    for factor in plan.factors():
        rows = list(plan.rows(factor, found))
        tested = {row.key for row in rows if row.tested}
        # CTC and DCTC as all factors have them say nothing of one: another comparison does
        if any({row.key, row.reference} <= tested and row.key not in COMMON for row in rows):
            title = f"{factor.title} ({RENDERED if factor.scene else plan.words.sets[1]})"
            notes = [*factor.notes, *(plan.words.notes if not factor.scene else [])]
            if plan.scale != "small":
                notes.append("Short trainings: a trial, no result.")
            tables[factor.key] = factor_table(title, registry, rows, notes)
    report(plan.name, log, tables, console)


def parse() -> argparse.Namespace:
    """Parse the command line.

    Raises:
        ValueError: If a factor does not exist, or a seed is none of the tables'.
    """
    parser = table_parser(__doc__ or "", tuple(SCALES))
    add = parser.add_argument
    add("--only", type=names, default=[], help="train these: FACTOR[,FACTOR]")
    add("--seeds", type=seeds, help="these seeds: SEED[,SEED]")
    options = parser.parse_args()
    scale = SCALES[options.scale]
    known = [factor.key for factor in factors(scale)]
    for key in options.only:
        if key not in known:
            raise ValueError(f"--only {key}: there are {', '.join(known)}")
    for seed in options.seeds or ():
        if seed not in scale.seeds:
            raise ValueError(f"--seeds {seed}: the tables have {', '.join(map(str, scale.seeds))}")
    return options


def plans(
    scale: str, only: Sequence[str] = (), seeds: Sequence[int] | None = None
) -> dict[str, list[Run]]:
    """Return all runs of factors."""
    plan = Plan(scale, real=True)
    return {plan.name: plan.runs(plan.factors(only), seeds or SCALES[scale].seeds)}


def train(plan: Plan, options: argparse.Namespace) -> dict[str, Outcome]:
    """Train what is missing; return what became of each run."""
    chosen = plan.factors(options.only)
    if any(factor.scene for factor in chosen):
        plan.scene.words.write()
    runs = plan.runs(chosen, options.seeds or SCALES[options.scale].seeds)
    return execute_all(runs, options.jobs, options.log)


def main() -> None:
    """Train, and compare."""
    options = parse()
    there = options.source or options.status
    needed = options.scale == "small" and not all(
        factor.scene for factor in Plan(options.scale, True).factors(options.only)
    )
    plan = Plan(options.scale, bool(there) or words_are_there(needed, Console()))
    run_script(
        options,
        draw=partial(draw, plan),
        plans=lambda: plans(options.scale, options.only, options.seeds),
        train=lambda _: train(plan, options),
    )


if __name__ == "__main__":
    with one_line_errors("ablations"):
        main()
