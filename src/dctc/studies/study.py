"""A study: arms that differ in what is compared and in nothing else, over the same seeds."""

from __future__ import annotations

from dataclasses import dataclass

from dctc.studies.runner import DataFactory, Run


@dataclass(frozen=True)
class Arm:
    """What is compared.

    Attributes:
        key: Its name in the registry, after that of the study.
        title: Its name in tables.
        options: What it changes.
    """

    key: str
    title: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Study:
    """Arms over seeds. Those of one seed share the weights they begin with, batches and steps.

    Attributes:
        name: Folder of the runs below that of all runs, and first part of every arm's name in the
            registry.
        arms: What is compared.
        seeds: Seeds of each arm.
        options: Command line of ``dctc fit`` that all arms share.
        tests: Further test data of every run.
        diagnosed: Whether the alignments of the trained nets are described.
    """

    name: str
    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]
    options: tuple[str, ...]
    tests: tuple[DataFactory, ...] = ()
    diagnosed: bool = False

    def run(self, arm: Arm, seed: int) -> Run:
        """Return the run of an arm and a seed."""
        name = f"{self.name}/{arm.key}"
        return Run(
            name=f"{name}/seed{seed}",
            options=(*self.options, *arm.options, f"--seed_everything={seed}", f"--arm={name}"),
            tests=self.tests,
            diagnosed=self.diagnosed,
        )

    def runs(self) -> list[Run]:
        """Return all runs: of each seed all arms, so that a sitting cut short compares."""
        return [self.run(arm, seed) for seed in self.seeds for arm in self.arms]
