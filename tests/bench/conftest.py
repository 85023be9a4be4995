"""``dctc bench`` at its smallest."""

import json

import pytest

from dctc.cli import main


@pytest.fixture
def bench(runs, capsys, monkeypatch):
    """Run ``dctc bench`` at its smallest; returns what it printed and what it wrote."""

    monkeypatch.setenv("COLUMNS", "80")

    def call(what, *options):
        main(["bench", "--what", what, "--scale", "tiny", "--threads", "1", *options])
        printed, file = capsys.readouterr().out, runs / "bench" / f"{what}-tiny.json"
        assert str(file) in printed.replace("\n", "")
        assert max(len(line) for line in printed.splitlines() if str(file) not in line) <= 80
        written = json.loads(file.read_text())
        assert {"versions", "hardware", "commit"} <= set(written)
        return printed, written

    return call
