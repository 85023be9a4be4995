"""torch.compile as a switch of RecognizerModule, with the backend that takes no compiler."""

import pytest
import torch
from torch import nn

from dctc.losses import CTCLoss
from dctc.losses.cross_entropy import CharacterCrossEntropy
from dctc.models import AttentionRecognizer
from tiny import TinyNet, fit, make_module, noise_batch, same_weights, weights

LABELS = ["one", "two"]


@pytest.fixture
def compiled(monkeypatch):
    """Compile without generating code; holds the modules that were compiled."""
    modules, plain = [], nn.Module.compile

    def compile_eagerly(module):
        modules.append(module)
        plain(module, backend="eager")

    monkeypatch.setattr(nn.Module, "compile", compile_eagerly)
    yield modules
    torch.compiler.reset()


def train(module, folder):
    batches = [noise_batch(LABELS, seed) for seed in range(2)]
    return fit(folder, module, batches, log_every_n_steps=1)


def test_off_by_default(compiled):
    make_module()
    assert not compiled


def test_training_is_the_same_and_checkpoints_fit_either_way(compiled, tmp_path):
    plain, other = make_module(), make_module(compile=True)
    names = set(plain.state_dict())
    train(plain, tmp_path)
    trainer = train(other, tmp_path)
    assert compiled == [other.net]
    # the eager backend computes what the net computes
    assert same_weights(weights(plain), weights(other))
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0
    trainer.save_checkpoint(tmp_path / "x.ckpt")
    stored = torch.load(tmp_path / "x.ckpt", weights_only=True)["state_dict"]
    assert set(stored) == names
    fresh = make_module(seed=1)
    fresh.load_state_dict(stored)
    make_module(seed=1, compile=True).load_state_dict(stored)
    assert same_weights(weights(fresh), weights(plain))


def attention_net(num_classes):
    return AttentionRecognizer(num_classes, size=8, heads=2)


class NeedsFeatures(CTCLoss):
    needs = frozenset({"features"})


@pytest.mark.parametrize(
    "net, loss", [(attention_net, CharacterCrossEntropy), (TinyNet, NeedsFeatures)]
)
def test_what_is_not_run_as_a_whole_is_refused(net, loss, compiled):
    with pytest.raises(ValueError, match=f"with loss {loss.__name__}, so nothing"):
        make_module(net, loss=loss(), compile=True)
    assert not compiled


def test_the_compiled_net_is_called(compiled):
    module = make_module(TinyNet, compile=True)
    before = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    module.eval().predict_step(noise_batch(LABELS), 0)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == before + 1
