"""Commands of large trainings: what they name exists, and where they write."""

import shlex
from pathlib import Path

import pytest
import yaml
from experiments.studies.launch import Launch

CONFIG = """
data: {init_args: {batch_size: 100, num_workers: 6}}
trainer: {max_epochs: 3, devices: 4}
"""


@pytest.fixture
def launch(tmp_path):
    (tmp_path / "c.yaml").write_text(CONFIG)
    return Launch(tmp_path / "c.yaml", "table", "net", 1050, (0, 1))


def words(lines):
    """Return the commands of a shell's lines, a list of words each."""
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [split for line in joined if (split := shlex.split(line, comments=True))]


def test_what_the_configuration_says(launch):
    assert (launch.gpus, launch.workers, launch.batch) == (4, 6, 100)
    # 10 whole batches an epoch; two losses over two seeds
    assert (launch.steps, launch.runs) == (30, 4)


def test_one_gpu_unless_the_configuration_says_more(tmp_path):
    settings = yaml.safe_load(CONFIG)
    del settings["trainer"]["devices"]
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(settings))
    assert Launch(tmp_path / "c.yaml", "table", "net", 1, ()).gpus == 1


def test_both_arms_are_trained_and_tested_over_seeds(launch):
    first, *commands, last = words(launch.commands())
    assert first == ["for", "seed", "in", "0", "1;", "do"] and last == ["done"]
    dctc = ".venv/bin/dctc"  # of README.md
    assert [command[:2] for command in commands] == [[dctc, "fit"], [dctc, "test"]] * 2
    fit, test, ctc, _ = commands
    assert "experiments/configs/loss/ctc.yaml" not in fit
    configs = [ctc[i + 1] for i, word in enumerate(ctc) if word == "--config"]
    assert configs == [str(launch.config), "experiments/configs/loss/ctc.yaml"]
    assert Path(__file__).parents[2].joinpath(configs[1]).is_file()
    run = "table/net-dctc/seed$seed"
    assert fit[fit.index("--name") + 1] == run
    checkpoint = f"${{DCTC_RUNS:-runs}}/{run}/checkpoints/final.ckpt"
    assert test[test.index("--ckpt_path") + 1] == checkpoint


def test_losses_may_be_others(launch, tmp_path):
    losses = {"ace": ("--config", "ace.yaml", "--trainer.callbacks=[]")}
    other = Launch(launch.config, "t", "n", 1050, (3,), ("--x=[Scene]",), losses)
    (_, fit, test, _) = words(other.commands())
    assert fit[4:8] == ["--config", "ace.yaml", "--trainer.callbacks=[]", "--x=[Scene]"]
    assert fit[-1] == "t/n-ace/seed$seed" and other.runs == 1
    assert test[3] == "${DCTC_RUNS:-runs}/t/n-ace/seed$seed/config.yaml"
