"""Records of a test in the registry, and files of readings."""

import json
import re
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dctc.results.environment import gpu
from dctc.results.predictions import READINGS_HEAD, Outcome, read_readings, write_readings
from dctc.results.registry import Registry
from dctc.training import results_writer
from dctc.training.results_writer import CORRUPT, ResultsWriter
from tiny import (
    FixedData,
    PixelNet,
    TinyNet,
    make_module,
    make_trainer,
    noise_batch,
    text_batch,
    with_corrupt,
)


def writer(folder) -> ResultsWriter:
    return ResultsWriter(folder, "key", "ctc", 7, "english36", readings=folder / "readings")


def score(folder, data, net=PixelNet, checkpoint=None, **options):
    """Test a net and return the callback."""
    callback = writer(folder)
    trainer = make_trainer(folder, callbacks=[callback], **options)
    resume = {"ckpt_path": checkpoint, "weights_only": True} if checkpoint else {}
    trainer.test(make_module(net), data, verbose=False, **resume)
    return callback


def test_records_hold_hand_counts(tmp_path):
    data = FixedData(
        test={
            "a": [text_batch([("one", "one"), ("two", "tow")]), text_batch([("abcd", "abc")])],
            "b": [with_corrupt(text_batch([("x", "")]), "b/2", "b/3")],
        },
        drops={"a": {"empty label": 4}, "b": {CORRUPT: 5}},
    )
    a, b = score(tmp_path, data).records
    assert list(Registry(tmp_path).records()) == [a, b]
    assert (a.set, a.n, a.correct, a.edits, a.characters) == ("a", 3, 1, 3, 10)
    assert a.similarity == pytest.approx(1 + 1 / 3 + 3 / 4)
    assert a.drops == {"empty label": 4}
    # "tow" of "two": rapidfuzz drops a character and adds it again
    assert a.about["edit_parts"] == {"substitutions": 0, "deletions": 2, "insertions": 1}
    assert b.about["edit_parts"] == {"substitutions": 0, "deletions": 1, "insertions": 0}
    assert (b.set, b.n, b.correct, b.edits, b.characters, b.similarity) == ("b", 1, 0, 1, 1, 0.0)
    assert b.drops == {CORRUPT: 5 + 2}
    for record in (a, b):
        assert (record.run, record.arm, record.seed) == ("key", "ctc", 7)
        assert record.protocol == "english36" and record.about["steps"] == 0
    readings = read_readings(tmp_path / "readings" / "b.tsv")
    assert [(o.label, o.prediction) for o in readings] == [("x", "")]


def test_hits_lie_in_the_order_of_the_set(tmp_path):
    right = {2, 3, 11}
    batch = text_batch([("ab", "ab" if i in right else "b") for i in range(1, 13)])
    # as two processes would bring them: the odd ones, then the even ones
    order = [*range(0, 12, 2), *range(1, 12, 2)]
    labels, keys = ([values[i] for i in order] for values in (batch.label, batch.key))
    shuffled = batch._replace(image=batch.image[order], label=labels, key=keys)
    words = text_batch([("a", "a")] * 3)._replace(key=["z/x", "plain", "a/10"])
    data = FixedData(test={"numbers": [shuffled], "words": [words]})
    record, _ = score(tmp_path, data).records
    hits = Registry(tmp_path).read_hits(record)
    assert (np.flatnonzero(hits) + 1).tolist() == sorted(right)
    numbers, words = (
        [outcome.key for outcome in read_readings(tmp_path / "readings" / f"{name}.tsv")]
        for name in data.test_names
    )
    assert numbers == [f"set/{i}" for i in range(1, 13)]
    assert words == ["a/10", "plain", "z/x"]


def test_a_look_with_fast_dev_run_leaves_no_record(tmp_path):
    score(tmp_path, FixedData(test={"set": [text_batch([("a", "a")])] * 2}), fast_dev_run=True)
    assert not Registry(tmp_path).file.exists()


def test_the_seconds_of_training_survive_a_resume(tmp_path, monkeypatch):
    clock = SimpleNamespace(now=1000.0)
    frozen = SimpleNamespace(**vars(time) | {"monotonic": lambda: clock.now})
    monkeypatch.setattr(results_writer, "time", frozen)

    class Slow(PixelNet):
        def forward(self, images):
            clock.now += 10 if self.training else 1000
            return super().forward(images)

    batches = [noise_batch(["ab"], seed=i) for i in range(6)]
    batches = [batch._replace(image=torch.full_like(batch.image, -1.0)) for batch in batches]
    data = FixedData(batches, test={"set": [text_batch([("a", "a")])]})
    first = make_trainer(tmp_path, max_steps=2, callbacks=[writer(tmp_path)])
    first.fit(make_module(Slow), datamodule=data)
    clock.now += 500  # a checkpoint counts training, not what comes after it
    first.save_checkpoint(tmp_path / "two.ckpt")
    callback = writer(tmp_path)
    trainer = make_trainer(tmp_path, max_steps=5, callbacks=[callback])
    module = make_module(Slow)
    trainer.fit(module, datamodule=data, ckpt_path=tmp_path / "two.ckpt", weights_only=True)
    clock.now += 100
    trainer.save_checkpoint(tmp_path / "five.ckpt")
    trainer.test(module, data, verbose=False)
    later = score(tmp_path, data, Slow, tmp_path / "five.ckpt")  # from the checkpoint alone
    for record in (*callback.records, *later.records):
        assert (record.wall_s, record.about["steps"]) == (50.0, 5)


def test_what_a_net_was_trained_with_stands_beside_what_it_was_tested_with(tmp_path, monkeypatch):
    trained = {"hardware": "NVIDIA X (x)", "commit": "abc", "command": "dctc fit"}
    tested = {"hardware": "EPYC, 1 thread (x)", "commit": "abc", "command": "dctc test"}
    data = FixedData([noise_batch(["ab"])], test={"set": [text_batch([("a", "a")])]})
    labels = {"train": {"labels": 1, "left_out": {"outside": 2}, "outside": {"\u00df": 2}}}
    labels["val"] = {"labels": 3, "left_out": {}, "outside": {}}
    data.labels = lambda: labels
    monkeypatch.setattr(results_writer, "environment", lambda device: trained)
    first = make_trainer(tmp_path, max_steps=1, callbacks=[writer(tmp_path)])
    first.fit(make_module(TinyNet), datamodule=data)
    first.save_checkpoint(tmp_path / "one.ckpt")
    monkeypatch.setattr(results_writer, "environment", lambda device: tested)
    about = score(tmp_path, data, TinyNet, tmp_path / "one.ckpt").records[0].about
    assert about.items() >= {**tested, "trained_on": "NVIDIA X (x)"}.items()
    left_out = {"train": {"outside": 2}}
    of_training = {"hardware": "NVIDIA X (x)", "command": "dctc fit", "left_out": left_out}
    assert about["trained"] == of_training
    assert json.loads((tmp_path / "labels.json").read_text("utf-8")) == labels
    assert gpu(about) == "NVIDIA X"
    old = writer(tmp_path)  # of a checkpoint from before the environment was kept
    old.load_state_dict({"train_seconds": 1.0, "trained_on": "NVIDIA Y (x)"})
    assert old.state_dict() == {"train_seconds": 1.0, "trained": {"hardware": "NVIDIA Y (x)"}}


AWKWARD = [
    Outcome("set/1", "a\tb", 'say "no"', 0.25),
    Outcome("set/2", "line\nbreak", "", 1.0),
    Outcome("set/3", "return\rhere", "both\r\nof them", 0.1 + 0.2),
    Outcome("set/4", "", "'quoted'", 1e-300),
    Outcome("set/5", "名前", "é ", 0.0),
    Outcome("=cmd|' /C calc'!A0", "=1+1", "'=1+1", 0.5),
    Outcome("+f(x).png", "-1", "\x1b[2J", 0.5),
]


@pytest.mark.parametrize("outcomes", [AWKWARD, []], ids=["awkward", "none"])
def test_readings_come_back_as_they_were_written(tmp_path, outcomes):
    file = tmp_path / "new" / "folder" / "set.tsv"
    write_readings(file, outcomes)
    text = file.read_bytes().decode()
    assert text.startswith("\t".join(READINGS_HEAD))
    # a line each, in which nothing commands a terminal or a spreadsheet
    assert not set(text) & {"\r", "\x1b"} and text.count("\n") == 1 + len(outcomes)
    assert not re.search(r"(^|\t)(=|\+f)", text, re.MULTILINE)
    assert read_readings(file) == outcomes


def test_cpus_on_which_a_training_began_are_named(tmp_path):
    """A run that was resumed on another kind of CPU is told from one that was not."""
    strategy = SimpleNamespace(root_device=torch.device("cpu"))
    trainer = SimpleNamespace(is_global_zero=True, strategy=strategy)
    first, second = writer(tmp_path), writer(tmp_path)
    first.load_state_dict({"train_seconds": 1.0, "trained": {"cpu": {"model": "other"}}})
    for callback, state in ((first, None), (second, first)):
        if state is not None:
            callback.load_state_dict(state.state_dict())
        callback.on_fit_start(trainer, None)
        assert callback.trained["before"] == [{"model": "other"}]
    fresh = writer(tmp_path)
    fresh.on_fit_start(trainer, None)
    assert "before" not in fresh.trained
