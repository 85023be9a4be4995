"""Recognisers side by side: accuracy by set, and which of them are left out."""

import json

import pytest

from dctc.bench import peers
from dctc.cli import main

LABELS = ["Abc", "b-2"]


@pytest.fixture
def words(monkeypatch, tmp_path, encode_image):
    monkeypatch.setenv("DCTC_RUNS", str(tmp_path))
    images = [encode_image(i) for i in range(2)]
    monkeypatch.setattr(peers, "_words", lambda most: {s: (images, LABELS) for s in peers.SETS})


def test_accuracy_and_what_is_left_out(words, monkeypatch, capsys, tmp_path):
    def lacks():
        raise ModuleNotFoundError("No module named 'nothing'")

    def half():
        return lambda images: ["abc", "wrong"][: len(images)], "half right"

    monkeypatch.setattr(peers, "READERS", {"Half": half, "None": lacks})
    main(["bench", "--what", "peers", "--scale", "tiny"])
    out = capsys.readouterr().out
    assert "left out, None: No module named 'nothing'" in out and "Half: half right." in out
    (row,) = json.loads((tmp_path / "bench" / "peers-tiny.json").read_text())["rows"]
    assert row["accuracy"] == dict.fromkeys(peers.SETS, 0.5) and row["words"] == 12
    assert (tmp_path / "bench" / "peers-tiny.png").stat().st_size > 1000
    assert not (tmp_path / "bench" / "peers.png").exists()  # that of the scale small


def test_sets_that_are_missing_are_named(monkeypatch, tmp_path, refused):
    monkeypatch.setenv("DCTC_DATA", str(tmp_path))
    assert "no IIIT5K, SVT" in refused("bench", "--what", "peers")
