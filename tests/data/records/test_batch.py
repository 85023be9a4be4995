import pickle

import numpy as np
import pytest
import torch

from dctc.data.records.batch import NO_EXTENT, Corrupt, Sample, collate


def sample(value=0, label="ab", key="set/1", extents=None, channels=3):
    return Sample(np.full((4, 6, channels), value, np.uint8), label, key, extents)


@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_become_floats_from_minus_one_to_one(channels):
    batch = collate([sample(0, channels=channels), sample(255, "c", "set/2", channels=channels)])
    assert batch.image.shape == (2, channels, 4, 6)
    assert batch.image.dtype == torch.float32
    assert batch.image[0].unique().tolist() == [-1.0]
    assert batch.image[1].unique().tolist() == [1.0]
    assert batch.label == ["ab", "c"]
    assert batch.key == ["set/1", "set/2"]
    assert batch.width.tolist() == [6, 6]
    assert batch.corrupt == []


def test_rows_columns_and_channels_keep_their_places():
    pixels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    image = collate([Sample(pixels, "a", "set/1")]).image
    expected = torch.from_numpy(pixels.astype(np.float32) / 127.5 - 1).permute(2, 0, 1)
    torch.testing.assert_close(image[0], expected)


def test_extents_are_padded():
    one, two = np.array([[0, 2]], np.float32), np.array([[0, 2], [3, 5]], np.float32)
    batch = collate([sample(extents=one), sample(extents=two)])
    assert batch.extents.shape == (2, 2, 2)
    assert batch.extents[0].tolist() == [[0, 2], [NO_EXTENT, NO_EXTENT]]
    assert batch.extents[1].tolist() == two.tolist()
    assert collate([sample(extents=one), sample()]).extents is None  # unless all are known


def test_a_narrow_image_says_how_wide_it_is_and_batches_travel_between_processes():
    batch = pickle.loads(pickle.dumps(collate([sample(), sample()._replace(width=2)])))
    assert batch.width.tolist() == [6, 2]
    assert (batch.width.dtype, batch.image.shape) == (torch.int64, (2, 3, 4, 6))


@pytest.mark.parametrize("good", [[], [sample()]])
def test_corrupt_records_are_listed_and_warned_about(good):
    bad = Corrupt("set/7", "image missing")
    with pytest.warns(UserWarning, match="set/7: image missing"):
        batch = collate([*good, bad])
    assert (batch.key, batch.corrupt) == ([s.key for s in good], [bad])
    assert len(batch.label) == len(batch.image) == len(batch.width) == len(good)
