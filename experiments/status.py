"""Print how many runs of each target are done, and how long the missing ones take."""

from __future__ import annotations

from argparse import Namespace

from dctc.results.frame import read_frame
from dctc.results.registry import Registry, runs_folder
from dctc.studies.compare import plans
from dctc.studies.status import status_lines
from dctc.studies.study import FULL
from experiments.studies import PUBLISHED, load, table1_studies
from experiments.studies.chinese_lines import chinese_study
from experiments.tables.across_models import check_machines

# Studies of each target of ./reproduce.sh; figures 1, 3 and 4 share theirs
STUDIES = {
    **dict.fromkeys(("figure1", "figure3", "figure4"), ("figures",)),
    "demo": ("demo",),
    "renderer": ("renderer", "reader"),
    "table1": table1_studies("small"),
    "table2": ("chinese",),
    "table3": ("losses",),
    "table3-english": ("losses_english",),
    "ablations": ("ablations", "true_alignment"),
}


def main(options: Namespace) -> None:
    """Print a line for each study."""
    for target in options.targets:
        if target not in STUDIES:
            raise ValueError(f"no target {target!r}; there are {', '.join(STUDIES)}")
    chosen = options.targets or [name for name in STUDIES if name not in ("demo", "renderer")]
    named = STUDIES | {"table1": table1_studies(options.scale)}
    if options.scale == FULL:  # figure 4 has a Chinese part
        named["figure4"] = ("figures", "chinese")
    names = [name for target in chosen for name in named[target]]
    studies = [
        chinese_study(options.scale) if name == "chinese" else load(name, options.scale)
        for name in dict.fromkeys(names)
    ]
    frame = read_frame(Registry(runs_folder()))
    print(*status_lines(plans(studies, frame), PUBLISHED), sep="\n")
    for study in studies:
        if study.blind:
            for registry in (Registry(runs_folder()), Registry(PUBLISHED)):
                try:
                    check_machines(study, registry)
                except ValueError as error:
                    print(f"{registry.folder}: {error}")
