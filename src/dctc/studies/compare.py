"""``dctc compare``: train the runs of a study that are missing, and compare its arms."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pandas as pd
from matplotlib.figure import Figure
from rich.console import Console

from dctc.argument_types import names, positive, seeds
from dctc.results.frame import per_run, read_frame, rows_of
from dctc.results.hardware import hardware_notes
from dctc.results.plots import PlotRow, draw_runs
from dctc.results.registry import Registry, runs_folder
from dctc.results.statistics import EXPLAINED, compare, difference_cell, p_cell
from dctc.results.tables import Table, drop_notes
from dctc.results.upload import LogMode, report
from dctc.studies.parallel import Outcome, execute_all, report_problems
from dctc.studies.search import choices, open_searches, search_table
from dctc.studies.status import status_lines
from dctc.studies.study import FULL, SEARCH_SEED, Run, Study, load_study

Drawn = tuple[dict[str, Table], dict[str, Figure]]


def summarize(
    study: Study,
    frame: pd.DataFrame,
    registry: Registry,
    keys: Sequence[str] = (),
    sets: Sequence[str] = (),
    references: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Compare the arms of a study with their references.

    Args:
        study: The study.
        frame: From :func:`dctc.results.frame.read_frame`.
        registry: Where the hits of single words lie.
        keys: Keys of the arms; empty for all. Those without a result are left out.
        sets: Test sets, of which the mean counts; empty for those of the study.
        references: Reference by arm, where it differs from the arm's own.

    Returns:
        One row for each arm, indexed by its key: ``title``, ``value`` (chosen, or None), ``arm``
        (name in the registry), ``runs``, ``accuracy``, ``ned``, ``cer`` in percent, ``reference``
        (key), and the columns of :func:`dctc.results.statistics.compare` for accuracy, and with
        ``ned_`` before them for NED.
    """
    sets = list(sets) or list(study.sets) or own_sets(study, frame)
    chosen, every, frame = choices(study, frame), frame, final(frame)
    rows = {}
    for key in keys or study.arms:
        if key in chosen:
            name = study.arm_name(key, chosen[key])
            means = {m: per_run(frame, name, sets, m) for m in ("accuracy", "ned", "cer")}
            if len(means["accuracy"]):
                arm = study.arms[key]
                reference = (references or {}).get(key, arm.reference)
                rows[key] = {
                    **{"title": arm.title, "value": chosen[key], "arm": name},
                    **{"runs": len(means["accuracy"]), "reference": reference},
                    **{metric: values.mean() for metric, values in means.items()},
                }
    table = pd.DataFrame.from_dict(rows, orient="index")
    if table.empty:
        return table
    for metric, prefix in (("accuracy", ""), ("ned", "ned_")):
        parts = []
        for of in _families(study, table, chosen):
            pool = _pool(study, every, of)
            reference = study.arm_name(of[0], chosen.get(of[0]))
            arms = {study.arm_name(key, chosen[key]): key for key in of[1:]}
            found = compare(frame, registry, reference, [*arms], sets, metric, pool)
            parts.append(found.rename(index=arms))
        columns = ["points", "low", "high", "p", *(["n"] if not prefix else [])]
        joined = pd.concat(parts) if parts else pd.DataFrame(columns=columns)
        table = table.join(joined[columns].add_prefix(prefix))
    return table


def _families(study: Study, table: pd.DataFrame, chosen: Mapping[str, Any]) -> list[list[str]]:
    """Return lists of a reference and the arms that are compared with it together."""
    families: dict[tuple[str, str], list[str]] = {}
    for key, row in table.iterrows():
        reference = row.reference
        if reference and reference in chosen:
            apart = str(key) if key in study.planned else ""
            families.setdefault((reference, apart), [reference]).append(str(key))
    return list(families.values())


def _pool(study: Study, frame: pd.DataFrame, keys: Sequence[str]) -> list[str]:
    """Return the arms whose runs tell how much seeds differ: those of the arms' own study.

    An arm that a study shares with another one so has the same interval in both.
    """
    owners = {id(owner): owner for key in keys if (owner := study.arms[key].owner or study)}
    owner = next(iter(owners.values())) if len(owners) == 1 else study
    return [owner.arm_name(key, value) for key, value in choices(owner, frame).items()]


def final(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a frame without those of searches."""
    return frame[frame.seed != SEARCH_SEED]


def own_sets(study: Study, frame: pd.DataFrame) -> list[str]:
    """Return the sets that all final runs of a study were scored on."""
    chosen = choices(study, frame)
    arms = {study.arm_name(key, value) for key, value in chosen.items()}
    rows = final(frame)
    rows = rows[rows.arm.isin(arms)]
    scored = [set(of_arm) for _, of_arm in rows.groupby("arm").set]
    return sorted(set.intersection(*scored)) if scored else []


def comparison_table(
    study: Study, table: pd.DataFrame, frame: pd.DataFrame, title: str, notes: Sequence[str] = ()
) -> Table:
    """Return a summary as a table: a row for each arm.

    Args:
        study: The study.
        table: From :func:`summarize`.
        frame: The frame that it was made of.
        title: Heading.
        notes: Lines below the table.
    """
    compared = [reference for reference in table.reference if reference in study.arms]
    several = len({*compared}) > 1
    rows = []
    for _, row in table.iterrows():
        shares = [f"{row[metric]:.2f}" for metric in ("accuracy", "ned", "cer")]
        cells = [_title(row), str(row.runs), *shares]
        known = row.reference in study.arms and pd.notna(row.points)
        if several:
            cells.append(study.arms[row.reference].title if known else "-")
        ned = {name: row[f"ned_{name}"] for name in ("points", "low", "high")}
        cells += [difference_cell(row), p_cell(row.p), difference_cell(ned)] if known else [""] * 3
        rows.append(cells)
    columns = [
        "trained with",
        "runs",
        "accuracy",
        "NED",
        "CER",
        *(["compared with"] if several else []),
    ]
    columns += ["difference [95 % CI]", "p", "NED difference"]
    return Table(title, columns, rows, [*_explained(study, table, frame), *notes])


def _title(row: Any) -> str:
    """Return an arm's title with its value, unless that stands there already."""
    value = "" if row.value is None or pd.isna(row.value) else str(row.value)
    return row.title if value in row.title else f"{row.title} {value}"


def _explained(study: Study, table: pd.DataFrame, frame: pd.DataFrame) -> list[str]:
    notes = [f"Percent, means over runs. {EXPLAINED} NED's allows for seeds only."]
    others = [key for key in table.index if table.reference[key] and key not in study.planned]
    if len(others) > 1:
        notes.append("Arms of one reference have simultaneous intervals (Dunnett), and no p.")
        if planned := [table.title[key] for key in table.index if key in study.planned]:
            notes.append(f"Planned by itself, with an interval of its own: {', '.join(planned)}.")
    titles = dict(zip(table.arm, table.title, strict=True))
    rows = final(frame)
    rows = rows[rows.arm.isin([*titles]) & rows.set.isin(study.sets or rows.set)]
    return [*notes, *hardware_notes(rows.assign(title=rows.arm.map(titles))), *drop_notes(rows)]


def comparison_plot(
    study: Study, table: pd.DataFrame, frame: pd.DataFrame, sets: Sequence[str], title: str
) -> Figure:
    """Draw a summary: a dot for each run, and the 95 % interval of each arm's difference."""
    frame = final(frame)
    reference = next((key for key in table.index if not table.reference[key]), table.index[0])
    rows = []
    for row in table.itertuples():
        values = per_run(frame, row.arm, sets)
        gpus = frame[frame.arm == row.arm].groupby("seed").gpu.first()
        on_gpu = [bool(gpus[seed]) for seed in values.index]
        rows.append(PlotRow(_title(row), [*values], on_gpu, row.points, row.low, row.high))
    mean = float(table.accuracy[reference])
    return draw_runs(rows, mean, "word accuracy, percent", title)


def runs_table(study: Study, frame: pd.DataFrame) -> Table | None:
    """Return the accuracy of every single run, the mean over the study's sets; None without runs.

    Args:
        study: The study.
        frame: Its results.
    """
    found = {}
    for key, value in choices(study, frame).items():
        values = per_run(final(frame), study.arm_name(key, value), study.sets)
        if len(values):
            found[study.arms[key].title] = values
    seeds = sorted({seed for values in found.values() for seed in values.index})
    if not seeds:
        return None
    rows = [
        [title, *(f"{values[seed]:.2f}" if seed in values else "" for seed in seeds)]
        for title, values in found.items()
    ]
    columns = ["trained with", *(f"seed {seed}" for seed in seeds)]
    return Table(f"{study.title}: accuracy of each run", columns, rows, ["Percent."])


def sets_table(
    study: Study,
    frame: pd.DataFrame,
    means: Mapping[str, Sequence[str]],
    title: str,
    extra: Sequence[str] = (),
) -> Table | None:
    """Return the accuracy of each arm on each test set; None without results.

    Args:
        study: The study.
        frame: Its results.
        means: Names of sets by what their mean is called; each set counts the same.
        title: Heading.
        extra: Further sets, which are in no mean.
    """
    found, rows = {}, []
    for key, value in choices(study, frame).items():
        of_arm = rows_of(final(frame), study.arm_name(key, value), study.sets)
        if len(of_arm):
            found[study.arms[key].title] = of_arm
    if not found:
        return None
    sizes = next(iter(found.values())).groupby("set").n.first()
    rows = [["runs", "", *(str(of_arm.seed.nunique()) for of_arm in found.values())]]
    for name, of in ({one: [one] for one in study.sets} | dict(means)).items():
        shares = [per_run(f, f.arm.iloc[0], of).mean() for f in found.values()]
        size = sum(sizes[one] for one in of)
        rows.append([name, f"{size:,}", *(f"{share:.2f}" for share in shares)])
    weighted = [f"{100 * f.correct.sum() / f.n.sum():.2f}" for f in found.values()]
    rows.append(["weighted mean", f"{sizes.sum():,}", *weighted])
    for name in extra:
        of_set = final(frame)[final(frame).set == name]
        arms = [f.arm.iloc[0] for f in found.values()]
        if set(arms) <= {*of_set.arm}:
            shares = [f"{per_run(of_set, arm, [name]).mean():.2f}" for arm in arms]
            rows.append([name, f"{of_set.n.iloc[0]:,}", *shares])
    note = (
        "Word accuracy in percent, means over runs. The weighted mean counts every word the same."
    )
    notes = [note, *drop_notes(pd.concat(found.values()))]
    return Table(title, ["on", "n", *found], rows, notes)


def differences_table(
    study: Study, frame: pd.DataFrame, registry: Registry, key: str, extra: Sequence[str] = ()
) -> Table | None:
    """Return an arm against its reference on each test set and on their mean; None without both.

    Args:
        study: The study.
        frame: Its results.
        registry: Where the hits of single words lie.
        key: Key of the arm.
        extra: Further sets, which are in no mean.
    """
    reference = study.arms[key].reference
    shown = {one: [one] for one in (*study.sets, *extra)}
    shown |= {study.mean: [*study.sets]} if len(study.sets) > 1 else {}
    rows = []
    for name, of in shown.items():
        found = summarize(study, frame, registry, [reference, key], of)
        if len(found) == 2:
            first, second = found.loc[reference], found.loc[key]
            ned = {part: second[f"ned_{part}"] for part in ("points", "low", "high")}
            cells = [f"{first.accuracy:.2f}", f"{second.accuracy:.2f}", difference_cell(second)]
            cells += [f"{first.ned:.2f}", f"{second.ned:.2f}", difference_cell(ned)]
            rows.append([name, f"{second.n:,.0f}", *cells])
    if not rows:
        return None
    titles = [study.arms[reference].title, study.arms[key].title]
    columns = ["on", "n", *titles, "difference [95 % CI]"]
    columns += [*(f"NED, {title}" for title in titles), "NED difference"]
    note = f"Percent, means over runs. {EXPLAINED} NED's allows for seeds only."
    return Table(f"{study.title}: {titles[1]} against {titles[0]}", columns, rows, [note])


def draw_study(study: Study, frame: pd.DataFrame, registry: Registry) -> Drawn:
    """Return the tables and plots of a study: of each group, or of all arms and sets.

    Args:
        study: The study.
        frame: From :func:`dctc.results.frame.read_frame`.
        registry: Where the hits of single words lie.
    """
    tables: dict[str, Table] = {}
    figures: dict[str, Figure] = {}
    sets = list(study.sets) or own_sets(study, frame)
    study = replace(study, sets=tuple(sets))
    for group in study.groups:
        found = summarize(study, frame, registry, group.arms, sets, group.references)
        if len(found) > 1 and found.points.notna().any():
            notes = [*group.notes, *study.notes]
            tables[group.key] = comparison_table(study, found, frame, group.title, notes)
    if not study.groups and sets:
        found = summarize(study, frame, registry)
        if len(found):
            name = study.mean if len(sets) > 1 else sets[0]
            title = f"{study.title}: {name}"
            tables["compare"] = comparison_table(study, found, frame, title, study.notes)
            figures["compare"] = comparison_plot(study, found, frame, sets, title)
        if len(sets) > 1:
            title = f"{study.title}: accuracy by set"
            others = [name for name in own_sets(study, frame) if name not in sets]
            by_set = sets_table(study, frame, {study.mean: sets}, title, others)
            tables |= {"sets": by_set} if by_set else {}
    if table := runs_table(study, frame):
        tables["runs"] = table
    if study.validation and (table := search_table(study, frame)):
        tables["search"] = table
    return tables, figures


def train_study(
    study: Study,
    jobs: int = 1,
    log: LogMode = "offline",
    only: Sequence[str] = (),
    seeds: Sequence[int] | None = None,
) -> dict[str, Outcome]:
    """Search, then train the final runs; return what became of each run, by name.

    Args:
        study: The study.
        jobs: Trainings at a time.
        log: W&B mode.
        only: Keys of arms; empty for all.
        seeds: Seeds of the final runs; None for those of the study.
    """
    outcomes = execute_all(study.search_runs(only), jobs, log)
    frame = read_frame(Registry(runs_folder()))
    if said := open_searches(study, frame):
        print(said)
    final = study.final_runs(choices(study, frame), only, seeds)
    return outcomes | execute_all(final, jobs, log)


def study_parser(description: str, scales: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Return a parser of the options of every command that runs studies.

    Args:
        description: What the command does.
        scales: Scales it knows, ``smoke`` by default; empty for none.
    """
    parser = argparse.ArgumentParser(description=description)
    add = parser.add_argument
    if scales:
        add("--scale", choices=scales, default="smoke", help="how much to run (default: smoke)")
    log = "W&B mode of runs and report (default: offline)"
    add("--log", choices=get_args(LogMode), default="offline", help=log)
    add("--jobs", type=positive, default=1, help="trainings at a time (default: 1)")
    add("--only", type=names, default=[], help="train these arms or parts: NAME[,NAME]")
    add("--seeds", type=seeds, help="train these seeds of each arm: SEED[,SEED]")
    add("--status", action="store_true", help="list what is done and what is missing, and stop")
    source = "train nothing; draw the tables of this folder of results"
    add("--from", dest="source", metavar="FOLDER", help=source)
    return parser


def plans(
    studies: Sequence[Study],
    frame: pd.DataFrame,
    only: Sequence[str] = (),
    seeds: Sequence[int] | None = None,
) -> dict[str, list[Run]]:
    """Return the planned runs of studies by the study's name, searches apart.

    Final runs of an arm whose search is open are not among them.
    """
    found: dict[str, list[Run]] = {}
    for study in studies:
        if searches := study.search_runs(only):
            found.setdefault(f"{study.name} search", []).extend(searches)
        runs = study.final_runs(choices(study, frame), only, seeds)
        found.setdefault(study.name, []).extend(runs)
    return found


def run_command(
    target: str,
    options: argparse.Namespace,
    studies: Sequence[Study],
    draw: Callable[[Sequence[Study], pd.DataFrame, Registry], Drawn],
    published: Path | None = None,
    trained: Sequence[Study] | None = None,
) -> None:
    """Train what studies miss and report, or do what the options ask for.

    Args:
        target: Name of the report and of its folder below the runs.
        options: Parsed by :func:`study_parser`.
        studies: The studies that are drawn.
        draw: Returns tables and figures of their results.
        published: Folder of published results, which say how long runs take.
        trained: Those of the studies that are trained; None for all.

    Raises:
        ValueError: If ``--only`` names no study or arm.
        SystemExit: If a run failed.
    """
    trained = studies if trained is None else trained
    arms, chosen = _selected(trained, options.only)
    if options.status:
        found = plans(chosen, read_frame(Registry(runs_folder())), arms, options.seeds)
        print(*status_lines(found, published), sep="\n")
        return
    outcomes: dict[str, Outcome] = {}
    log: LogMode = "off" if options.source else options.log
    if not options.source:
        for study in chosen:
            outcomes |= train_study(study, options.jobs, log, arms, options.seeds)
    registry = Registry(options.source or runs_folder())
    tables, figures = draw(studies, read_frame(registry), registry)
    scale = getattr(options, "scale", "")
    name = target if scale in ("", FULL) else f"{target}-{scale}"
    report(name, log, tables, Console(), figures)
    if report_problems(outcomes):
        raise SystemExit(1)


def _selected(studies: Sequence[Study], only: Sequence[str]) -> tuple[list[str], list[Study]]:
    """Return the arms that ``--only`` names, and the studies that it names or that have these."""
    known = {study.name for study in studies} | {key for study in studies for key in study.arms}
    for name in only:
        if name not in known:
            raise ValueError(f"--only {name}: there are {', '.join(sorted(known))}")
    arms = [name for name in only if any(name in study.arms for study in studies)]
    chosen = [s for s in studies if not only or s.name in only or {*arms} & {*s.arms}]
    return arms, chosen


def main(args: list[str] | None = None) -> None:
    """Run ``dctc compare``.

    Args:
        args: Command line without ``dctc compare``; None takes that of the process.
    """
    parser = study_parser("Train the arms of a study over its seeds, and compare them.")
    parser.prog = "dctc compare"
    parser.add_argument("study", metavar="STUDY.yaml", help="the study")
    parser.add_argument("--scale", default="", help="a scale that the study names")
    options = parser.parse_args(args)
    study = load_study(options.study, options.scale)
    options.scale = ""  # the study's name says it
    run_command(study.name, options, [study], lambda s, f, r: draw_study(s[0], f, r))
