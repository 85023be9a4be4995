"""A run of a net that reads what is painted, and images that it reads."""

import pytest

from tiny import HEIGHT, WIDTH, PixelNet, encode_text, make_module, save_run


@pytest.fixture
def folder(tmp_path):
    """Images of a.png: ``one``, b/c.png: broken, d.png: ``two`` and so on."""
    folder = tmp_path / "images"
    (folder / "b").mkdir(parents=True)
    for name, text in (("a", "one"), ("d", "two"), ("e", "three")):
        (folder / f"{name}.png").write_bytes(encode_text(text))
    (folder / "b" / "c.png").write_bytes(b"broken")
    return folder


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The folder of a run of PixelNet, which reads what is painted."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    config = {
        "model": {
            "net": {"class_path": "tiny.PixelNet"},
            "tokenizer": {"class_path": "dctc.text.CTCTokenizer", "init_args": {"charset": "36"}},
        },
        "data": {"class_path": "x", "init_args": {"height": HEIGHT, "width": WIDTH}},
    }
    return save_run(tmp_path / "run", make_module(PixelNet), config)
