"""Table of the nets of a comparison of losses: size and speed, which the loss does not change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from dctc.bench.describe import arm, count_parameters
from dctc.bench.models import LOSSES
from dctc.tables import Table
from dctc.training.nets import load_net

FILE = "bench/models.json"  # below the folder of runs or of results, by dctc.bench.models
BENCH = "dctc bench --what models"


def nets_table(title: str, models: Mapping[str, Path], results: Path) -> Table:
    """Return the parameters of each model with CTC and with DCTC, and its images in a second.

    The parameters are counted in what is trained, its loss included. The speeds are those that
    ``dctc bench --what models`` measured, in a folder of runs or of published results; ``-`` where
    it has not.

    Raises:
        ValueError: If a configuration names no net.
        OSError: If it cannot be read.
    """
    speeds = _read_speeds(results)
    rows = []
    for name, config in models.items():
        loaded = load_net(config)
        sizes = [f"{count_parameters(arm(loaded, loss())):,}" for loss in LOSSES.values()]
        measured = speeds.get(name, {})
        rows.append([name, *sizes, *(measured.get(loss, "-") for loss in LOSSES)])
    columns = [
        "model",
        *(f"{loss} {what}" for what in ("parameters", "images/s") for loss in LOSSES),
    ]
    explained = [
        "Both losses train the same net: what reads an image afterwards, and how fast, is "
        "identical by construction; speeds that differ show the noise of the measurement."
    ]
    if missing := [name for name in models if name not in speeds]:
        explained.append(f"Images/s of {', '.join(missing)}: not measured; {BENCH} does.")
    if speeds:
        explained.append(f"Images/s: inference, both in turn in one run ({BENCH}).")
    return Table(title, columns, rows, explained)


def _read_speeds(folder: Path) -> dict[str, dict[str, str]]:
    """Return the images in a second of each model and loss; empty if nothing was measured."""
    file = folder / FILE
    if not file.exists():
        return {}
    rows = json.loads(file.read_text(encoding="utf-8"))["rows"]
    return {
        row["model"]: {
            loss: f"{row['description']['batch_size'] / row['inference_s'][loss]:,.0f}"
            for loss in LOSSES
        }
        for row in rows
    }
