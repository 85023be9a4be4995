"""How large trainings are started on several nodes: by torchrun, and under SLURM."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.studies.launch import DCTC, Launch

PORT = 29500  # torchrun's default


def several_nodes(launches: Sequence[Launch], nodes: int = 2) -> list[str]:
    """Return a shell's lines that train on several nodes what is written for several GPUs.

    The batch of a configuration is that of all processes together, so that it stays. The folder of
    runs has to be one that all nodes share.

    Args:
        launches: The trainings; those for one GPU are left out.
        nodes: How many.
    """
    machines: dict[tuple[int, int], list[Launch]] = {}
    for launch in launches:
        if launch.gpus > 1:
            machines.setdefault((launch.gpus, launch.workers), []).append(launch)
    return [
        line
        for (gpus, workers), alike in machines.items()
        for line in (*_starts(nodes, gpus, workers), *_loops(alike))
    ]


def _starts(nodes: int, gpus: int, workers: int) -> list[str]:
    """Return a shell's function ``fit`` for torchrun, and one for SLURM."""
    return f"""\
# On {nodes} nodes of {gpus} GPUs, which share the folder of runs. By torchrun, the same on each
# node, HOST the first of them:
fit() {{
  .venv/bin/torchrun --nnodes {nodes} --nproc_per_node {gpus} --rdzv_backend c10d \\
    --rdzv_endpoint HOST:{PORT} -m dctc.cli fit "$@" --trainer.num_nodes={nodes}
}}
# or under SLURM, a job each:
fit() {{
  sbatch <<EOF
#!/bin/bash
#SBATCH --nodes={nodes}
#SBATCH --ntasks-per-node={gpus}
#SBATCH --gpus-per-node={gpus}
#SBATCH --cpus-per-task={workers}
srun --cpus-per-task={workers} {DCTC} fit$(printf ' %q' "$@") --trainer.num_nodes={nodes}
EOF
}}""".splitlines()


def _loops(launches: Sequence[Launch]) -> list[str]:
    """Return the trainings through ``fit``, and the tests to follow them."""
    trainings, tests = [], []
    for launch in launches:
        fits = [line for loss in launch.losses for line in launch.fit(loss, "fit")]
        trainings += [f"# {launch.model}", *launch.loop(fits)]
        # the configuration of a run remembers its nodes
        one = " --trainer.num_nodes=1"
        tested = [line for loss in launch.losses for line in launch.test(loss, one)]
        tests += [f"# {launch.model}", *launch.loop(tested)]
    return ["# Then, with either:", *trainings, "# When they are done, on one node:", *tests]
