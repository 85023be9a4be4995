"""Notes below tables of results: samples that were left out, and what hardware trained."""

from __future__ import annotations

import pandas as pd


def drop_notes(frame: pd.DataFrame) -> list[str]:
    """Say how many samples were left out of each set of a frame's rows, and why.

    Where the runs of a set differ, as those of different folds do, from the fewest to the most.
    """
    counts: dict[tuple[str, str], set[int]] = {}
    for name, reasons in zip(frame.set, frame.drops, strict=True):
        for reason, count in reasons.items():
            counts.setdefault((name, reason), set()).add(count)
    return [
        f"{name}: {' to '.join(f'{n:,}' for n in sorted({min(found), max(found)}))} samples left "
        f"out ({reason})."
        for (name, reason), found in counts.items()
        if max(found)
    ]


def hardware_notes(rows: pd.DataFrame) -> list[str]:
    """Return a line that says which runs were trained on which GPU; none if no run was.

    A frame's rows are given with a further column ``title``: what a row is called there.
    """
    if not (rows.gpu != "").any():
        return []
    told = []
    places = rows.groupby("title").gpu.nunique()
    for place, here in rows[rows.gpu != ""].groupby("gpu"):
        listed = []
        for title, of_arm in here.groupby("title", sort=False):
            numbers = ", ".join(str(seed) for seed in sorted({*of_arm.seed}))
            several = "s" * (of_arm.seed.nunique() > 1)
            listed.append(f"{title} (seed{several} {numbers})" if places[title] > 1 else str(title))
        told.append(f"Trained on a GPU ({place}{_torch(here)}): {'; '.join(listed)}.")
    others = rows[rows.gpu == ""]
    if len(others):
        told.append(f"All others on CPU cores{_torch(others, ' (', ')')}.")
    return [" ".join(told)]


def _torch(rows: pd.DataFrame, before: str = ", ", after: str = "") -> str:
    versions = sorted({version for version in rows.torch if version})
    return f"{before}torch {', '.join(versions)}{after}" if versions else ""
