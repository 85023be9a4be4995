import math

import pytest
import torch

from dctc.training.schedule import WarmupCosine
from tiny import FixedData, make_module, make_trainer, noise_batch


def test_rises_linearly_then_falls_along_half_a_cosine():
    schedule = WarmupCosine(warmup=0.2, final=0.1)
    assert [schedule(p) for p in (0.0, 0.1, 0.2)] == pytest.approx([0.0, 0.5, 1.0])
    # halfway down, cos(pi / 2) = 0
    assert schedule(0.6) == pytest.approx(0.1 + 0.9 * 0.5)
    assert schedule(0.4) == pytest.approx(0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi / 4)))
    assert schedule(1.0) == pytest.approx(0.1)
    assert schedule(1.5) == pytest.approx(0.1)


def test_without_warm_up_it_begins_at_the_top():
    assert WarmupCosine(warmup=0.0)(0.0) == 1.0


@pytest.mark.parametrize("warmup", [-0.1, 1.0, 2.0])
def test_refuses_a_share_outside_of_0_to_1(warmup):
    with pytest.raises(ValueError, match=r"warmup .*\[0, 1\)"):
        WarmupCosine(warmup=warmup)


def test_the_learning_rate_of_every_step_follows_the_share_of_all_steps(tmp_path):
    rates = []

    class Spy(torch.optim.SGD):
        def step(self, *args, **options):
            rates.append(self.param_groups[0]["lr"])
            return super().step(*args, **options)

    module = make_module(
        optimizer=lambda parameters: Spy(parameters, lr=2.0), schedule=lambda progress: progress
    )
    data = FixedData([noise_batch(["ab", "c"])] * 3)
    make_trainer(tmp_path, max_epochs=2).fit(module, datamodule=data)
    assert rates == pytest.approx([2.0 * k / 6 for k in range(1, 7)])
