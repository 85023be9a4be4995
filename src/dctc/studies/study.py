"""Studies: arms x seeds x data, declared in one YAML file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dctc.studies.benchmark_tests import Benchmarks
from dctc.studies.stored_words import StoredWords

FULL = "small"  # scale whose runs have no suffix
SEARCH_SEED = 100  # seed of searches, which no final run has


@dataclass(frozen=True)
class Search:
    """Values of one argument of which the best is chosen on a validation set.

    Attributes:
        argument: Dotted path in the configuration, such as ``model.loss.init_args.weight``.
        values: Values tried.
        source: Where the values come from.
    """

    argument: str
    values: tuple[Any, ...]
    source: str = ""


@dataclass(frozen=True)
class Run:
    """One training, and the sets it is tested on.

    Attributes:
        name: Name of the run and of its folder, ``<arm>/seed<seed>``.
        arm: Name of the arm in the registry.
        seed: Seed.
        configs: Configuration files, later ones override earlier ones.
        set: Overrides by dotted path, such as ``{"trainer.max_steps": 100}``.
        benchmarks: Further test data; the run's own data is tested in any case.
        stored: Training words that are drawn once and read by every run.
        blind: Whether its results are not to be shown before those of all runs of the study.
        drawn_from: Hash of the fonts and words that its test words are drawn from; empty for any.
        sets: Test sets that its study compares.
        diagnosed: Whether the alignment of the trained net is described, on validation sets that
            are tested; into ``about["alignment"]`` of their records.
        folder: Folder of the study's file: Python modules in it can be named in ``set``.
    """

    name: str
    arm: str
    seed: int
    configs: tuple[Path, ...] = ()
    set: Mapping[str, Any] = field(default_factory=dict)
    benchmarks: Benchmarks | None = None
    stored: StoredWords | None = None
    diagnosed: bool = False
    folder: Path | None = None
    blind: bool = False
    drawn_from: str = ""
    sets: tuple[str, ...] = ()

    @property
    def options(self) -> list[str]:
        """The run's command line for ``dctc fit``."""
        values = {**self.set, "seed_everything": self.seed, "arm": self.arm}
        if self.stored is not None:
            values["data.init_args.stored"] = str(self.stored.folder)
        return [
            f"--name={self.name}",
            *(f"--config={config}" for config in self.configs),
            *(f"--{key}={_text(value)}" for key, value in values.items()),
        ]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


@dataclass(frozen=True)
class Arm:
    """What is compared.

    Attributes:
        key: Its name in the study.
        title: Its name in tables.
        configs: Configuration files on top of the study's.
        set: Overrides by dotted path.
        seeds: Seeds of its final runs.
        reference: Key of the arm that it is compared with; empty for a reference.
        search: What is searched before the final runs.
        value: Value of what another study searches, of an arm that is shared with it.
        owner: The study that declares it; another one where an arm is shared.
    """

    key: str
    title: str
    configs: tuple[Path, ...] = ()
    set: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0,)
    reference: str = ""
    search: Search | None = None
    value: Any = None
    owner: Study | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Group:
    """Some arms of a study, shown in a table of their own.

    Attributes:
        key: Its name.
        title: Heading.
        arms: Keys of the arms, in their order.
        references: Key of the reference by arm, where it differs from the arm's own.
        notes: Lines below its table.
    """

    key: str
    title: str
    arms: tuple[str, ...]
    references: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Study:
    """Arms over seeds on the same data; see :func:`load_study` for the file.

    Attributes:
        name: Folder of the runs, and first part of every arm's name in the registry.
        title: Heading of its table.
        file: Where it is declared.
        configs: Configuration files that all arms share.
        set: Overrides that all arms share, by dotted path.
        arms: By key.
        planned: Keys of arms whose comparison with their reference was planned by itself; it gets
            an interval of its own. All other arms of one reference share simultaneous intervals.
        sets: Test sets that are compared; with several, their mean too.
        mean: What the mean over ``sets`` is called.
        validation: Set on which searches choose.
        search_set: Overrides of the runs of a search.
        benchmarks: Benchmarks that every run is tested on, beside its own data.
        stored: Name of the training words that are drawn once; empty if each run draws its own.
        diagnose: Whether alignments are described.
        blind: Whether results are shown only when all runs have ended, as a protocol that is fixed
            beforehand demands.
        drawn_from: Hash of the fonts and words that rendered test words are drawn from, as records
            have it; a machine that would draw others does not train. Empty for any.
        drawn_by: The command that draws its results, where that is not ``dctc compare``.
        groups: Tables of some of the arms; empty for one table of all.
        notes: Lines below its tables.
        scale: Name of the scale; empty where the file has none.
        output: Folder of its tables and plots below the runs, with the scale; empty for ``name``.
    """

    name: str
    title: str
    file: Path
    configs: tuple[Path, ...]
    set: Mapping[str, Any]
    arms: Mapping[str, Arm]
    planned: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    mean: str = "mean"
    validation: str = ""
    search_set: Mapping[str, Any] = field(default_factory=dict)
    benchmarks: Benchmarks | None = None
    stored: str = ""
    diagnose: bool = False
    blind: bool = False
    drawn_from: str = ""
    drawn_by: str = ""
    groups: tuple[Group, ...] = ()
    notes: tuple[str, ...] = ()
    scale: str = ""
    output: str = ""

    def arm_name(self, key: str, value: Any = None) -> str:
        """Return the name of an arm in the registry, at a value of what is searched."""
        arm = self.arms[key]
        owner, value = arm.owner or self, arm.value if value is None else value
        return f"{owner.name}/{arm.key}" + ("" if value is None else f"-{value}")

    def run(self, key: str, seed: int, value: Any = None) -> Run:
        """Return the run of an arm and a seed.

        Args:
            key: Key of the arm.
            seed: Seed; :data:`SEARCH_SEED` for a run of the search.
            value: Value of what is searched; None where nothing is.
        """
        arm = self.arms[key]
        if arm.owner is not None:
            return arm.owner.run(arm.key, seed, arm.value if value is None else value)
        name = self.arm_name(key, value)
        searched = {} if value is None or arm.search is None else {arm.search.argument: value}
        of_search = seed == SEARCH_SEED
        return Run(
            name=f"{name}/seed{seed}",
            arm=name,
            seed=seed,
            configs=(*self.configs, *arm.configs),
            set={**self.set, **arm.set, **searched, **(self.search_set if of_search else {})},
            benchmarks=self.benchmarks,
            stored=StoredWords(self.stored, self.configs, self.set) if self.stored else None,
            diagnosed=self.diagnose,
            folder=self.file.parent,
            blind=self.blind,
            drawn_from=self.drawn_from,
            sets=self.sets if not of_search else (self.validation,) if self.validation else (),
        )

    def runs(self) -> list[Run]:
        """Return the runs of all arms of which nothing is searched: of each seed all arms."""
        return self.final_runs({key: arm.value for key, arm in self.arms.items() if not arm.search})

    def search_runs(self, only: Sequence[str] = ()) -> list[Run]:
        """Return the runs of all searches: each value of each arm, with the seed of the search.

        Arms without a search that are compared by their validation accuracy too are among them.
        """
        return [
            self.run(key, SEARCH_SEED, value)
            for key, arm in self.arms.items()
            if (self.validation and (not only or key in only)) and arm.owner is None
            for value in (arm.search.values if arm.search else (None,))
        ]

    def final_runs(
        self,
        chosen: Mapping[str, Any],
        only: Sequence[str] = (),
        seeds: Sequence[int] | None = None,
    ) -> list[Run]:
        """Return the final runs: all arms of a seed, then the next seed.

        Args:
            chosen: Chosen value by arm, None where nothing is searched; arms that are not in it
                have no final runs yet.
            only: Keys of arms; empty for all.
            seeds: Seeds; None for each arm's own.
        """
        of_arm = {
            key: arm.seeds if seeds is None else tuple(seeds)
            for key, arm in self.arms.items()
            if key in chosen and (not only or key in only)
        }
        order = sorted({seed for own in of_arm.values() for seed in own})
        return [
            self.run(key, seed, chosen[key])
            for seed in order
            for key, own in of_arm.items()
            if seed in own
        ]
