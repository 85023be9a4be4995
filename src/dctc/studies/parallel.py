"""Execute runs in parallel worker processes; a failed run does not stop the others."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from dctc.data.lmdb_sets import say
from dctc.files import Busy
from dctc.results.registry import Record, Registry, runs_folder
from dctc.results.upload import LogMode
from dctc.runs.folder import FINAL
from dctc.runs.key import own_sources
from dctc.studies.runner import Finished, Run, execute, resolve
from dctc.text.characters import printed

_SPAWN = multiprocessing.get_context("spawn")  # a fork would share torch's threads


class Outcome(NamedTuple):
    """Outcome of a run.

    Attributes:
        records: Its records by set; empty if it did not finish.
        problem: Why it did not, in one line.
        busy: Whether another process holds the lock of this run, which is no failure.
    """

    records: dict[str, Record]
    problem: str = ""
    busy: bool = False


def execute_all(
    runs: Sequence[Run], jobs: int = 1, log: LogMode = "off", net: bool = False
) -> dict[str, Outcome]:
    """Execute runs in their order, and return the outcome of each, by name.

    Training words that runs share are drawn first, on all cores.

    With several at a time each computes with one thread, loads its data itself, and redirects its
    output to ``<runs>/<name>.log``; where there are several GPUs, they are spread over them. Runs
    whose results are in the registry are not done again, and those that were killed go on: see
    :func:`dctc.studies.runner.execute`.

    Args:
        runs: What to do.
        jobs: How many at a time.
        log: W&B mode.
        net: Whether the trained nets are needed; if not, results in the registry are enough.
    """
    for stored in {run.stored.folder: run.stored for run in runs if run.stored}.values():
        stored.write()
    if jobs > 1:
        os.environ["OMP_NUM_THREADS"] = "1"  # read by the processes that are started from here
    waiting, outcomes, began = deque(runs), dict[str, Outcome](), time.monotonic()
    missing = _missing(runs, net)
    workers: dict[Any, _Worker] = {}
    gpus = deque(itertools.islice(itertools.cycle(_gpus()), jobs))  # one for each training
    console = Console()
    bar = Progress(
        *(BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn()),
        TextColumn("{task.description}"),
        console=console,
        transient=True,
        disable=jobs == 1 or not console.is_terminal,  # a single run at a time shows its own bar
    )
    with _ended_by_sigterm(), bar:
        task = bar.add_task("", total=len(runs))
        try:
            while waiting or workers:
                while waiting and len(workers) < jobs:
                    worker = _Worker(waiting.popleft(), jobs > 1, log, net, gpus.popleft())
                    workers[worker.connection] = worker
                names = ", ".join(worker.run.name for worker in workers.values())
                bar.update(task, description=names)
                for connection in wait(list(workers)):
                    worker = workers.pop(connection)
                    outcomes[worker.run.name] = outcome = worker.receive()
                    said = _said(outcome, worker.run)
                    text = f"[{len(outcomes)}/{len(runs)}] {worker.run.name}: {said}"
                    text += f" ({time.monotonic() - worker.began:.0f} s)"
                    text += _said_left(missing, outcomes, time.monotonic() - began)
                    bar.console.print(printed(text), highlight=False, markup=False, soft_wrap=True)
                    bar.advance(task)
                    # a module that has been changed meanwhile is loaded by a new process
                    if waiting and worker.process.is_alive() and worker.sources == own_sources():
                        worker.start(waiting.popleft())
                        workers[worker.connection] = worker
                    else:
                        worker.stop()
                        gpus.append(worker.gpu)
        finally:
            for worker in workers.values():  # runs go on from their checkpoints
                worker.process.kill()
    return outcomes


def _missing(runs: Sequence[Run], net: bool) -> set[str]:
    """Return the names of runs without a net, or without results, whatever configuration they had.

    To compare configurations too would take a second for each run.
    """
    folder = runs_folder()
    if net:
        return {r.name for r in runs if not (folder / r.name / "checkpoints" / FINAL).exists()}
    known = Registry(folder).latest()
    return {run.name for run in runs if (run.arm, run.seed) not in known}


def _said_left(missing: set[str], outcomes: Mapping[str, Outcome], took_s: float) -> str:
    """Say how long the missing runs will take, as long as those that have been trained."""
    trained = sum(name in missing and not outcome.problem for name, outcome in outcomes.items())
    left = len(missing - outcomes.keys())
    return f"; about {took_s / 60 * left / trained:.0f} min left" if left and trained else ""


def _said(outcome: Outcome, run: Run) -> str:
    if run.blind:
        return outcome.problem or "trained and tested"
    records = outcome.records.items()
    scored = (f"{name} {record.correct:,} of {record.n:,} right" for name, record in records)
    return outcome.problem or ", ".join(scored)


def _gpus() -> list[str]:
    """Return the GPUs that may be used, as CUDA_VISIBLE_DEVICES names them; an empty name if none.

    No CUDA context is created, which would take memory on a GPU.
    """
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return named.split(",")
    return [str(i) for i in range(torch.cuda.device_count())] or [""]


@contextmanager
def _on(gpu: str) -> Iterator[None]:
    """Let processes that are started meanwhile see one GPU, or none."""
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    try:
        yield
    finally:
        if before is None:
            del os.environ["CUDA_VISIBLE_DEVICES"]
        else:
            os.environ["CUDA_VISIBLE_DEVICES"] = before


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end this process as an interrupt does, so that no training is left behind."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def finish_all(runs: Sequence[Run], jobs: int, log: LogMode) -> list[Finished]:
    """Execute runs whose nets are needed, and return them in their order.

    Raises:
        SystemExit: If one failed, or another process holds its lock.
    """
    outcomes = execute_all(runs, jobs, log, net=True)
    report_problems(outcomes)
    if any(outcome.problem for outcome in outcomes.values()):
        raise SystemExit(1)
    return [execute(run, log) for run in runs]  # nothing is left to train


def report_problems(outcomes: Mapping[str, Outcome]) -> int:
    """Print the runs that did not finish; return how many failed."""
    for name, outcome in outcomes.items():
        if outcome.problem:
            said = f"{'not yet' if outcome.busy else 'FAILED'}: {name}: {outcome.problem}"
            print(printed(said, keep="\n"))
    return sum(bool(o.problem) and not o.busy for o in outcomes.values())


class _Worker:
    """A process that executes one run after the other."""

    def __init__(self, run: Run, quiet: bool, log: LogMode, net: bool, gpu: str) -> None:
        self.connection, theirs = _SPAWN.Pipe()
        self.gpu, self.sources = gpu, own_sources()
        # not a daemon, which may not have loading workers
        self.process = _SPAWN.Process(target=_work, args=(theirs, quiet, log, net))
        with _on(gpu):
            self.process.start()
        theirs.close()
        self.start(run)

    def start(self, run: Run) -> None:
        self.run, self.began = run, time.monotonic()
        self.connection.send(run)

    def receive(self) -> Outcome:
        try:
            return self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            return Outcome({}, f"its process ended with code {self.process.exitcode}")

    def stop(self) -> None:
        self.connection.close()  # which ends the process too
        self.process.join()


def _work(connection: Connection, quiet: bool, log: LogMode, net: bool) -> None:
    """Execute the runs that come in, and send back the outcome of each."""
    while True:
        try:
            run: Run = connection.recv()
        except EOFError:
            return
        if quiet:
            file = runs_folder() / f"{run.name}.log"
            file.parent.mkdir(parents=True, exist_ok=True)
            with open(file, "a") as stream:
                for descriptor in (1, 2):  # which loggers, libraries and loading workers share
                    os.dup2(stream.fileno(), descriptor)
            say.cache_clear()  # the file of each run has all messages about its data
        outcome = _outcome(run, quiet, log, net)
        sys.stdout.flush()
        sys.stderr.flush()
        connection.send(outcome)


def _outcome(run: Run, quiet: bool, log: LogMode, net: bool) -> Outcome:
    try:
        if quiet:
            alone: dict[str, Any] = {"trainer.enable_progress_bar": False}
            if "num_workers" in resolve(run)["data"].get("init_args", {}):
                alone["data.init_args.num_workers"] = 0
            run = replace(run, set={**run.set, **alone})
        return Outcome(execute(run, log, net).records)
    except Busy as error:
        return Outcome({}, str(error), busy=True)
    except (Exception, SystemExit) as error:  # whatever it is, the other runs go on
        traceback.print_exc()
        return Outcome({}, " ".join(f"{type(error).__name__}: {error}".split()))
