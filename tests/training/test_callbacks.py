"""DCTCCallback: replaces the loss, schedules its weight, logs its terms, changes nothing else."""

import csv

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger
from torch import nn

from dctc.ctc import torch_kernels
from dctc.data.records.batch import NO_EXTENT
from dctc.losses import CTCLoss, DCTCLoss
from dctc.training.callbacks import DCTCCallback, EstimatorLog
from tiny import (
    FixedData,
    make_module,
    make_trainer,
    noise_batch,
    same_weights,
    weights,
)

SHARES = ("blank_share", "aacc_label", "aacc_true", "viterbi_agreement")
TERMS = ("loss", "ctc", "distill", "distill_weight", *SHARES)
BATCHES = [noise_batch(["ab", "c", "dde", "f"], seed=10 * i) for i in range(12)]


def with_extents(batch):
    """Put every character on 8 pixels of its own."""
    extents = torch.full((len(batch.label), max(map(len, batch.label)), 2), NO_EXTENT)
    for row, label in zip(extents, batch.label, strict=True):
        for i in range(len(label)):
            row[i] = torch.tensor([16.0 * i, 16.0 * i + 8])
    return batch._replace(extents=extents)


def fit(folder, *callbacks, loss=None, batches=BATCHES, val=None, **options):
    """Train on the batches; with ``log_every_n_steps``, metrics are logged."""
    module = make_module(loss=loss or CTCLoss())
    if "log_every_n_steps" in options:
        options["logger"] = CSVLogger(folder, name="csv", version="", flush_logs_every_n_steps=1)
    trainer = make_trainer(folder, callbacks=list(callbacks), **{"max_steps": 6, **options})
    trainer.fit(module, datamodule=FixedData(batches, val=val))
    return module, trainer


def logged(folder) -> dict[str, dict[int, float]]:
    """Return metric -> step -> value of what :func:`fit` has logged."""
    values: dict[str, dict[int, float]] = {}
    with open(folder / "csv" / "metrics.csv", newline="") as stream:
        for row in csv.DictReader(stream):
            for name, value in row.items():
                if value and name not in ("epoch", "step"):
                    values.setdefault(name, {})[int(row["step"])] = float(value)
    return values


# ---- the loss ----


@pytest.mark.parametrize(
    "loss",
    [
        nn.CTCLoss(blank=3, reduction="sum"),
        CTCLoss(blank=2, reduction="batchmean"),
        CTCLoss(reduction="none"),
    ],
    ids=repr,
)
def test_a_ctc_loss_is_replaced_by_one_of_the_same_blank_and_reduction(loss):
    module = make_module(loss=loss)
    DCTCCallback(0.3, estimator="posterior").setup(pl.Trainer, module, "fit")
    assert isinstance(module.loss, DCTCLoss)
    assert (module.loss.blank, module.loss.reduction) == (loss.blank, loss.reduction)
    assert module.loss.estimator == "posterior" and module.loss.distill_weight == 0.3


def test_a_dctc_loss_stays_and_its_weight_is_scheduled(tmp_path):
    loss = DCTCLoss(distill_weight=0.9, estimator="viterbi", margin=0.2)
    module, _ = fit(tmp_path, DCTCCallback(0.4, estimator="likelihood"), loss=loss)
    assert module.loss is loss and loss.estimator == "viterbi" and loss.margin == 0.2
    assert loss.distill_weight == 0.4


class OwnLoss(CTCLoss):
    """A loss of a user's own that is derived from CTC."""


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (OwnLoss(), r"a OwnLoss.*leave it out \(trainer.callbacks: \[\]\)"),
        (nn.CrossEntropyLoss(), "CrossEntropyLoss"),
    ],
)
def test_any_other_loss_is_refused_by_the_name_of_its_type(tmp_path, loss, message):
    with pytest.raises(ValueError, match=message):
        fit(tmp_path, DCTCCallback(), loss=loss)


# ---- its weight ----


class Spy(pl.Callback):
    """Notes the weight of every batch."""

    def __init__(self):
        self.seen = []

    def on_train_batch_end(self, trainer, module, *_):
        self.seen.append(module.loss.distill_weight)


def test_the_weight_rises_over_optimizer_steps_and_goes_on_after_a_resume(tmp_path):
    assert DCTCCallback(0.5).weight(0) == 0.5
    assert [DCTCCallback(0.5, warmup_steps=1).weight(step) for step in range(3)] == [0.25, 0.5, 0.5]
    spy = Spy()
    _, trainer = fit(tmp_path, DCTCCallback(1.0, warmup_steps=9), spy, max_steps=3)
    trainer.save_checkpoint(tmp_path / "three.ckpt")
    assert spy.seen == pytest.approx([0.1, 0.2, 0.3])
    spy = Spy()
    callbacks = [DCTCCallback(1.0, warmup_steps=9), spy]
    trainer = make_trainer(tmp_path, max_steps=5, callbacks=callbacks)
    resume = {"ckpt_path": tmp_path / "three.ckpt", "weights_only": True}
    trainer.fit(make_module(), datamodule=FixedData(BATCHES), **resume)
    assert spy.seen == pytest.approx([0.4, 0.5])
    spy = Spy()
    options = {"max_steps": 2, "accumulate_grad_batches": 3}
    fit(tmp_path, DCTCCallback(1.0, warmup_steps=9), spy, **options)
    assert spy.seen == pytest.approx([0.1] * 3 + [0.2] * 3)


def test_weight_zero_trains_bit_for_bit_as_without_the_callback(tmp_path):
    plain, _ = fit(tmp_path, loss=CTCLoss())
    watched, _ = fit(tmp_path, DCTCCallback(0.0), log_every_n_steps=1)
    distilled, _ = fit(tmp_path, DCTCCallback(0.1))
    logged, _ = fit(tmp_path / "logged", DCTCCallback(0.1), log_every_n_steps=1)
    assert same_weights(weights(plain), weights(watched))
    assert not same_weights(weights(plain), weights(distilled))
    assert same_weights(weights(distilled), weights(logged))  # nor does logging change anything


# ---- what is logged ----


@pytest.mark.parametrize("weight", [0.0, 0.1])
def test_a_logged_step_runs_one_forward_backward(tmp_path, monkeypatch, weight):
    calls = []
    run = torch_kernels.forward_backward
    monkeypatch.setattr(
        torch_kernels, "forward_backward", lambda *args: (calls.append(1), run(*args))[1]
    )
    fit(tmp_path, DCTCCallback(weight), log_every_n_steps=1, max_steps=3)
    values = logged(tmp_path)
    assert len(values["train/ctc"]) == len(calls) == 3
    assert "train/aacc_true" not in values  # where no extents are known


def test_logging_at_no_step(tmp_path):
    callbacks = DCTCCallback(), EstimatorLog()
    module, _ = fit(tmp_path, *callbacks, log_every_n_steps=0, max_steps=1)
    assert module.global_step == 1


@pytest.mark.filterwarnings("ignore:.*more frames")
def test_terms_are_logged_when_lightning_logs_and_in_training_alone(tmp_path):
    # a validation after each step, between the batch to be logged and the next
    val = {"words": [noise_batch(["zz"])]}
    options = {"log_every_n_steps": 3, "max_steps": 8, "val_check_interval": 1}
    labels = ["ab", "c", "a" * 9]  # the last does not fit: its terms are 0 in the means of three
    batches = [with_extents(noise_batch(labels, seed=10 * i)) for i in range(12)]
    fit(tmp_path, DCTCCallback(0.8, warmup_steps=7), batches=batches, val=val, **options)
    values = logged(tmp_path)
    for name in TERMS:
        assert sorted(values[f"train/{name}"]) == [2, 5], name
    assert sorted(values["val/accuracy"]) == [*range(8)]
    assert all(0 <= share <= 1 for share in values["train/aacc_true"].values())
    assert values["train/distill_weight"] == pytest.approx({2: 0.3, 5: 0.6})
    for step in (2, 5):
        loss, ctc, distill, weight = (values[f"train/{name}"][step] for name in TERMS[:4])
        assert loss == pytest.approx(ctc + weight * distill, rel=1e-5)


def test_nothing_watches_after_the_fit_and_a_second_fit_logs_again(tmp_path):
    module = make_module(loss=DCTCLoss())
    module.on_train_batch_start = lambda *_: -1  # the step is left out, so that nothing is logged
    options = {"callbacks": [DCTCCallback()], "log_every_n_steps": 1}
    make_trainer(tmp_path, max_epochs=1, **options).fit(module, datamodule=FixedData(BATCHES))
    assert module.loss.watch is None
    del module.on_train_batch_start
    options["logger"] = CSVLogger(tmp_path, name="csv", version="")
    make_trainer(tmp_path, max_steps=2, **options).fit(module, datamodule=FixedData(BATCHES))
    assert sorted(logged(tmp_path)["train/ctc"]) == [0, 1]
    assert module.loss.watch is None
