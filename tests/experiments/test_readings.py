"""Which samples go onto a sheet, and that their images are those of the set."""

import numpy as np
import pytest
from experiments.figures.readings import choose, with_images

from dctc.data.records.batch import Sample, collate

# Whether the first and the second arm are right, by key.
RIGHT = {"k0": (0, 1), "k1": (1, 1), "k2": (1, 0), "k3": (0, 0), "k4": (1, 1), "k5": (0, 1)}
LABELS = {key: f"word{key}" for key in RIGHT}


def predictions(arm):
    return {key: LABELS[key] if right[arm] else "wrong" for key, right in RIGHT.items()}


ARMS = [predictions(0), predictions(1)]


def test_the_first_of_each_kind_in_the_order_of_the_set():
    kinds = {(True, True): 1, (False, True): 9, (True, False): 0, (False, False): 1}
    assert choose(LABELS, ARMS, kinds) == ["k1", "k0", "k5", "k3"]


def test_a_small_set_is_shown_whole():
    assert sorted(choose(LABELS, ARMS)) == sorted(LABELS)


def test_of_nothing_nothing_is_chosen():
    assert choose({}, [{}, {}]) == []


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    return {key: rng.integers(0, 256, (4, 8, 3), dtype=np.uint8) for key in LABELS}


@pytest.fixture
def batches(images):
    samples = [Sample(image, LABELS[key], key) for key, image in images.items()]
    return [collate(samples[i : i + 2]) for i in range(0, 6, 2)]


def test_images_are_those_of_the_set_in_the_order_asked_for(images, batches):
    readings = with_images(["k5", "k0"], LABELS, ARMS, batches)
    assert [reading.label for reading in readings] == ["wordk5", "wordk0"]
    assert [reading.predictions for reading in readings] == [
        ["wrong", "wordk5"],
        ["wrong", "wordk0"],
    ]
    for reading, key in zip(readings, ["k5", "k0"], strict=True):
        assert reading.image.dtype == np.uint8
        np.testing.assert_array_equal(reading.image, images[key])


def test_every_gray_level_comes_back():
    image = np.arange(256, dtype=np.uint8).reshape(8, 32, 1)
    batch = collate([Sample(image, "x", "k")])
    (reading,) = with_images(["k"], {"k": "x"}, [{"k": "x"}], [batch])
    np.testing.assert_array_equal(reading.image, image)


def test_no_more_batches_are_made_than_needed(batches):
    def lazily():
        yield from batches[:2]
        raise AssertionError("asked for a third batch")

    assert len(with_images(["k3", "k1"], LABELS, ARMS, lazily())) == 2


def test_a_sample_that_is_in_no_batch(batches):
    with pytest.raises(KeyError, match="elsewhere"):
        with_images(["elsewhere"], LABELS, ARMS, batches)
