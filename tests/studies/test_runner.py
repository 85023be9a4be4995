"""One run: trained and tested once, resumed, kept apart from others."""

import shutil
import signal
from dataclasses import replace

import pytest
import pytorch_lightning as pl
import torch

from dctc.data.rendered import RenderedDataModule
from dctc.results.frame import read_frame
from dctc.results.predictions import read_readings
from dctc.results.registry import Registry
from dctc.studies.runner import execute
from dctc.training import cli as training_cli
from tiny import stored as checkpoint

from .conftest import OtherSet


@pytest.fixture
def calls(monkeypatch):
    """Counts the calls of the trainer's ``fit`` and ``test``."""
    calls = {"fit": 0, "test": 0}

    def watch(name):
        original = getattr(pl.Trainer, name)

        def counted(self, *args, **options):
            calls[name] += 1
            return original(self, *args, **options)

        monkeypatch.setattr(pl.Trainer, name, counted)

    for name in calls:
        watch(name)
    return calls


def test_a_run_is_tested_on_all_its_sets_and_not_again(tested, finished, calls):
    found = execute(tested, "off")
    assert calls == {"fit": 0, "test": 0}
    assert found.folder == finished / "t" / "one" / "seed0"
    assert {name: record.n for name, record in found.records.items()} == {"rendered": 5, "more": 3}
    for name, record in found.records.items():
        assert (record.arm, record.seed, record.about["steps"]) == ("t/one", 0, 2)
        assert len(read_readings(found.folder / "readings" / f"{name}.tsv")) == record.n
        assert ("alignment" in record.about) == (name == "rendered")
    assert found.records["rendered"].about["drawn_from"] == found.data.drawn_from()
    assert checkpoint(found.folder)["global_step"] == 2


def test_only_what_is_missing_is_tested(tested, finished, calls):
    before = len(list(Registry(finished).records()))
    found = execute(replace(tested, benchmarks=OtherSet("third")), "off")
    assert calls == {"fit": 0, "test": 1}
    assert found.records["third"].n == 3
    assert found.records["third"].wall_s == found.records["rendered"].wall_s
    assert len(list(Registry(finished).records())) == before + 1


def test_settings_that_change_no_result_change_no_run(tested, finished, calls):
    execute(replace(tested, set={"trainer.log_every_n_steps": 2}), "off")
    assert calls == {"fit": 0, "test": 0}


def test_results_are_enough_where_the_net_is_not_needed(tested, finished, calls):
    shutil.rmtree(finished / "t" / "one")  # as with results that were published and adopted
    first = execute(tested, "off", net=False)
    assert calls == {"fit": 0, "test": 0} and first.records.keys() == {"rendered", "more"}
    assert execute(tested, "off").records.keys() == first.records.keys()
    assert calls == {"fit": 1, "test": 2}


def test_results_of_words_from_other_fonts_are_refused(plain, finished, monkeypatch):
    monkeypatch.setattr(RenderedDataModule, "drawn_from", lambda _: "other fonts")
    with pytest.raises(ValueError, match="seed0: has results on rendered, drawn with other fonts"):
        execute(plain, "off")
    assert execute(plain, "off", net=False).records  # as adopted; nothing is drawn for them
    with pytest.raises(ValueError, match=r"are to be drawn from these, .* give other fonts"):
        execute(replace(plain, name="t/new", drawn_from="these"), "off")


def test_a_run_of_another_configuration_is_set_aside_and_comes_back(plain, finished, calls, capsys):
    folder = finished / "t" / "one" / "seed0"
    first = execute(plain, "off", net=False)
    kept = checkpoint(folder)["state_dict"]
    other = replace(plain, set={"trainer.gradient_clip_val": 1e-3})
    second = execute(other, "off")
    assert calls["fit"] == 1
    old, new = (found.records["rendered"].run for found in (first, second))

    def counts():
        frame = read_frame(Registry(finished))
        return {(row.arm, row.run) for row in frame[frame.set == "rendered"].itertuples()}

    assert counts() == {("t/one", new)} != {("t/one", old)}
    aside = folder.with_name(f"seed0.{old}")
    assert str(aside) in capsys.readouterr().out
    weights = checkpoint(aside)["state_dict"]
    assert all(torch.equal(kept[name], value) for name, value in weights.items())
    # the first configuration again: no training is needed, and its records count
    execute(plain, "off", net=False)
    assert counts() == {("t/one", old)}
    # the same configuration as another arm
    execute(replace(plain, name="t/two/seed0", arm="t/two"), "off", net=False)
    assert counts() == {("t/one", old), ("t/two", old)} and calls["fit"] == 1


class Interrupt(pl.Callback):
    """Raises an error before a step, and lists the steps it has seen."""

    def __init__(self, step, error):
        self.step, self.error, self.seen = step, error, []

    def on_train_batch_start(self, trainer, *_):
        if trainer.global_step == self.step:
            raise self.error
        self.seen.append(trainer.global_step)


@pytest.fixture
def interruptible():
    """Lightning ignores Ctrl-C from the first one on; the tests to come shall not."""
    handler = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(
    "error, seen", [(KeyboardInterrupt(), SystemExit), (OSError("disk full"), OSError)]
)
def test_an_interrupted_run_goes_on(plain, runs, monkeypatch, capsys, error, seen):
    monkeypatch.setattr(training_cli, "CHECKPOINT_EVERY", 2)
    run = replace(plain, set={"trainer.max_steps": 8})
    whole = execute(replace(run, name="whole"), "off")
    build = training_cli.RecognizerCLI.instantiate_trainer
    callbacks = [Interrupt(5, error), Interrupt(None, None)]

    def watched(self, **options):
        trainer = build(self, **options)
        trainer.callbacks.append(callbacks.pop(0))
        return trainer

    monkeypatch.setattr(training_cli.RecognizerCLI, "instantiate_trainer", watched)
    second = callbacks[1]
    with pytest.raises(seen):
        execute(run, "off")
    folder = runs / "t" / "one" / "seed0"
    assert not (folder / "checkpoints" / "final.ckpt").exists()
    # the whole run has the same key, and with it the record: only the weights are compared
    resumed = execute(run, "off")
    assert "going on from its last checkpoint" in capsys.readouterr().out
    assert second.seen == [4, 5, 6, 7]
    one, other = (checkpoint(of.folder)["state_dict"] for of in (resumed, whole))
    assert all(torch.equal(one[name], other[name]) for name in other)


def test_wandb_runs_are_closed_and_none_is_opened_for_nothing(plain, runs):
    import wandb

    for _ in range(2):
        execute(plain, "offline")
        assert wandb.run is None
        assert len(list((runs / plain.name / "wandb").glob("offline-run-*"))) == 1
