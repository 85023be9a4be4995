import os
from pathlib import Path

import pytest

from dctc.data.benchmarks import find_benchmarks, find_train_words, is_test_set, open_benchmark
from dctc.data.catalogue import BENCHMARKS, OTHERS
from dctc.data.records.batch import Sample
from dctc.data.records.folders import data_root, find_lmdbs
from dctc.text import Charset

OPTIONS = {"protocol": "english36", "charset": Charset.load("36")}


@pytest.fixture
def add(tmp_path, write_lmdb, encode_image):
    """``add("test/SVT", 3)`` writes a set of three records below tmp_path."""

    def add(folder, size=1, labels=("word",)):
        image = encode_image(width=2, height=2)
        records = [(image, labels[i % len(labels)].encode()) for i in range(size)]
        return write_lmdb(tmp_path / folder, records)

    return add


def test_the_catalogue_holds_the_sizes_of_the_field():
    names = "IIIT5K SVT IC13_857 IC13_1015 IC15_1811 IC15_2077 SVTP CUTE80".split()
    sizes = [3000, 647, 857, 1015, 1811, 2077, 645, 288]
    assert {n: b.size for n, b in BENCHMARKS.items()} == dict(zip(names, sizes, strict=True))
    everything = [*BENCHMARKS.values(), *OTHERS]
    aliases = [alias for one in everything for alias in one.aliases]
    assert len(set(aliases)) == len(aliases)  # no two sets share a folder name
    assert aliases == [alias.lower() for alias in aliases]
    assert all(one.how_to_get for one in everything)
    assert "hand-picked" in BENCHMARKS["IC15_1811"].how_to_get  # it is not derived


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("test/IIIT5k", "IIIT5K"),  # PARSeq
        ("evaluation/IIIT5k_3000", "IIIT5K"),  # clovaai
        ("english/test/SVT_647", "SVT"),
        ("svtp_645", "SVTP"),
        ("x/cute80_288", "CUTE80"),
        ("x/IC15_1811", "IC15_1811"),
    ],
)
def test_published_folder_names_are_known(tmp_path, add, folder, name):
    path = add(folder)
    present = find_benchmarks(tmp_path)
    assert present == {name: path}


def test_training_words_of_the_same_name_are_no_benchmark(tmp_path, add):
    add("val/SVT"), add("train/synth/MJ/test")
    test = add("test/SVT")
    assert find_benchmarks(tmp_path) == {"SVT": test}
    assert find_train_words(tmp_path) == [tmp_path / "val/SVT"]


def test_a_data_root_that_cannot_be_used(tmp_path, add):
    with pytest.raises(FileNotFoundError, match="DCTC_DATA or data_root names the data root"):
        find_benchmarks(tmp_path / "none")
    one, two = add("a/SVT"), add("b/svt_647")
    with pytest.raises(ValueError, match=f"SVT: both {one} and {two} are named so"):
        find_benchmarks(tmp_path)


def test_what_is_not_written_to_the_end_is_no_set(tmp_path, add):
    add("train/a"), add("train/b.partial")
    assert list(find_lmdbs(tmp_path)) == ["train/a"]
    assert list(find_lmdbs(tmp_path, unfinished=True)) == ["train/a", "train/b.partial"]


@pytest.mark.parametrize("size", [644, 645, 646])
def test_a_set_of_another_size_is_refused_by_name(tmp_path, add, size):
    add("SVTP", size, labels=["word", "...", "two"])
    found = BENCHMARKS["SVTP"], find_benchmarks(tmp_path)["SVTP"]
    if size != 645:
        with pytest.raises(ValueError, match=f"SVTP: {size} records where 645 are expected"):
            open_benchmark(*found, **OPTIONS)
    dataset = open_benchmark(*found, allow_size_mismatch=size != 645, **OPTIONS)
    assert len(dataset) + dataset.drops.total() == size  # what is dropped counts towards the size
    assert len(dataset) < size


def test_ic13_857_is_derived_from_ic13_1015(tmp_path, add):
    source = add("test/IC13_1015", 1015, labels=["a1", *["two"] * 5])
    found = BENCHMARKS["IC13_857"], find_benchmarks(tmp_path)["IC13_857"]
    assert found[1] == source
    with pytest.raises(ValueError, match="IC13_857: 845 records where 857 are expected"):
        open_benchmark(*found, **OPTIONS)
    dataset = open_benchmark(*found, allow_size_mismatch=True, **OPTIONS)
    assert len(dataset) == 845  # 170 of 1015 are "a1"
    assert {sample.label for sample in dataset} == {"two"}
    assert dataset[0].key == "IC13_857/2"
    path = add("IC13_857")  # itself it is preferred
    assert find_benchmarks(tmp_path)["IC13_857"] == path


def test_the_data_root(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DCTC_DATA", raising=False)
    assert data_root() == tmp_path / "data"
    monkeypatch.setenv("DCTC_DATA", "/somewhere")
    assert data_root() == Path("/somewhere")
    assert data_root("/else") == Path("/else")


@pytest.mark.parametrize(
    ("folder", "size", "expected"),
    [
        ("test/FUNSD_words", 2, True),
        ("SVT", 2, True),
        ("train/SVT", 647, True),  # the test set, whatever the folder above it says
        ("train/SVT", 257, False),
        ("train/synth/MJ/test", 2, False),
        ("evaluation/mine", 2, True),
        ("Training/MJ/test", 2, False),
        ("validation/test", 2, False),
        ("MJ/MJ_test", 2, False),
        ("mine", 2, False),
        ("FUNSD_words_8707", 2, True),
    ],
)
def test_test_sets_are_recognised(tmp_path, add, folder, size, expected):
    assert is_test_set(add(folder, size), tmp_path) is expected


def test_of_a_folder_elsewhere_only_its_last_names_count(tmp_path, add):
    assert not is_test_set(add("test/of/my/own/words"), tmp_path / "data")
    assert is_test_set(add("my/test/words"), tmp_path / "data")
    far, named = add("bench/test/regular/real/part1"), tmp_path / "bench/test"
    assert is_test_set(far, tmp_path / "data", named)
    assert not is_test_set(far, tmp_path / "data", far)


def test_a_chinese_test_set_is_one_below_any_folder(tmp_path, add):
    assert is_test_set(add("train/scene_test"), tmp_path)
    assert not is_test_set(add("train/scene_train"), tmp_path)


def test_a_link_does_not_hide_a_test_set(tmp_path, add):
    add("test/words")
    (tmp_path / "train").mkdir()
    link = tmp_path / "train" / "mine"
    link.symlink_to(tmp_path / "test" / "words", target_is_directory=True)
    assert is_test_set(link, tmp_path)


REAL = ["IIIT5K", "SVT", "IC13_857", "IC13_1015", "IC15_2077", "SVTP", "CUTE80"]


@pytest.mark.parametrize("name", REAL)
def test_the_real_sets_are_complete(name):
    required = os.environ.get("DCTC_REQUIRE_DATA") == "1"
    if not os.environ.get("DCTC_DATA") and not required:
        pytest.skip("set DCTC_DATA to the data root to test the real benchmarks")
    assert data_root().is_dir(), f"{data_root()} (DCTC_DATA) does not exist"
    present = find_benchmarks(data_root())
    if name not in present and not required:
        pytest.skip(f"{name} is not below {data_root()}: {BENCHMARKS[name].how_to_get}")
    assert name in present, f"{name} is not below {data_root()}, and DCTC_REQUIRE_DATA=1"
    dataset = open_benchmark(BENCHMARKS[name], present[name], **OPTIONS)
    assert len(dataset) + dataset.drops.total() == BENCHMARKS[name].size
    first = dataset[0]
    assert isinstance(first, Sample)
    assert first.image.shape == (32, 128, 3)
