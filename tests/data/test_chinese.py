import os

import pytest

from dctc.data.benchmarks import find_sets, open_benchmark
from dctc.data.catalogue import CHINESE_TEST, CHINESE_TRAIN, CHINESE_VAL
from dctc.data.chinese import ChineseDataModule
from dctc.data.records.folders import data_root
from dctc.text import Charset

pytest.importorskip("zhconv")


@pytest.fixture
def root(tmp_path, write_lmdb, encode_image):
    def add(folder, labels):
        records = [(encode_image(i, 8, 8), label.encode()) for i, label in enumerate(labels)]
        write_lmdb(tmp_path / folder, records)

    add("chinese/scene_train", ["漢字", "\uff23\uff34\uff23 漢", "乾", "龘"])
    add("chinese/scene_val", ["漢", "汉", "龘"])
    add("chinese/scene_test", ["漢字", "汉字", "龘", "\uff21"])
    add("chinese/web_train", ["字", "字", "字"])
    add("chinese/web_test", ["字"])
    add("chinese/test/TAIGI_Hanji_375", ["漢"])
    (tmp_path / "alphabet.txt").write_text("漢汉字乾干ctca".replace("ctc", "ct"), encoding="utf-8")
    return tmp_path


def module(root, **options):
    defaults = {"data_root": str(root), "num_workers": 0, "batch_size": 2, "height": 8, "width": 16}
    options = {**defaults, "charset": str(root / "alphabet.txt"), **options}
    return ChineseDataModule(**{"allow_size_mismatch": True, **options})


def ready(root, stage=None, **options):
    data = module(root, **options)
    data.setup(stage)
    return data


def labels(loader):
    return {k: label for batch in loader for k, label in zip(batch.key, batch.label, strict=True)}


def test_the_registry_holds_the_published_sizes():
    sizes = [[b.size for b in part.values()] for part in (CHINESE_TRAIN, CHINESE_VAL, CHINESE_TEST)]
    assert sizes == [
        [509164, 112471, 400000, 74603],
        [63645, 14059, 50000, 18651],
        [63646, 14059, 50000, 23389, 375],
    ]
    every = [b for part in (CHINESE_TRAIN, CHINESE_VAL, CHINESE_TEST) for b in part.values()]
    names = [alias for benchmark in every for alias in benchmark.aliases]
    assert len(set(names)) == len(names)
    assert all(benchmark.how_to_get for benchmark in every)


def test_training_labels_keep_what_the_image_shows(root):
    data = ready(root, "fit", train=["Scene"])
    part = data.train_dataloader().dataset
    assert [part[i].label for i in range(len(part))] == ["漢字", "ctc漢", "乾"]
    assert part[0].key == "chinese/scene_train/1"
    assert data.drops("train") == {"character outside the charset": 1}


def test_validation_is_on_the_settings_trained_on(root):
    data = ready(root, "fit", train=["Scene"])
    assert data.val_names == ["Scene_val"]
    assert labels(data.val_dataloader()[0]) == {"Scene_val/1": "漢", "Scene_val/2": "汉"}
    assert data.drops("Scene_val") == {"character outside the charset": 1}
    assert ready(root, "fit", train=["Scene"], val=[]).val_names == []


def test_test_sets_keep_what_the_image_shows_and_lose_no_sample(root, caplog):
    data = ready(root, "test")
    assert data.test_names == ["Scene", "Web", "TAIGI_Hanji"]
    assert labels(data.test_dataloader()[0]) == {
        "Scene/1": "漢字", "Scene/2": "汉字", "Scene/3": "龘", "Scene/4": "a"
    }  # fmt: skip
    assert data.drops("Scene") == {}
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 3
    assert lines[0].startswith("Document: not found below") and "FudanVI" in lines[0]
    assert lines[1].startswith("Handwriting: not found below") and "SCUT-HCCDoc" in lines[1]
    assert lines[2].startswith("Scene: labels with characters that the charset cannot write: 1; ")


def test_what_the_conversion_makes_of_the_charset_is_no_miss(root, caplog):
    (root / "alphabet.txt").write_text("漢字龘a", encoding="utf-8")
    data = ready(root, "test", test=["Scene"])
    assert len(data.test_dataloader()[0].dataset) == 4
    assert not caplog.records


def test_another_protocol_is_applied_to_training_labels_too(root):
    (root / "alphabet.txt").write_text("漢字汉乾龘CTC A".replace("CTC", "CT"), encoding="utf-8")
    data = ready(root, train=["Web", "chinese/scene_train"], protocol="verbatim", test=["Web"])
    assert len(data.train_dataloader().dataset) == 6
    assert data.drops("train") == {"character outside the charset": 1}  # full-width
    assert data.val_names == []  # no web_val, and the folder is no setting


def test_a_missing_training_set_says_how_to_get_it(root):
    with pytest.raises(FileNotFoundError, match=r"Document_train: not found below .*FudanVI"):
        ready(root, "fit", train=["Document"])
    with pytest.raises(FileNotFoundError, match="train: 'none' is neither a folder below"):
        ready(root, "fit", train=["none"])


def test_a_set_of_another_size_is_refused(root):
    with pytest.raises(ValueError, match=r"train: 4 records where 509,164 are expected, in "):
        ready(root, "fit", train=["Scene"], allow_size_mismatch=False)
    with pytest.raises(ValueError, match="Web: 1 records where 14,059 are expected"):
        ready(root, "test", test=["Web"], allow_size_mismatch=False)


@pytest.mark.parametrize("folder", ["chinese/scene_test", "chinese", "chinese/test"])
def test_test_sets_are_never_trained_on(root, folder):
    with pytest.raises(ValueError, match=r"train: .*test.* is a test set; never train on one"):
        ready(root, "fit", train=[folder])


def test_a_training_set_named_twice(root):
    with pytest.raises(ValueError, match="scene_train is listed twice"):
        ready(root, "fit", train=["Scene", "chinese/scene_train"])


def test_nothing_to_train_or_to_test(root):
    with pytest.raises(ValueError, match="no training data; name settings"):
        ready(root, "fit").train_dataloader()
    with pytest.raises(ValueError, match="test: none of Document found below"):
        ready(root, "test", test=["Document"])
    with pytest.raises(ValueError, match=r"drops\('Document'\): not set up"):
        ready(root, "test").drops("Document")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"test": ["Sceen"]}, "test: 'Sceen' is not one of Scene, Web"),
        ({"val": ["TAIGI_Hanji"]}, "val: 'TAIGI_Hanji' is not one of Scene, Web"),
        ({"charset": "none.txt"}, "charset 'none.txt'"),
        ({"protocol": "mandarin"}, "protocol 'mandarin'"),
    ],
)
def test_wrong_arguments_are_refused_at_once(root, options, message):
    with pytest.raises(ValueError, match=message):
        module(root, **options)


def test_width_320(root):
    data = ready(root, "test", test=["Web"], height=32, width=320)
    (batch,) = data.test_dataloader()[0]
    assert batch.image.shape == (1, 3, 32, 320)


@pytest.mark.parametrize("name", CHINESE_TEST)
def test_the_real_sets_are_complete(name):
    if not os.environ.get("DCTC_DATA"):
        pytest.skip("set DCTC_DATA to the data root to test the real sets")
    found = find_sets(CHINESE_TEST, data_root(), [name])
    if name not in found:
        pytest.skip(f"{name} is not below {data_root()}: {CHINESE_TEST[name].how_to_get}")
    everything = Charset("".join(map(chr, [*range(0x21, 0xD800), *range(0x20000, 0x20010)])))
    dataset = open_benchmark(found[name], protocol="chinese", charset=everything, width=256)
    assert len(dataset) + dataset.drops.total() == CHINESE_TEST[name].size
    assert dataset[0].image.shape == (32, 256, 3)
