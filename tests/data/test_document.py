import shutil

import pytest

from dctc.data import document


def numbers(read, loader):
    return [int(key.rpartition("/")[2]) for key, _ in read(loader)]


def test_funsd_is_validated_on_the_tail_of_the_training_words(ready, read):
    data = ready("document")
    trained = read(data.train_dataloader())
    # 17 of the first 18 records have a label, of which four batches of four are taken
    assert {key for key, _ in trained} < {f"FUNSD_train/{i}" for i in range(2, 19)}
    assert len(trained) == 16
    assert read(data.val_dataloader()[0]) == [("FUNSD_val/20", "last")]
    assert data.test_names == ["FUNSD"]
    assert read(data.test_dataloader()[0]) == [("FUNSD/1", "test"), ("FUNSD/3", "two")]
    for name in ("train", "FUNSD_val", "FUNSD"):
        assert data.labels()[name]["left_out"] == {"empty label after protocol": 1}


@pytest.mark.parametrize("stage", ["test", None])
def test_validation_words_can_be_scored_as_a_test_set_and_are_the_same_samples(ready, read, stage):
    data = ready("document", stage, test=["FUNSD_val", "FUNSD"])
    loaders = data.test_dataloader()
    assert read(loaders[0]) == [("FUNSD_val/20", "last")] and len(loaders) == 2


def test_fitting_does_not_open_the_test_words(ready, sets, tmp_path):
    root = shutil.copytree(sets / "document", tmp_path / "document")
    (root / "test/FUNSD_words_8707/data.mdb").write_bytes(b"broken")
    ready("document", "fit", data_root=str(root))
    with pytest.raises(ValueError, match="FUNSD_words_8707"):
        ready("document", "test", data_root=str(root))


def test_sroie_is_split_in_its_order(ready, read):
    data = ready("document", source="sroie", test=["SROIE_val", "SROIE"], batch_size=1)
    assert sorted(numbers(read, data.train_dataloader())) == list(range(1, 25))
    val, test = (numbers(read, loader) for loader in data.test_dataloader())
    assert (val, test) == ([25, 26, 27], [28, 29, 30])
    assert read(data.val_dataloader()[0])[0] == ("SROIE_val/25", "line25")


@pytest.mark.parametrize(("source", "width"), [("funsd", 128), ("sroie", 512)])
def test_width_follows_the_source(ready, source, width):
    data = ready("document", "validate", source=source, width=None)
    assert next(iter(data.val_dataloader()[0])).image.shape[2:] == (8, width)


def test_missing_data_is_named_with_where_it_comes_from(ready, sets):
    wrong = "FUNSD, training words: not found below .* named funsd_words_21888; .*guillaumejaume"
    for empty in (sets / "none", sets / "document/test"):
        with pytest.raises(FileNotFoundError, match=wrong):
            ready("document", "fit", data_root=str(empty))


def test_a_part_of_the_training_words_is_the_first_that_have_a_label(ready, read):
    whole = ready("document", batch_size=2)
    part = ready("document", batch_size=2, train_size=4)
    first = {f"FUNSD_train/{i}" for i in (2, 3, 4, 5)}  # the first record has none
    assert {key for key, _ in read(part.train_dataloader())} == first
    assert part.labels()["train"]["left_out"] == {"empty label after protocol": 1}
    other = ready("document", "fit", batch_size=2, train_size=4, seed=7)
    assert {key for key, _ in read(other.train_dataloader())} == first
    assert read(part.val_dataloader()[0]) == read(whole.val_dataloader()[0])
    assert read(part.test_dataloader()[0]) == read(whole.test_dataloader()[0])


def test_more_training_words_than_there_are_is_refused(ready, read):
    data = ready("document", "fit", batch_size=1, train_size=17)
    assert len(read(data.train_dataloader())) == 17
    with pytest.raises(ValueError, match="train_size 18: there are 17 training words"):
        ready("document", "fit", train_size=18)


@pytest.mark.parametrize(
    ("seed", "test", "far"),
    [(3, range(1, 8), range(10, 24)), (4, range(8, 16), [*range(1, 6), *range(18, 24)])],
)
def test_folds_are_parts_of_all_words_without_neighbours(ready, read, monkeypatch, seed, test, far):
    """Of 23 records, 20 for training and 3 for test, in three folds."""
    monkeypatch.setattr(document, "GAP", 2)
    data = ready("document", folds=3, seed=seed, batch_size=1)
    loaders = [data.train_dataloader(), data.val_dataloader()[0], data.test_dataloader()[0]]
    keys = [[key for key, _ in read(loader)] for loader in loaders]
    train, val, tested = (
        {int(key.split("/")[1]) * 20 + int(key.split("/")[2]) for key in of} for of in keys
    )
    unlabelled = {1, 19, 22}
    assert tested == {*test} - unlabelled
    assert train | val == {*far} - unlabelled and max(train) < min(val) and len(val) == 1
    assert (data.val_names, data.test_names) == (["FUNSD_fold_val"], ["FUNSD_fold"])


def test_sets_too_small_for_folds_are_refused(ready):
    with pytest.raises(ValueError, match="folds 3: 23 records are too few, none is in train"):
        ready("document", folds=3)


def test_folds_stand_alone(module):
    for options in ({"folds": 1}, {"folds": 4, "train_size": 9}, {"folds": 4, "test": ["FUNSD"]}):
        with pytest.raises(ValueError, match=r"folds|FUNSD_fold"):
            module("document", **options)
