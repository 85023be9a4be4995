"""Ablations of DCTC: one factor at a time, each with a table of its own.

Words of forms (FUNSD), trained as in the comparison of losses; runs that it has trained are not
trained again. Against the true alignment, which only rendered words have, on rendered scene words.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from rich.console import Console

from dctc.arguments import names, seeds
from dctc.cli import one_line_errors
from dctc.data.rendered import NAME as RENDERED
from dctc.reporting.comparison import Row, find_arms
from dctc.reporting.factor_table import factor_table
from dctc.reporting.registry import Registry
from dctc.reporting.tables import Table
from dctc.training.cli import LogMode
from dctc.training.parallel import Outcome, execute_all
from dctc.training.runs import Run
from dctc.training.scene_runs import (
    DATA,
    DISTILL_WEIGHT,
    TINY,
    SceneRuns,
    both_losses,
    limited,
    net,
)
from dctc.training.study import Arm, Study
from dctc.training.table_script import run_script, table_parser
from dctc.training.upload import report
from dctc.training.weight_search import Found
from dctc.training.word_runs import WordRuns, dctc_template, fragment, words_are_there

FRAMES = 32  # t, of 128 pixels; every image has that width
NARROW, NARROW_FRAMES = 32, 8  # pixels and frames where labels that do not fit are many
ALPHA = str(DISTILL_WEIGHT)
# What the comparison of losses (experiments/table3.py) and that of models (table1.py) train too
TABLE3 = (
    *("ctc", "dctc-0.01", "dctc-0.03", "dctc-0.1", "dctc_posterior-0.1", "dctc_viterbi-0.1"),
    "ctc_augmented",
)
MODEL = "small_resnet"
TABLE1 = tuple(arm.key for arm in both_losses(MODEL))


@dataclass(frozen=True)
class Level:
    """One row of a table.

    Attributes:
        arm: Its name in the registry is that of a study and this key.
        against: Key of what it is compared with; empty for a reference.
    """

    arm: Arm
    against: str = ""


@dataclass(frozen=True)
class Factor:
    """What is varied.

    Attributes:
        key: Its name on the command line, and of its table's files.
        title: Heading of its table.
        levels: Its rows.
        notes: Lines below the table.
        scene: Whether rendered scene words are trained on, in place of FUNSD.
    """

    key: str
    title: str
    levels: tuple[Level, ...]
    notes: tuple[str, ...] = ()
    scene: bool = False


@dataclass(frozen=True)
class Scale:
    """How much is run.

    Attributes:
        seeds: Seeds of every run.
        steps: Optimizer steps.
        weights: Weights of the distillation term.
        estimators: Estimators beside the likelihood.
        lengths: Other numbers of steps.
        words: Other numbers of training words.
        options: What it changes in every training on FUNSD.
        scene: Name of the scale of trainings on scene words.
    """

    seeds: tuple[int, ...]
    steps: int
    weights: tuple[str, ...]
    estimators: tuple[str, ...]
    lengths: tuple[int, ...]
    words: tuple[int, ...]
    options: tuple[str, ...] = ()
    scene: str = "small"


def of_length(steps: int) -> tuple[str, ...]:
    """Return the options of a training of so many steps, validated five times."""
    return (f"--trainer.max_steps={steps}", f"--trainer.val_check_interval={steps // 5}")


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

CTC = Level(Arm("ctc", "CTC", fragment("ctc")))


def dctc(
    weight: str,
    estimator: str = "likelihood",
    key: str = "",
    title: str = "",
    options: tuple[str, ...] = (),
    against: str = "ctc",
    **arguments: int,
) -> Level:
    """Return DCTC at a weight, and what else is changed, by key and title."""
    name = "dctc" if estimator == "likelihood" else f"dctc_{estimator}"
    callback = dctc_template(estimator, **arguments).format(weight)
    arm = Arm(f"{name}-{weight}{key}", f"DCTC {weight}{title}", (*options, callback))
    return Level(arm, against)


def pair(key: str, title: str, options: tuple[str, ...]) -> tuple[Level, Level]:
    """Return CTC and DCTC under a condition."""
    reference = Arm(f"ctc{key}", f"CTC{title}", (*CTC.arm.options, *options))
    return Level(reference), dctc(ALPHA, "likelihood", key, title, options, reference.key)


def factors(scale: Scale) -> tuple[Factor, ...]:
    """Return every factor of a scale."""
    means = ", ".join(f"{float(w) * FRAMES:g}" for w in scale.weights)
    weight = Factor(
        "weight",
        "Weight of the distillation term",
        (CTC, *(dctc(w) for w in scale.weights)),
        (
            f"Sum or mean over frames: all images have {FRAMES} frames, so that the sum at a "
            f"weight is the mean at {FRAMES} times that weight. These rows are the mean at "
            f"{means} too; no other runs are needed.",
        ),
    )
    estimators = [dctc(ALPHA, name, "", f", {name} estimate") for name in scale.estimators]
    estimator = Factor(
        "estimator",
        "Estimator of z*",
        (CTC, dctc(ALPHA, title=", likelihood estimate"), *estimators),
    )
    half = scale.steps // 2
    warmup = Factor(
        "warmup",
        "Warm-up of the weight",
        (
            CTC,
            dctc(ALPHA),
            dctc(
                ALPHA,
                key=f"-warmup{half}",
                title=f", warm-up over {half:,} steps",
                warmup_steps=half,
            ),
        ),
    )
    narrow = (f"{DATA}.width={NARROW}",)
    key, title = f"-w{NARROW}", f", {NARROW_FRAMES} frames"
    bare = (
        *narrow,
        "--model.loss=dctc.losses.DCTCLoss",
        "--model.loss.init_args.mask_infeasible=false",
    )
    reference = Arm(f"ctc{key}", f"CTC{title}", (*CTC.arm.options, *narrow))
    mask = Factor(
        "mask",
        f"Mask of samples whose label does not fit, at {NARROW_FRAMES} frames",
        (
            Level(reference),
            dctc(ALPHA, "likelihood", key, f"{title}, mask", narrow, reference.key),
            dctc(
                *(ALPHA, "likelihood", f"{key}-unmasked", f"{title}, no mask", bare),
                reference.key,
            ),
        ),
        (
            "Without the mask, as in the authors' code, each frame of such a sample is trained to "
            f"blank. Images are {NARROW} pixels wide: {UNFIT}",
        ),
    )
    words = Factor(
        "words",
        "Amount of training data",
        (
            *(level for n in scale.words for level in pair(f"-{n}w", f", {n:,} words", first(n))),
            CTC,
            dctc(ALPHA),
        ),
        (
            "The first so many training words in the order of their pages, the same for every "
            "seed; all arms see as many images. Rows that name no number have all words.",
        ),
    )
    length = Factor(
        "length",
        "Length of the training",
        (
            *(
                level
                for n in scale.lengths
                for level in pair(f"-{n}s", f", {n:,} steps", of_length(n))
            ),
            CTC,
            dctc(ALPHA),
        ),
        (f"Rows that name no number have {scale.steps:,} steps.",),
    )
    augment = (f"{DATA}.augment=1.0",)
    augmented = Arm("ctc_augmented", "CTC, augmented", (*CTC.arm.options, *augment))
    noise = Factor(
        "noise",
        "Noise in the training images",
        (
            Level(augmented),
            dctc(ALPHA, "likelihood", "-augmented", ", augmented", augment, augmented.key),
            CTC,
            dctc(ALPHA),
        ),
        (
            "Augmented: training images are warped, recoloured, blurred and made noisy at random; "
            "test images are as they are everywhere.",
        ),
    )
    return (weight, estimator, warmup, mask, words, length, noise, true_alignment())


# Labels after english36; dctc data stats --frames 8 gives the shares
UNFIT = (
    "2,778 of the 19,044 training words and 1,169 of the 8,510 test words do not fit, and no loss "
    "makes the latter readable. At the 32 frames of the other tables all words fit, and the mask "
    "changes nothing."
)


def first(size: int) -> tuple[str, ...]:
    """Return the option that trains on the first words only."""
    return (f"{DATA}.train_size={size}",)


def true_alignment() -> Factor:
    """Return the comparison of the estimate with the truth, on rendered words."""
    ctc, own = both_losses(MODEL)  # as the comparison of models has them
    given = dctc_template("given").format(ALPHA)
    return Factor(
        "alignment",
        "True alignment in place of z*: rendered scene words",
        (
            Level(replace(ctc, title="CTC")),
            Level(replace(own, title=f"DCTC {ALPHA}, likelihood estimate"), ctc.key),
            Level(
                Arm(
                    f"dctc_given-{ALPHA}",
                    f"DCTC {ALPHA}, true alignment",
                    (*net(MODEL), given),
                ),
                ctc.key,
            ),
        ),
        (
            "Held-out words in fonts of the training. The true alignment is an oracle that real "
            "words do not have: a frame belongs to the character that covers its centre, else to "
            "the blank.",
        ),
        scene=True,
    )


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
        # CTC and DCTC as all factors have them say nothing of one: a third row does
        if sum(bool(row.tested) for row in rows) > 2:
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
    plan = Plan(options.scale, bool(there) or words_are_there(options.scale == "small", Console()))
    run_script(
        options,
        draw=partial(draw, plan),
        plans=lambda: plans(options.scale, options.only, options.seeds),
        train=lambda _: train(plan, options),
    )


if __name__ == "__main__":
    with one_line_errors("ablations"):
        main()
