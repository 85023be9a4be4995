"""Which rows of a table were trained on a GPU."""

import pytest

from dctc.reporting.hardware import hardware_notes

GPU = "NVIDIA X (x86_64)"
CPUS = ("AMD EPYC, 1 thread (x86_64)", "CPU, 1 threads (x86_64)")


@pytest.fixture
def on(record):
    def records(hardware, *seeds):
        return [record(seed=seed, about={"hardware": hardware}) for seed in seeds]

    return records


def test_cpus_alone_are_not_told_apart(on):
    assert hardware_notes({"CTC": [*on(CPUS[0], 0), *on(CPUS[1], 1)], "DCTC": []}) == []


def test_what_a_gpu_has_trained(on):
    trained = {"CTC": on(CPUS[0], 0, 1), "ACE": on(GPU, 0)}
    (note,) = hardware_notes(trained)
    assert note == "Trained on a GPU (NVIDIA X): ACE. All else on CPU cores."
    assert hardware_notes({"ACE": on(GPU, 0)}) == ["Trained on a GPU (NVIDIA X): ACE."]


def test_seeds_are_named_where_a_row_has_both(on):
    (note,) = hardware_notes({"ACE": [*on(GPU, 2, 0), *on(CPUS[1], 1)], "CTC": on(GPU, 0, 1)})
    assert note == "Trained on a GPU (NVIDIA X): ACE (seeds 0, 2); CTC. All else on CPU cores."
