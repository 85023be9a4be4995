"""Weight decay spares norms, biases and position embeddings, and nothing else."""

import pytest
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import nn

from dctc.models import SVTR, AttentionRecognizer, TimmRecognizer
from dctc.training.optimizers import SparingAdamW
from dctc.training.schedule import WarmupCosine
from tiny import FixedData, TinyNet, make_module, make_trainer, noise_batch, same_weights, weights

NORMS = (nn.LayerNorm, nn.BatchNorm1d, nn.BatchNorm2d)
BATCHES = [noise_batch(["ab", "cde", "f", "word"], seed=10 * i) for i in range(4)]


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


def test_a_step_is_adamw_s_where_it_decays_and_adam_s_where_it_does_not():
    nets = [make_module(seed=1).net for _ in range(3)]
    options = {"lr": 0.1, "betas": (0.9, 0.99), "eps": 8e-8}
    steppers = [
        SparingAdamW(nets[0].named_parameters(), weight_decay=0.5, **options),
        torch.optim.AdamW(nets[1].parameters(), weight_decay=0.5, **options),
        torch.optim.Adam(nets[2].parameters(), **options),
    ]
    for net, optimizer in zip(nets, steppers, strict=True):
        for p in net.parameters():
            p.grad = torch.full_like(p, 0.3)
        optimizer.step()
    spared, decayed, plain = (dict(net.named_parameters()) for net in nets)
    for name, found in spared.items():
        same, other = (plain, decayed) if name.endswith("bias") else (decayed, plain)
        torch.testing.assert_close(found, same[name])
        assert not torch.allclose(found, other[name])


def test_parameters_without_names_are_refused():
    with pytest.raises(ValueError, match="SparingAdamW spares parameters by name"):
        SparingAdamW(TinyNet(37).parameters())


def test_all_or_nothing_may_be_spared():
    only_bias = nn.ParameterDict({"bias": torch.zeros(3)})
    only_matrix = nn.ParameterDict({"weight": torch.zeros(3, 3)})
    assert decays(SparingAdamW(only_bias.named_parameters())) == {"bias": 0.0}
    assert decays(SparingAdamW(only_matrix.named_parameters())) == {"weight": 0.01}


class Rates:
    """A constructor of SparingAdamW that notes the rates of every step, by group."""

    def __init__(self):
        self.seen = []

    def __call__(self, parameters):
        optimizer = SparingAdamW(parameters, lr=0.5, weight_decay=0.05)
        optimizer.register_step_pre_hook(
            lambda optimizer, *_: self.seen.append([g["lr"] for g in optimizer.param_groups])
        )
        return optimizer


def fit(folder, optimizer, **options):
    module = make_module(optimizer=optimizer, schedule=WarmupCosine(0.0))
    trainer = make_trainer(folder, max_steps=8, **options)
    resume = options.get("callbacks") is None and folder / "step=4.ckpt"
    trainer.fit(module, datamodule=FixedData(BATCHES), ckpt_path=resume or None, weights_only=True)
    return module


def test_the_schedule_reaches_both_groups_and_a_resumed_run_is_the_whole_one(tmp_path):
    whole, resumed = Rates(), Rates()
    keep = ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=4, save_top_k=-1)
    first = fit(tmp_path, whole, callbacks=[keep], enable_checkpointing=True)
    schedule = WarmupCosine(0.0)
    expected = [[0.5 * schedule((k + 1) / 8)] * 2 for k in range(8)]
    torch.testing.assert_close(whole.seen, expected)
    second = fit(tmp_path, resumed)
    torch.testing.assert_close(resumed.seen, expected[4:])
    assert same_weights(weights(first), weights(second))
    stored = torch.load(tmp_path / "step=4.ckpt", weights_only=True)["optimizer_states"][0]
    assert [group["weight_decay"] for group in stored["param_groups"]] == [0.05, 0.0]


def test_a_checkpoint_from_before_parameters_had_names_is_resumed(tmp_path):
    keep = ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=4, save_top_k=-1)
    unnamed = lambda parameters: torch.optim.AdamW([p for _, p in parameters], lr=0.5)  # noqa: E731
    named = lambda parameters: torch.optim.AdamW(parameters, lr=0.5)  # noqa: E731
    first = fit(tmp_path, unnamed, callbacks=[keep], enable_checkpointing=True)
    assert same_weights(weights(first), weights(fit(tmp_path, named)))
