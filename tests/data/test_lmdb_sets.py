"""What all data modules of LMDBs share, tried on each; and sets that are unions of LMDBs."""

from types import SimpleNamespace

import pytest
import torch

from dctc.data import document
from dctc.data.records.sampler import Draw
from dctc.data.union import UnionDataset


def keys(loader):
    return [key for batch in loader for key in batch.key]


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("english", {"test": ["SVT50"]}, "test: 'SVT50' is not one of IIIT5K, SVT"),
        ("english", {"charset": "35"}, "charset '35'"),
        ("english", {"protocol": "english35"}, "protocol 'english35'"),
        ("english", {"train_protocol": "english35"}, "protocol 'english35'"),
        ("chinese", {"test": ["Sceen"]}, "test: 'Sceen' is not one of Scene, Web"),
        ("chinese", {"val": ["TAIGI_Hanji"]}, "val: 'TAIGI_Hanji' is not one of Scene, Web"),
        ("chinese", {"charset": "none.txt"}, "charset 'none.txt'"),
        ("document", {"test": ["SROIE"]}, "'SROIE' is not one of FUNSD, FUNSD_val"),
        ("document", {"train_size": 0}, "train_size 0: at least one"),
        ("english", {"batch_size": 0}, "batch_size 0, eval_batch_size None: give 1 or more"),
        ("english", {"val": {"train": ["synth"]}}, "val: train is the name of the training data"),
        ("chinese", {"test": {"train": ["synth"]}}, "test: the training data is named train"),
        ("document", {"eval_batch_size": -1}, "eval_batch_size -1: give 1 or more"),
        ("english", {"height": 0}, "images of 0 x 16 pixels"),
        ("chinese", {"width": -1}, "images of 8 x -1 pixels"),
        ("english", {"fill": 256}, "fill 256: give a level from 0 to 255"),
        ("document", {"rotate_tall": "up"}, "rotate_tall 'up': give off, left or right"),
    ],
)
def test_wrong_arguments_are_refused_at_once(module, kind, options, message):
    with pytest.raises(ValueError, match=message):
        module(kind, **options)


@pytest.mark.parametrize(
    ("kind", "stage", "options", "message"),
    [
        ("english", "test", {}, "SVT: 6 records where 647 are expected"),
        ("chinese", "fit", {"train": ["Scene"]}, "train: 4 records where 509,164 are expected, in"),
        ("chinese", "test", {"test": ["Web"]}, "Web: 1 records where 14,059 are expected"),
        ("document", "fit", {}, "20 records where 21,888 are expected"),
    ],
)
def test_a_set_of_another_size_is_refused(ready, kind, stage, options, message):
    with pytest.raises(ValueError, match=message):
        ready(kind, stage, allow_size_mismatch=False, **options)


@pytest.mark.parametrize(
    ("kind", "folder"),
    [
        *(("english", f) for f in ("english/test/SVT_647", "english/test", "english", ".")),
        *(("chinese", f) for f in ("chinese/scene_test", "chinese", "chinese/test")),
        *(("english", f) for f in ("chinese/scene_test", "document/test")),
    ],
)
def test_test_sets_are_never_trained_on(ready, kind, folder):
    with pytest.raises(ValueError, match=r"train: .*test.* by its path .*; never train on one"):
        ready(kind, "fit", train=[folder])


@pytest.mark.parametrize(
    ("kind", "folder", "count", "published"),
    [
        ("english", "synth/ST", 5, "IIIT5K"),
        ("chinese", "chinese/scene_test", 4, "Scene"),
        ("document", "synth/ST", 5, "FUNSD"),
    ],
)
def test_own_test_sets_have_a_name_and_folders(ready, module, kind, folder, count, published):
    data = ready(kind, "test", test={"mine": [folder]})
    assert data.test_names == ["mine"] and len(data.test_sets["mine"]) == count
    assert keys(data.test_dataloader()[0])[0] == f"{folder}/1"
    with pytest.raises(ValueError, match=f"another set is named {published}"):
        ready(kind, "test", test={published: [folder]})
    if kind != "document":  # which trains on the official words
        train = "synth/ST" if kind == "english" else "chinese/scene_train"
        data = module(kind, train=[train], test={"mine": [train]})
        for _ in range(2):  # a notebook's cell may be run again
            with pytest.raises(ValueError, match="is named in test; never train on a test set"):
                data.setup("fit")
        half = module(kind, test={"mine": [folder], "other": ["none"]})
        for _ in range(2):
            with pytest.raises(FileNotFoundError, match="test other: 'none'"):
                half.setup("test")
        with pytest.raises(FileNotFoundError, match="test mine: 'none' is neither a folder"):
            ready(kind, "fit", train=[train], test={"mine": ["none"]})


@pytest.mark.parametrize("kind", ["english", "chinese"])
def test_folders_by_their_whole_path_need_no_data_root(ready, sets, kind):
    words = str(sets / ("synth/ST" if kind == "english" else "chinese/scene_train"))
    val = {} if kind == "english" else []
    options = {"train": [words], "val": val, "data_root": str(sets / "none")}
    assert len(ready(kind, "fit", **options).train_set) > 2
    assert ready(kind, "test", **{**options, "test": {"mine": [words]}}).test_names == ["mine"]


def test_validation_on_training_data_is_told(ready, caplog):
    for options, count in (({"val": {"v": ["synth/ST"]}}, 1), ({"hold_out": 0.3}, 0)):
        caplog.clear()
        ready("english", "fit", train=["synth"], **options)
        said = [one for one in caplog.messages if "trained on too" in one]
        assert len(said) == count and all("synth/ST" in one for one in said)
    ready("english", "fit", train=["english/train/SVT_257"])  # of the usual validation words
    assert "SVT_257 is trained on too" in caplog.text
    caplog.clear()  # what was said of the same data is not said again
    ready("english", "fit", train=["english/train/SVT_257"])
    assert "SVT_257 is trained on too" not in caplog.text


def test_an_own_test_set_that_is_validation_data_is_told(ready, caplog):
    own = {"mine": ["synth/ST"]}
    for val, count in (("english/test/SVT_647", 0), ("synth/ST", 1)):
        caplog.clear()
        ready("english", "fit", train=["english/train"], val={"v": [val]}, test=own)
        said = [one for one in caplog.messages if "named in test" in one]
        assert len(said) == count and all("synth/ST" in one for one in said)


@pytest.mark.parametrize(
    ("kind", "train", "message"),
    [
        ("english", ["synth/none"], "train: 'synth/none' is neither a folder below"),
        ("english", ["empty"], r"train: no LMDB \(data.mdb\) in or below"),
        ("english", ["synth/ST", "synth"], "synth/ST is listed twice"),
        ("english", {"v": []}, "val v: no folder is named"),
        ("chinese", ["none"], "train: 'none' is neither a folder below"),
        ("chinese", ["Document"], r"^Document_train: not found below .*FudanVI"),
        ("chinese", ["Scene", "chinese/scene_train"], "scene_train is listed twice"),
    ],
)
def test_training_folders_that_cannot_be_used(ready, sets, kind, train, message):
    (sets / "empty").mkdir(exist_ok=True)
    with pytest.raises((FileNotFoundError, ValueError), match=message):
        ready(kind, "fit", **({"val": train} if isinstance(train, dict) else {"train": train}))


@pytest.mark.parametrize(
    ("kind", "test", "named"), [("english", "IIIT5K", "LMDB"), ("chinese", "Document", "settings")]
)
def test_nothing_to_train_or_to_test(ready, kind, test, named):
    with pytest.raises(ValueError, match=f"train: no training data; name {named}"):
        ready(kind, "fit").train_dataloader()
    with pytest.raises(ValueError, match=f"test: none of {test} found below"):
        ready(kind, "test", test=[test])


SOME = "SHMOaeulrst"
UMLAUTS = ["Stra\u00dfe", "Mu\u0308ller", "Haus", "\u5b57\u200b", "O'er"]


@pytest.mark.parametrize(
    ("charset", "protocol", "left", "said"),
    [
        # the usual protocol changes nothing, so what is outside is left out and named
        (f"{SOME}\u00df\u00fc", None, ["Stra\u00dfe", "M\u00fcller", "Haus"], "U+200B \u5b57"),
        ("36", None, ["strae", "mller", "haus", "oer"], "(\u00df \u00fc) of 2 of 4 texts: 'Stra"),
        # of a charset a protocol may change characters, but not drop them
        ("62", "english36", ["strae", "mller", "haus", "oer"], " 4 of 4 texts: 'Stra"),
        ("94", "english36", None, "english94 keeps them, or name a charset without them"),
        (f"{SOME}\u00df\u00fc", "english94", None, r"\(\u00df \u00fc\) of 2 of 3 .* -> 'Strae', "),
    ],
)
def test_labels_that_are_left_out_or_altered_are_told(
    ready, write_words, tmp_path, caplog, charset, protocol, left, said
):
    write_words(tmp_path / "words", UMLAUTS)
    if not charset.isdigit():
        (tmp_path / "charset.txt").write_text(charset, encoding="utf-8")
        charset = str(tmp_path / "charset.txt")
    one = [str(tmp_path / "words")]
    options = {"train": one, "val": {"v": one}, "charset": charset, "protocol": protocol}
    if left is None:
        with pytest.raises(ValueError, match=said):
            ready("english", "fit", **options)
        ready("english", "validate", **options)  # where only readings are compared, it is allowed
        assert "-> " in caplog.records[-1].getMessage()
        return
    data = ready("english", "fit", **options)
    assert [data.train_set[i].label for i in range(len(data.train_set))] == left
    lines = [record.getMessage() for record in caplog.records]
    for name in ("train", "v"):
        assert any(line.startswith(f"{name}: ") and said in line for line in lines)
        assert data.labels()[name]["labels"] == len(left)
        assert sum(data.labels()[name]["left_out"].values()) == len(UMLAUTS) - len(left)
    outside = {"'": 1, "\u5b57": 1, "\u200b": 1}
    assert data.labels()["v"]["outside"] == ({} if charset.isdigit() else outside)
    emptied = {"\u200b": 1, "\u5b57": 1} if charset.isdigit() else {}
    assert data.labels()["v"]["emptied"] == emptied
    shown = "of empty labels, most frequent first: U+200B \u5b57"
    assert any(shown in line for line in lines) == bool(emptied)


@pytest.mark.parametrize(
    ("kind", "options", "shown"),
    [
        ("english", {"test": ["SVT"]}, ["It's", "OK"]),
        ("english", {"hold_out": 0.3, "test": ["SVT"]}, ["It's"]),
        ("document", {}, None),
        ("document", {"train_size": 4}, None),
        ("document", {"folds": 2}, None),
    ],
)
def test_training_labels_have_a_protocol_of_their_own(
    ready, read, write_words, tmp_path, monkeypatch, kind, options, shown
):
    monkeypatch.setattr(document, "GAP", 1)
    if kind == "english":
        options = {**options, "train": [str(write_words(tmp_path / "words", ["It's", "OK"]))]}
    usual = {"charset": "94", "protocol": "english36", "batch_size": 1, **options}
    data = ready(kind, train_protocol="english94", **usual)
    trained = [label for _, label in read(data.train_dataloader())]
    assert sorted(trained) == shown if shown else "--" in trained or "..." in trained
    for loader in (*data.val_dataloader(), *data.test_dataloader()):
        labels = [label for _, label in read(loader)]
        assert labels and all(label == label.lower() and label.isalnum() for label in labels)
    if shown:
        with pytest.raises(ValueError, match="english94 keeps them"):
            ready(kind, "fit", **usual)


def trainer(rank, world_size, use_distributed_sampler=False):
    connector = SimpleNamespace(use_distributed_sampler=use_distributed_sampler)
    return SimpleNamespace(
        global_rank=rank,
        world_size=world_size,
        strategy=SimpleNamespace(root_device=torch.device("cpu")),
        _accelerator_connector=connector,
    )


def test_trainers_that_do_not_go_with_the_loaders_are_refused(ready):
    data = ready("english", train=["synth"])
    data.trainer = trainer(0, 2, use_distributed_sampler=True)
    with pytest.raises(ValueError, match="set use_distributed_sampler=False"):
        data.test_dataloader()
    data.trainer = trainer(0, 3)
    with pytest.raises(ValueError, match=r"batch_size 4 .* does not divide by 3"):
        data.train_dataloader()
    data.trainer = trainer(0, 9)  # of which some would have no sample, and wait for ever
    with pytest.raises(ValueError, match=r"SVT: 5 samples are too few .* 9 processes"):
        data.test_dataloader()


def test_a_union_hands_the_number_of_the_draw_on():
    class Echo(list):
        def __getitem__(self, draw):
            return len(self), draw

    union = UnionDataset([Echo("abc"), Echo("d"), Echo("ef")])
    got = [union[Draw(i, 10 * i)] for i in range(len(union))]
    places = [(3, 0), (3, 1), (3, 2), (1, 0), (2, 0), (2, 1)]
    assert got == [(size, Draw(i, 10 * n)) for n, (size, i) in enumerate(places)]
    assert union[4] == (2, Draw(0, 4))
    with pytest.raises(IndexError):
        union[6]
