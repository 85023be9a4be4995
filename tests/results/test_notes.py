"""Notes below tables: what was left out, and what hardware trained."""

import pandas as pd
import pytest

from dctc.results.notes import drop_notes, hardware_notes


def test_what_was_left_out():
    drops = [{}, {"x": 1200, "y": 0}, {"x": 1200}, {"x": 264}, {"x": 168}, {"x": 263}]
    frame = pd.DataFrame({"set": ["a", "b", "b", "fold", "fold", "fold"], "drops": drops})
    expected = ["b: 1,200 samples left out (x).", "fold: 168 to 264 samples left out (x)."]
    assert drop_notes(frame) == expected


X, Y = "NVIDIA X", "NVIDIA Y"
ON_X = "Trained on a GPU (NVIDIA X)"


@pytest.mark.parametrize(
    ("rows", "notes"),
    [
        ([("CTC", "", 0), ("DCTC", "", 1)], []),
        ([("ACE", X, 0)], [f"{ON_X}: ACE."]),
        ([("CTC", "", 0), ("ACE", X, 0)], [f"{ON_X}: ACE. All others on CPU cores."]),
        # seeds are named where a row was trained in two places
        (
            [("ACE", X, 2), ("ACE", X, 0), ("ACE", "", 1), ("CTC", X, 0), ("CTC", X, 1)],
            [f"{ON_X}: ACE (seeds 0, 2); CTC. All others on CPU cores."],
        ),
        (
            [("ACE", X, 0), ("ACE", Y, 1), ("CTC", X, 0)],
            [f"{ON_X}: ACE (seed 0); CTC. Trained on a GPU (NVIDIA Y): ACE (seed 1)."],
        ),
    ],
)
def test_what_a_gpu_has_trained(rows, notes):
    frame = pd.DataFrame(rows, columns=["title", "gpu", "seed"]).assign(torch="")
    assert hardware_notes(frame) == notes


def test_versions_that_are_known_are_told():
    rows = [("CTC", "", 0, "2.14"), ("CTC", "", 1, "")]
    rows += [("ACE", X, 0, "2.11"), ("ACE", X, 1, "2.12")]
    frame = pd.DataFrame(rows, columns=["title", "gpu", "seed", "torch"])
    assert hardware_notes(frame) == [
        "Trained on a GPU (NVIDIA X, torch 2.11, 2.12): ACE. All others on CPU cores (torch 2.14)."
    ]
