import os

import pytest

from dctc.data.benchmarks import find_sets, open_benchmark
from dctc.data.catalogue import CHINESE_TEST
from dctc.data.records.folders import data_root
from dctc.data.records.image_size import ImageSize
from dctc.text import Charset

pytest.importorskip("zhconv")


def test_training_labels_keep_what_the_image_shows(ready):
    data = ready("chinese", "fit", train=["Scene"])
    part = data.train_dataloader().dataset
    assert [part[i].label for i in range(len(part))] == ["漢字", "ctc漢", "乾"]
    assert part[0].key == "chinese/scene_train/1"
    assert data.labels()["train"]["left_out"] == {"character outside the charset": 1}


def test_validation_is_on_the_settings_trained_on(ready, read):
    data = ready("chinese", "fit", train=["Scene"])
    assert data.val_names == ["Scene_val"]
    assert read(data.val_dataloader()[0]) == [("Scene_val/1", "漢"), ("Scene_val/2", "汉")]
    assert data.labels()["Scene_val"]["left_out"] == {"character outside the charset": 1}
    assert ready("chinese", "fit", train=["Scene"], val=[]).val_names == []


def test_test_sets_keep_what_the_image_shows_and_lose_no_sample(ready, read, caplog):
    data = ready("chinese", "test")
    assert data.test_names == ["Scene", "Web", "TAIGI_Hanji"]
    labels = enumerate(["漢字", "汉字", "龘", "a"], start=1)
    assert read(data.test_dataloader()[0]) == [(f"Scene/{i}", label) for i, label in labels]
    assert data.labels()["Scene"]["left_out"] == {}
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 3
    assert lines[0].startswith("Document: not found below") and "FudanVI" in lines[0]
    assert lines[1].startswith("Handwriting: not found below") and "SCUT-HCCDoc" in lines[1]
    assert "Scene: " in lines[2] and "the charset cannot write: 1 (龘); " in lines[2]


def test_what_the_conversion_makes_of_the_charset_is_no_miss(ready, tmp_path, caplog):
    (tmp_path / "alphabet.txt").write_text("漢字龘a", encoding="utf-8")
    data = ready("chinese", "test", test=["Scene"], charset=str(tmp_path / "alphabet.txt"))
    assert len(data.test_dataloader()[0].dataset) == 4
    assert not caplog.records


def test_another_protocol_is_applied_to_training_labels_too(ready, tmp_path):
    (tmp_path / "alphabet.txt").write_text("漢字汉乾龘CT A", encoding="utf-8")
    options = {"charset": str(tmp_path / "alphabet.txt"), "protocol": "verbatim", "test": ["Web"]}
    data = ready("chinese", train=["Web", "chinese/scene_train"], width=320, **options)
    assert len(data.train_dataloader().dataset) == 6
    assert data.labels()["train"]["left_out"] == {"character outside the charset": 1}  # full-width
    assert data.val_names == []  # no web_val, and the folder is no setting
    (batch,) = data.test_dataloader()[0]
    assert batch.image.shape == (1, 3, 8, 320)


@pytest.mark.parametrize("name", CHINESE_TEST)
def test_the_real_sets_are_complete(name):
    if not os.environ.get("DCTC_DATA"):
        pytest.skip("set DCTC_DATA to the data root to test the real sets")
    found = find_sets(CHINESE_TEST, data_root(), [name])
    if name not in found:
        pytest.skip(f"{name} is not below {data_root()}: {CHINESE_TEST[name].how_to_get}")
    everything = Charset("".join(map(chr, [*range(0x21, 0xD800), *range(0x20000, 0x20010)])))
    size = ImageSize(32, 256)
    options = {"protocol": "chinese", "charset": everything, "size": size}
    dataset = open_benchmark(CHINESE_TEST[name], found[name], **options)
    assert len(dataset) + dataset.drops.total() == CHINESE_TEST[name].size
    assert dataset[0].image.shape == (32, 256, 3)
