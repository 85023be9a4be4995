"""Which rows of a table were trained on a GPU."""

import pytest

from dctc.results.hardware import hardware_notes

GPU = "NVIDIA X (x86_64)"
CPUS = ("AMD EPYC, 1 thread (x86_64)", "CPU, 1 threads (x86_64)")


@pytest.fixture
def on(record):
    def records(hardware, *seeds, torch=None):
        about = {"hardware": hardware, "versions": {"torch": torch} if torch else {}}
        return [record(seed=seed, about=about) for seed in seeds]

    return records


def test_cpus_alone_are_not_told_apart(on):
    assert hardware_notes({"CTC": [*on(CPUS[0], 0), *on(CPUS[1], 1)], "DCTC": []}) == []


def test_what_a_gpu_has_trained(on):
    trained = {"CTC": on(CPUS[0], 0, 1), "ACE": on(GPU, 0)}
    (note,) = hardware_notes(trained)
    assert note == "Trained on a GPU (NVIDIA X): ACE. All else on CPU cores."
    assert hardware_notes({"ACE": on(GPU, 0)}) == ["Trained on a GPU (NVIDIA X): ACE."]


def test_versions_that_are_known_are_told(on):
    (note,) = hardware_notes(
        {"CTC": on(CPUS[0], 0, torch="2.14.1"), "ACE": on(GPU, 0, torch="2.11.0")}
    )
    assert note == (
        "Trained on a GPU (NVIDIA X, torch 2.11.0): ACE. All else on CPU cores (torch 2.14.1)."
    )


def test_seeds_are_named_where_a_row_was_trained_in_two_places(on):
    (note,) = hardware_notes({"ACE": [*on(GPU, 2, 0), *on(CPUS[1], 1)], "CTC": on(GPU, 0, 1)})
    assert note == "Trained on a GPU (NVIDIA X): ACE (seeds 0, 2); CTC. All else on CPU cores."
    (note,) = hardware_notes({"ACE": [*on(GPU, 0), *on("NVIDIA Y (x)", 1)], "CTC": on(GPU, 0)})
    assert note == (
        "Trained on a GPU (NVIDIA X): ACE (seed 0); CTC. Trained on a GPU (NVIDIA Y): ACE (seed 1)."
    )
