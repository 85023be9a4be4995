"""The scripts of tables and the demo, end to end on a few words."""

from contextlib import suppress

import pytest
from experiments.__main__ import main
from experiments.figures.published import FIGURES
from experiments.parsers import FIGURES as LISTED
from experiments.parsers import SCRIPTS

from dctc.results.frame import read_frame
from dctc.results.registry import Registry
from dctc.studies import compare, parallel
from dctc.studies.study import SEARCH_SEED
from experiments import pages
from scripts import ROOT, execute_here
from tiny import run_python


@pytest.fixture
def call(monkeypatch, runs, capsys):
    """``call("table3", "--status") -> what it prints``; trainings are in this process."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "200")
    for module in (compare, parallel):
        monkeypatch.setattr(module, "execute_all", execute_here)

    def run(name, *options):
        main([name, *options])
        return capsys.readouterr().out

    return run


def test_a_table_is_searched_trained_and_drawn(call, runs):
    options = ("--scale", "tiny", "--log", "off", "--only", "ctc,dctc")
    printed = call("table3", *options)
    frame = read_frame(Registry(runs))
    arms = {(row.arm, row.seed) for row in frame.itertuples()}
    assert arms == {
        (f"table3-tiny/{arm}", seed) for arm in ("ctc", "dctc-0.01") for seed in (0, SEARCH_SEED)
    }
    out = runs / "table3-tiny"
    for name in ("compare", "search", "alignment"):
        assert (out / f"{name}.csv").read_text().count("\n") == 3, name
    assert (out / "compare.png").exists() and "Losses on FUNSD words" in printed
    status = call("table3", *options, "--status").splitlines()
    assert status[0].startswith("table3-tiny search     2 of    2 runs done")
    assert status[1].startswith("table3-tiny            2 of    2 runs done")


def test_the_demo_compares_two_arms_and_draws_curves_and_readings(call, runs):
    printed = call("demo", "--scale", "tiny", "--log", "off")
    assert "No real benchmark found" in printed and "DCTC 0.01 against CTC" in printed
    out = runs / "demo-tiny"
    assert {"curves.png", "readings.png", "table.md"} <= {file.name for file in out.iterdir()}
    for arm in ("ctc", "dctc"):
        assert (out / arm / "seed0" / "checkpoints" / "final.ckpt").exists()


@pytest.mark.parametrize("name", ["table1", "table2", "ablations", "renderer"])
def test_the_status_of_the_other_tables(call, name):
    lines = call(name, "--scale", "tiny", "--status").splitlines()
    assert lines and all(" 0 of " in line or "nothing to train" in line for line in lines)


def test_of_a_study_that_is_named_all_arms_are_trained(call):
    only = ("--only", "table1-sroie,small_resnet-confidence_penalty")  # the first has none such
    lines = call("table1", "--scale", "small", "--status", *only).splitlines()
    planned = [line.split()[:4] for line in lines]
    assert planned[:2] == [["table1-sroie", "0", "of", "10"], ["protocol", "0", "of", "4"]]


def test_help_and_mistakes_come_before_the_imports():
    program = f"""
import contextlib, io, sys
from experiments.__main__ import main
for name in {[*SCRIPTS]}:
    for option, code in (("--help", 0), ("--mistake", 2)):
        with io.StringIO() as stream:
            with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
                try:
                    main([name, option])
                except SystemExit as ended:
                    print("code", ended.code)
            said = stream.getvalue()
        assert f"usage: python -m experiments {{name}}" in said and f"code {{code}}" in said, said
print(*sys.modules)
"""
    done = run_python("-c", program)
    assert done.returncode == 0, done.stderr
    assert not {"torch", "pandas"} & {name.partition(".")[0] for name in done.stdout.split()}


def test_every_script_and_figure_has_its_help():
    scripts = (ROOT / "experiments").glob("*.py")
    assert {*SCRIPTS, "__init__", "__main__", "parsers"} == {file.stem for file in scripts}
    assert LISTED == FIGURES


def test_the_status_of_all_targets(call, capsys):
    lines = call("status", "--scale", "tiny").splitlines()
    names = {line.split("  ")[0] for line in lines}
    assert {"figures-tiny", "table1-tiny", "table1-sroie-tiny", "table3-tiny search"} <= names
    assert lines[-1].startswith("together")
    assert len(call("status", "--scale", "tiny", "table2").splitlines()) == 1
    for name in ("figure1", "figure3", "demo"):
        with suppress(SystemExit):  # after what a figure prints
            main([name, "--scale", "tiny", "--status"])
        own = capsys.readouterr().out.splitlines()
        assert call("status", "--scale", "tiny", name).splitlines() == own[-1:]
    assert call("status", "--scale", "smoke", "demo").startswith("demo ")


def test_the_page_of_tables_is_that_of_the_records(call, tmp_path, monkeypatch, capsys):
    call("pages", "--check")
    monkeypatch.setattr(pages, "gather", lambda: ({}, {}))
    with pytest.raises(SystemExit):
        call("pages", "--check")
    assert "TABLES.md differs from the records" in capsys.readouterr().err
    monkeypatch.setattr(pages, "TABLES", tmp_path / "TABLES.md")
    call("pages")
    call("pages", "--check")
    assert (tmp_path / "TABLES.md").read_text().startswith("# Tables of all results")
