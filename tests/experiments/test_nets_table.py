"""The table of nets: sizes by hand, speeds of the last measurement."""

import json
from pathlib import Path

from experiments.tables.nets_table import nets_table

FRAGMENTS = Path(__file__).parents[2] / "experiments" / "configs" / "model"
MODELS = {"small_resnet": FRAGMENTS / "small_resnet.yaml", "crnn": FRAGMENTS / "crnn.yaml"}


def test_both_losses_train_as_many_parameters(tmp_path):
    table = nets_table("T", MODELS, tmp_path)
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["crnn"] == [rows["crnn"][0]] * 2 + ["-", "-"]
    # seven convolutions with biases, two batch norms, two BiLSTM-256, 37 classes
    convolutions = [(3, 64, 3), (64, 128, 3), (128, 256, 3), (256, 256, 3), (256, 512, 3)]
    convolutions += [(512, 512, 3), (512, 512, 2)]
    size = sum((i * k * k + 1) * o for i, o, k in convolutions) + 2 * 2 * 512
    size += sum(2 * 4 * 256 * (i + 256 + 2) for i in (512, 256)) + 512 * 256 + 256 + 512 * 37 + 37
    assert int(rows["crnn"][0].replace(",", "")) == size
    assert "Images/s of small_resnet, crnn: not measured; dctc bench --what models does." in (
        table.notes
    )


def test_speeds_are_those_measured(tmp_path):
    measured = {"CTC": 0.02, "DCTC": 0.016, "contiguous": 1.0}
    rows = [{"model": "crnn", "description": {"batch_size": 32}, "inference_s": measured}]
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "models.json").write_text(json.dumps({"rows": rows}))
    table = nets_table("T", {"crnn": MODELS["crnn"]}, tmp_path)
    assert table.columns[-2:] == ["CTC images/s", "DCTC images/s"]
    assert table.rows[0][-2:] == ["1,600", "2,000"]
    assert not any("not measured" in note for note in table.notes)
