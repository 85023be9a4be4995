import multiprocessing
import shutil
import signal
import sys
import time
from dataclasses import replace

import pytest
import pytorch_lightning as pl
import torch
from dctc.results.comparison import find_arms

from dctc.data.rendered import RenderedDataModule
from dctc.results.registry import Registry
from dctc.studies.runner import Run, execute, parse_options
from dctc.training import cli as training_cli
from dctc.training.results_writer import read_readings
from dctc.training.run_folder import alone
from tiny import config, held_by_another, write_config

pytestmark = [
    pytest.mark.usefixtures("runs"),
    pytest.mark.filterwarnings("ignore:LightningCLI's args parameter"),
]


@pytest.fixture
def options(tmp_path):
    return (write_config(tmp_path / "config.yaml", config()),)


def other_set(name):
    """Return a factory of test data under another name."""

    def make(resolved):
        data = RenderedDataModule(test_size=3, width=64, max_length=4, num_workers=0)
        data.setup()
        data.test_sets = {name: data.test_sets["rendered"]}
        return data

    return make


def count(monkeypatch, *methods):
    """Count the calls of methods of the trainer."""
    calls = {name: 0 for name in methods}

    def watch(name):
        original = getattr(pl.Trainer, name)

        def counted(self, *args, **options):
            calls[name] += 1
            return original(self, *args, **options)

        monkeypatch.setattr(pl.Trainer, name, counted)

    for name in methods:
        watch(name)
    return calls


def final(folder):
    return torch.load(folder / "checkpoints" / "final.ckpt", weights_only=True)


def test_a_run_is_trained_and_tested_on_all_its_sets(options, runs):
    finished = execute(Run("exp/one", options, (other_set("more"),)), "off")
    assert finished.folder == runs / "exp" / "one"
    assert list(finished.records) == ["rendered", "more"]
    assert [record.n for record in finished.records.values()] == [5, 3]
    assert {record.about["steps"] for record in finished.records.values()} == {2}
    assert finished.records["rendered"].about["drawn_from"] == finished.data.drawn_from()
    assert final(finished.folder)["global_step"] == 2
    for name, record in finished.records.items():
        assert len(read_readings(finished.folder / "readings" / f"{name}.tsv")) == record.n


def test_results_of_words_from_other_fonts_are_refused(options, runs, monkeypatch):
    execute(Run("one", options), "off")
    monkeypatch.setattr(RenderedDataModule, "drawn_from", lambda _: "other fonts")
    with pytest.raises(ValueError, match="one: has results on rendered, drawn with other fonts"):
        execute(Run("one", options), "off")


def test_a_finished_run_is_neither_trained_nor_tested_again(options, runs, monkeypatch):
    first = execute(Run("one", options), "off")

    def refuse(*_, **__):
        raise AssertionError("it was done already")

    monkeypatch.setattr(pl.Trainer, "fit", refuse)
    monkeypatch.setattr(pl.Trainer, "test", refuse)
    again = execute(Run("one", options), "off")
    assert again.records == first.records and again.folder == first.folder
    assert len(list(Registry(runs).records())) == 1


def test_results_are_enough_where_the_net_is_not_needed(options, runs, monkeypatch):
    run = Run("one", options, (other_set("more"),))
    first = execute(run, "off")
    shutil.rmtree(first.folder)  # as with results that were published and adopted
    calls = count(monkeypatch, "fit", "test")
    assert execute(run, "off", net=False).records == first.records
    assert calls == {"fit": 0, "test": 0}
    assert execute(run, "off").records.keys() == first.records.keys()
    assert calls["fit"] == 1
    shutil.rmtree(first.folder)
    described = replace(run, diagnosed=True)
    assert "alignment" in execute(described, "off", net=False).records["rendered"].about
    assert calls["fit"] == 2


def test_only_what_is_missing_is_tested(options, runs, monkeypatch):
    first = execute(Run("one", options), "off")
    calls = count(monkeypatch, "fit", "test")
    second = execute(Run("one", options, (other_set("more"),)), "off")
    assert calls == {"fit": 0, "test": 1}
    assert second.records["rendered"] == first.records["rendered"]
    assert second.records["more"].n == 3
    assert [record.set for record in Registry(runs).records()] == ["rendered", "more"]
    assert second.records["more"].wall_s == first.records["rendered"].wall_s
    assert second.records["more"].about["steps"] == 2


def test_options_that_change_no_result_change_no_run(options, monkeypatch):
    execute(Run("one", options), "off")
    calls = count(monkeypatch, "fit", "test")
    execute(Run("one", (*options, "--trainer.log_every_n_steps=2")), "off")
    assert calls == {"fit": 0, "test": 0}


def test_a_folder_of_another_configuration_is_set_aside(options, runs, capsys):
    first = execute(Run("one", options), "off")
    kept = final(first.folder)["state_dict"]
    second = execute(Run("one", (*options, "--seed_everything=1")), "off")
    old, new = first.records["rendered"].run, second.records["rendered"].run
    assert old != new
    assert (runs / "one" / "run_key").read_text().split() == [new]
    aside = runs / f"one.{old}"
    assert str(aside) in capsys.readouterr().out
    assert all(torch.equal(kept[name], value) for name, value in final(aside)["state_dict"].items())
    assert not torch.equal(
        kept["net.head.weight"], final(runs / "one")["state_dict"]["net.head.weight"]
    )
    assert len(list(Registry(runs).records())) == 2


def test_a_configuration_that_comes_back_has_its_readings_again(options, runs):
    first = execute(Run("one", options), "off")
    execute(Run("one", (*options, "--seed_everything=1")), "off")
    third = execute(Run("one", options), "off")
    assert third.records["rendered"].hits == first.records["rendered"].hits
    assert len(read_readings(third.folder / "readings" / "rendered.tsv")) == 5


def test_tables_take_the_records_of_the_configuration_that_is_executed(options, runs, monkeypatch):
    monkeypatch.setattr("dctc.training.results_writer.now", lambda: "2026-01-01T00:00:00Z")
    first = execute(Run("one", (*options, "--arm=t/a")), "off", net=False)
    second = execute(
        Run("one", (*options, "--arm=t/a", "--trainer.gradient_clip_val=1.0")), "off", net=False
    )
    keys = [finished.records["rendered"].run for finished in (first, second)]

    def taken(arm):
        return find_arms(Registry(runs), "t/")[arm]["rendered"][0].run

    assert keys[0] != keys[1] == taken("a")
    calls = count(monkeypatch, "fit", "test")
    execute(Run("one", (*options, "--arm=t/a")), "off", net=False)
    assert taken("a") == keys[0]
    execute(Run("two", (*options, "--arm=t/b")), "off", net=False)
    assert taken("b") == keys[0]  # the same configuration under another name
    assert calls == {"fit": 0, "test": 0}
    assert len(list(Registry(runs).records())) == 4


def test_a_folder_that_is_not_ours_is_set_aside_twice(options, runs):
    for number in range(2):
        (runs / "one").mkdir(parents=True)
        (runs / "one" / "note").write_text(str(number))
        execute(Run("one", options), "off")
        if not number:
            (runs / "one").rename(runs / "elsewhere")
    assert (runs / "one.unknown" / "note").read_text() == "0"
    assert (runs / "one.unknown.2" / "note").read_text() == "1"


@pytest.mark.slow
def test_a_second_process_at_the_same_run_is_refused(options, tmp_path, runs):
    with held_by_another(runs / "one"):
        with pytest.raises(OSError, match=r"one: another process is at this run"):
            execute(Run("one", options), "off")
        assert not (runs / "one").exists()
        other = execute(Run("two", (*options, "--trainer.max_steps=1")), "off")
        assert other.records["rendered"].n == 5
    assert execute(Run("one", options), "off").records["rendered"].n == 5


def test_a_worker_that_outlives_its_run_does_not_hold_it(tmp_path):
    with alone(tmp_path / "one"):
        worker = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
        worker.start()
    try:
        with alone(tmp_path / "one"):
            pass
    finally:
        worker.kill()
        worker.join()


class Failure(pl.Callback):
    """Fails, or is interrupted, before a step."""

    def __init__(self, step, error):
        self.step, self.error = step, error

    def on_train_batch_start(self, trainer, *_):
        if trainer.global_step == self.step:
            raise self.error


@pytest.fixture
def interruptible():
    """Lightning ignores Ctrl-C from the first one on; the tests to come shall not."""
    handler = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.mark.slow
@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(
    "error, seen", [(KeyboardInterrupt(), SystemExit), (OSError("disk full"), OSError)]
)
def test_an_interrupted_run_goes_on(options, runs, monkeypatch, capsys, error, seen):
    monkeypatch.setattr(training_cli, "CHECKPOINT_EVERY", 2)
    steps = (*options, "--trainer.max_steps=8")
    whole = execute(Run("whole", steps), "off")

    build = training_cli.RecognizerCLI.instantiate_trainer

    def faulty(self, **options):
        trainer = build(self, **options)
        trainer.callbacks.append(Failure(5, error))
        return trainer

    with monkeypatch.context() as patched:
        patched.setattr(training_cli.RecognizerCLI, "instantiate_trainer", faulty)
        with pytest.raises(seen):
            execute(Run("one", steps), "off")
    checkpoints = runs / "one" / "checkpoints"
    assert not (checkpoints / "final.ckpt").exists()
    assert torch.load(checkpoints / "last.ckpt", weights_only=True)["global_step"] == 4
    seen_steps = []

    class Spy(pl.Callback):
        def on_train_batch_start(self, trainer, *_):
            seen_steps.append(trainer.global_step)

    def watched(self, **options):
        trainer = build(self, **options)
        trainer.callbacks.append(Spy())
        return trainer

    monkeypatch.setattr(training_cli.RecognizerCLI, "instantiate_trainer", watched)
    # the whole run has the same key, and with it the record: only the weights are compared
    resumed = execute(Run("one", steps), "off")
    assert "going on from its last checkpoint" in capsys.readouterr().out
    assert seen_steps == [4, 5, 6, 7]
    one, other = final(resumed.folder)["state_dict"], final(whole.folder)["state_dict"]
    assert all(torch.equal(one[name], other[name]) for name in other)


@pytest.mark.slow
def test_wandb_runs_are_closed_and_none_is_opened_for_nothing(options, runs):
    import wandb

    for name in ("one", "two"):
        execute(Run(name, options), "offline")
        assert wandb.run is None
        assert len(list((runs / name / "wandb").glob("offline-run-*"))) == 1
    execute(Run("one", options), "offline")
    assert wandb.run is None
    assert len(list((runs / "one" / "wandb").glob("offline-run-*"))) == 1


def test_options_of_an_experiment(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["experiment"])
    default = {"scale": "smoke", "log": "offline", "jobs": 1, "status": False}
    assert vars(parse_options("What it does.", ("tiny", "smoke"))) == default
    given = ("--scale", "tiny", "--log", "off", "--jobs", "2", "--status")
    monkeypatch.setattr(sys, "argv", ["experiment", *given])
    expected = {"scale": "tiny", "log": "off", "jobs": 2, "status": True}
    assert vars(parse_options("", ("tiny", "smoke"))) == expected
    monkeypatch.setattr(sys, "argv", ["experiment", "--scale", "paper"])
    with pytest.raises(SystemExit):
        parse_options("", ("tiny", "smoke"))
    assert "paper" in capsys.readouterr().err
