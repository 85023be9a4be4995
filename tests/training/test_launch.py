"""Commands of large trainings: they parse, and their cost is a product by hand."""

import shlex
from pathlib import Path

import pytest
import yaml

from dctc.training.launch import Launch, cost_table, several_nodes

CONFIG = """
data: {init_args: {batch_size: 100}}
trainer: {max_epochs: 3, devices: 4}
"""


@pytest.fixture
def launch(tmp_path):
    (tmp_path / "c.yaml").write_text(CONFIG)
    return Launch(tmp_path / "c.yaml", "table", "net", 1050, (0, 1))


def test_cost_is_steps_times_seconds_times_gpus(launch):
    table = cost_table("T", [launch], {"net": 120.0})
    # 10 whole batches an epoch; 30 x 120 s x 4 GPUs are 4 hours; two arms of two seeds
    assert table.columns == [
        *("model", "GPUs", "batch", "steps", "s/step", "GPU-hours a run", "GPU-hours", "runs")
    ]
    assert table.rows == [["net", "4", "100", "30", "120", "4", "16", "4"]]


def test_without_a_step_time_nothing_is_estimated(launch):
    (row,) = cost_table("T", [launch], {"other": 1.0}).rows
    assert row == ["net", "4", "100", "30", "not measured", "-", "-", "4"]


def test_one_gpu_unless_the_configuration_says_more(tmp_path):
    settings = yaml.safe_load(CONFIG)
    del settings["trainer"]["devices"]
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(settings))
    assert Launch(tmp_path / "c.yaml", "table", "net", 1, ()).gpus == 1


def words(text):
    """Return the commands of a shell's text, a list of words each."""
    lines = text.replace("\\\n", " ").splitlines()
    return [split for line in lines if (split := shlex.split(line, comments=True))]


def test_both_arms_are_trained_and_tested_over_seeds(launch):
    first, *commands, last = words("\n".join(launch.commands()))
    assert first == ["for", "seed", "in", "0", "1;", "do"] and last == ["done"]
    assert [command[:2] for command in commands] == [["dctc", "fit"], ["dctc", "test"]] * 2
    dctc, dctc_test, ctc, _ = commands
    assert "experiments/configs/loss/ctc.yaml" not in dctc
    configs = [ctc[i + 1] for i, word in enumerate(ctc) if word == "--config"]
    assert configs == [str(launch.config), "experiments/configs/loss/ctc.yaml"]
    assert Path(__file__).parents[2].joinpath(configs[1]).is_file()
    run = "table/net-dctc/seed$seed"
    assert dctc[dctc.index("--name") + 1] == run
    assert dctc_test[dctc_test.index("--ckpt_path") + 1] == f"runs/{run}/checkpoints/final.ckpt"


def test_several_nodes_take_every_process(launch):
    text = several_nodes(launch, nodes=3)
    torchrun, srun = words(text)
    assert torchrun[0] == "torchrun" and torchrun[torchrun.index("-m") + 1] == "dctc.cli"
    assert torchrun[torchrun.index("--nnodes") + 1] == "3"
    assert torchrun[torchrun.index("--nproc_per_node") + 1] == "4"
    assert srun[:3] == ["srun", "dctc", "fit"]
    for command in (torchrun, srun):
        assert command[-2:] == ["--trainer.num_nodes=3", "--trainer.devices=4"]
    assert "#SBATCH --nodes=3\n#SBATCH --ntasks-per-node=4\n#SBATCH --gpus-per-node=4" in text
