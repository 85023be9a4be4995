"""Trainings that the figures share: the same runs for all of them."""

import pytest
from experiments.studies.figure_runs import ATTENTION, CTC, DCTC, SCALES, SEEDS, by_arm, study


@pytest.mark.parametrize("scale", SCALES)
def test_figures_share_their_trainings(scale):
    curves = {run.name: run for run in study(scale).runs()}
    pairs = {run.name: run for run in study(scale, (CTC, ATTENTION, DCTC), (0, 1)).runs()}
    assert len(curves) == 2 * len(SEEDS[scale]) and len(pairs) == 6
    shared = curves.keys() & pairs.keys()
    assert len(shared) == 2 * min(2, len(SEEDS[scale]))
    assert all(curves[name] == pairs[name] for name in shared)


def test_runs_by_arm_and_seed():
    runs = study("small").runs()
    names = [[run.name for run in of_arm] for of_arm in by_arm(runs, 2)]
    assert names == [[f"figures-small/{arm}/seed{i}" for i in range(3)] for arm in ("ctc", "dctc")]
