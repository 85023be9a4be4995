import logging

import pytest


def keys(loader):
    return [key for batch in loader for key in batch.key]


def test_training_unites_all_lmdbs_of_all_folders(ready, sets):
    data = ready("english", "fit", train=["synth/MJ", str(sets / "synth/ST")])
    loader = data.train_dataloader()
    first, second = keys(loader), keys(loader)
    every = [f"synth/MJ/train/{i}" for i in range(1, 8)] + [f"synth/ST/{i}" for i in range(1, 6)]
    assert sorted(first) == sorted(second) == every
    assert first != second
    assert data.labels()["train"]["left_out"] == {}


def test_batches_say_how_wide_their_images_are(ready, tmp_path, write_lmdb, encode_image):
    sizes = [(8, 8), (12, 8), (80, 8)]
    write_lmdb(tmp_path / "val", [(encode_image(0, *size), b"a") for size in sizes])
    for keep_ratio, widths in ((False, [16, 16, 16]), (True, [8, 12, 16])):
        val = {"val": [str(tmp_path / "val")]}
        (batch,) = ready("english", "validate", val=val, keep_ratio=keep_ratio).val_dataloader()[0]
        assert batch.width.tolist() == widths and batch.image.shape == (3, 3, 8, 16)


def test_validation_is_the_union_of_the_real_training_words_or_sets_that_are_named(ready):
    data = ready("english", "validate")
    assert data.val_names == ["real_train_words"]
    names = ["IC13_848/1", "SVT_257/1", "SVT_257/2"]
    assert keys(data.val_dataloader()[0]) == [f"english/train/{name}" for name in names]
    assert data.labels()["real_train_words"]["left_out"] == {"empty label after protocol": 1}
    named = {"synthetic": ["synth"], "svt": ["english/train/SVT_257"]}
    data = ready("english", "validate", val=named)
    assert data.val_names == ["synthetic", "svt"]
    assert [len(keys(loader)) for loader in data.val_dataloader()] == [12, 2]


def test_the_last_records_of_each_training_folder_are_held_out(ready):
    data = ready("english", "fit", train=["synth"], hold_out=0.3)
    trained, held = keys(data.train_dataloader()), keys(data.val_dataloader()[0])
    assert sorted(held) == [*(f"synth/MJ/train/{i}" for i in (6, 7)), "synth/ST/4", "synth/ST/5"]
    assert len(trained) == 8 and not {*trained} & {*held} and data.val_names == ["held_out"]
    for options in ({"hold_out": 1.0}, {"hold_out": 0.1, "val": {}}):
        with pytest.raises(ValueError, match="hold_out"):
            ready("english", "fit", train=["synth"], **options)


def test_real_training_words_are_trained_on_where_they_are_not_validated_on(ready):
    val = {"v": ["synth/MJ"]}
    data = ready("english", "fit", train=["real_train_words", "synth/ST"], val=val, batch_size=1)
    real = ("IC13_848/1", "SVT_257/1", "SVT_257/2")
    assert {*keys(data.train_dataloader())} == {f"synth/ST/{i}" for i in range(1, 6)} | {
        f"english/train/{name}" for name in real
    }
    for named in (None, {"v": ["real_train_words", "synth/MJ"]}):
        with pytest.raises(ValueError, match="real_train_words is a validation set too"):
            ready("english", "fit", train=["real_train_words"], val=named)
    with pytest.raises(ValueError, match="never train on a test set"):
        ready("english", "fit", train=["real_train_words"], val=val, test=["real_train_words"])
    with pytest.raises(FileNotFoundError, match=r"^IIIT5K_2000: not found below"):
        ready("english", "fit", train=["real_train_words"], val=val, allow_size_mismatch=False)
    with pytest.raises(ValueError, match="hold_out: name the training data in train"):
        ready("english", "validate", hold_out=0.1)


def test_the_name_of_the_real_training_words_stands_for_their_folders_everywhere(ready):
    named = {"v": ["synth/ST", "real_train_words"]}
    data = ready("english", val=named, test=named)
    expected = [*(f"synth/ST/{i}" for i in range(1, 6)), "english/train/IC13_848/1"]
    for loader in (data.val_dataloader()[0], data.test_dataloader()[0]):
        assert [*keys(loader)][:6] == expected and len(keys(loader)) == 8
    with pytest.raises(ValueError, match=r"train: .*848 is named in test; never train"):
        ready("english", "fit", train=["real_train_words"], val={}, test=named)


@pytest.mark.parametrize(("labels", "share"), [("a", 0.1), ("ab", 0.9)])
def test_holding_out_leaves_something_to_train_on(ready, write_words, tmp_path, labels, share):
    few = str(write_words(tmp_path / "few", labels))
    with pytest.raises(ValueError, match=f"hold_out {share}: nothing is left to train on of .*few"):
        ready("english", "fit", train=[few], hold_out=share)


def test_without_validation_words_nothing_is_validated_and_that_is_said(ready, sets, caplog):
    data = ready("english", "validate", data_root=str(sets / "synth"))
    assert data.val_names == data.val_dataloader() == []
    assert "real_train_words: none of IIIT5K_2000" in caplog.text
    caplog.clear()
    assert ready("english", "validate", val={}).val_names == []
    assert not caplog.text


@pytest.mark.parametrize("named", [True, False])
def test_benchmarks_are_tested_one_by_one_and_missing_ones_named(ready, sets, caplog, named):
    with caplog.at_level(logging.WARNING):
        data = ready("english", "test", test=["CUTE80"] if named else None)
    lines = [record.getMessage() for record in caplog.records]
    if named:
        assert (data.test_names, lines) == (["CUTE80"], [])
        return
    assert data.test_names == ["SVT", "CUTE80"]
    svt, cute = data.test_dataloader()
    assert keys(svt) == [f"SVT/{i}" for i in (1, 2, 4, 5, 6)]
    assert keys(cute) == ["CUTE80/1", "CUTE80/2"]
    assert data.labels()["SVT"]["left_out"] == {"empty label after protocol": 1}
    missing = ["IIIT5K", "IC13_857", "IC15_2077", "IC15_1811", "SVTP"]
    assert [line.partition(":")[0] for line in lines] == [*missing, "SVT"]
    assert all(f"not found below {sets}" in line and "get it:" in line for line in lines[:-1])
    assert lines[-1].startswith("SVT: 1 of 6 labels left out (empty label after protocol: 1; ")
