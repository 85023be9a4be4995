"""The comparison of rendered words, at its smallest."""

import pytest

from tiny import run_python


@pytest.mark.slow
def test_tiny_trains_scores_and_writes_its_table(tmp_path):
    done = run_python(
        "-m",
        "experiments.renderer",
        *("--scale", "tiny", "--log", "off"),
        DCTC_RUNS=str(tmp_path / "runs"),
        DCTC_DATA=str(tmp_path / "none"),
    )
    assert done.returncode == 0, done.stderr
    assert "No real_train_words found" in done.stdout
    table = (tmp_path / "runs" / "renderer" / "recipes.md").read_text()
    assert "| easy | rendered | 4 |" in table
