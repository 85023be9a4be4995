"""``dctc bench --what data`` at its smallest."""

import pytest

from dctc.bench import data as benchmark
from dctc.cli import main


def test_drawn_words_where_there_is_no_data(bench, monkeypatch):
    monkeypatch.setattr(benchmark, "BATCH_SIZE", 4)
    printed, written = bench("data")
    assert written["source"] == "drawn words"
    assert set(written["drawn_per_cpu_s"]) == {"easy", "scene", "document"}
    assert all(speed > 0 for speed in written["drawn_per_cpu_s"].values())
    assert written["decoded_per_cpu_s"] > written["augmented_per_cpu_s"] > 0
    assert set(written["waiting_share"]) == {"LMDB", "LMDB augmented", "drawn"}
    shares = [share for kind in written["waiting_share"].values() for share in kind.values()]
    assert len(shares) == 9
    assert all(0 <= share < 1 for share in shares)
    assert f"{written['decoded_per_cpu_s']:,.0f}" in printed


def test_lmdbs_asked_for_come_before_english_sets_and_these_before_drawn_words(
    tmp_path, runs, write_lmdb, encode_image, monkeypatch, capsys
):
    write_lmdb(tmp_path / "data" / "test" / "SVT", [(encode_image(), b"word")] * 3)
    write_lmdb(tmp_path / "mine", [(encode_image(), b"word")])
    monkeypatch.setenv("DCTC_DATA", str(tmp_path / "data"))
    source, images = benchmark._images(tmp_path, None, None)
    assert (source, len(images)) == ("1 English sets", 3)
    source, images = benchmark._images(tmp_path, None, tmp_path / "mine")
    assert (source, len(images)) == (str(tmp_path / "mine"), 1)
    with pytest.raises(FileNotFoundError, match="no LMDB"):
        benchmark._images(tmp_path, None, tmp_path / "absent")
    with pytest.raises(SystemExit):
        main(["bench", "--what", "data", "--images", str(tmp_path / "mine")])
    assert "1 images, and 2,688 are needed" in capsys.readouterr().err
