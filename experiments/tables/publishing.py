"""Copy results of chosen runs and benchmarks into the committed folder of results."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from dctc.files import locked, remove_partials, write_whole
from dctc.results.environment import DIRTY, gpu
from dctc.results.registry import CERTAINTY, Record, Registry, scored_at
from dctc.runs.folder import MARK, marked
from experiments.figures.curves import Curve, read_metrics

GPU = "-gpu"  # ends the name of a benchmark that was measured on one
METRICS_BYTES = 100_000  # ours: of the metrics of one run, to keep the repository small
# A path of a machine: a letter drive, or a slash that begins a word
_PATH = re.compile(r"file:/|(?:^|[\s'\"=:,;({\[])(?:/[\w.~-]+|~/|[A-Za-z]:[\\/])")


def find_runs(runs: Path, patterns: Sequence[str]) -> dict[str, Path]:
    """Return the folders of runs by key; of several with one key, one that has training curves.

    The patterns are names of runs, with ``*`` for any part: ``table3/*/seed0``. A name stands for
    all that lies below it too.

    Raises:
        ValueError: If a pattern names no run.
    """
    found: list[tuple[str, Path]] = []
    for pattern in patterns:
        if not pattern or Path(pattern).is_absolute():
            raise ValueError(f"--runs {pattern!r}: give a name of runs below {runs}")
        marks = sorted(runs.glob(f"{pattern}/**/{MARK}"))
        keys = {mark.parent: marked(mark.parent) for mark in marks}
        # a folder that was set aside bears the key of its run in its name
        here = [(key, folder) for folder, key in keys.items() if f".{key}" not in folder.name]
        if not here:
            raise ValueError(f"--runs {pattern}: no run of that name in {runs}")
        found += here
    # arms of one configuration share a run, and only the first of them was trained
    return dict(sorted(found, key=lambda run: any(run[1].glob("metrics*.csv"))))


def publish(runs: Path, folders: dict[str, Path], to: Path) -> list[Record]:
    """Copy the latest records of finished runs with their hits and metrics; return the records.

    ``results.jsonl`` is sorted by arm, seed, set and run, and has one line for each of an arm, a
    run and a set; what is published already stays unless it was scored earlier. Beside it lie
    ``configs/<run>.yaml``, the resolved configuration, which repeats the run, and
    ``metrics/<run>.csv``, thinned to 100 KB: validation as it is, training at every k-th step. Two
    at once take turns. For the folders of the runs see :func:`find_runs`.

    Raises:
        ValueError: If no run is finished, a record or a configuration names a path of this
            machine, or a published line is not a record, which would be lost.
    """
    with writing(to):
        source, target = Registry(runs), Registry(to)
        kept = {_identity(r): r for r in target.records(strict=True)}
        latest = {_identity(r): r for r in source.records() if r.run in folders}
        if not latest:
            raise ValueError(f"publish: none of {len(folders)} runs has a result in {source.file}")
        latest = {
            which: record
            for which, record in latest.items()
            if which not in kept or scored_at(kept[which]) <= scored_at(record)
        }
        for record in latest.values():
            _refuse_paths(asdict(record), f"record of run {record.run} on {record.set}")
        configs = _configs({r.run: folders[r.run] for r in latest.values()}, runs, to)
        for record in latest.values():  # hits first: no line of results without them
            _copy_files(source, record, target)
        everything = sorted(
            {**kept, **latest}.values(), key=lambda r: (r.arm, r.seed, r.set, r.run)
        )
        lines = [json.dumps(asdict(record), sort_keys=True) + "\n" for record in everything]
        write_whole(target.file, "".join(lines).encode())
        for run in {r.run for r in latest.values()}:
            if run in configs:
                write_whole(to / "configs" / f"{run}.yaml", configs[run].encode())
            if curves := read_metrics(folders[run]):
                write_whole(to / "metrics" / f"{run}.csv", thin_metrics(curves).encode())
        _remove_unnamed(target, everything)
        return list(latest.values())


@contextmanager
def writing(to: Path) -> Iterator[None]:
    """Hold the lock of a published folder, and remove what a killed writer left there."""
    with locked(to / ".lock", wait=True):
        remove_partials(to)
        yield


def publish_benchmarks(runs: Path, names: Sequence[str], to: Path) -> list[Path]:
    """Copy what ``dctc bench --what NAME --scale small`` measured, ``<runs>/bench/<name>.json``.

    What was measured on a GPU becomes ``<name>-gpu.json``, so that it stands beside that of a CPU.

    Raises:
        FileNotFoundError: If something was not measured; nothing is copied then.
        ValueError: If a measurement names a path of this machine, or was made with changes that
            are in no commit.
    """
    files = {name: runs / "bench" / f"{name}.json" for name in names}
    published = {}
    for name, file in files.items():
        if not file.exists():
            raise FileNotFoundError(
                f"{file}: not there; dctc bench --what {name} --scale small measures it"
            )
        measured = json.loads(file.read_text(encoding="utf-8"))
        _refuse_paths(measured, str(file))
        if str(measured.get("commit", "")).endswith(DIRTY):
            raise ValueError(
                f"{file}: measured at {measured['commit']}, with changes that are in no commit; "
                f"commit them, and dctc bench --what {name} measures it anew"
            )
        published[file] = to / "bench" / f"{name}{GPU if gpu(measured) else ''}.json"
    with writing(to):
        for file, target in published.items():
            write_whole(target, file.read_bytes())
    return list(published.values())


def adopt(results: Path, runs: Path) -> list[Record]:
    """Copy published records, hits and curves into a user's registry; return what it lacked.

    Those that were scored later than the user's own are taken too. Their runs then count as
    finished there, but for what needs the trained net. Several at once take turns.

    Raises:
        ValueError: If nothing is published, or hits do not add up to their record.
    """
    source, target = Registry(results), Registry(runs)
    published = list(source.records())
    if not published:
        raise ValueError(f"adopt: no results in {source.file}")
    with locked(runs / ".adopt.lock", wait=True):
        there = {_identity(record): scored_at(record) for record in target.records()}
        lacking = [
            record
            for record in published
            if (which := _identity(record)) not in there or there[which] < scored_at(record)
        ]
        for run in {record.run for record in lacking}:
            curves = source.folder / "metrics" / f"{run}.csv"
            if curves.exists():
                write_whole(target.folder / "metrics" / curves.name, curves.read_bytes())
        for record in lacking:
            _copy_files(source, record, target)
            target.append(record)
        return lacking


def thin_metrics(curves: dict[str, Curve], limit: int = METRICS_BYTES) -> str:
    """Return metrics as CSV of at most ``limit`` bytes: of those of training every k-th step only.

    Raises:
        ValueError: If the others alone are more.
    """
    steps = sorted({step for s, _ in curves.values() for step in s})
    for k in range(1, len(steps) + 2):
        text = _csv(curves, k)
        if len(text.encode()) <= limit:
            return text
    raise ValueError(f"metrics of {len(curves)} columns do not fit into {limit:,} bytes")


def _csv(curves: dict[str, Curve], every: int) -> str:
    rows: dict[int, dict[str, Any]] = {}
    for name, (steps, values) in curves.items():
        stride = every if name.startswith(("train/", "lr")) else 1
        for step, value in list(zip(steps, values, strict=True))[::stride]:
            rows.setdefault(step, {"step": step})[name] = f"{value:.6g}"
    stream = io.StringIO()
    writer = csv.DictWriter(stream, ["step", *sorted(curves)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows[step] for step in sorted(rows))
    return stream.getvalue()


def _configs(folders: dict[str, Path], runs: Path, to: Path) -> dict[str, str]:
    """Return the resolved configurations of runs, with files below their folder as ``runs/...``.

    A run that was adopted has none, and needs none where it is published already.

    Raises:
        ValueError: If one is missing, or names another path of this machine.
    """
    configs = {}
    for run, folder in folders.items():
        file = folder / "config.yaml"
        if file.exists():
            configs[run] = file.read_text(encoding="utf-8").replace(f"{runs.as_posix()}/", "runs/")
            _refuse_paths(yaml.safe_load(configs[run]), f"configuration {file}")
        elif not (to / "configs" / f"{run}.yaml").exists():
            raise ValueError(f"{file}: not there; a run is published with its configuration")
    return configs


def _identity(record: Record) -> tuple[str, str, str]:
    return record.arm, record.run, record.set  # arms of one configuration share a run


def _refuse_paths(value: Any, what: str) -> None:
    for text in _texts(value):
        if _PATH.search(text):
            raise ValueError(
                f"{what}: {text!r} names a path of this machine, which is not to be published"
            )


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, below in value.items():
            yield from _texts(key)
            yield from _texts(below)
    elif isinstance(value, (list, tuple)):
        for below in value:
            yield from _texts(below)


def _copy_files(source: Registry, record: Record, target: Registry) -> None:
    """Copy what a record names, hits and certainty of each sample, unless it is damaged."""
    source.read_hits(record)
    if CERTAINTY in record.about:
        source.read_certainty(record)
    for file in source.files(record):
        write_whole(target.folder / file, (source.folder / file).read_bytes())


def _remove_unnamed(registry: Registry, records: Iterable[Record]) -> None:
    named = {registry.folder / file for record in records for file in registry.files(record)}
    for file in [*registry.folder.glob("hits/*.bits"), *registry.folder.glob("certainty/*.f16z")]:
        if file not in named:
            file.unlink()
