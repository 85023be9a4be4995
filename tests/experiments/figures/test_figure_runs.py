"""The files that the script of a figure writes, and which of them are sent."""

import numpy as np
import pytest
from experiments.studies import figure_runs
from experiments.studies.figure_runs import report_figure
from matplotlib.figure import Figure

from dctc.tables import Table

TABLE = Table("Rates", ["net", "rate"], [["CTC", "0.5"]])


@pytest.mark.parametrize(("scale", "folder"), [("small", "figure9"), ("smoke", "figure9-smoke")])
def test_only_the_figure_is_sent(runs, monkeypatch, capsys, scale, folder):
    sent = []
    monkeypatch.setattr(figure_runs, "upload", lambda *what: sent.append(what))
    monkeypatch.setenv("COLUMNS", "500")
    arrays = {"points": np.arange(3)}
    real = {"figure9-real": Figure(figsize=(1, 1))}
    report_figure("figure9", scale, "offline", Figure(figsize=(1, 1)), arrays, TABLE, real)
    out = runs / folder
    names = {f"figure9{what}" for what in (".png", ".svg", ".npz", "-real.png", "-real.svg")}
    assert {path.name for path in out.iterdir()} == {*names, "table.md", "table.csv"}
    said = capsys.readouterr().out
    assert "Rates" in said and all(f"written to {path}\n" in said for path in out.iterdir())
    pictures = [out / "figure9.png", out / "figure9.svg"]
    assert sent == [(folder, "offline", {"table": TABLE}, pictures)]
