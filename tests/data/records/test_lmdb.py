import io
import os
import pickle

import numpy as np
import pytest
from PIL import Image
from torch.utils.data import DataLoader

from dctc.data.benchmarks import three_or_more
from dctc.data.records.batch import Corrupt, Sample, collate
from dctc.data.records.folders import count_records, open_environment
from dctc.data.records.lmdb import EMPTY, MISSING, NOT_UTF8, OUTSIDE, LmdbDataset
from dctc.data.records.sampler import Draw
from dctc.text import Charset


def open_set(path, **options):
    options = {"protocol": "english36", "charset": Charset.load("36"), **options}
    return LmdbDataset(path, "toy", **options)


@pytest.fixture
def words(tmp_path, write_lmdb, encode_image):
    labels = ["Cat", "it's", "...", "Dog", "a1"]
    records = [(encode_image(seed), label.encode()) for seed, label in enumerate(labels)]
    return write_lmdb(tmp_path / "toy", records)


def test_a_sample_is_protocolled_resized_and_keyed(words, encode_image):
    dataset = open_set(words, height=20, width=50)
    assert [dataset[i].label for i in range(len(dataset))] == ["cat", "its", "dog", "a1"]
    assert [dataset[i].key for i in range(4)] == ["toy/1", "toy/2", "toy/4", "toy/5"]
    assert dataset.drops == {EMPTY: 1}
    assert dataset.records == 5
    image = dataset[Draw(2, 99)].image
    source = Image.open(io.BytesIO(encode_image(3)))
    expected = np.asarray(source.convert("RGB").resize((50, 20), Image.Resampling.BICUBIC))
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, expected)


def test_the_ratio_of_an_image_is_kept_on_request(words):
    whole, kept = open_set(words)[0], open_set(words, keep_ratio=True)[0]
    assert (whole.width, whole.image.shape) == (128, (32, 128, 3))
    assert (kept.width, kept.image.shape) == (80, (32, 128, 3))  # of 40 x 16
    assert collate([whole, kept]).width.tolist() == [128, 80]


def test_grayscale_has_one_channel(words):
    assert open_set(words, grayscale=True)[0].image.shape == (32, 128, 1)


def test_an_index_beyond_the_set_is_an_index_error(words):
    with pytest.raises(IndexError):
        open_set(words)[4]


def test_drops_are_counted_by_reason(words):
    dataset = open_set(words, protocol="verbatim", charset=Charset("CatDog"))
    assert dataset.drops == {OUTSIDE: 3}
    assert [sample.label for sample in dataset] == ["Cat", "Dog"]


def test_records_that_are_not_kept_are_no_drops(words):
    dataset = open_set(words, keep=three_or_more)
    assert [sample.label for sample in dataset] == ["cat", "its", "dog"]
    assert not dataset.drops


@pytest.mark.parametrize(
    ("label", "reason"), [(b"\xff\xfe", NOT_UTF8), (None, MISSING)], ids=["not UTF-8", "missing"]
)
def test_an_unreadable_label_is_reported_and_counted(
    tmp_path, write_lmdb, encode_image, label, reason
):
    image = encode_image()
    path = write_lmdb(tmp_path / "toy", [(image, b"a"), (image, label), (image, b"b")])
    with pytest.warns(UserWarning, match=f"toy/2: {reason}; left out and counted"):
        dataset = open_set(path)
    assert dataset.drops == {reason: 1}
    assert [sample.key for sample in dataset] == ["toy/1", "toy/3"]


def test_many_unreadable_labels_are_counted_but_not_all_named(tmp_path, write_lmdb, encode_image):
    records = [(encode_image(), b"\xff")] * 50 + [(encode_image(), b"a")]
    with pytest.warns(UserWarning) as caught:
        dataset = open_set(write_lmdb(tmp_path / "toy", records))
    assert dataset.drops == {NOT_UTF8: 50}
    assert len(caught) == 10
    assert "only counted" in str(caught[-1].message)


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_broken_images_are_corrupt_records(tmp_path, write_lmdb, encode_image, format):
    image = encode_image(format=format)
    broken = [None, image[: len(image) // 2], image[:10], b"", b"not an image"]
    path = write_lmdb(tmp_path / "toy", [(item, b"a") for item in [*broken, image]])
    dataset = open_set(path)
    *corrupt, good = [dataset[i] for i in range(6)]
    assert all(isinstance(record, Corrupt) for record in corrupt)
    assert [record.key for record in corrupt] == [f"toy/{i}" for i in range(1, 6)]
    assert corrupt[0].reason == "image missing"
    assert all(record.reason.startswith("image cannot be decoded") for record in corrupt[1:])
    assert not any("0x" in record.reason for record in corrupt)
    assert isinstance(good, Sample)


def test_a_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        open_set(tmp_path / "none")


def test_a_file_that_is_cut_off(tmp_path, write_lmdb, encode_image):
    path = tmp_path / "set"
    write_lmdb(path, [(encode_image(seed=i), b"word") for i in range(40)])
    file = path / "data.mdb"
    whole = file.stat().st_size
    with open(file, "r+b") as stream:  # two meta pages and one more are left
        stream.truncate(3 * 4096)
    with pytest.raises(ValueError, match=r"has 12,288 of [\d,]+ bytes; it is cut off"):
        open_set(path)
    assert whole > 3 * 4096


def test_an_empty_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no data\.mdb"):
        open_set(tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello" * 5000], ids=["empty", "text"])
def test_a_file_that_is_no_lmdb(tmp_path, content):
    (tmp_path / "data.mdb").write_bytes(content)
    with pytest.raises(ValueError, match=r"data\.mdb cannot be opened"):
        open_set(tmp_path)


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


def test_records_above_the_count_are_reported(tmp_path, write_lmdb, encode_image):
    path = write_lmdb(tmp_path / "toy", [(encode_image(), b"a")] * 3, b"2")
    with pytest.warns(UserWarning, match="there is a record 3"):
        assert count_records(path) == 2


def test_a_set_without_a_usable_record_is_refused(tmp_path, write_lmdb, encode_image):
    path = write_lmdb(tmp_path / "toy", [(encode_image(), b"...")])
    with pytest.raises(ValueError, match=f"none of 1 records is left.*{EMPTY}"):
        open_set(path)


def test_two_data_sets_share_an_environment(words):
    one, two = open_set(words), open_set(words, grayscale=True)
    assert one[0].label == two[0].label
    assert one._environment is two._environment


def test_pickles_hold_no_labels_and_no_environment(tmp_path, write_lmdb):
    path = write_lmdb(tmp_path / "toy", [(None, b"x" * 200)] * 1000)
    dataset = open_set(path)
    dataset[0]
    pickled = pickle.dumps(dataset)
    assert len(pickled) < 6000  # 4 bytes for each of 1000 records, and the arguments
    assert pickle.loads(pickled)[999] == dataset[999]
    assert dataset.numbers.dtype == np.int32


def keys(dataset, **options):
    loader = DataLoader(dataset, batch_size=2, num_workers=2, collate_fn=collate, **options)
    return [key for batch in loader for key in batch.key]


def test_forked_workers_open_their_own(words):
    dataset = open_set(words)
    here = [sample.key for sample in dataset]  # leaves the environment open over the fork
    assert keys(dataset, multiprocessing_context="fork") == here
    assert [sample.key for sample in dataset] == here


def test_a_fork_does_not_use_the_environment_of_its_parent(words):
    held = open_environment(words)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, str(open_environment(words) is held).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 10) == b"False"
    assert held.stat()["entries"] == 11  # the parent's is still open


@pytest.mark.slow
def test_spawned_workers(words):
    dataset = open_set(words, keep=three_or_more)
    here = [sample.key for sample in dataset]
    assert keys(dataset, multiprocessing_context="spawn") == here
