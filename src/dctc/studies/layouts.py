"""Tables and plots of a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from dctc.results.frame import per_run, rows_of
from dctc.results.notes import drop_notes, hardware_notes
from dctc.results.plots import PlotRow, draw_runs
from dctc.results.registry import Registry
from dctc.results.statistics import EXPLAINED, difference_cell, p_cell
from dctc.studies.search import choices, search_table
from dctc.studies.study import Study
from dctc.studies.summary import final, own_sets, summarize
from dctc.tables import Table

Drawn = tuple[dict[str, Table], dict[str, Figure]]


def comparison_table(
    study: Study, table: pd.DataFrame, frame: pd.DataFrame, title: str, notes: Sequence[str] = ()
) -> Table:
    """Lay out a summary (of :func:`summarize`) as a table with a row for each arm."""
    compared = [reference for reference in table.reference if reference in study.arms]
    several, with_p = len({*compared}) > 1, bool(table.p.notna().any())
    rows, alone = [], dict[str, None]()  # titles of references without a run
    for _, row in table.iterrows():
        shares = [f"{row[metric]:.2f}" for metric in ("accuracy", "ned", "cer")]
        cells = [_title(row), str(row.runs), *shares]
        known = row.reference in study.arms and pd.notna(row.points)
        if row.reference in study.arms and not known:
            alone[study.arms[row.reference].title] = None
        if several:
            cells.append(study.arms[row.reference].title if known else "-")
        p = [p_cell(row.p)] if with_p else []
        differences = [difference_cell(row), *p, difference_cell(row, "ned_")]
        rows.append([*cells, *(differences if known else [""] * len(differences))])
    columns = ["trained with", "runs", "accuracy", "NED", "CER"]
    columns += ["compared with"] if several else []
    columns += ["difference [95 % CI]", *(["p"] if with_p else []), "NED difference"]
    if alone:
        notes = [*notes, f"No difference to {', '.join(alone)}, of which no run is finished."]
    return Table(title, columns, rows, [*_explained(study, table, frame), *notes])


def _title(row: Any) -> str:
    """Return an arm's title with its value, unless that stands there already."""
    value = "" if row.value is None or pd.isna(row.value) else str(row.value)
    told = not value or value in row.title.replace(",", " ").split()
    return row.title if told else f"{row.title} {value}"


def _explained(study: Study, table: pd.DataFrame, frame: pd.DataFrame) -> list[str]:
    notes = [f"Percent, means over runs. {EXPLAINED} NED's allows for seeds only."]
    if table.ned_points.notna().any() and table.ned_low.isna().all():
        notes.append("NED's has no interval, as no arm has two runs.")
    others = [key for key in table.index if table.reference[key] and key not in study.planned]
    if table.reference[others].value_counts().max() > 1:
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
    runs = [*per_run(frame, str(table.arm[reference]), sets)]
    return draw_runs(rows, runs, "word accuracy, percent", title, str(table.title[reference]))


def runs_table(study: Study, frame: pd.DataFrame) -> Table | None:
    """Return the accuracy of each run, the mean over the study's sets; None without runs."""
    found = {
        key: per_run(final(frame), study.arm_name(key, value), study.sets)
        for key, value in choices(study, frame).items()
    }
    seeds = sorted({seed for values in found.values() for seed in values.index})
    if not seeds:
        return None
    rows = []
    for key, values in found.items():
        if len(values):
            cells = [f"{values[seed]:.2f}" if seed in values else "" for seed in seeds]
            rows.append([study.arms[key].title, *cells])
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

    ``means`` holds names of sets by what their mean is called; in a mean each set counts the same.
    ``extra`` are further sets, which are in no mean.
    """
    chosen, frame = choices(study, frame), final(frame)
    found = {
        key: of_arm
        for key, value in chosen.items()
        if len(of_arm := rows_of(frame, study.arm_name(key, value), study.sets))
    }
    if not found:
        return None
    arms = [study.arm_name(key, chosen[key]) for key in found]
    every = pd.concat(found.values())
    further = [name for name in extra if {*arms} <= {*frame.arm[frame.set == name]}]
    sizes = frame[frame.arm.isin(arms)].groupby("set").n.first()

    def row(name: str, of: Sequence[str], rows: pd.DataFrame) -> list[str]:
        shares = [per_run(rows, arm, of).mean() for arm in arms]
        return [name, f"{sizes[list(of)].sum():,}", *(f"{share:.2f}" for share in shares)]

    weighted = [f"{100 * rows.correct.sum() / rows.n.sum():.2f}" for rows in found.values()]
    cells = [
        ["runs", "", *(str(rows.seed.nunique()) for rows in found.values())],
        *(row(name, [name], every) for name in study.sets),
        *(row(name, of, every) for name, of in means.items()),
        ["weighted mean", f"{sizes[list(study.sets)].sum():,}", *weighted],
        *(row(name, [name], frame) for name in further),
    ]
    note = (
        "Word accuracy in percent, means over runs. The weighted mean counts every word the same."
    )
    titles = [study.arms[key].title for key in found]
    return Table(title, ["on", "n", *titles], cells, [note, *drop_notes(every)])


def differences_table(
    study: Study, frame: pd.DataFrame, registry: Registry, key: str, extra: Sequence[str] = ()
) -> Table | None:
    """Return an arm against its reference on each test set and on their mean; None without both.

    ``extra`` are further sets, which are in no mean.
    """
    reference = study.arms[key].reference
    shown = {one: [one] for one in (*study.sets, *extra)}
    shown |= {study.mean: [*study.sets]} if len(study.sets) > 1 else {}
    rows = []
    for name, of in shown.items():
        found = summarize(study, frame, registry, [reference, key], of)
        if len(found) == 2:
            first, second = found.loc[reference], found.loc[key]
            cells = [f"{first.accuracy:.2f}", f"{second.accuracy:.2f}", difference_cell(second)]
            cells += [f"{first.ned:.2f}", f"{second.ned:.2f}", difference_cell(second, "ned_")]
            rows.append([name, f"{second.n:,.0f}", *cells])
    if not rows:
        return None
    titles = [study.arms[reference].title, study.arms[key].title]
    columns = ["on", "n", *titles, "difference [95 % CI]"]
    columns += [*(f"NED, {title}" for title in titles), "NED difference"]
    note = f"Percent, means over runs. {EXPLAINED} NED's allows for seeds only."
    return Table(f"{study.title}: {titles[1]} against {titles[0]}", columns, rows, [note])


def draw_study(study: Study, frame: pd.DataFrame, registry: Registry) -> Drawn:
    """Return the tables and plots of a study: of each group, or of all arms and sets."""
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
            told = name.casefold() in study.title.casefold()
            title = study.title if told else f"{study.title}: {name}"
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
