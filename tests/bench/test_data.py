"""``dctc bench --what data`` at its smallest."""

import json
import mmap

import pytest
from torch.utils.data import Dataset

from dctc.bench import SCALES as KNOWN
from dctc.bench import data as benchmark
from dctc.bench import memory
from dctc.cli import main


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """The folder of runs, with no data root and small batches."""
    monkeypatch.setenv("DCTC_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("DCTC_DATA", str(tmp_path / "none"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(benchmark, "BATCH_SIZE", 4)
    return tmp_path / "runs"


@pytest.mark.slow
def test_drawn_words_where_there_is_no_data(runs, capsys):
    main(["bench", "--what", "data", "--scale", "tiny"])
    file = runs / "bench" / "data.json"
    printed = capsys.readouterr().out
    assert str(file) in printed.replace("\n", "")
    assert max(len(line) for line in printed.splitlines() if str(file) not in line) <= 80
    written = json.loads(file.read_text())
    assert written["source"] == "drawn words"
    assert set(written["drawn_per_cpu_s"]) == {"easy", "scene", "document"}
    speeds = [*written["drawn_per_cpu_s"].values(), *written["loader_per_s"].values()]
    assert all(speed > 0 for speed in speeds)
    assert written["decoded_per_cpu_s"] > written["augmented_per_cpu_s"] > 0
    assert set(written["waiting_share"]) == {"LMDB", "LMDB augmented", "drawn"}
    shares = [share for kind in written["waiting_share"].values() for share in kind.values()]
    assert len(shares) == 9
    assert all(0 <= share < 1 for share in shares)
    assert f"{written['decoded_per_cpu_s']:,.0f}" in printed


def test_english_sets_are_preferred(tmp_path, runs, write_lmdb, encode_image, monkeypatch):
    write_lmdb(tmp_path / "test" / "SVT", [(encode_image(), b"word")] * 3)
    write_lmdb(tmp_path / "mine", [(encode_image(), b"word")])
    monkeypatch.setenv("DCTC_DATA", str(tmp_path))
    source, images = benchmark._images(tmp_path, None, None)
    assert source == "1 English sets"
    assert len(images) == 3
    source, images = benchmark._images(tmp_path, None, tmp_path / "mine")
    assert (source, len(images)) == (str(tmp_path / "mine"), 1)
    with pytest.raises(FileNotFoundError, match="no LMDB"):
        benchmark._images(tmp_path, None, tmp_path / "absent")


def test_another_lmdb_and_a_number_of_draws(
    runs, tmp_path, write_lmdb, encode_image, monkeypatch, capsys
):
    write_lmdb(tmp_path / "mine", [(encode_image(i), b"word") for i in range(16)])
    read = []
    monkeypatch.setattr(benchmark, "memory_growth", lambda images, draws: read.append(draws))
    monkeypatch.setattr(benchmark, "WORKERS", (0,))
    given = ["--images", str(tmp_path / "mine"), "--draws", "12"]
    main(["bench", "--what", "data", "--scale", "tiny", *given])
    written = json.loads((runs / "bench" / "data.json").read_text())
    assert read == [12] and written["memory_draws"] == 9
    assert written["source"] == str(tmp_path / "mine")
    with pytest.raises(SystemExit):
        main(["bench", "--what", "data", "--scale", "smoke", *given])
    assert "16 images, and 168 are needed" in capsys.readouterr().err


class Hoarder(Dataset):
    """Keeps some kilobytes of every sample."""

    def __init__(self, kilobytes):
        self.kilobytes, self.kept = kilobytes, []

    def __len__(self):
        return 10

    def __getitem__(self, draw):
        # not from memory that the process has had and given back to its allocator
        private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        block = mmap.mmap(-1, 1024 * (self.kilobytes + 4), flags=private)
        block.write(b"x" * (1024 * self.kilobytes))
        self.kept.append(block)


def test_growth_is_noticed():
    growth = memory._growth(Hoarder(100), 400)
    if growth is None:
        pytest.skip("this system does not tell how much memory a process has")
    assert growth > 0.9 * 300 * 100 * 1024
    assert memory._growth(Hoarder(0), 400) < 2**20


def test_every_scale_is_known():
    assert set(benchmark.SCALES) <= set(KNOWN)
