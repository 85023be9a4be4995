"""Three steps with each loss, on one process or as one of several; run by ``test_ddp_losses.py``.

As a program: started once per process with torchrun's environment, it trains on its share of each
batch and writes all parameters and buffers after each step to ``<folder>/<loss>.<rank>.pt``. Then
it runs a ``dctc`` command, and writes before which steps it trained to ``<folder>/steps<rank>``.
"""

import os
import sys
from pathlib import Path

import pytorch_lightning as pl
import torch

import dctc.cli
from dctc.losses import every_loss
from dctc.training import cli
from dctc.training.module import RecognizerModule
from tiny import FeatureNet, fit, make_module, noise_batch, weights

INFEASIBLE = "a" * 9  # needs 17 frames of 16
LABELS = ["ab", INFEASIBLE, "c", "dd", "efg", "h", INFEASIBLE, INFEASIBLE]  # of two shares
STEPS = 3
LOSSES = tuple(every_loss(37, 16))


def make_loss(name):
    """Return a loss whose statistics and teacher move far in a step."""
    loss = every_loss(37, 16)[name]
    if name in ("center", "prior", "distillation"):
        for option in ("weight", "prior_scale", "momentum", "teacher_decay"):
            if hasattr(loss, option):
                setattr(loss, option, 0.6 if option == "teacher_decay" else 0.5)
    return loss


class Journal(pl.Callback):
    """Copies all parameters and buffers after each step."""

    def __init__(self):
        self.steps = []

    def on_train_batch_end(self, trainer, pl_module, *_):
        self.steps.append(weights(pl_module))


def batches(name, rank=0, world=1):
    """Return the batches of a process, one for each step."""
    own = slice(rank * len(LABELS) // world, (rank + 1) * len(LABELS) // world)
    found = []
    for step in range(STEPS):
        batch = noise_batch(LABELS, seed=100 * step)
        parts = ("image", "label", "key", "width")
        share = batch._replace(**{name: getattr(batch, name)[own] for name in parts})
        if "second" in make_loss(name).needs:
            share = share._replace(second=share.image.roll(1, 2) * 0.9)
        found.append(share)
    return found


def train(name, folder, given, start=None, **options):
    """Return all parameters and buffers after each step on the given batches."""
    module = make_module(FeatureNet, loss=make_loss(name), schedule=lambda share: 1.0)
    if start is not None:
        module.load_state_dict(start)
    journal = Journal()
    fit(folder, module, given, callbacks=[journal], **options)
    return journal.steps


def count_steps(command, rank):
    """Run a command; return the steps before which it trained. Rank 1 sees no checkpoint."""
    steps, step = [], RecognizerModule.training_step

    def counted(self, *batch):
        steps.append(self.global_step)
        return step(self, *batch)

    RecognizerModule.training_step = counted
    if rank:
        cli.resume_point = cli.final_checkpoint = lambda folder: None
    dctc.cli.main(command)
    return steps


def main(folder, command):
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    torch.set_num_threads(1)
    for name in LOSSES:
        given = batches(name, rank, world)
        steps = train(name, folder, given, strategy="ddp", devices=world)
        torch.save(steps, folder / f"{name}.{rank}.pt")
    (folder / f"steps{rank}").write_text(str(count_steps(command, rank)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
