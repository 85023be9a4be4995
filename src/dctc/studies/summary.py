"""Arms of a study against their references, as one data frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from dctc.results.frame import per_run
from dctc.results.registry import Registry
from dctc.results.statistics import compare
from dctc.studies.search import choices
from dctc.studies.study import SEARCH_SEED, Study


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
    table["value"] = pd.Series({key: chosen[key] for key in table.index}, dtype=object)
    apart = [key if key in study.planned else "" for key in table.index]
    compared = table.assign(apart=apart)[table.reference.isin([*chosen])]
    families = [*compared.groupby(["reference", "apart"], sort=False)]  # compared together
    for metric, prefix in (("accuracy", ""), ("ned", "ned_")):
        parts = []
        for (reference, _), of in families:
            pool = _pool(study, every, [reference, *of.index])
            name = study.arm_name(reference, chosen[reference])
            found = compare(frame, registry, name, [*of.arm], sets, metric, pool)
            parts.append(found.rename(index=dict(zip(of.arm, of.index, strict=True))))
        columns = ["points", "low", "high", "p", *(["n"] if not prefix else [])]
        joined = pd.concat(parts) if parts else pd.DataFrame(columns=columns)
        table = table.join(joined[columns].add_prefix(prefix))
    return table


def _pool(study: Study, frame: pd.DataFrame, keys: Sequence[str]) -> list[str]:
    """Return the arms pooled for the standard deviation over seeds: all of the owning study.

    So an arm that two studies share has the same interval in both.
    """
    owners = {owner.file: owner for key in keys if (owner := study.arms[key].owner or study)}
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


def untested(study: Study, frame: pd.DataFrame) -> str:
    """Say which sets of a study none of its runs was tested on; empty where none was tested."""
    arms = [study.arm_name(key, value) for key, value in choices(study, frame).items()]
    rows = final(frame)
    tested = {*rows.set[rows.arm.isin(arms)]}
    missing = [name for name in study.sets if name not in tested]
    if not (tested and missing):
        return ""
    there = ", ".join(sorted(tested))
    return f"{study.name}: no run was tested on {', '.join(missing)}; there are {there}"
