"""Under torchrun: a step of each loss is that of one process, and rank 0 decides on resuming."""

import itertools
from pathlib import Path

import pytest
import torch

from dctc.cli import main
from places import runs_in
from tiny import config, run_python, same_weights, write_config
from training.ddp.ddp_losses import LOSSES, STEPS, batches, make_loss, train

pytestmark = pytest.mark.filterwarnings("ignore:.* labels need more frames")

STATEFUL = ("center", "prior")  # what they have seen is a buffer, and each process sees its share


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What two processes of one torchrun leave: all losses, then a run that goes on."""
    folder = tmp_path_factory.mktemp("two")
    with runs_in(folder):
        settings = config(epoch_size=4, val_size=2)  # a step an epoch
        own = ["fit", write_config(folder / "own.yaml", settings), "--name=torchrun", "--log=off"]
        main(own)
        (folder / "runs" / "torchrun" / "checkpoints" / "final.ckpt").unlink()  # last: of step 1
        program = [str(Path(__file__).with_name("ddp_losses.py")), str(folder), *own]
        torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--")
        two = ("--trainer.strategy=ddp", "--trainer.devices=2")
        done = run_python(*torchrun, *program, *two)
    assert done.returncode == 0, done.stderr
    (folder / "stdout").write_text(done.stdout)
    return folder


def test_rank_0_decides_what_a_run_goes_on_from(folder):
    """The other process sees no checkpoint, as on a networked disk that lags behind."""
    assert (folder / "stdout").read_text().count("going on from its last checkpoint") == 1
    assert [(folder / f"steps{rank}").read_text() for rank in (0, 1)] == ["[1]", "[1]"]


@pytest.fixture(scope="module")
def two(folder):
    """What each of two processes has after each step, by loss."""
    return {
        name: [torch.load(folder / f"{name}.{rank}.pt", weights_only=True) for rank in (0, 1)]
        for name in LOSSES
    }


def part(stored, prefix):
    return {name: value for name, value in stored.items() if name.startswith(prefix)}


def moved(before, after):
    return max((after[name] - before[name]).abs().max().item() for name in after)


@pytest.mark.parametrize("name", [name for name in LOSSES if name not in STATEFUL])
def test_a_training_is_that_of_one_process(tmp_path, two, name):
    """With the teacher too, which follows on each process the net that all have."""
    alone = train(name, tmp_path, batches(name))
    for found in two[name]:
        for step in range(STEPS):
            torch.testing.assert_close(found[step], alone[step], atol=1e-6, rtol=0)
    for before, after in itertools.pairwise(alone):
        assert moved(part(before, "net."), part(after, "net.")) > 1e-3
    if "teacher" in make_loss(name).needs:
        assert moved(part(alone[0], "teacher.module."), part(alone[-1], "teacher.module.")) > 1e-3


@pytest.mark.parametrize("name", STATEFUL)
def test_the_whole_batch_moves_the_net_and_each_share_its_centres_or_prior(tmp_path, two, name):
    whole = batches(name)
    start = None
    for step in range(STEPS):
        # from where two processes were, since theirs are the centres and the prior of the first
        (alone,) = train(name, tmp_path, [whole[step]], start)
        found = [two[name][rank][step] for rank in (0, 1)]
        for rank in (0, 1):
            (share,) = train(name, tmp_path, [batches(name, rank, 2)[step]], start)
            for prefix, expected in (("net.", alone), ("loss.", share)):
                torch.testing.assert_close(
                    part(found[rank], prefix), part(expected, prefix), atol=1e-6, rtol=0
                )
        # so that the test can tell them apart
        assert not same_weights(*(part(one, "loss.") for one in found))
        assert start is None or moved(part(start, "net."), part(found[0], "net.")) > 1e-3
        start = found[0]
