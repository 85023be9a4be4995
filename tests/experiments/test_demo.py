"""The sheet of the demo: which words it shows, and what stands below them."""

import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from dctc.data.records.batch import Sample, collate
from dctc.results.predictions import Outcome, write_readings
from dctc.text.decode import Certainty
from experiments import demo

# whether the first and the second arm are right, by key
RIGHT = {"k0": (0, 1), "k1": (1, 1), "k2": (1, 0), "k3": (0, 0), "k4": (1, 1), "k5": (0, 1)}


@pytest.fixture
def finished(tmp_path, monkeypatch):
    """Runs of two arms with readings of six words, of which a third batch is never asked for."""
    pixels = np.arange(512).astype(np.uint8).reshape(2, 4, 64, 1)

    def batches(data):
        for keys in (["k0", "k1"], ["k2", "k3"], ["k4", "k5"]):
            assert keys[0] in data, "asked for a batch too many"
            yield collate([Sample(x, key, key) for x, key in zip(pixels, keys, strict=True)])

    monkeypatch.setattr(demo.figure_runs, "test_batches", batches)
    for arm in (0, 1):
        (tmp_path / str(arm) / "readings").mkdir(parents=True)
        write_readings(
            tmp_path / str(arm) / "readings" / "rendered.tsv",
            [
                Outcome(key, f"w{key}", f"w{key}" if right[arm] else "", 0.5, Certainty(0, 0, 1))
                for key, right in RIGHT.items()
            ],
        )
    return [SimpleNamespace(folder=Path(tmp_path, str(arm)), data=["k0", "k2"]) for arm in (0, 1)]


def test_the_first_words_of_each_kind_with_both_readings(finished, monkeypatch):
    kinds = {(True, True): 1, (False, True): 1, (True, False): 0, (False, False): 1}
    monkeypatch.setattr(demo, "KINDS", kinds)
    cells = demo.cells_of(finished)
    assert [cell.text for cell in cells] == [
        *("wk1: wk1 / wk1", "wk0: (nothing) / wk0", "wk3: (nothing) / (nothing)")
    ]
    image = np.asarray(Image.open(io.BytesIO(cells[1].source)))
    assert image.ravel().tolist() == [*range(256)]  # every grey level, of the right word


def test_a_small_set_is_shown_whole(finished):
    finished[0].data += ["k4"]
    assert len(demo.cells_of(finished)) == len(RIGHT)
