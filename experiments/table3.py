"""The comparison of losses (the paper's Table 3) on real words, each at the best weight found."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console

from dctc.arguments import positive
from dctc.cli import one_line_errors
from dctc.data.document_sets import SOURCES, find_documents
from dctc.reporting.registry import Record, runs_folder
from dctc.reporting.search import choose_weight, strongest
from dctc.reporting.tables import Table, percent
from dctc.training.parallel import Outcome, execute_all
from dctc.training.runs import Run, options_parser

CONFIG = "experiments/configs/funsd.yaml"
LOSSES = "experiments/configs/loss"


@dataclass(frozen=True)
class Arm:
    """One row of the table.

    Attributes:
        key: Its name on the command line and in the registry.
        title: Its name in the table.
        option: Option that sets the weight which is searched; ``{}`` stands for the weight.
        weights: What is searched; none where there is nothing to choose.
        source: Where the weights come from.
        options: What else it changes.
        seeds: Final seeds; None where the search decides.
    """

    key: str
    title: str
    option: str = ""
    weights: tuple[str, ...] = ()
    source: str = ""
    options: tuple[str, ...] = ()
    seeds: int | None = None


def fragment(name: str) -> tuple[str, ...]:
    """Return the option that takes one of the losses' configurations."""
    return (f"--config={LOSSES}/{name}.yaml",)


def dctc(estimator: str) -> str:
    """Return the option that trains with DCTC at a weight."""
    arguments = '{{"distill_weight": {}, "estimator": ' + json.dumps(estimator) + "}}"
    path = "dctc.training.callbacks.DCTCCallback"
    return f'--trainer.callbacks=[{{{{"class_path": "{path}", "init_args": {arguments}}}}}]'


LOSS = "--model.loss.init_args"
AUTHORS = "0.01: authors' CRNN experiment; 0.1: their default; 0.03 between"
AUGMENTED = ("--data.init_args.augment=1.0",)
# Seeds: ours. Weights: what the source names, a third and three times that.
ARMS = (
    Arm("ctc", "CTC", options=fragment("ctc"), seeds=5),
    Arm("dctc", "DCTC", dctc("likelihood"), ("0.01", "0.03", "0.1"), AUTHORS, seeds=5),
    Arm(
        "dctc_posterior",
        "DCTC, posterior z*",
        dctc("posterior"),
        ("0.01", "0.03", "0.1"),
        AUTHORS,
        seeds=3,
    ),
    Arm(
        "dctc_viterbi",
        "DCTC, Viterbi z*",
        dctc("viterbi"),
        ("0.01", "0.03", "0.1"),
        AUTHORS,
        seeds=3,
    ),
    Arm(
        "focal",
        "Focal CTC",
        f"{LOSS}.gamma={{}}",
        ("0.67", "2", "6"),
        "2: PaddleOCR",
        fragment("focal"),
    ),
    Arm(
        "enctc",
        "EnCTC",
        f"{LOSS}.entropy_weight={{}}",
        ("0.033", "0.1", "0.3"),
        "0.1: its authors' code",
        fragment("enctc"),
    ),
    Arm(
        "esctc",
        "EsCTC",
        f"{LOSS}.tau={{}}",
        ("1.17", "1.5", "2.5"),
        "1.5: its authors' code; tau - 1 is varied, as below 1 labels are left without a path",
        fragment("esctc"),
    ),
    Arm(
        "enesctc",
        "EnEsCTC",
        f"{LOSS}.entropy_weight={{}}",
        ("0.067", "0.2", "0.6"),
        "0.2: its authors' code, with tau 1.5",
        fragment("enesctc"),
    ),
    Arm(
        "label_smoothing",
        "Label smoothing",
        f"{LOSS}.weight={{}}",
        ("0.033", "0.1", "0.3"),
        "0.1: ours",
        fragment("label_smoothing"),
    ),
    Arm(
        "confidence_penalty",
        "Confidence penalty",
        f"{LOSS}.weight={{}}",
        ("0.033", "0.1", "0.3"),
        "0.1: ours",
        fragment("confidence_penalty"),
    ),
    Arm(
        "center",
        "Center loss",
        f"{LOSS}.weight={{}}",
        ("0.017", "0.05", "0.15"),
        "0.05: PaddleOCR",
        fragment("center"),
    ),
    Arm(
        "prior",
        "Label-prior CTC",
        f"{LOSS}.prior_scale={{}}",
        ("0.1", "0.3", "0.9"),
        "0.3: ours",
        fragment("prior"),
    ),
    Arm(
        "distillation",
        "Frame distillation",
        f"{LOSS}.weight={{}}",
        ("0.033", "0.1", "0.3"),
        "0.1: ours, DCTC's default, which weighs a sum over frames too",
        fragment("distillation"),
    ),
    # Two views each of half as many words: as many images as the other arms.
    Arm(
        "cr_ctc",
        "CR-CTC, augmented",
        f"{LOSS}.weight={{}}",
        ("0.067", "0.2", "0.6"),
        "0.2: the paper",
        (*fragment("cr_ctc"), "--data.init_args.batch_size=16"),
    ),
    # What CR-CTC has to be compared with: its views need augmentation, which alone changes much.
    Arm("ctc_augmented", "CTC, augmented", options=(*fragment("ctc"), *AUGMENTED), seeds=3),
    # It cannot learn the order of characters, so that there is nothing to search for.
    Arm("ace", "ACE (no order)", options=fragment("ace"), seeds=1),
)
BY_KEY = {arm.key: arm for arm in ARMS}
REFERENCE = "ctc"
SEARCH_SEED = 100  # none of the final seeds
STRONGEST, SEEDS_OF_STRONGEST, SEEDS_OF_REST = 4, 3, 1


@dataclass(frozen=True)
class Scale:
    """How much is run.

    Attributes:
        arms: Which arms.
        weights: How many weights of each.
        seeds: Final seeds at most.
        options: What it changes in every run.
    """

    arms: tuple[str, ...]
    weights: int
    seeds: int
    options: tuple[str, ...] = ()


SCALES = {
    "tiny": Scale(("ctc", "dctc"), 1, 1, ("--config=experiments/configs/trainer/tiny.yaml",)),
    "smoke": Scale(
        ("ctc", "dctc"), 2, 1, ("--trainer.max_steps=400", "--trainer.val_check_interval=200")
    ),
    "small": Scale(tuple(BY_KEY), 3, 5),
}
RENDERED = (
    "--data=dctc.data.rendered.RenderedDataModule",
    "--data.init_args.batch_size=32",
    "--data.init_args.max_length=8",
    "--data.init_args.val_size=256",
    "--data.init_args.test_size=1000",
)
TINY_RENDERED = (
    "--data.init_args.epoch_size=4",
    "--data.init_args.val_size=4",
    "--data.init_args.test_size=4",
)


@dataclass(frozen=True)
class Plan:
    """The runs of one scale on one kind of data.

    Attributes:
        scale: Name of the scale.
        real: Whether FUNSD is there; rendered words stand in where it is not.
    """

    scale: str
    real: bool

    @property
    def name(self) -> str:
        """Folder of the runs, and the first part of every arm's name in the registry."""
        return "table3" if self.scale == "small" else f"table3-{self.scale}"

    @property
    def sets(self) -> tuple[str, str]:
        """Names of the validation and the test set."""
        name = SOURCES["funsd"].name
        return (f"{name}_val", name) if self.real else ("rendered", "rendered")

    def arms(self, only: Sequence[str]) -> list[Arm]:
        """Return the arms of this scale among those asked for; none means all."""
        return [BY_KEY[key] for key in SCALES[self.scale].arms if not only or key in only]

    def weights(self, arm: Arm) -> tuple[str, ...]:
        """Return the weights that are searched; one empty one where there is nothing to choose."""
        return arm.weights[: SCALES[self.scale].weights] or ("",)

    def arm_name(self, arm: Arm, weight: str) -> str:
        """Return the name of an arm at a weight in the registry."""
        return f"{self.name}/{arm.key}" + (f"-{weight}" if weight else "")

    def run(self, arm: Arm, weight: str, seed: int) -> Run:
        """Return the training of an arm; a search is scored on validation words only."""
        validation, test = self.sets
        scored = validation if seed == SEARCH_SEED else f"{validation},{test}"
        mismatch = "--data.init_args.allow_size_mismatch=true"
        data: tuple[str, ...] = (f"--data.init_args.test=[{scored}]",)
        if self.scale == "tiny":
            data = (*data, mismatch)
        if not self.real:
            data = (*RENDERED, *(TINY_RENDERED if self.scale == "tiny" else ()))
        name = self.arm_name(arm, weight)
        return Run(
            name=f"{name}/seed{seed}",
            options=(
                f"--config={CONFIG}",
                *data,
                *arm.options,
                *((arm.option.format(weight),) if weight else ()),
                *SCALES[self.scale].options,
                f"--seed_everything={seed}",
                f"--arm={name}",
            ),
            diagnosed=True,
        )


def search(plan: Plan, arms: Sequence[Arm], jobs: int, log: str) -> tuple[dict, dict]:
    """Train every weight of every arm with the seed of the search.

    Returns:
        The validation records by arm and weight, and the outcomes by run.
    """
    runs = {(arm.key, w): plan.run(arm, w, SEARCH_SEED) for arm in arms for w in plan.weights(arm)}
    outcomes = execute_all(list(runs.values()), jobs, log)  # type: ignore[arg-type]
    scored: dict[str, dict[str, Record]] = {}
    for (key, weight), run in runs.items():
        records = outcomes[run.name].records
        if records:
            scored.setdefault(key, {})[weight] = records[plan.sets[0]]
    return scored, outcomes


def choices(plan: Plan, arms: Sequence[Arm], scored: dict) -> dict[str, str]:
    """Return the chosen weight of each arm whose search is complete."""
    complete = [arm for arm in arms if len(scored.get(arm.key, ())) == len(plan.weights(arm))]
    return {arm.key: choose_weight(scored[arm.key]) for arm in complete}


def final_seeds(plan: Plan, arms: Sequence[Arm], scored: dict, chosen: dict) -> dict[str, int]:
    """Return how many final seeds each arm with a chosen weight has."""
    rivals = {
        arm.key: scored[arm.key][chosen[arm.key]]
        for arm in arms
        if arm.seeds is None and arm.key in chosen
    }
    strong = strongest(rivals, STRONGEST) if rivals else []
    seeds = {
        arm.key: arm.seeds or (SEEDS_OF_STRONGEST if arm.key in strong else SEEDS_OF_REST)
        for arm in arms
        if arm.key in chosen
    }
    return {key: min(count, SCALES[plan.scale].seeds) for key, count in seeds.items()}


def search_table(plan: Plan, scored: dict, chosen: dict) -> Table:
    """Return what the search found."""
    rows = [
        [
            BY_KEY[key].title,
            weight or "-",
            f"{record.n:,}",
            percent(record.correct, record.n),
            percent(record.similarity, record.n),
            "chosen" if chosen.get(key) == weight else "",
            BY_KEY[key].source,
        ]
        for key, weights in scored.items()
        for weight, record in weights.items()
    ]
    columns = ["loss", "weight", "n", "accuracy", "NED", "", "weights from"]
    notes = [f"Percent of {plan.sets[0]}, validation words, after training; seed {SEARCH_SEED}."]
    if not plan.real:
        notes.append("Rendered words, on which the final runs are tested too: a trial, no result.")
    return Table("Search for the weights of the losses", columns, rows, notes)


def report_problems(outcomes: dict[str, Outcome]) -> int:
    """Print what did not come to its end; return how many runs failed."""
    for name, outcome in outcomes.items():
        if outcome.problem:
            print(f"{'not yet' if outcome.busy else 'FAILED'}: {name}: {outcome.problem}")
    return sum(bool(o.problem) and not o.busy for o in outcomes.values())


def main() -> None:
    """Search, train the chosen weights over seeds, and compare."""
    parser = options_parser(__doc__ or "", scales=tuple(SCALES))
    parser.set_defaults(log="off")
    parser.add_argument("--jobs", type=positive, default=1, help="trainings at a time")
    parser.add_argument(
        "--only", type=lambda text: text.split(","), default=[], help="these arms: ARM[,ARM]"
    )
    parser.add_argument(
        "--seeds",
        type=lambda text: [int(seed) for seed in text.split(",")],
        help="these final seeds for every arm: SEED[,SEED]",
    )
    options = parser.parse_args()
    unknown = [key for key in options.only if key not in BY_KEY]
    if unknown:
        raise ValueError(f"--only {unknown[0]}: there are {', '.join(BY_KEY)}")
    if SEARCH_SEED in (options.seeds or ()):
        raise ValueError(f"--seeds {SEARCH_SEED}: that is the seed of the search; take others")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no training is left behind

    console = Console()
    plan = Plan(options.scale, real=True)
    try:
        find_documents(SOURCES["funsd"])
    except FileNotFoundError as error:
        if options.scale == "small":
            raise
        console.print(f"{error}; rendered words stand in", highlight=False)
        plan = Plan(options.scale, real=False)

    arms = plan.arms(options.only)
    console.rule("Search")
    scored, outcomes = search(plan, arms, options.jobs, options.log)
    chosen = choices(plan, arms, scored)
    out = runs_folder() / plan.name
    table = search_table(plan, scored, chosen)
    table.print(console)
    (out / "search.md").write_text(table.markdown(), encoding="utf-8")
    if options.only and not options.seeds:
        console.print("The strongest rivals are those among these arms; see --seeds.")

    console.rule("Final runs")
    counts = final_seeds(plan, arms, scored, chosen)
    seeds = {key: options.seeds or list(range(count)) for key, count in counts.items()}
    order = sorted({seed for of_arm in seeds.values() for seed in of_arm})
    runs = [
        plan.run(BY_KEY[key], chosen[key], seed)
        for seed in order  # of each seed all arms, so that a sitting that is cut short compares
        for key in seeds
        if seed in seeds[key]
    ]
    outcomes |= execute_all(runs, options.jobs, options.log)
    if report_problems(outcomes):
        raise SystemExit(1)


if __name__ == "__main__":
    with one_line_errors("table3"):
        main()
