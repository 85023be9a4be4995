"""``dctc bench --what overfit``: what is read is counted as it is, and a miss is a miss."""

import json

import pytest
import torch

from dctc.bench import overfit
from dctc.bench.few_words import LENGTHS, few_words
from dctc.bench.overfit import FRAGMENTS, RATES, WIDTHS, bench_overfit
from dctc.cli import main
from dctc.losses import CTCLoss, DCTCLoss
from dctc.training.nets import load_net

OVERFIT = ("bench", "--what", "overfit")


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """The folder of runs; there is no data."""
    monkeypatch.setenv("DCTC_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("DCTC_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path / "runs"


def written(runs):
    return json.loads((runs / "bench" / "overfit.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["ctc", "dctc"])
def test_small_resnet_learns_sixteen_words(runs, capsys, loss):
    options = ("--models", "small_resnet", "--loss", loss, "--steps", "200", "--width", "64")
    main([*OVERFIT, *options])
    (row,) = written(runs)["rows"]
    assert row["wrong"] == {} and row["words"] == 16
    assert 0 < row["steps"] <= 200 and row["steps"] % 10 == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines()[:-1])) <= 80
    line = next(s for s in printed.splitlines() if s.startswith("small_resnet "))
    expected = [loss.upper(), "630,741", "64", "0.005", str(row["steps"])]
    assert line.split()[1:6] == expected
    assert line.split()[-3:] == ["16", "of", "16"]


def test_a_model_that_does_not_get_there_is_a_miss(runs, capsys):
    table = bench_overfit(["small_resnet"], steps=1, width=64)
    ((*_, steps, _, read),) = table.rows
    assert (steps, read) == ("missed", "0 of 16")
    found = written(runs)
    assert found["source"] == "rendered words"
    (row,) = found["rows"]
    assert row["steps"] == 1 and len(row["wrong"]) == 16
    assert all(label != read for label, read in row["wrong"].items())
    assert "missed" in capsys.readouterr().out


def test_a_reading_of_all_words_ends_the_training_and_a_nearly_complete_one_does_not(
    runs, monkeypatch
):
    readings = iter([{"a": "b"}, {"word": "ward"}, {}])
    monkeypatch.setattr(overfit, "_wrong", lambda *_: next(readings))
    monkeypatch.setattr(overfit, "EVERY", 1)
    table = bench_overfit(["small_resnet"], steps=9, width=64)
    ((*_, steps, _, read),) = table.rows
    assert (steps, read) == ("3", "16 of 16")
    readings = iter([{"word": "ward"}])
    table = bench_overfit(["small_resnet"], steps=1, width=64)
    ((*_, steps, _, read),) = table.rows
    assert (steps, read) == ("missed", "15 of 16")


def test_an_unknown_model_is_one_line(runs, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*OVERFIT, "--models", "small_resnet", "svtr_huge"])
    assert ended.value.code == 1
    line = capsys.readouterr().err.splitlines()[0]
    assert "model 'svtr_huge': it is one of " in line and "svtr_tiny" in line


def test_words_that_do_not_fit_are_refused(runs, tmp_path, write_lmdb, encode_image):
    records = [(encode_image(i), f"word{i:02}".encode()) for i in range(16)]
    write_lmdb(tmp_path / "data" / "english" / "train" / "SVT_257", records)
    with pytest.raises(ValueError, match=r"small_resnet: 16 of 16 words do not fit .* 16 wide"):
        bench_overfit(["small_resnet"], steps=1, width=16)


def test_models_need_fragments(tmp_path):
    with pytest.raises(FileNotFoundError, match="run from the repository's root"):
        bench_overfit(fragments=tmp_path)


def test_the_losses_are_those_of_the_options():
    loaded = load_net(FRAGMENTS / "small_resnet.yaml")
    reader = load_net(FRAGMENTS / "attention_small_resnet.yaml")
    assert isinstance(overfit._loss(loaded, "ctc"), CTCLoss)
    dctc = overfit._loss(loaded, "dctc")
    assert isinstance(dctc, DCTCLoss) and dctc.distill_weight == 0.02
    assert type(overfit._loss(reader, "dctc")).__name__ == "CharacterCrossEntropy"


def test_rates_and_widths_are_those_of_models_that_exist():
    assert {*RATES, *WIDTHS} <= {file.stem for file in FRAGMENTS.glob("*.yaml")}


def test_real_words_are_taken_where_there_are_any(runs, tmp_path, write_lmdb, encode_image):
    texts = ["Some", "words", "some", "of", "them!", "far-too-long-for-it", *"abcde"]
    records = [(encode_image(i), text.encode()) for i, text in enumerate(texts)]
    write_lmdb(tmp_path / "data" / "english" / "train" / "SVT_257", [*records, (b"x", b"broken")])
    loaded = load_net(FRAGMENTS / "small_resnet.yaml")
    batch, source = few_words(3, loaded)
    assert source == "real training words"
    assert sorted(batch.label) == ["some", "them", "words"]
    assert batch.image.shape == (3, 3, 32, 128)
    with pytest.raises(ValueError, match="only 3 distinct real training words of 3 to 8 char"):
        few_words(4, loaded)


def test_rendered_words_are_distinct_and_the_same_every_time(runs):
    loaded = load_net(FRAGMENTS / "small_resnet.yaml")._replace(image=(1, 32, 64))
    (batch, source), (again, _) = few_words(16, loaded), few_words(16, loaded)
    assert source == "rendered words"
    assert len(set(batch.label)) == 16 and all(len(label) in LENGTHS for label in batch.label)
    assert batch.image.shape == (16, 1, 32, 64)
    assert again.label == batch.label and torch.equal(again.image, batch.image)
