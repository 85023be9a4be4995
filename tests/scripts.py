"""The modules and shell scripts of the repository, as tests call them."""

import os
import subprocess
import sys
from pathlib import Path

from dctc.studies.parallel import Outcome
from dctc.studies.runner import _Unbuilt, execute

ROOT = Path(__file__).resolve().parents[1]


def execute_here(runs, jobs=1, log="off", net=False):
    """In the place of ``execute_all``: in this process, which has imported all that runs need."""
    return {run.name: Outcome(execute(run, log, net).records) for run in runs}


def shell(script, *arguments, root=ROOT, **environment):
    """Run a script of the repository with this interpreter, without the tests' ``DCTC_`` settings.

    Args:
        script: Its path below ``root``.
        *arguments: Its arguments.
        root: The repository, or a copy of it.
        **environment: Variables to set.
    """
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("DCTC_")}
    return subprocess.run(
        [str(root / script), *arguments],
        env={**inherited, "PYTHON": sys.executable, **environment},
        capture_output=True,
        text=True,
        timeout=900,
    )


class _Unrun(_Unbuilt):
    def _run_subcommand(self, subcommand):
        pass


def resolve(command, *options):
    """Return the resolved configuration of ``dctc COMMAND OPTION...``; nothing is built or run."""
    return _Unrun([command, *options, "--log=off"]).resolved
