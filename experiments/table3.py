"""The comparison of losses (the paper's Table 3) on real words, each at the best weight found."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console

from dctc.bench.losses import read_costs
from dctc.cli import one_line_errors
from dctc.reporting.comparison import Row, alignment_table, comparison_table, find_arms
from dctc.reporting.registry import Record, Registry, runs_folder
from dctc.reporting.search import choose_weight, strongest
from dctc.reporting.tables import Table, percent
from dctc.training.parallel import Outcome, execute_all, report_problems
from dctc.training.runs import Run, options_parser
from dctc.training.word_runs import WordRuns, dctc_template, fragment, words_are_there

Found = Mapping[str, Mapping[str, Mapping[int, Record]]]  # by arm, set and seed
Scored = Mapping[str, Mapping[str, Record]]  # by arm and weight


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


AUTHORS = "0.01: authors' CRNN experiment; 0.1: their default; 0.03 between"
AUGMENTED = ("--data.init_args.augment=1.0",)


def dctc_arm(key: str, title: str, estimator: str, seeds: int) -> Arm:
    """Return DCTC with an estimate of z*."""
    return Arm(key, title, dctc_template(estimator), ("0.01", "0.03", "0.1"), AUTHORS, seeds=seeds)


def rival(key: str, title: str, argument: str, weights: str, source: str, *options: str) -> Arm:
    """Return a loss with the argument of it that is searched, and its weights."""
    option = f"--model.loss.init_args.{argument}={{}}"
    return Arm(key, title, option, tuple(weights.split()), source, (*fragment(key), *options))


# Seeds: ours. Weights: what the source names, a third and three times that.
ARMS = (
    Arm("ctc", "CTC", options=fragment("ctc"), seeds=5),
    dctc_arm("dctc", "DCTC", "likelihood", 5),
    dctc_arm("dctc_posterior", "DCTC, posterior z*", "posterior", 3),
    dctc_arm("dctc_viterbi", "DCTC, Viterbi z*", "viterbi", 3),
    rival("focal", "Focal CTC", "gamma", "0.67 2 6", "2: PaddleOCR"),
    rival("enctc", "EnCTC", "entropy_weight", "0.033 0.1 0.3", "0.1: its authors' code"),
    rival(
        "esctc",
        "EsCTC",
        "tau",
        "1.17 1.5 2.5",
        "1.5: its authors' code; tau - 1 is varied, as below 1 labels are left without a path",
    ),
    rival(
        "enesctc",
        "EnEsCTC",
        "entropy_weight",
        "0.067 0.2 0.6",
        "0.2: its authors' code, with tau 1.5",
    ),
    rival("label_smoothing", "Label smoothing", "weight", "0.033 0.1 0.3", "0.1: ours"),
    rival("confidence_penalty", "Confidence penalty", "weight", "0.033 0.1 0.3", "0.1: ours"),
    rival("center", "Center loss", "weight", "0.017 0.05 0.15", "0.05: PaddleOCR"),
    rival("prior", "Label-prior CTC", "prior_scale", "0.1 0.3 0.9", "0.3: ours"),
    rival(
        "distillation",
        "Frame distillation",
        "weight",
        "0.033 0.1 0.3",
        "0.1: ours, DCTC's default, which weighs a sum over frames too",
    ),
    # Two views each of half as many words: as many images as the other arms.
    rival(
        "cr_ctc",
        "CR-CTC, augmented",
        "weight",
        "0.067 0.2 0.6",
        "0.2: the paper",
        "--data.init_args.batch_size=16",
    ),
    # What CR-CTC has to be compared with: its views need augmentation, which alone changes much.
    Arm("ctc_augmented", "CTC, augmented", options=(*fragment("ctc"), *AUGMENTED), seeds=3),
    # It cannot learn the order of characters, so that there is nothing to search for.
    Arm("ace", "ACE (no order)", options=fragment("ace"), seeds=1),
)
BY_KEY = {arm.key: arm for arm in ARMS}
REFERENCE, AUGMENTED_REFERENCE = "ctc", "ctc_augmented"
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
    def words(self) -> WordRuns:
        """The runs' data."""
        return WordRuns(self.real, tiny=self.scale == "tiny")

    @property
    def sets(self) -> tuple[str, str]:
        """Names of the validation and the test set."""
        return self.words.sets

    @property
    def notes(self) -> list[str]:
        """What has to stand below every table."""
        return self.words.notes

    def arms(self, only: Sequence[str] = ()) -> list[Arm]:
        """Return the arms of this scale among those asked for; none means all."""
        return [BY_KEY[key] for key in SCALES[self.scale].arms if not only or key in only]

    def weights(self, arm: Arm) -> tuple[str, ...]:
        """Return the weights that are searched; one empty one where there is nothing to choose."""
        return arm.weights[: SCALES[self.scale].weights] or ("",)

    def short_name(self, arm: Arm, weight: str) -> str:
        """Return the name of an arm at a weight."""
        return arm.key + (f"-{weight}" if weight else "")

    def arm_name(self, arm: Arm, weight: str) -> str:
        """Return the same as it stands in the registry."""
        return f"{self.name}/{self.short_name(arm, weight)}"

    def run(self, arm: Arm, weight: str, seed: int) -> Run:
        """Return the training of an arm; a search is scored on validation words only."""
        options = (
            *arm.options,
            *((arm.option.format(weight),) if weight else ()),
            *SCALES[self.scale].options,
        )
        return self.words.run(self.arm_name(arm, weight), options, seed, tested=seed != SEARCH_SEED)


def search_runs(plan: Plan, arms: Sequence[Arm]) -> list[Run]:
    """Return the training of every weight of every arm with the seed of the search."""
    return [plan.run(arm, weight, SEARCH_SEED) for arm in arms for weight in plan.weights(arm)]


def read_search(plan: Plan, found: Found) -> dict[str, dict[str, Record]]:
    """Return the validation records of the search, by arm and weight."""
    scored: dict[str, dict[str, Record]] = {}
    for arm in plan.arms():
        for weight in plan.weights(arm):
            of_set = found.get(plan.short_name(arm, weight), {}).get(plan.sets[0], {})
            if SEARCH_SEED in of_set:
                scored.setdefault(arm.key, {})[weight] = of_set[SEARCH_SEED]
    return scored


def choices(plan: Plan, scored: Scored) -> dict[str, str]:
    """Return the chosen weight of each arm whose search is complete."""
    complete = [
        arm for arm in plan.arms() if len(scored.get(arm.key, ())) == len(plan.weights(arm))
    ]
    return {arm.key: choose_weight(scored[arm.key]) for arm in complete}


def final_seeds(plan: Plan, scored: Scored, chosen: Mapping[str, str]) -> dict[str, int]:
    """Return how many final seeds each arm with a chosen weight has."""
    arms = [arm for arm in plan.arms() if arm.key in chosen]
    rivals = {arm.key: scored[arm.key][chosen[arm.key]] for arm in arms if arm.seeds is None}
    strong = strongest(rivals, STRONGEST) if rivals else []
    counts = {
        arm.key: arm.seeds or (SEEDS_OF_STRONGEST if arm.key in strong else SEEDS_OF_REST)
        for arm in arms
    }
    return {key: min(count, SCALES[plan.scale].seeds) for key, count in counts.items()}


def final_runs(plan: Plan, chosen: Mapping[str, str], seeds: Mapping[str, list[int]]) -> list[Run]:
    """Return the final runs: of each seed all arms, so that a sitting cut short compares."""
    order = sorted({seed for of_arm in seeds.values() for seed in of_arm})
    return [
        plan.run(BY_KEY[key], chosen[key], seed)
        for seed in order
        for key in seeds
        if seed in seeds[key]
    ]


def search_table(plan: Plan, scored: Scored, chosen: Mapping[str, str]) -> Table:
    """Return what the search found."""
    rows = [
        [
            BY_KEY[key].title,
            weight or "-",
            f"{record.n:,}",
            percent(record.correct, record.n),
            percent(record.similarity, record.n),
            "chosen" if weight and chosen.get(key) == weight else "",
            BY_KEY[key].source,
        ]
        for key, weights in scored.items()
        for weight, record in weights.items()
    ]
    columns = ["loss", "weight", "n", "accuracy", "NED", "choice", "weights from"]
    notes = [f"Percent of {plan.sets[0]}, validation words, after training; seed {SEARCH_SEED}."]
    return Table("Search for the weights of the losses", columns, rows, [*notes, *plan.notes])


def table_rows(plan: Plan, found: Found, chosen: Mapping[str, str]) -> list[Row]:
    """Return the rows of the table: the final runs of each arm's chosen weight."""
    validation, test = plan.sets
    rows = []
    for arm in plan.arms():
        if arm.key in chosen:
            of_set = found.get(plan.short_name(arm, chosen[arm.key]), {})
            tested, validated = (
                {seed: r for seed, r in sorted(of_set.get(name, {}).items()) if seed != SEARCH_SEED}
                for name in (test, validation)
            )
            reference = AUGMENTED_REFERENCE if arm.key == "cr_ctc" else REFERENCE
            reference = "" if arm.key == REFERENCE else reference
            rows.append(Row(arm.key, arm.title, chosen[arm.key], tested, validated, reference))
    return rows


def draw(plan: Plan, registry: Registry, console: Console) -> None:
    """Print the tables of what a registry holds, and write them as Markdown and CSV."""
    found = find_arms(registry, f"{plan.name}/")
    scored = read_search(plan, found)
    chosen = choices(plan, scored)
    rows = table_rows(plan, found, chosen)
    costs = read_costs()
    if costs:
        costs[AUGMENTED_REFERENCE] = costs[REFERENCE]
    title = f"Losses on {plan.sets[1]}"
    tables = {"search": search_table(plan, scored, chosen)}
    if any(row.tested for row in rows):
        tables["table3"] = comparison_table(title, registry, rows, costs, plan.notes)
        tables["alignment"] = alignment_table("Alignment of the trained nets", rows, plan.notes)
    out = runs_folder() / plan.name
    for name, table in tables.items():
        table.print(console)
        table.write(out, name)
    console.print(f"written to {out}: {', '.join(tables)} (.md, .csv)", highlight=False)


def parse() -> argparse.Namespace:
    """Parse the command line.

    Raises:
        ValueError: If an arm does not exist, or a final seed is that of the search.
    """
    parser = options_parser(__doc__ or "", scales=tuple(SCALES))
    parser.set_defaults(log="off")
    parser.add_argument(
        "--only", type=lambda text: text.split(","), default=[], help="train these: ARM[,ARM]"
    )
    parser.add_argument(
        "--seeds",
        type=lambda text: [int(seed) for seed in text.split(",")],
        help="these final seeds for each of them: SEED[,SEED]",
    )
    parser.add_argument(
        "--from", dest="source", help="train nothing; draw the tables of this folder of results"
    )
    options = parser.parse_args()
    unknown = [key for key in options.only if key not in BY_KEY]
    if unknown:
        raise ValueError(f"--only {unknown[0]}: there are {', '.join(BY_KEY)}")
    if SEARCH_SEED in (options.seeds or ()):
        raise ValueError(f"--seeds {SEARCH_SEED}: that is the seed of the search; take others")
    return options


def choose_plan(scale: str, console: Console) -> Plan:
    """Return the plan on FUNSD, or where it is not there on rendered words.

    Raises:
        FileNotFoundError: If it is not there and the scale is more than a trial.
    """
    return Plan(scale, real=words_are_there(scale == "small", console))


def train(plan: Plan, options: argparse.Namespace, console: Console) -> dict[str, Outcome]:
    """Search, and train the chosen weights over seeds; return what became of each run."""
    arms = plan.arms(options.only)
    console.rule("Search")
    outcomes = execute_all(search_runs(plan, arms), options.jobs, options.log)
    scored = read_search(plan, find_arms(Registry(runs_folder()), f"{plan.name}/"))
    chosen = choices(plan, scored)
    open_search = [arm.title for arm in plan.arms() if arm.key not in chosen]
    if open_search:
        console.print(
            f"Not searched to the end: {', '.join(open_search)}. The {STRONGEST} strongest rivals "
            f"are those among the others.",
            highlight=False,
        )
    console.rule("Final runs")
    counts = final_seeds(plan, scored, chosen)
    seeds = {
        arm.key: options.seeds or list(range(counts[arm.key])) for arm in arms if arm.key in counts
    }
    return outcomes | execute_all(final_runs(plan, chosen, seeds), options.jobs, options.log)


def main() -> None:
    """Search, train the chosen weights over seeds, and compare."""
    options, console = parse(), Console()
    if options.source:
        draw(Plan(options.scale, real=True), Registry(options.source), console)
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no training is left behind
    plan = choose_plan(options.scale, console)
    outcomes = train(plan, options, console)
    console.rule("Result")
    draw(plan, Registry(runs_folder()), console)
    if report_problems(outcomes):
        raise SystemExit(1)


if __name__ == "__main__":
    with one_line_errors("table3"):
        main()
