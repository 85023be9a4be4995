"""experiments/paper.sh: every row's command resolves, and how it is started on several nodes."""

import shlex
from pathlib import Path

import pytest
import yaml
from torch.distributed.run import get_args_parser

from dctc.models import SVTR
from scripts import ROOT, resolve, shell

WORDS = 16_200_000  # MJSynth 8.9 and SynthText 7.3 million: their published sizes


def paper(*arguments):
    """Return the commands that experiments/paper.sh prints."""
    done = shell("experiments/paper.sh", *arguments)
    assert done.returncode == 0, done.stderr
    return [shlex.split(line.removeprefix("+ ")) for line in done.stdout.splitlines()]


def test_every_row_resolves_and_trains_as_many_images(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("DCTC_RUNS", str(tmp_path))
    rows = [row for (row,) in paper("--list")]
    losses = {file.stem for file in Path("experiments/configs/loss").glob("*.yaml")}
    third = {row.split("/")[2] for row in rows if row.startswith("table3")}
    assert third == losses - {"ctc", "dctc", "character_cross_entropy"} | {"ctc_augmented"}
    rows = [row for row in rows if not row.startswith("table2") or "-web/" in row]  # sets are alike
    configs = set()
    (tmp_path / "alphabet.txt").write_text("ab")
    alphabet = f"--model.tokenizer.init_args.charset={tmp_path / 'alphabet.txt'}"
    for row, (program, *options) in zip(rows, paper(*rows, "--dry-run"), strict=True):
        table, model, loss = row.split("/")
        assert program == ".venv/bin/dctc"
        more = [alphabet, "--trainer.accelerator=cpu"] if table == "table2" else []
        resolved = resolve(*options, *more)
        data, trainer = resolved["data"]["init_args"], resolved["trainer"]
        assert resolved["name"] == f"{table}-paper/{model}-{loss}/seed0"
        weights = [c["init_args"]["distill_weight"] for c in trainer["callbacks"]]
        expected = {"dctc": [True], "ctc": [False], "ctc_augmented": [False]}
        assert [bool(w) for w in weights] == expected.get(loss, [])
        config = Path(options[2])
        configs.add(config)
        batch = yaml.safe_load(config.read_text())["data"]["init_args"]["batch_size"]
        assert data["batch_size"] * data.get("views", 1) == batch
        if table == "table2":
            assert data["train"] == data["test"] and data["train"][0].lower() in model
        elif augmented := data["augment"] > 0:
            assert augmented == (loss in ("ctc_augmented", "cr_ctc"))
            assert trainer["max_steps"] == 20 * (WORDS // batch) and trainer["max_epochs"] == -1
        else:
            assert (trainer["max_steps"], trainer["max_epochs"]) == (-1, 20)
        if loss == "center":
            features = SVTR(37, variant="tiny").head.in_features
            assert resolved["model"]["loss"]["init_args"]["num_features"] == features
    assert configs == set(Path("experiments/configs/paper").glob("*.yaml"))


def test_several_nodes_and_tests():
    row = "table1/svtr_base/ctc"
    options = ("--dry-run", "--seed", "3", "--arm", "x", "--log", "off")
    (alone,) = paper(row, *options)
    assert paper(row, "--dry-run", "--seed=3", *options[3:]) == [alone]
    (torchrun,) = paper(row, "--nodes", "2", "--host", "node0", *options)
    assert torchrun[:5] == [".venv/bin/torchrun", "--nnodes", "2", "--nproc_per_node", "8"]
    assert torchrun[-1] == "--trainer.num_nodes=2"
    start = torchrun.index("dctc.cli") + 1
    assert torchrun[start:-1] == alone[1:]
    taken = get_args_parser().parse_args(torchrun[1:])
    assert taken.module and taken.training_script == "dctc.cli"
    assert taken.training_script_args == torchrun[start:]
    (slurm,) = paper(row, "--nodes", "4", "--slurm", *options)
    assert slurm[:5] == ["sbatch", "--nodes", "4", "--ntasks-per-node", "8"]
    srun = shlex.split(slurm[-1])
    begin = ["srun", "--kill-on-bad-exit=1", "--cpus-per-task", "12"]
    assert srun == [*begin, *alone, "--trainer.num_nodes=4"]
    (four,) = paper(row, "--nodes", "2", "--slurm", "--gpus=4", *options)
    assert four[3:7] == ["--ntasks-per-node", "4", "--gpus-per-node", "4"]
    assert "--trainer.devices=4" in shlex.split(four[-1])
    (test,) = paper(row, "--test", *options[:3])
    run = "runs/table1-paper/svtr_base-ctc/seed3"
    assert test[:4] == [".venv/bin/dctc", "test", "--config", f"{run}/config.yaml"]
    assert test[-1] == f"{run}/checkpoints/final.ckpt"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["table1/svtr_tiny/.*", "--dry-run"], "no row 'table1/svtr_tiny/.*'"),
        (["table1/svtr_tiny/ctc", "--nodes", "2"], "needs --slurm, or --host"),
    ],
)
def test_errors_are_one_line(arguments, message):
    done = shell("experiments/paper.sh", *arguments)
    assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1
