"""``dctc compare``: a loss and data of one's own; tables and plots of made-up results."""

import contextlib
import csv
import io
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
import yaml

from dctc.cli import main
from dctc.results.frame import read_frame
from dctc.results.registry import Registry
from dctc.studies import compare
from dctc.studies.compare import differences_table, draw_study, summarize
from dctc.studies.parallel import Outcome
from dctc.studies.study import SEARCH_SEED, load_study
from tiny import add_result, config

pytestmark = pytest.mark.filterwarnings("ignore:LightningCLI's args parameter")

OWN = '''
from dctc.losses import CTCLoss
from tiny import FixedData, noise_batch


class TwiceCTC(CTCLoss):
    """A loss of one's own."""

    def forward(self, *args, **options):
        return 2 * super().forward(*args, **options)


class Words(FixedData):
    """Data of one's own: the words that are trained, and others."""

    def __init__(self):
        seen, unseen = (noise_batch(["a", "b", "c", "d"], seed) for seed in (0, 9))
        super().__init__([seen] * 30, {"seen": [seen]}, {"seen": [seen], "unseen": [unseen]})
'''
STUDY = """
study: mine
title: My loss
config: base.yaml
set: {data: own_words.Words, trainer.max_steps: 30}
seeds: 2
arms:
  ctc: {title: CTC}
  twice: {title: Twice, set: {model.loss: own_words.TwiceCTC}}
"""


def printed(*args):
    """Return what ``dctc compare`` prints."""
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        main(["compare", *map(str, args), "--log", "off"])
    return stream.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A study and the folder of its runs, which were trained by the command."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "base.yaml").write_text(yaml.safe_dump(config("english")))
    (folder / "mine.yaml").write_text(STUDY)
    (folder / "own_words.py").write_text(OWN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DCTC_RUNS", str(folder / "runs"))
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("COLUMNS", "120")
        (folder / "printed").write_text(printed(folder / "mine.yaml", "--jobs", "1"))
    return folder


@pytest.fixture
def compared(folder, monkeypatch, tmp_path):
    """The same, with runs of the test's own; training fails."""
    shutil.copytree(folder / "runs", tmp_path / "runs")
    monkeypatch.setenv("DCTC_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(compare, "execute_all", lambda runs, *_: {r.name: FAILED for r in runs})
    return folder


FAILED = Outcome({}, "RuntimeError: broken")


def test_a_loss_and_data_of_ones_own_are_compared_without_touching_the_package(folder):
    frame = read_frame(Registry(folder / "runs"))
    arms = {(row.arm, row.seed, row.set) for row in frame.itertuples()}
    # and no run of a search
    assert arms == {
        (f"mine/{arm}", seed, name)
        for arm in ("ctc", "twice")
        for seed in (0, 1)
        for name in ("seen", "unseen")
    }
    out = folder / "runs" / "mine"
    for name in ("compare", "sets"):
        assert (out / f"{name}.md").read_text().startswith("### My loss: ")
    assert (out / "compare.png").stat().st_size and (out / "compare.svg").stat().st_size
    ctc, twice = csv.DictReader((out / "compare.csv").read_text().splitlines())
    assert (ctc["trained with"], twice["trained with"]) == ("CTC", "Twice")
    means = frame.groupby("arm").accuracy.mean()
    assert (ctc["runs"], float(ctc["accuracy"])) == ("2", round(means["mine/ctc"], 2))
    assert float(twice["accuracy"]) == round(means["mine/twice"], 2)
    points = means["mine/twice"] - means["mine/ctc"]
    assert twice["difference [95 % CI]"].split()[0] == f"{points:+.2f}"
    said = (folder / "printed").read_text()
    assert "My loss: mean" in said and "[4/4] mine/twice/seed1: seen " in said
    assert str(out) in said


def test_nothing_is_trained_to_draw_and_to_list(compared, tmp_path):
    study = compared / "mine.yaml"
    assert printed(study, "--status").startswith("mine     4 of    4 runs done,    0 missing")
    assert printed(study, "--status", "--seeds", "0,5", "--only", "ctc").startswith(
        "mine     1 of    2 runs done,    1 missing; about "
    )
    published = tmp_path / "runs"
    os.environ["DCTC_RUNS"] = str(tmp_path / "none")  # the fixture brings it back
    text = printed(study, "--from", published)
    assert "My loss: mean" in text and str(tmp_path / "none" / "mine") in text


def test_a_run_that_fails_ends_the_command_and_only_some_are_trained(compared, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["compare", str(compared / "mine.yaml"), "--only", "twice", "--seeds", "7"])
    assert ended.value.code == 1
    text = capsys.readouterr().out
    assert text.count("FAILED: ") == 1 and "FAILED: mine/twice/seed7: RuntimeError" in text
    assert "My loss: mean" in text  # of the runs that are there


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--only", "nix"], "dctc: --only nix: there are ctc, mine, twice"),
        (["--scale", "tiny"], "dctc: "),
    ],
)
def test_wrong_names_end_in_one_line(compared, options, message, capsys):
    if options[0] == "--scale":
        (compared / "scaled.yaml").write_text(STUDY + "scales: {small: {}}\n")
        study, message = compared / "scaled.yaml", "no scale 'tiny'; there are small"
    else:
        study = compared / "mine.yaml"
    with pytest.raises(SystemExit) as ended:
        main(["compare", str(study), *options])
    assert ended.value.code == 1 and message in capsys.readouterr().err


MADE_UP = """
study: t
title: Losses
config: []
reference: ctc
planned: dctc
seeds: 2
sets: [one, two]
mean: mean of two
validation: val
arms:
  ctc: {title: CTC}
  dctc: {title: DCTC}
  focal: {title: Focal, search: {argument: gamma, values: [1, 2]}}
  prior: {title: Prior}
  best: {title: Best, reference: dctc}
groups: {}
"""
RATES = {"ctc": 0.5, "dctc": 0.7, "focal-2": 0.6, "prior": 0.4, "best": 0.8}


@pytest.fixture
def made_up(tmp_path):
    """A study, and a registry with results of all its arms; Focal's value is 2."""
    registry, rng = Registry(tmp_path / "results"), np.random.default_rng(0)
    for arm, rate in RATES.items():
        for seed in (0, 1):
            for name in ("one", "two"):
                add_result(registry, f"t/{arm}", seed, rng.random(200) < rate, name)
    for value in (1, 2):
        hits = np.arange(50) < 10 * value
        add_result(registry, f"t/focal-{value}", SEARCH_SEED, hits, "val")
    gpu = {"steps": 10, "hardware": "NVIDIA X (x86_64)"}
    add_result(registry, "t/prior", 1, rng.random(200) < 0.4, "one", about=gpu)
    (tmp_path / "t.yaml").write_text(MADE_UP)
    return load_study(tmp_path / "t.yaml"), read_frame(registry), registry


def test_a_study_compares_arms_with_their_references(made_up):
    found = summarize(*made_up)
    assert list(found.index) == ["ctc", "dctc", "focal", "prior", "best"]
    assert list(found.reference) == ["", "ctc", "ctc", "ctc", "dctc"]
    assert list(found.value)[2] == 2 and (found.runs == 2).all()
    for key, reference in (("dctc", "ctc"), ("focal", "ctc"), ("best", "dctc")):
        row = found.loc[key]
        assert row.points == pytest.approx(row.accuracy - found.accuracy[reference])
        assert row.low < row.points < row.high
        assert row.ned_points == pytest.approx(row.points / 2)
    # planned by itself, alone with its reference, or one of two
    assert found.p.notna().tolist() == [False, True, False, False, True]
    assert found.n["dctc"] == 400
    alone = summarize(*made_up, ["ctc", "focal"], ["one"])
    assert alone.p.notna().tolist() == [False, True] and alone.n["focal"] == 200
    against = summarize(*made_up, ["dctc", "focal"], (), {"focal": "dctc", "dctc": ""})
    assert against.points["focal"] == pytest.approx(found.accuracy.focal - found.accuracy.dctc)


def test_the_tables_and_the_plot_of_a_study(made_up):
    study, frame, registry = made_up
    tables, figures = draw_study(*made_up)
    assert set(tables) == {"compare", "sets", "search"} and set(figures) == {"compare"}
    rows = [dict(zip(tables["compare"].columns, r, strict=True)) for r in tables["compare"].rows]
    assert [row["trained with"] for row in rows] == ["CTC", "DCTC", "Focal 2", "Prior", "Best"]
    assert [row["compared with"] for row in rows] == ["-", "CTC", "CTC", "CTC", "DCTC"]
    notes = " ".join(tables["compare"].notes)
    assert "simultaneous intervals (Dunnett)" in notes and "of its own: DCTC." in notes
    assert "Trained on a GPU (NVIDIA X): Prior (seed 1)." in notes
    labels = [label.get_text() for label in figures["compare"].axes[0].get_yticklabels()]
    assert labels == [row["trained with"] for row in rows]
    by_set = {row[0]: row[1:] for row in tables["sets"].rows}
    assert by_set["runs"] == ["", "2", "2", "2", "2", "2"]
    of_ctc = frame[frame.arm == "t/ctc"]
    assert by_set["one"][:2] == ["200", f"{of_ctc[of_ctc.set == 'one'].accuracy.mean():.2f}"]
    assert by_set["mean of two"][1] == f"{of_ctc.accuracy.mean():.2f}" == by_set["weighted mean"][1]
    grouped = replace(study, groups=load_groups(study))
    assert set(draw_study(grouped, frame, registry)[0]) == {"pair", "sets", "search"} - {"sets"} | {
        "sets"
    }


def load_groups(study):
    """Return the groups of the study with one of two arms."""
    study.file.write_text(
        MADE_UP.replace("groups: {}", "groups: {pair: {title: P, arms: [ctc, prior]}}")
    )
    return load_study(study.file).groups


def test_an_arm_on_each_set(made_up):
    study, frame, registry = made_up
    table = differences_table(study, frame, registry, "dctc", ["val"])
    assert [row[:2] for row in table.rows] == [
        ["one", "200"],
        ["two", "200"],
        ["mean of two", "400"],
    ]
    assert differences_table(study, frame[frame.arm != "t/ctc"], registry, "dctc") is None


def test_results_that_are_not_there(tmp_path, made_up):
    study, *_ = made_up
    registry = Registry(tmp_path / "empty")
    assert draw_study(study, read_frame(registry), registry) == ({}, {})
    add_result(registry, "t/prior", 0, np.arange(9) < 3, "one")
    add_result(registry, "t/prior", 0, np.arange(9) < 3, "two")
    tables, _ = draw_study(study, read_frame(registry), registry)
    assert [row[-3:] for row in tables["compare"].rows] == [["", "", ""]]
