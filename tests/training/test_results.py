import time

import numpy as np
import pytest
import torch

from dctc.data.english import EnglishDataModule
from dctc.results.environment import gpu
from dctc.results.registry import Registry
from dctc.training import results_writer as results
from dctc.training.results_writer import CORRUPT, ResultsWriter, read_readings
from tiny import (
    FixedData,
    PixelNet,
    encode_text,
    make_module,
    make_trainer,
    noise_batch,
    text_batch,
    with_corrupt,
)


def writer(folder) -> ResultsWriter:
    return ResultsWriter(folder, "key", "ctc", 7, "english36", readings=folder / "readings")


def score(folder, data, **options):
    callback = writer(folder)
    make_trainer(folder, callbacks=[callback], **options).test(
        make_module(PixelNet), data, verbose=False
    )
    return callback


def test_records_hold_hand_counts(tmp_path):
    data = FixedData(
        test={
            "a": [text_batch([("one", "one"), ("two", "tow")]), text_batch([("abcd", "abc")])],
            "b": [with_corrupt(text_batch([("x", "")]), "b/2", "b/3")],
        },
        drops={"a": {"empty label": 4}, "b": {CORRUPT: 5}},
    )
    callback = score(tmp_path, data)
    a, b = callback.records
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
    pairs = [("ab", "ab" if i in right else "b") for i in range(1, 13)]
    batch = text_batch(pairs)
    # as two processes would bring them: the odd ones, then the even ones
    order = [*range(0, 12, 2), *range(1, 12, 2)]
    shuffled = batch._replace(
        image=batch.image[order],
        label=[batch.label[i] for i in order],
        key=[batch.key[i] for i in order],
    )
    (record,) = score(tmp_path, FixedData(test={"set": [shuffled]})).records
    hits = Registry(tmp_path).read_hits(record)
    assert (np.flatnonzero(hits) + 1).tolist() == sorted(right)
    keys = [outcome.key for outcome in read_readings(tmp_path / "readings" / "set.tsv")]
    assert keys == [f"set/{i}" for i in range(1, 13)]


def test_keys_without_a_number_are_put_in_order_too(tmp_path):
    batch = text_batch([("a", "a"), ("b", "b"), ("c", "c")])._replace(key=["z/x", "plain", "a/10"])
    (record,) = score(tmp_path, FixedData(test={"set": [batch]})).records
    keys = [outcome.key for outcome in read_readings(tmp_path / "readings" / "set.tsv")]
    assert record.correct == 3 and keys == ["a/10", "plain", "z/x"]


def test_a_set_of_lmdb_records_is_counted_with_its_drops(tmp_path, write_lmdb):
    records = [
        (encode_text("one"), b"One"),
        (encode_text("x"), b"?!"),  # empty under the protocol
        (b"no image", b"broken"),
        (encode_text("tow"), b"two"),
        (None, b"gone"),
        (encode_text("four"), b"\xff\xfe"),  # not UTF-8
        (encode_text("five"), b"five"),
    ]
    write_lmdb(tmp_path / "data" / "CUTE80", records)
    with pytest.warns(UserWarning, match="CUTE80/6"):
        data = EnglishDataModule(
            test=["CUTE80"],
            data_root=str(tmp_path / "data"),
            batch_size=3,
            height=8,
            width=64,
            num_workers=0,
            allow_size_mismatch=True,
        )
        data.setup("test")
    with pytest.warns(UserWarning, match="CUTE80/[35]"):
        (record,) = score(tmp_path, data).records
    assert (record.n, record.correct) == (3, 2)
    assert record.drops == {
        "empty label after protocol": 1,
        "label is not UTF-8": 1,
        CORRUPT: 2,
    }
    assert record.n + sum(record.drops.values()) == len(records)
    assert Registry(tmp_path).read_hits(record).tolist() == [True, False, True]


def test_a_look_with_fast_dev_run_leaves_no_record(tmp_path):
    data = FixedData(test={"set": [text_batch([("a", "a")])] * 2})
    score(tmp_path, data, fast_dev_run=True)
    assert not Registry(tmp_path).file.exists()


class Clock:
    """Stands still until it is told to move."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def __getattr__(self, name):
        return getattr(time, name)


def test_the_seconds_of_training_survive_a_resume(tmp_path, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(results, "time", clock)

    class Slow(PixelNet):
        def forward(self, images):
            clock.now += 10 if self.training else 1000
            return super().forward(images)

    batches = [noise_batch(["ab"], seed=i) for i in range(6)]
    batches = [batch._replace(image=torch.full_like(batch.image, -1.0)) for batch in batches]
    data = FixedData(batches, test={"set": [text_batch([("a", "a")])]})
    first = make_trainer(tmp_path, max_steps=2, callbacks=[writer(tmp_path)])
    first.fit(make_module(Slow), datamodule=data)
    first.save_checkpoint(tmp_path / "two.ckpt")
    clock.now += 500  # a checkpoint counts training, not what comes after it
    first.save_checkpoint(tmp_path / "two_later.ckpt")
    for checkpoint in ("two.ckpt", "two_later.ckpt"):
        callback = writer(tmp_path)
        trainer = make_trainer(tmp_path, max_steps=5, callbacks=[callback])
        module = make_module(Slow)
        resume = {"ckpt_path": tmp_path / checkpoint, "weights_only": True}
        trainer.fit(module, datamodule=data, **resume)
        clock.now += 100
        trainer.save_checkpoint(tmp_path / "five.ckpt")
        trainer.test(module, data, verbose=False)
        assert callback.records[0].wall_s == 50.0
        assert callback.records[0].about["steps"] == 5
        # and tested later, from the checkpoint alone
        callback = writer(tmp_path)
        trainer = make_trainer(tmp_path, callbacks=[callback])
        resume["ckpt_path"] = tmp_path / "five.ckpt"
        trainer.test(make_module(Slow), data, verbose=False, **resume)
        assert callback.records[0].wall_s == 50.0
        assert callback.records[0].about["steps"] == 5


def test_where_a_net_was_trained_stands_beside_where_it_was_tested(tmp_path, monkeypatch):
    def computes_on(hardware):
        monkeypatch.setattr(results, "environment", lambda device: {"hardware": hardware})

    data = FixedData([noise_batch(["ab"])], test={"set": [text_batch([("a", "a")])]})
    computes_on("NVIDIA X (x)")
    first = make_trainer(tmp_path, max_steps=1, callbacks=[writer(tmp_path)])
    first.fit(make_module(), datamodule=data)
    first.save_checkpoint(tmp_path / "one.ckpt")
    computes_on("EPYC, 1 thread (x)")
    callback = writer(tmp_path)
    checkpoint = {"ckpt_path": tmp_path / "one.ckpt", "weights_only": True}
    make_trainer(tmp_path, callbacks=[callback]).test(
        make_module(), data, verbose=False, **checkpoint
    )
    about = callback.records[0].about
    assert (about["hardware"], about["trained_on"]) == ("EPYC, 1 thread (x)", "NVIDIA X (x)")
    assert gpu(about) == "NVIDIA X"
