import io
import os
import pickle

import lmdb
import numpy as np
import pytest
from PIL import Image

from dctc.data.records.batch import Sample
from dctc.data.records.folders import count_records, find_lmdbs, open_environment, read_record
from dctc.data.records.image_size import SIZE, ImageSize
from dctc.data.records.lmdb import (
    EMPTY,
    MISSING,
    NOT_UTF8,
    LmdbDataset,
    LmdbImages,
    open_images,
)
from dctc.data.records.sampler import Draw
from dctc.text import Charset
from tiny import in_child


def open_set(path, **options):
    options = {"protocol": "english36", "charset": Charset.load("36"), **options}
    return LmdbDataset(path, "toy", **options)


@pytest.fixture(scope="module")
def words(tmp_path_factory, write_lmdb, encode_image):
    labels = ["Cat", "it's", "...", "Dog", "a1"]
    records = [(encode_image(seed), label.encode()) for seed, label in enumerate(labels)]
    return write_lmdb(tmp_path_factory.mktemp("words") / "toy", records)


def test_a_sample_is_protocolled_resized_and_keyed(words, encode_image):
    dataset = open_set(words, size=ImageSize(20, 50))
    assert [sample.label for sample in dataset] == ["cat", "its", "dog", "a1"]
    assert [dataset[i].key for i in range(4)] == ["toy/1", "toy/2", "toy/4", "toy/5"]
    assert (dataset.records, dataset.drops) == (5, {EMPTY: 1})
    image = dataset[Draw(2, 99)].image
    source = Image.open(io.BytesIO(encode_image(3)))
    expected = np.asarray(source.convert("RGB").resize((50, 20), Image.Resampling.BICUBIC))
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, expected)
    with pytest.raises(IndexError):
        dataset[4]


def test_blanks_around_a_label_are_no_part_of_it_nor_their_extents(
    tmp_path, write_lmdb, encode_image
):
    png = encode_image()
    path = write_lmdb(tmp_path / "a", [(png, b" a b\t\n"), (png, "\u3000\u00a0".encode())])
    limits = np.arange(12, dtype=np.float32).reshape(6, 2)
    with lmdb.open(str(path), map_size=2**20) as environment, environment.begin(write=True) as t:
        t.put(b"extents-%09d" % 1, limits.tobytes())
    dataset = open_set(path, protocol="verbatim", charset=Charset("ab "), size=ImageSize(16, 40))
    assert [sample.label for sample in dataset] == ["a b"] and dataset.drops == {EMPTY: 1}
    np.testing.assert_array_equal(dataset[0].extents, limits[1:4])


@pytest.mark.parametrize(
    ("label", "reason"), [(b"\xff\xfe", NOT_UTF8), (None, MISSING)], ids=["not UTF-8", "missing"]
)
def test_unreadable_labels_are_counted_and_the_first_ones_named(
    tmp_path, write_lmdb, encode_image, label, reason
):
    image = encode_image()
    records = [(image, b"a"), *[(image, label)] * 50, (image, b"b")]
    with pytest.warns(UserWarning) as caught:
        dataset = open_set(write_lmdb(tmp_path / "toy", records))
    assert dataset.drops == {reason: 50}
    assert [sample.key for sample in dataset] == ["toy/1", "toy/52"]
    assert str(caught[0].message) == f"toy/2: {reason}; left out and counted"
    assert len(caught) == 10 and "only counted" in str(caught[-1].message)


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        (np.zeros((2, 2)), "extents of 2 characters for a label of 3"),
        (np.zeros(7), "extents of 3.5 characters"),
        (np.full((3, 2), np.nan), "extents are not finite"),
    ],
)
def test_stored_extents_that_do_not_fit(tmp_path, write_lmdb, encode_image, stored, reason):
    path = write_lmdb(tmp_path / "set", [(encode_image(), b"abc")])
    with lmdb.open(str(path), map_size=2**24) as environment, environment.begin(write=True) as t:
        t.put(b"extents-000000001", stored.astype(np.float32).tobytes())
    assert open_set(path)[0].key == "toy/1" and open_set(path)[0].reason.startswith(reason)


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (None, FileNotFoundError, r"holds no data\.mdb"),
        (b"", ValueError, r"data\.mdb cannot be opened"),
        (b"hello" * 5000, ValueError, r"data\.mdb cannot be opened"),
    ],
)
def test_a_folder_that_is_no_lmdb(tmp_path, content, error, message):
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        open_set(tmp_path / "none")
    if content is not None:
        (tmp_path / "data.mdb").write_bytes(content)
    with pytest.raises(error, match=message):
        open_set(tmp_path)


def test_a_file_that_is_cut_off(tmp_path, write_lmdb, encode_image):
    path = write_lmdb(tmp_path / "set", [(encode_image(seed=i), b"word") for i in range(40)])
    os.truncate(path / "data.mdb", 3 * 4096)  # two meta pages and one more are left
    with pytest.raises(ValueError, match=r"has 12,288 of [\d,]+ bytes; it is cut off"):
        open_set(path)


@pytest.mark.parametrize(
    ("num_samples", "message"),
    [
        (b"", "no num-samples"),
        (b"two", "num-samples is b'two', not a number"),
        (b"0", "the set is empty"),
        (b"-3", "the set is empty"),
        (b"3", "num-samples is 3, but there is no record 3"),
    ],
)
def test_a_wrong_count_is_refused(tmp_path, write_lmdb, encode_image, num_samples, message):
    path = write_lmdb(tmp_path / "toy", [(encode_image(), b"a")] * 2, num_samples)
    with pytest.raises(ValueError, match=message) as caught:
        open_set(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "count", "reason"),
    [
        ([b"image-%09d" % i for i in range(3)], b"3", "counted from 0 .image-000000000 where"),
        ([b"image-%08d" % i for i in (1, 2, 3)], b"3", "have 8 digits .image-00000001 where"),
        ([b"image-a", b"image-b"], b"2", "are not numbers"),
        ([b"image-%09d" % i for i in (1, 2, 3)], None, "no num-samples; it has records"),
        ([b"img1", b"img2"], None, "no key begins with image-, the first is b'img1'"),
        ([], None, "the first is nothing"),
    ],
)
def test_what_other_tools_wrote_is_refused_with_the_reason(tmp_path, keys, count, reason):
    pairs = dict.fromkeys(keys, b"x") | ({b"num-samples": count} if count else {})
    with (
        lmdb.open(str(tmp_path), map_size=2**22) as environment,
        environment.begin(write=True) as t,
    ):
        for key, value in pairs.items():
            t.put(key, value)
    with pytest.raises(ValueError, match=reason):
        count_records(tmp_path)


@pytest.mark.parametrize(
    "read", [find_lmdbs, open_environment, lambda p: open_images(p, SIZE), open_set]
)
def test_an_lmdb_of_a_single_file_is_named(tmp_path, read):
    lmdb.open(str(tmp_path / "a.lmdb"), map_size=2**22, subdir=False, lock=False).close()
    with pytest.raises(ValueError, match="is a single file; make a folder"):
        read(tmp_path / "a.lmdb")


def test_single_files_below_a_folder_are_named(tmp_path, write_lmdb, encode_image):
    write_lmdb(tmp_path / "a", [(encode_image(), b"ab")])
    lmdb.open(str(tmp_path / "b.lmdb"), map_size=2**22, subdir=False, lock=False).close()
    (tmp_path / "c.lmdb").write_text("no LMDB")
    with pytest.warns(UserWarning, match=r"b\.lmdb: is a single file; make .*; left out") as said:
        assert [*find_lmdbs(tmp_path)] == ["a"]
    assert len(said) == 1


def test_records_on_a_damaged_page_are_corrupt(words, monkeypatch):
    def damaged(transaction, number):
        if number == 4:
            raise lmdb.CorruptedError("page")
        return read_record(transaction, number)

    dataset, images = open_set(words), LmdbImages(words, SIZE)
    monkeypatch.setattr("dctc.data.records.lmdb.read_record", damaged)
    for found, sound in ((dataset[2], dataset[1]), (images[3], images[2])):
        assert found.key.endswith("/4") and "data.mdb is damaged (page)" in found.reason
        assert isinstance(sound, Sample)


def test_a_set_without_a_usable_record_is_refused(tmp_path, write_lmdb, encode_image):
    path = write_lmdb(tmp_path / "toy", [(encode_image(), b"...")])
    with pytest.raises(ValueError, match=f"none of 1 records is left.*{EMPTY}"):
        open_set(path)
    with pytest.raises(
        ValueError, match=r"none of 0 records of a part, such as hold_out takes, is left$"
    ):
        open_set(path, only=range(1, 1))


def test_pickles_hold_no_labels_and_no_environment(tmp_path, write_lmdb):
    path = write_lmdb(tmp_path / "toy", [(None, b"x" * 200)] * 1000)
    dataset = open_set(path)
    dataset[0]
    pickled = pickle.dumps(dataset)
    assert len(pickled) < 6000  # 4 bytes for each of 1000 records, and the arguments
    assert pickle.loads(pickled)[999] == dataset[999]
    assert dataset.numbers.dtype == np.int32


def test_an_environment_is_shared_within_a_process_and_not_over_a_fork(words):
    one, two = open_set(words), open_set(words)
    assert one[0].label == two[0].label and one._environment is two._environment
    held = open_environment(words)
    assert in_child(lambda: open_environment(words) is held) == "False"
    assert held.stat()["entries"] == 11  # the parent's is still open
