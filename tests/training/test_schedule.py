"""Learning-rate schedule; weight decay spares norms, biases and position embeddings only."""

import math

import pytest
import torch
from torch import nn

from dctc.models import SVTR, AttentionRecognizer, TimmRecognizer
from dctc.training.schedule import SparingAdamW, WarmupCosine
from tiny import TinyNet, fit, make_module, noise_batch

NORMS = (nn.LayerNorm, nn.BatchNorm1d, nn.BatchNorm2d)
BATCHES = [noise_batch(["ab", "cde", "f", "word"], seed=10 * i) for i in range(4)]


def test_rises_linearly_then_falls_along_half_a_cosine():
    schedule = WarmupCosine(warmup=0.2, final=0.1)
    assert [schedule(p) for p in (0.0, 0.1, 0.2)] == pytest.approx([0.0, 0.5, 1.0])
    # halfway down, cos(pi / 2) = 0
    assert schedule(0.6) == pytest.approx(0.1 + 0.9 * 0.5)
    assert schedule(0.4) == pytest.approx(0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi / 4)))
    assert [schedule(p) for p in (1.0, 1.5)] == pytest.approx([0.1, 0.1])
    assert WarmupCosine(warmup=0.0)(0.0) == 1.0


@pytest.mark.parametrize("warmup", [-0.1, 1.0])
def test_refuses_a_share_outside_of_0_to_1(warmup):
    with pytest.raises(ValueError, match=r"warmup .*\[0, 1\)"):
        WarmupCosine(warmup=warmup)


def decays(optimizer):
    """Return the weight decay of each parameter by name."""
    return {
        name: group["weight_decay"]
        for group in optimizer.param_groups
        for name in group["param_names"]
    }


def spared_by_module(net):
    """Return the names of biases and of norms' parameters, by the modules that they belong to."""
    return {
        f"{path}.{name}"
        for path, module in net.named_modules()
        for name, _ in module.named_parameters(recurse=False)
        if isinstance(module, NORMS) or "bias" in name
    }


@pytest.mark.parametrize(
    "make, positions",
    [
        (lambda: SVTR(37, "tiny", rectifier=True), {"position"}),
        (
            lambda: TimmRecognizer(
                37,
                "vit_tiny_patch16_224",
                encoder_options={"img_size": [32, 128], "patch_size": [8, 4], "depth": 1},
            ),
            {"pos_embed"},
        ),
        (lambda: AttentionRecognizer(37), {"positions"}),
        (lambda: TimmRecognizer(37, neck_size=16), set()),  # with an LSTM
    ],
    ids=["svtr", "vit", "attention", "lstm"],
)
def test_norms_biases_and_positions_do_not_decay(make, positions):
    net = make()
    decay = decays(SparingAdamW(net.named_parameters(), weight_decay=0.05))
    spared = {name for name, value in decay.items() if value == 0.0}
    found = {name for name in spared if net.get_parameter(name).ndim > 1}
    assert {name.rsplit(".", 1)[-1] for name in found} == positions
    assert spared == spared_by_module(net) | found
    assert set(decay) == {name for name, _ in net.named_parameters()}
    assert set(decay.values()) == {0.0, 0.05}


def test_parameters_without_names_are_refused():
    with pytest.raises(ValueError, match="SparingAdamW spares parameters by name"):
        SparingAdamW(TinyNet(37).parameters())


@pytest.mark.parametrize("name, shape, decay", [("bias", (3,), 0.0), ("weight", (3, 3), 0.01)])
def test_all_or_nothing_may_be_spared(name, shape, decay):
    parameters = nn.ParameterDict({name: torch.zeros(shape)})
    assert decays(SparingAdamW(parameters.named_parameters())) == {name: decay}


def test_the_schedule_reaches_both_groups(tmp_path):
    rates = []

    def optimizer(parameters):
        made = SparingAdamW(parameters, lr=0.5, weight_decay=0.05)
        made.register_step_pre_hook(
            lambda optimizer, *_: rates.append([group["lr"] for group in optimizer.param_groups])
        )
        return made

    module = make_module(optimizer=optimizer, schedule=WarmupCosine(0.0))
    trainer = fit(tmp_path, module, BATCHES, max_steps=8)
    expected = [[0.5 * WarmupCosine(0.0)((k + 1) / 8)] * 2 for k in range(8)]
    torch.testing.assert_close(rates, expected)
    assert [group["weight_decay"] for group in trainer.optimizers[0].param_groups] == [0.05, 0.0]
