import csv

import pytest

from dctc.training.results_writer import PredictionWriter, read_readings, write_readings
from dctc.training.scores import Outcome
from tiny import FixedData, PixelNet, make_module, make_trainer, text_batch, with_corrupt

AWKWARD = [
    Outcome("set/1", "a\tb", 'say "no"', 0.25),
    Outcome("set/2", "line\nbreak", "", 1.0),
    Outcome("set/3", "return\rhere", "both\r\nof them", 0.1 + 0.2),
    Outcome("set/4", "", "'quoted'", 1e-300),
    Outcome("set/5", "名前", "é ", 0.0),
]


def test_readings_come_back_as_they_were_written(tmp_path):
    file = tmp_path / "new" / "folder" / "set.tsv"
    write_readings(file, AWKWARD)
    assert read_readings(file) == AWKWARD


def test_no_readings_are_a_head_line_alone(tmp_path):
    write_readings(tmp_path / "set.tsv", [])
    assert (tmp_path / "set.tsv").read_text().split() == list(Outcome._fields)
    assert read_readings(tmp_path / "set.tsv") == []


def test_a_file_of_predictions_has_a_row_for_every_record(tmp_path):
    data = FixedData(
        test={
            "a": [
                with_corrupt(text_batch([("one", "one"), ("two", "tow")], "a"), "a/3"),
                text_batch([("four", "")], "b"),
            ]
        }
    )
    data.predict_dataloader = data.test_dataloader
    writer = PredictionWriter(tmp_path / "new" / "predictions.tsv")
    trainer = make_trainer(tmp_path, callbacks=[writer])
    trainer.predict(make_module(PixelNet), datamodule=data)
    with open(writer.file, newline="") as stream:
        head, *rows = csv.reader(stream, delimiter="\t")
    assert head == ["key", "prediction", "confidence", "label"]
    assert [row[3] for row in rows] == ["one", "two", "", "four"]
    assert [row[:2] for row in rows] == [["a/1", "one"], ["a/2", "tow"], ["a/3", ""], ["b/1", ""]]
    assert rows[2][2] == "not read: image missing"
    # 16 frames, each with probability e^10 / (e^10 + 36) of its class
    assert [float(rows[i][2]) for i in (0, 1, 3)] == pytest.approx([0.974] * 3, abs=1e-3)
