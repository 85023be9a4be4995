"""``dctc bench`` at its smallest."""

import json

import pytest
import torch

from dctc.bench import SCALES, main
from dctc.bench.loss import REPEATS, SIZES
from dctc.cli import main as dctc


def test_prints_a_table_and_writes_json(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DCTC_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("COLUMNS", "80")
    dctc(["bench", "--scale", "tiny"])
    file = tmp_path / "runs" / "bench" / "loss.json"
    printed = capsys.readouterr().out
    assert "Time of the losses" in printed
    assert "ratios to torch.nn.CTCLoss" in printed
    assert str(file) in printed
    written = json.loads(file.read_text())
    assert {"versions", "hardware", "commit", "rows"} <= set(written)
    (row,) = written["rows"]
    assert (row["classes"], row["frames"], row["batch"]) == (37, 16, 4)
    assert set(row["median_s"]) == {"torch CTC", "CTCLoss", "DCTCLoss"}
    assert all(0 < seconds < 60 for seconds in row["median_s"].values())
    # what is printed is what is written
    ratio = row["median_s"]["DCTCLoss"] / row["median_s"]["torch CTC"]
    cells = next(line for line in printed.splitlines() if line.startswith("37 ")).split()
    assert cells == [
        "37",
        "16",
        "4",
        f"{1e3 * row['median_s']['torch CTC']:.1f}",
        f"{row['median_s']['CTCLoss'] / row['median_s']['torch CTC']:.2f}",
        f"{ratio:.2f}",
    ]


def test_threads_are_set(tmp_path, monkeypatch):
    monkeypatch.setenv("DCTC_RUNS", str(tmp_path))
    before = torch.get_num_threads()
    try:
        main(["--scale", "tiny", "--threads", "1"])
        assert torch.get_num_threads() == 1
        assert "1 threads" in json.loads((tmp_path / "bench" / "loss.json").read_text())["hardware"]
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("arguments", [["--scale", "huge"], ["--what", "nothing"], ["--threads=a"]])
def test_wrong_arguments_end_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: dctc bench" in capsys.readouterr().err


def test_every_size_and_repeat_belongs_to_a_scale():
    assert {*SIZES, *REPEATS} <= set(SCALES)
