"""Table 2: its runs and its tables of made-up records."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from dctc.data.archives.alphabet import write_common_characters
from dctc.data.render.fonts import chinese_families, find_fonts
from dctc.results.registry import Record, Registry
from dctc.training.cli import RecognizerCLI
from dctc.training.run_key import run_key
from scripts import load
from tiny import run_python

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def table2():
    return load("table2")


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("DCTC_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def call(table2, monkeypatch, *options):
    monkeypatch.setattr(sys, "argv", ["table2", *options])
    table2.main()


def test_runs_of_both_arms_share_lines_and_seed(table2, runs):
    planned = table2.study("small").runs()
    names = [f"table2/small_resnet-{arm}/seed{s}" for s in range(3) for arm in ("ctc", "dctc")]
    assert [run.name for run in planned] == names
    stored = f"--data.init_args.stored={runs / 'words' / 'chinese-128000'}"
    for ctc, dctc in zip(planned[::2], planned[1::2], strict=True):
        assert stored in ctc.options and ctc.diagnosed and dctc.diagnosed
        common = set(ctc.options) & set(dctc.options)
        assert {option.split("=")[0] for option in set(ctc.options) - common} == {
            *("--config", "--arm")
        }
        assert {option.split("=")[0] for option in set(dctc.options) - common} == {
            *("--trainer.callbacks", "--arm")
        }


@pytest.mark.filterwarnings("ignore:LightningCLI's args parameter")
def test_arms_differ_in_the_weight_only_and_keys_do_not_know_the_folder(
    table2, tmp_path, monkeypatch
):
    keys = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        monkeypatch.setenv("DCTC_RUNS", str(folder))
        write_common_characters(table2.charset(), 20)
        (folder / "words" / "chinese-128000").mkdir()
        (folder / "words" / "chinese-128000" / "recipe.json").write_text("{}")
        configs = [
            RecognizerCLI(["--log=off", *run.options], run=False).resolved
            for run in table2.study("small", [0]).runs()
        ]
        keys.append([run_key(config) for config in configs])
        weights = []
        for config in configs:
            (callback,) = config["trainer"]["callbacks"]
            weights.append(callback["init_args"].pop("distill_weight"))
            config["arm"] = ""
        assert weights == [0.0, 0.01] and configs[0] == configs[1]
        data, trainer = configs[0]["data"]["init_args"], configs[0]["trainer"]
        assert (data["width"], data["max_length"], data["hold_out_fonts"]) == (256, 15, True)
        assert data["batch_size"] * trainer["max_steps"] == data["epoch_size"] == 128_000
    assert keys[0] == keys[1] and keys[0][0] != keys[0][1]


def write_records(folder, arm, correct, name="rendered"):
    """Write records of 200 lines, of which so many were read with each seed."""
    registry = Registry(folder)
    for seed, count in correct.items():
        hits = registry.write_hits(np.arange(200) < count)
        registry.append(
            Record(
                *(f"{arm}{seed}", arm, seed, name, 200, count, 90, 900, 150.0, {}),
                *("chinese_fold", hits, "samples", 1.0, {"steps": 4000}),
            )
        )


def test_tables_are_drawn_of_published_records(table2, runs, tmp_path, monkeypatch):
    write_records(tmp_path / "results", "table2/small_resnet-ctc", {0: 100, 1: 102, 2: 104})
    write_records(tmp_path / "results", "table2/small_resnet-dctc", {0: 104, 1: 104, 2: 110})
    call(table2, monkeypatch, "--scale=small", f"--from={tmp_path / 'results'}")
    text = (runs / "table2" / "table2.md").read_text()
    assert "| small_resnet, CTC | 51.00 | 75.00 | 10.00 | - | - | - |" in text
    assert re.search(r"\| small_resnet, DCTC \| 53.00 \| 75.00 \| 10.00 \| \+2.00 ± 2.48 \[", text)
    assert "Detectable: the least true difference" in text
    assert len(list((runs / "table2").iterdir())) == 8


def test_what_is_published_stands_as_it_was_printed(table2):
    tables = table2.published_tables()
    losses, baselines = ({row[0]: row[1:] for row in table.rows} for table in tables.values())
    sizes = {"Scene": 63_646, "Web": 14_059, "Document": 50_000, "Handwriting": 23_389}
    for table in tables.values():
        assert table.columns[2:6] == [f"{name} {size:,}" for name, size in sizes.items()]
    assert losses["SVTR-B, DCTC"] == ["Q", *"72.2 67.0 99.4 50.4 72.3 77.3 25M".split()]
    assert losses["SVTR-L, DCTC"] == ["Q", *"73.9 68.5 99.4 51.0 73.2 78.3 41M".split()]
    assert baselines["CRNN"] == ["R", *"54.94/.742 56.21/.745 97.41/.995 48.04/.843".split()]
    for mark, *values in losses.values():
        if mark == "Q":  # the means are those of the row
            shares = [float(value) for value in values[:4]]
            assert np.mean(shares) == pytest.approx(float(values[4]), abs=0.06)
            weighted = np.average(shares, weights=list(sizes.values()))
            assert weighted == pytest.approx(float(values[5]), abs=0.11)


def test_tables_fit_into_eighty_columns(table2, capsys):
    for table in table2.published_tables().values():
        table.print(Console(width=80))
        printed = capsys.readouterr().out.split()
        assert all(value in printed for row in table.rows for value in row[2:])


def test_status(table2, runs, monkeypatch, capsys):
    write_records(runs, "table2/small_resnet-ctc", {0: 100})
    monkeypatch.setattr("dctc.studies.status.planned_key", lambda run: None)  # made-up keys count
    call(table2, monkeypatch, "--scale=small", "--status")
    assert re.findall(r"\d+", capsys.readouterr().out.replace("table2", ""))[:3] == [
        *("1", "6", "5")
    ]


def machine_with(fonts, folder):
    """Return the environment of a machine that has these fonts only."""
    folder.mkdir()
    lister = folder / "fc-list"
    lister.write_text("#!/bin/sh\n" + "".join(f"echo '{font.path}'\n" for font in fonts))
    lister.chmod(0o755)
    return {"PATH": str(folder)}


@pytest.mark.slow
def test_fonts_that_are_missing_are_one_line(tmp_path):
    environment = machine_with(find_fonts()[:1], tmp_path / "bin")
    environment["DCTC_RUNS"] = str(tmp_path / "runs")
    message = "fonts: none of 1 families draws Chinese, and"
    done = run_python("-m", "experiments.table2", "--scale", "small", **environment)
    assert done.returncode == 1
    assert done.stderr.startswith(f"table2: {message}") and "Traceback" not in done.stderr
    done = run_python("-m", "experiments.table2", "--scale=tiny", "--log=off", **environment)
    assert done.returncode == 0 and done.stdout.startswith(message)  # a trial goes on


@pytest.mark.slow
def test_the_script_at_its_smallest(runs, tmp_path):
    charset = write_common_characters(tmp_path / "common.txt", 1000).characters
    fonts = find_fonts("system")
    families = chinese_families(fonts, charset)
    if len(families) < 2:
        pytest.skip("fewer than two families of fonts on this machine draw Chinese")
    chinese = [font for font in fonts if font.family in families]
    environment = machine_with(chinese, tmp_path / "bin")
    environment |= {"DCTC_RUNS": str(runs), "COLUMNS": "160"}
    done = run_python("-m", "experiments.table2", "--scale=tiny", "--log=off", **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    found = {(r.arm, r.seed, r.set, r.n) for r in Registry(runs).records()}
    arms = ("small_resnet-ctc", "small_resnet-dctc")
    assert found == {(f"table2-tiny/{arm}", 0, "rendered", 4) for arm in arms}
    assert "| small_resnet, DCTC |" in (runs / "table2-tiny" / "table2.md").read_text()
