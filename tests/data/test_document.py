from types import SimpleNamespace

import pytest
import torch

from dctc.data.document import DocumentDataModule


@pytest.fixture
def root(tmp_path, write_lmdb, encode_image):
    def add(folder, labels):
        records = [(encode_image(i, 8, 8), label.encode()) for i, label in enumerate(labels)]
        write_lmdb(tmp_path / folder, records)

    # 20 records: the tail of a tenth is two
    add("train/FUNSD_words_21888", ["--", *(f"w{i}" for i in range(2, 19)), "...", "Last"])
    add("test/FUNSD_words_8707", ["Test", "!", "two"])
    add("train/SROIE_lines_27066", [f"LINE {i}" for i in range(1, 31)])
    return tmp_path


def module(root, **options):
    defaults = {"data_root": str(root), "num_workers": 0, "batch_size": 4, "height": 8, "width": 16}
    data = DocumentDataModule(**{**defaults, "allow_size_mismatch": True, **options})
    data.trainer = SimpleNamespace(
        world_size=1, strategy=SimpleNamespace(root_device=torch.device("cpu"))
    )
    return data


def ready(root, stage, **options):
    data = module(root, **options)
    data.setup(stage)
    return data


def read(loaders):
    return [pair for loader in loaders for b in loader for pair in zip(b.key, b.label, strict=True)]


def test_funsd_is_validated_on_the_tail_of_the_training_words(root):
    data = ready(root, None)
    trained = read([data.train_dataloader()])
    # 17 of the first 18 records have a label, of which four batches of four are taken
    assert {key for key, _ in trained} < {f"FUNSD_train/{i}" for i in range(2, 19)}
    assert len(trained) == 16
    assert read(data.val_dataloader()) == [("FUNSD_val/20", "last")]
    assert data.drops("train") == data.drops("FUNSD_val") == {"empty label after protocol": 1}


def test_funsd_is_tested_on_the_official_test_words(root):
    data = ready(root, "test")
    assert data.test_names == ["FUNSD"]
    assert read(data.test_dataloader()) == [("FUNSD/1", "test"), ("FUNSD/3", "two")]
    assert data.drops("FUNSD") == {"empty label after protocol": 1}


def test_validation_words_can_be_scored_as_a_test_set_and_are_the_same_samples(root):
    data = ready(root, None, test=["FUNSD_val", "FUNSD"])
    assert read(data.test_dataloader()[:1]) == read(data.val_dataloader())
    assert len(data.test_dataloader()) == 2


def test_fitting_does_not_open_the_test_words(root):
    (root / "test/FUNSD_words_8707/data.mdb").write_bytes(b"broken")
    ready(root, "fit")
    with pytest.raises(ValueError, match="FUNSD_words_8707"):
        ready(root, "test")


def test_sroie_is_split_in_its_order(root):
    data = ready(root, None, source="sroie", test=["SROIE_val", "SROIE"], batch_size=1)
    numbers = {
        name: [int(key.rpartition("/")[2]) for key, _ in read([loader])]
        for name, loader in zip(
            ("train", "val", "test"),
            (data.train_dataloader(), *data.test_dataloader()),
            strict=True,
        )
    }
    assert sorted(numbers.pop("train")) == list(range(1, 25))
    assert numbers == {"val": [25, 26, 27], "test": [28, 29, 30]}
    assert read(data.val_dataloader())[0] == ("SROIE_val/25", "line25")


def test_width_follows_the_source(root):
    for source, width in (("funsd", 128), ("sroie", 512)):
        data = ready(root, "validate", source=source, width=None)
        batch = next(iter(data.val_dataloader()[0]))
        assert batch.image.shape[2:] == (8, width)


def test_views_and_augmentation_reach_the_training_images_only(root):
    data = ready(root, None, augment=1.0, views=2)
    assert next(iter(data.train_dataloader())).second is not None
    assert next(iter(data.val_dataloader()[0])).second is None


def test_missing_data_is_named_with_where_it_comes_from(root, tmp_path):
    wrong = "training words: not found below .* folder named funsd_words_21888; .*guillaumejaume"
    for empty in (tmp_path / "none", root / "test"):
        with pytest.raises(FileNotFoundError, match=wrong):
            ready(empty, "fit")


def test_another_number_of_records_is_refused(root):
    with pytest.raises(ValueError, match="20 records where 21,888 are expected"):
        ready(root, "fit", allow_size_mismatch=False)


def test_bad_options_are_refused_at_once(root):
    with pytest.raises(ValueError, match="'SROIE' is not one of FUNSD, FUNSD_val"):
        module(root, test=["SROIE"])
    with pytest.raises(ValueError, match="not set up"):
        module(root).drops("train")


def test_a_part_of_the_training_words_is_the_first_that_have_a_label(root):
    whole, part = ready(root, None, batch_size=2), ready(root, None, batch_size=2, train_size=4)
    keys = {key for key, _ in read([part.train_dataloader()])}
    assert keys == {f"FUNSD_train/{i}" for i in (2, 3, 4, 5)}  # the first record has none
    assert part.drops("train") == {"empty label after protocol": 1}
    other = ready(root, "fit", batch_size=2, train_size=4, seed=7)
    assert {key for key, _ in read([other.train_dataloader()])} == keys
    assert read(part.val_dataloader()) == read(whole.val_dataloader())
    assert read(part.test_dataloader()) == read(whole.test_dataloader())


def test_more_training_words_than_there_are_is_refused(root):
    assert len(read([ready(root, "fit", batch_size=1, train_size=17).train_dataloader()])) == 17
    with pytest.raises(ValueError, match="train_size 18: there are 17 training words"):
        ready(root, "fit", train_size=18)
    with pytest.raises(ValueError, match="train_size 0: at least one"):
        module(root, train_size=0)
