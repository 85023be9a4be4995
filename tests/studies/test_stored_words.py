from pathlib import Path

import yaml

from dctc.data.rendered import RenderedDataModule
from dctc.studies.stored_words import StoredWords


def test_words_are_those_that_a_run_would_draw_and_are_drawn_once(tmp_path, monkeypatch):
    monkeypatch.setenv("DCTC_RUNS", str(tmp_path / "runs"))
    own = {"epoch_size": 50, "val_size": 2, "test_size": 2, "width": 64, "max_length": 4}
    content = {
        "seed_everything": 3,
        "model": {"protocol": "english36"},
        "data": {"class_path": "dctc.data.rendered.RenderedDataModule", "init_args": own},
    }
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(content))
    options = ("--data.init_args.epoch_size=5", "--trainer.max_steps=1")
    words = StoredWords("words", config, options)
    assert words.folder == tmp_path / "runs" / "words" / "words-5"
    assert words.option == f"--data.init_args.stored={words.folder}"
    words.write()
    written = (words.folder / "data.mdb").stat().st_mtime_ns
    words.write()
    assert (words.folder / "data.mdb").stat().st_mtime_ns == written

    # another seed reads the same words; it has the held-out ones of theirs too
    shared = {**own, "batch_size": 5, "num_workers": 0}
    stored = RenderedDataModule(**shared, seed=7, stored=str(words.folder))
    drawn = RenderedDataModule(**{**shared, "epoch_size": 5}, seed=3)
    for data in (stored, drawn):
        data.setup()
    labels = [sorted(next(iter(data.train_dataloader())).label) for data in (stored, drawn)]
    assert labels[0] == labels[1]
    held_out = [next(iter(data.test_dataloader()[0])) for data in (stored, drawn)]
    assert held_out[0].key == held_out[1].key and held_out[0].label == held_out[1].label


def test_of_the_configurations_in_use(tmp_path, monkeypatch):
    monkeypatch.setenv("DCTC_RUNS", str(tmp_path))
    words = StoredWords("scene", Path("experiments/configs/scene.yaml"))
    assert words.folder == tmp_path / "words" / "scene-200000"
