"""Print how many runs of each target are done, and how long the missing ones take."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence

from dctc.results.frame import read_frame
from dctc.results.registry import Registry, runs_folder
from dctc.studies.compare import plans
from dctc.studies.status import status_lines
from dctc.studies.study import Study
from experiments import figure1, figure4
from experiments.studies import PUBLISHED, figure_runs, load, table1_studies
from experiments.studies.chinese_lines import chinese_study
from experiments.tables.across_models import check_machines


def _of(*names: str) -> Callable[[str], list[Study]]:
    return lambda scale: [load(name, scale) for name in names]


STUDIES: dict[str, Callable[[str], Sequence[Study]]] = {  # of each target of ./reproduce.sh
    "figure1": lambda scale: [figure1.figure_study(scale)],
    "figure3": lambda scale: [figure_runs.study(scale)],
    "figure4": figure4.plans,
    "demo": lambda scale: [load("demo", "small" if scale == "smoke" else scale)],
    "renderer": _of("renderer", "reader"),
    "table1": lambda scale: [load(name, scale) for name in table1_studies(scale)],
    "table2": lambda scale: [chinese_study(scale)],
    "table3": _of("losses"),
    "table3-english": _of("losses_english"),
    "ablations": _of("ablations", "true_alignment"),
}


def main(options: Namespace) -> None:
    """Print a line for each study."""
    for target in options.targets:
        if target not in STUDIES:
            raise ValueError(f"no target {target!r}; there are {', '.join(STUDIES)}")
    chosen = options.targets or [name for name in STUDIES if name not in ("demo", "renderer")]
    studies = [study for target in chosen for study in STUDIES[target](options.scale)]
    found = plans([(study, ()) for study in studies], read_frame(Registry(runs_folder())))
    # figures share their runs; figure 1 tests its own on real words too
    once = {
        name: [*{run.name: run for run in reversed(runs)}.values()] for name, runs in found.items()
    }
    print(*status_lines(once, PUBLISHED), sep="\n")
    for study in studies:
        if study.blind:
            for registry in (Registry(runs_folder()), Registry(PUBLISHED)):
                try:
                    check_machines(study, registry)
                except ValueError as error:
                    print(f"{registry.folder}: {error}")
