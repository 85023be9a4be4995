"""Figure 1: at which frames CTC, attention and DCTC nets of two seeds read the same characters."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
from rich.console import Console

from dctc.cli import one_line_errors
from dctc.data.benchmarks import find_benchmarks
from dctc.data.english import REAL_TRAIN_WORDS
from dctc.data.rendered import NAME as RENDERED
from dctc.data.root import data_root
from dctc.reporting.published import save_arrays, save_figure
from dctc.reporting.registry import runs_folder
from dctc.reporting.spikes import (
    choose_words,
    compare_nets,
    gradient_arrays,
    select,
    word_arrays,
)
from dctc.reporting.spikes_figure import draw_spikes, rate_table
from dctc.training.cli import FINAL
from dctc.training.nets import Loaded, load_net
from dctc.training.parallel import finish_all
from dctc.training.real_words import Benchmarks
from dctc.training.runs import Finished, Run, parse_options
from dctc.training.status import status_lines
from dctc.training.study import Arm, Study
from dctc.training.upload import upload

CONFIG = "experiments/configs/figures.yaml"
SEEDS = (0, 1)
FAMILIES = (
    Arm("ctc", "CTC", ("--trainer.callbacks.init_args.distill_weight=0.0",)),
    Arm(
        "attention",
        "Attention",
        (
            "--config=experiments/configs/model/attention_small_resnet.yaml",
            "--config=experiments/configs/loss/character_cross_entropy.yaml",
            "--model.optimizer.init_args.lr=0.002",  # that of trainer/cpu.yaml
            "--trainer.callbacks=[]",
        ),
    ),
    Arm("dctc", "DCTC"),
)
DATA = "--data.init_args"
SCALES = {
    "tiny": (
        f"{DATA}.epoch_size=4",
        f"{DATA}.val_size=4",
        f"{DATA}.test_size=96",
        "--config=experiments/configs/trainer/tiny.yaml",
    ),
    "smoke": (
        f"{DATA}.batch_size=16",
        f"{DATA}.test_size=1000",
        "--trainer.max_steps=1000",
        "--trainer.val_check_interval=500",
    ),
    "small": (),
}
WORDS = 4  # drawn
DISTILL_WEIGHT = 0.1  # of the gradient that is drawn; authors' code, default


def study(scale: str, real: bool) -> Study:
    """Return the trainings; figures 3 and 4 use those of CTC and DCTC too."""
    options = (f"--config={CONFIG}", *SCALES[scale])
    tests = (Benchmarks((REAL_TRAIN_WORDS,)),) if real else ()
    return Study(f"figures-{scale}", FAMILIES, SEEDS, options, tests)


def load(run: Finished) -> Loaded:
    """Load the net of a run."""
    return load_net(run.folder / "config.yaml", run.folder / "checkpoints" / FINAL)


def rates(
    finished: list[list[Finished]], nets: list[list[Any]], loaders: dict[str, Any], tokenizer: Any
) -> dict[str, np.ndarray]:
    """Return the disagreement of each family on each set, and how well its nets read."""
    found = [
        [compare_nets(*of_family, tokenizer, loader()) for loader in loaders.values()]
        for of_family in nets
    ]
    records = [[run.records for run in runs] for runs in finished]
    return {
        "sets": np.array([*loaders]),
        "apart": np.array([[d.apart for d in row] for row in found]),
        "characters": np.array([[d.n for d in row] for row in found]),
        "correct": np.array(
            [[[seed[name].correct for name in loaders] for seed in row] for row in records]
        ),
        "words": np.array([records[0][0][name].n for name in loaders]),
    }


def real_words_are_there() -> bool:
    """Say whether there are benchmarks below the data root."""
    return data_root().is_dir() and bool(find_benchmarks(data_root())[0])


def plans(scale: str) -> dict[str, list[Run]]:
    """Return all runs."""
    return {"figure1": study(scale, real_words_are_there()).runs()}


def main() -> None:
    """Train six nets, compare them in pairs, draw."""
    options = parse_options(__doc__ or "", scales=tuple(SCALES))
    console = Console()
    root = data_root()
    real = root.is_dir() and bool(find_benchmarks(root)[0])
    plan = study(options.scale, real)
    if options.status:
        print(*status_lines(plans(options.scale)), sep="\n")
        return
    if not real:
        console.print(
            f"No real words below {root} (DCTC_DATA); rendered words only.", highlight=False
        )
    trained = finish_all(plan.runs(), options.jobs, options.log)
    finished = [trained[i :: len(FAMILIES)] for i in range(len(FAMILIES))]  # by family, then seed
    loaded = [[load(run) for run in runs] for runs in finished]
    nets: list[list[Any]] = [[one.net for one in row] for row in loaded]
    tokenizer = loaded[0][0].tokenizer
    batches = 1 if options.scale == "tiny" else None
    modules: dict[str, Any] = {RENDERED: finished[0][0].data}  # seed 0's words, for all nets
    if real:
        own = {"charset": "36", "protocol": "english36", "eval_batch_size": 256, "num_workers": 0}
        modules[REAL_TRAIN_WORDS] = Benchmarks((REAL_TRAIN_WORDS,))({"data": {"init_args": own}})
    for module in modules.values():
        module.setup("test")
    loaders = {
        name: lambda module=module: islice(module.test_dataloader()[0], batches)
        for name, module in modules.items()
    }

    out = runs_folder() / ("figure1" if options.scale == "small" else f"figure1-{options.scale}")
    arrays, files = {}, []
    for name, loader in loaders.items():
        batch = next(loader())
        words = select(batch, choose_words(batch, WORDS))
        drawn = {
            "families": np.array([family.title for family in FAMILIES]),
            **word_arrays(nets, tokenizer, words),
        }
        drawn |= gradient_arrays(nets[0][0], tokenizer, words, DISTILL_WEIGHT)
        if name == RENDERED:
            arrays = {**drawn, **rates(finished, nets, loaders, tokenizer)}
        else:  # real images stay here
            files += save_figure(draw_spikes(drawn), out / f"figure1-{name}")
    files += save_figure(draw_spikes(arrays), out / "figure1")
    files.append(save_arrays(arrays, out / "figure1.npz"))

    table = rate_table(arrays)
    table.print(console)
    files += table.write(out, "table")
    upload(out.name, options.log, {"table": table}, files)
    for file in files:
        console.print(f"written to {file}", highlight=False)


if __name__ == "__main__":
    with one_line_errors("figure1"):
        main()
