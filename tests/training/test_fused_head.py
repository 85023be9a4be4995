"""Large charsets: in training the loss computes the last layer, and nothing else changes."""

import copy

import pytest
import torch
from torch import nn

from dctc.cli import main
from dctc.ctc import linear
from dctc.losses import ConfidencePenaltyCTCLoss, CTCLoss, DCTCLoss
from dctc.training import objective
from dctc.training.callbacks import METRICS, DCTCCallback, EstimatorLog
from dctc.training.objective import fuses_head
from tiny import (
    FixedData,
    TinyNet,
    config,
    make_module,
    make_trainer,
    noise_batch,
    weights,
    write_config,
)
from training.test_needs import SplitNet

WORDS = ["ab", "c", "aba", "b"]
BATCHES = [noise_batch(WORDS, seed=10 * i) for i in range(4)]


@pytest.fixture(autouse=True)
def chunk(monkeypatch):
    """Three frames of a batch of 4 and 37 classes are computed at a time."""
    monkeypatch.setattr(linear, "CHUNK", 3 * 4 * 37)


@pytest.fixture
def large(monkeypatch):
    """All charsets are large."""
    monkeypatch.setattr(objective, "FUSED_CLASSES", 2)


def step(module, batch):
    """Return what a step computes: its outputs, loss and gradients."""
    module.zero_grad()
    module.training = True  # its parts stay in evaluation mode: no dropout
    outputs = module.objective.outputs(module, batch)
    value = module.objective.loss(module, batch, outputs).value
    value.backward()
    return outputs, value.detach(), [p.grad.clone() for p in module.parameters()]


def fit(folder, loss=None, **options):
    """Train DCTC whose weight rises; return weights and what was logged last."""
    module = make_module(SplitNet, loss=loss or CTCLoss())
    callbacks = [EstimatorLog(), DCTCCallback(0.5, warmup_steps=2)]
    trainer = make_trainer(folder, callbacks=callbacks, max_steps=4, log_every_n_steps=2, **options)
    trainer.fit(module, datamodule=FixedData(BATCHES, {"val": BATCHES[:1]}))
    return weights(module), {k: v.item() for k, v in trainer.callback_metrics.items()}


@pytest.mark.parametrize(("precision", "tolerance"), [("32-true", 1e-5), ("bf16-mixed", 5e-3)])
def test_a_training_with_its_callbacks_is_the_same(tmp_path, monkeypatch, precision, tolerance):
    expected, log = fit(tmp_path, precision=precision)
    monkeypatch.setattr(objective, "FUSED_CLASSES", 37)
    used = []
    compute = linear.chunks
    monkeypatch.setattr("dctc.ctc.terms.chunks", lambda x: used.append(x) or compute(x))
    found, log_of_features = fit(tmp_path, precision=precision)
    assert any(isinstance(logits, linear.LinearLogits) for logits in used)
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)
    assert log_of_features == pytest.approx(log, rel=10 * tolerance, abs=10 * tolerance)
    assert {f"train/{m}/viterbi" for m in METRICS[::2]} | {"val/loss", "train/distill"} <= set(log)


def test_the_head_is_called_for_readings_alone(large):
    module = make_module(SplitNet, loss=DCTCLoss())
    called = []
    module.net.head.register_forward_hook(lambda *_: called.append(module.training))
    step(module.train(), BATCHES[0])
    module.eval()
    outputs = module.objective.outputs(module, BATCHES[0])
    module.objective.loss(module, BATCHES[0], outputs)
    module.read(BATCHES[0], outputs)
    assert called == [False]


class OwnLoss(CTCLoss):
    """A user's own."""

    def forward(self, logits, *labels, **more):
        return super().forward(logits, *labels, **more) + 0.01 * logits.square().mean()


class OwnHead(SplitNet):
    """With a head of two layers."""

    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.head = nn.Sequential(nn.Linear(16, 16), nn.Linear(16, num_classes))


def test_what_is_not_known_to_be_a_linear_layer_and_ctc_gets_logits(large):
    assert fuses_head(make_module(SplitNet))
    assert not fuses_head(make_module(SplitNet, compile=True))
    for loss in (OwnLoss(), ConfidencePenaltyCTCLoss(), nn.CTCLoss()):
        module = make_module(SplitNet, loss=loss)
        assert not fuses_head(module)
        assert step(module, BATCHES[0])[0].shape == (16, 4, 37)
    for net in (OwnHead, TinyNet):  # TinyNet has no features
        assert not fuses_head(make_module(net))


def test_small_charsets_get_logits():
    module = make_module(SplitNet)
    for classes, fused in ((37, False), (7935, False), (8192, True), (18710, True)):
        module.net = copy.copy(module.net)
        module.net.num_classes = classes
        assert fuses_head(module) is fused


def test_a_line_says_so(large, runs, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("dctc.bench.describe.REPEATS", 1)
    settings = config()
    settings["model"]["net"] = {"class_path": "dctc.models.TimmRecognizer"}
    option = write_config(tmp_path / "net.yaml", settings)
    main(["fit", option, "--log=off", "--trainer.fast_dev_run=1"])
    line = "37 classes: in training the loss computes the last layer too"
    assert line in capsys.readouterr().out
    main(["describe", str(tmp_path / "net.yaml"), "--batch_size", "1"])
    assert line in " ".join(capsys.readouterr().out.split())
