"""``dctc bench`` at its smallest."""

import json

import pytest
import torch

from dctc.bench import SCALES, main
from dctc.bench.loss import REPEATS, SIZES
from dctc.cli import main as dctc


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """The folder of runs; torch's threads are put back afterwards."""
    monkeypatch.setenv("DCTC_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("COLUMNS", "80")
    threads = torch.get_num_threads()
    yield tmp_path / "runs"
    torch.set_num_threads(threads)


def test_prints_a_table_and_writes_json(runs, capsys):
    dctc(["bench", "--scale", "tiny", "--threads", "1"])
    file = runs / "bench" / "loss.json"
    printed = capsys.readouterr().out
    assert str(file) in printed.replace("\n", "")
    assert max(len(line) for line in printed.splitlines() if str(file) not in line) <= 80
    written = json.loads(file.read_text())
    assert {"versions", "hardware", "commit", "rows"} <= set(written)
    (row,) = written["rows"]
    seconds = row["median_s"]
    assert {"torch CTC"} < set(seconds)
    assert all(0 < value < 60 for value in seconds.values())
    # what is printed is what is written: milliseconds of torch's loss, ratios of the others
    cells = next(line for line in printed.splitlines() if line.startswith("37 ")).split()
    peer = seconds.pop("torch CTC")
    assert f"{1e3 * peer:.1f}" in cells
    assert {f"{value / peer:.2f}" for value in seconds.values()} <= set(cells)


def test_threads_are_set_and_put_back(runs, capsys):
    before = torch.get_num_threads()
    main(["--scale", "tiny", "--threads", "1", "3"])
    assert torch.get_num_threads() == before
    rows = json.loads((runs / "bench" / "loss.json").read_text())["rows"]
    assert [row["threads"] for row in rows] == [1, 3]


@pytest.mark.parametrize("arguments", [["--scale", "huge"], ["--what", "nothing"], ["--threads=a"]])
def test_wrong_arguments_end_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: dctc bench" in capsys.readouterr().err


def test_every_size_and_repeat_belongs_to_a_scale():
    assert {*SIZES, *REPEATS} <= set(SCALES)
