"""Benchmarks as further tests: images and labels are made as those of the run's own data."""

import pickle

import pytest

from dctc.data.records.image_size import ImageSize
from dctc.studies.benchmark_tests import Benchmarks


@pytest.fixture
def root(tmp_path, monkeypatch, write_lmdb, encode_image):
    for name in ("CUTE80", "SVT"):
        write_lmdb(tmp_path / "test" / name, [(encode_image(i), b"Word-%d" % i) for i in range(3)])
    monkeypatch.setenv("DCTC_DATA", str(tmp_path))
    return tmp_path


def model(charset):
    tokenizer = {"init_args": {"charset": charset}}
    return {"tokenizer": tokenizer, "protocol": f"english{charset}"}


def test_what_the_run_says_of_its_images_holds_for_the_benchmarks(root):
    make = pickle.loads(pickle.dumps(Benchmarks(("CUTE80",), allow_size_mismatch=True)))
    shared = {"height": 16, "width": 48, "grayscale": True, "eval_batch_size": 2, "num_workers": 0}
    shared |= {"keep_ratio": True, "fill": 9, "rotate_tall": "left"}
    own = {"init_args": {**shared, "batch_size": 7, "stored": "elsewhere"}}
    data = make({"data": own, "model": model("62")})
    data.setup("test")
    assert data.test_names == ["CUTE80"]
    first, second = data.test_dataloader()[0]
    assert first.image.shape == (2, 1, 16, 48) and second.image.shape == (1, 1, 16, 48)
    assert first.label == ["Word0", "Word1"]
    assert data.options["size"] == ImageSize(16, 48, True, True, "left", 9)


def test_labels_are_those_of_the_model_whatever_the_data_says(root):
    data = Benchmarks(("CUTE80",), True)({"data": {"class_path": "my.Data"}, "model": model("62")})
    data.setup("test")
    assert next(iter(data.test_dataloader()[0])).label == ["Word0", "Word1", "Word2"]


def test_those_that_are_there(root, monkeypatch):
    assert Benchmarks(("SVT", "IIIT5K")).present() == {"SVT"}
    monkeypatch.setenv("DCTC_DATA", str(root / "none"))
    assert Benchmarks(("SVT", "real_train_words")).present() == set()


def test_a_benchmark_of_the_wrong_size_is_refused(root):
    data = Benchmarks(("SVT",))({"data": {"init_args": {}}, "model": model("36")})
    with pytest.raises(ValueError, match="SVT: 3 records where 647 are expected"):
        data.setup("test")
