"""The text for several nodes: a shell runs it, with stand-ins for torchrun, sbatch and dctc."""

import os
import subprocess

import pytest
from experiments.studies.launch import Launch
from experiments.studies.several_nodes import several_nodes

CONFIG = """
data: {{init_args: {{batch_size: 100, num_workers: 6}}}}
trainer: {{max_epochs: 3, devices: {devices}}}
"""


@pytest.fixture
def launches(tmp_path):
    for devices in (1, 4):
        (tmp_path / f"{devices}.yaml").write_text(CONFIG.format(devices=devices))
    options = ("--data.init_args.train=[Scene]",)
    small = Launch(tmp_path / "1.yaml", "table", "small", 1050, (0,))
    return [small, *(Launch(tmp_path / "4.yaml", "table", m, 1050, (0, 1), options) for m in "ab")]


SAY = 'printf "<%s>" "$@"; echo'  # each word apart
STAND_INS = {".venv/bin/torchrun": SAY, ".venv/bin/dctc": SAY, "bin/srun": SAY, "bin/sbatch": "cat"}


def run(lines, folder):
    """Run lines as a user would who pastes them into a shell; return what they print."""
    for name, script in STAND_INS.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/bash\n{script}\n")
        file.chmod(0o755)
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    environment = {"PATH": path, "DCTC_RUNS": "/my runs"}
    done = subprocess.run(
        ["bash", "-eu"],
        input="\n".join(lines),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def fits(launch):
    """Return the words of the trainings after ``fit``."""
    ctc = "<--config><experiments/configs/loss/ctc.yaml>"
    for seed in launch.seeds:
        for loss, fragment in (("dctc", ""), ("ctc", ctc)):
            arm = f"table/{launch.model}-{loss}"
            options = f"{fragment}<--data.init_args.train=[Scene]><--seed_everything><{seed}>"
            name = f"<--arm><{arm}><--name><{arm}/seed{seed}>"
            yield f"<--config><{launch.config}>{options}{name}"


def test_torchrun_trains_what_is_for_several_gpus(launches, tmp_path):
    text = several_nodes(launches, nodes=3)
    end = text.index("# or under SLURM, a job each:")
    loops = text[text.index("# Then, with either:") :]
    said = run([*text[:end], *loops], tmp_path)
    start = "<--nnodes><3><--nproc_per_node><4><--rdzv_backend><c10d><--rdzv_endpoint><HOST:29500>"
    expected = [
        f"{start}<-m><dctc.cli><fit>{words}<--trainer.num_nodes=3>"
        for launch in launches[1:]
        for words in fits(launch)
    ]
    assert said[:8] == expected
    assert len(said) == 16 and "small" not in "".join(said)
    run_folder = "/my runs/table/a-dctc/seed0"
    test = f"<test><--config><{run_folder}/config.yaml><--trainer.num_nodes=1>"
    assert said[8] == f"{test}<--ckpt_path><{run_folder}/checkpoints/final.ckpt>"


def test_slurm_gets_scripts_that_begin_as_scripts_do(launches, tmp_path):
    jobs = run(several_nodes(launches, nodes=3), tmp_path)[: 8 * 6]
    for i in range(0, len(jobs), 6):
        assert jobs[i : i + 5] == [
            "#!/bin/bash",
            "#SBATCH --nodes=3",
            "#SBATCH --ntasks-per-node=4",
            "#SBATCH --gpus-per-node=4",
            "#SBATCH --cpus-per-task=6",  # num_workers of the configuration
        ]
    said = run(jobs, tmp_path)
    start = "<--cpus-per-task=6><.venv/bin/dctc><fit>"
    assert said == [
        f"{start}{words}<--trainer.num_nodes=3>"
        for launch in launches[1:]
        for words in fits(launch)
    ]


def test_nothing_to_say_where_one_gpu_is_enough(launches):
    assert several_nodes(launches[:1]) == []
