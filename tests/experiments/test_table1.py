"""Table 1: its plan, what it draws from records, and the script at its smallest."""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from experiments.studies import model_runs
from experiments.tables.publishing import find_runs, publish
from rich.console import Console

from dctc.results.cells import difference_cell
from dctc.results.registry import Record, Registry
from dctc.results.statistics import compare
from dctc.training.cli import RecognizerCLI
from scripts import load
from tiny import run_python

ROOT = Path(__file__).resolve().parents[2]
SIZES = {"IIIT5K": 30, "SVT": 20, "IC13_857": 10, "IC15_2077": 40, "SVTP": 20, "CUTE80": 10}
FOLDERS = ("IIIT5K_3000", "SVT_647", "IC13_857", "IC15_2077", "SVTP_645", "CUTE80_288")


@pytest.fixture(scope="module")
def table1():
    return load("table1")


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Empty folders of data and runs, in the environment too."""
    for name in ("data", "runs"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(f"DCTC_{name.upper()}", str(tmp_path / name))
    monkeypatch.chdir(ROOT)
    return tmp_path


@pytest.fixture
def benchmarks(folders, write_lmdb, encode_image):
    for folder in FOLDERS:
        records = [(encode_image(i), f"word{i}".encode()) for i in range(20)]
        write_lmdb(folders / "data" / "test" / folder, records)
    return folders


def call(table1, monkeypatch, *options):
    monkeypatch.setattr(sys, "argv", ["table1", *options])
    table1.main()


def test_a_study_takes_both_losses_of_a_seed_before_the_next(table1, folders):
    plan = model_runs.study("scene", "small", ["small_resnet", "crnn"], None)
    names = [run.name for run in plan.runs()]
    assert names[:4] == [
        f"table1/{model}-{loss}/seed0"
        for model in ("small_resnet", "crnn")
        for loss in ("ctc", "dctc")
    ]
    assert len(names) == 2 * 2 * 5
    receipts = model_runs.study("sroie", "small", ["small_resnet"], None)
    assert [run.name for run in receipts.runs()][-1] == "table1-sroie/small_resnet-dctc/seed4"
    assert [*model_runs.study("sroie", "small", ["crnn"], [7]).seeds] == [7]


def test_benchmarks_are_scored_where_they_are(table1, benchmarks, tmp_path, monkeypatch):
    (tests,) = model_runs.study("scene", "small", ["small_resnet"], None).tests
    assert tests.names == table1.SIX and not tests.allow_size_mismatch
    assert model_runs.study("sroie", "small", ["small_resnet"], None).tests == ()
    monkeypatch.setenv("DCTC_DATA", str(tmp_path / "none"))
    assert model_runs.study("scene", "small", ["small_resnet"], None).tests == ()


# Other options are other runs, and what is trained already would be trained again.
PLANNED = "9840165473338917"


def test_runs_are_those_of_the_results_that_there_are(table1, benchmarks, monkeypatch):
    monkeypatch.setenv("DCTC_RUNS", "RUNS")
    runs = [
        [run.name, run.options, run.diagnosed, [str(test) for test in run.tests]]
        for run in model_runs.study("scene", "small", list(model_runs.MODELS), None).runs()
    ]
    assert len(runs) == 50
    assert hashlib.sha256(json.dumps(runs).encode()).hexdigest()[:16] == PLANNED


def test_the_weight_is_the_one_that_is_named(table1):
    assert table1.DISTILL_WEIGHT == 0.1  # authors' code, default
    assert model_runs.LINES_WEIGHT * 512 == table1.DISTILL_WEIGHT * 128  # pixels, four a frame
    assert set(table1.FIVE) == set(table1.SIX) - {"IC15_2077"}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:LightningCLI's args parameter")
@pytest.mark.parametrize("part", ["scene", "sroie"])
def test_arms_differ_in_the_weight_only(table1, folders, monkeypatch, part):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    words = table1.SceneRuns("small").words
    for model in model_runs.MODELS:
        plan = model_runs.study(part, "small", [model], None)
        first, second = (
            RecognizerCLI(["--log=off", *plan.run(arm, 3).options], run=False).resolved
            for arm in plan.arms
        )
        assert (first.pop("arm"), second.pop("arm")) == (
            f"{plan.name}/{model}-ctc",
            f"{plan.name}/{model}-dctc",
        )
        weights = [
            config["trainer"]["callbacks"][0]["init_args"].pop("distill_weight")
            for config in (first, second)
        ]
        assert weights == [0.0, 0.025 if part == "sroie" else 0.1]
        assert first == second
        assert first["seed_everything"] == first["data"]["init_args"]["seed"] == 3
        width = first["model"]["net"]["init_args"].get("width")
        assert width in (None, 512 if part == "sroie" else 128)
        stored = first["data"]["init_args"].get("stored")
        assert stored == (str(words.folder) if part == "scene" else None)


@pytest.fixture
def made_up(tmp_path):
    return make_up(tmp_path, best="dctc-0.01")


def make_up(tmp_path, best):
    """Write records of both losses: two seeds on six sets, three on receipts, some of table 3."""
    registry, rng, hits = Registry(tmp_path / "made_up"), np.random.default_rng(0), {}

    def put(arm, seed, name, n, accuracy):
        drawn = rng.random(n) < accuracy
        hits.setdefault((arm, name), []).append(drawn)
        correct = int(drawn.sum())
        counts = (n, correct, n - correct, 5 * n, 0.9 * n, {}, "english36")
        stored = (registry.write_hits(drawn), name, 1.0, {"steps": 10})
        registry.append(Record(f"{arm}{seed}", arm, seed, name, *counts, *stored))

    for loss, accuracy in (("ctc", 0.5), ("dctc", 0.7)):
        for seed in range(2):
            for name, n in SIZES.items():
                put(f"table1/small_resnet-{loss}", seed, name, n, accuracy)
        for seed in range(3):
            put(f"table1-sroie/small_resnet-{loss}", seed, "SROIE", 50, accuracy)
    for arm, seeds in (
        *(("ctc", (0, 1, 100)), ("dctc-0.01", (0, 1, 100))),
        *(("dctc-0.03", (100,)), ("dctc-0.1", (0, 100))),
    ):
        for seed in seeds:
            put(f"table3/{arm}", seed, "FUNSD", 60, 0.6)
        put(f"table3/{arm}", 100, "FUNSD_val", 60, 0.9 if arm == best else 0.1)
    return registry.folder, {key: np.stack(value) for key, value in hits.items()}


def cells(text):
    """Return the rows of a Markdown table by their first cell."""
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return {row[0]: row[1:] for row in rows}


def test_what_is_drawn_is_what_the_records_say(table1, folders, made_up, monkeypatch):
    source, hits = made_up
    call(table1, monkeypatch, "--scale", "small", "--from", str(source))
    out = folders / "runs" / "table1"
    files = "table1 difference-small_resnet nets sroie-small_resnet funsd published".split()
    assert {f.name for f in out.iterdir()} == {
        f"{n}.{kind}" for n in files for kind in ("md", "csv")
    }
    drawn = {name: (out / f"{name}.md").read_text() for name in files}

    head = cells(drawn["table1"])["trained"]
    assert head[1:7] == [f"{name} {n}" for name, n in SIZES.items()]
    assert head[7:] == ["six-set mean", "five-set mean", "weighted mean"]
    means = {}
    for loss in ("ctc", "dctc"):
        share = {n: 100 * hits[f"table1/small_resnet-{loss}", n].mean() for n in SIZES}
        correct = sum(hits[f"table1/small_resnet-{loss}", n].sum() for n in SIZES)
        five = [value for name, value in share.items() if name != "IC15_2077"]
        means[loss] = [sum(share.values()) / 6, sum(five) / 5, 100 * correct / (2 * 130)]
        expected = [f"{value:.2f}" for value in (*share.values(), *means[loss])]
        assert cells(drawn["table1"])[f"small_resnet, {loss.upper()}"] == ["2", *expected]
    assert "IC15_1811" in drawn["table1"] and "probability of 80 %" in drawn["table1"]

    rows = cells(drawn["difference-small_resnet"])
    for i, name in enumerate(("six-set mean", "five-set mean", "weighted mean")):
        points, _, _, *interval = rows[name][3].split()  # ± half of the t-test's is between them
        points, low, high = (float(x.strip("[],")) for x in (points, *interval))
        assert points == pytest.approx(means["dctc"][i] - means["ctc"][i], abs=0.006)
        assert low <= points <= high
    assert (rows["six-set mean"][0], rows["five-set mean"][0]) == ("130", "90")
    c = compare(*(hits[f"table1/small_resnet-{loss}", "SVT"] for loss in ("ctc", "dctc")))
    assert rows["SVT"][3] == difference_cell(c)
    assert rows["SVT"][5] == f"{c.detectable:.2f}"

    receipts = cells(drawn["sroie-small_resnet"])["small_resnet, DCTC"]
    own = hits["table1-sroie/small_resnet-dctc", "SROIE"]
    # NED .9 of each; an edit for each miss, five characters a word
    shares = (100 * own.mean(), 90.0, 20 * (1 - own.mean()))
    assert receipts[:3] == [f"{share:.2f}" for share in shares]

    # of the weights, that which reads more validation words with the seed of the search, which
    # is not among those that are compared
    assert "2 seeds of each" in drawn["funsd"]
    forms = cells(drawn["funsd"])
    accuracy = 100 * hits["table3/dctc-0.01", "FUNSD"][:2].mean()
    assert forms["small_resnet, DCTC 0.01"][0] == f"{accuracy:.2f}"
    assert "IC15_1811" in drawn["published"] and "93.76" in drawn["published"]


def test_the_weight_for_forms_is_the_chosen_one_and_not_that_with_most_seeds(
    table1, folders, tmp_path
):
    source, _ = make_up(tmp_path, best="dctc-0.1")
    console = Console(record=True, width=200)
    table = table1.funsd_tables("small", Registry(source), console)["funsd"]
    assert [row[0] for row in table.rows] == ["small_resnet, CTC", "small_resnet, DCTC 0.1"]
    lines = (source / "results.jsonl").read_text().splitlines()
    # a weight that is planned and not searched yet
    kept = [line for line in lines if "table3/dctc-0.03" not in line]
    (source / "results.jsonl").write_text("\n".join(kept) + "\n")
    assert not table1.funsd_tables("small", Registry(source), console)
    assert "dctc at the chosen weight" in console.export_text()


def test_sets_that_are_missing_leave_means_empty(table1, folders, made_up):
    source, _ = made_up
    (folders / "few").mkdir()
    kept = [line for line in (source / "results.jsonl").read_text().splitlines()]
    kept = [line for line in kept if json.loads(line)["set"] not in ("SVT", "FUNSD")]
    (folders / "few" / "results.jsonl").write_text("\n".join(kept) + "\n")
    (folders / "few" / "hits").symlink_to(source / "hits")
    console = Console(record=True, width=200)
    tables = table1.scene_tables("small", Registry(folders / "few"), console)
    assert tables["table1"].rows[0][-3:] == ["-", "-", "-"]
    assert "Not scored, so that means are missing: SVT." in tables["table1"].notes
    assert [row[0] for row in tables["difference-small_resnet"].rows] == [
        name for name in SIZES if name != "SVT"
    ]
    table1.draw("small", Registry(folders / "few"), "off", console)
    assert "./reproduce.sh table3 --scale small --only ctc,dctc trains them" in (
        console.export_text()
    )


def test_a_model_that_is_not_scored_on_all_sets_is_named(table1, folders, made_up):
    source, _ = made_up
    lines = (source / "results.jsonl").read_text().splitlines()
    other = [x.replace("small_resnet", "crnn") for x in lines if '"SVT"' in x]
    (source / "results.jsonl").write_text("\n".join([*lines, *other]) + "\n")
    tables = table1.scene_tables("small", Registry(source), Console())
    assert [row[0] for row in tables["nets"].rows] == ["small_resnet"]
    assert "was scored on all of these: crnn." in tables["table1"].notes[-2]


def test_an_empty_registry_is_said(table1, folders):
    console = Console(record=True, width=200)
    table1.draw("tiny", Registry(folders / "none"), "off", console)
    text = console.export_text()
    assert "table1-tiny: no finished runs of both losses yet." in text
    assert "FUNSD: no final runs of table3-tiny/ctc and of its dctc" in text


@pytest.mark.slow
def test_the_script_at_its_smallest_and_what_is_published(
    table1, benchmarks, monkeypatch, write_lmdb, encode_image
):
    records = [(encode_image(i), f"LINE {i}".encode()) for i in range(20)]
    write_lmdb(benchmarks / "data" / "train" / "sroie_lines_27066", records)
    runs, results = benchmarks / "runs", benchmarks / "results"
    done = run_python(
        "-m",
        "experiments.table1",
        *("--scale", "tiny", "--jobs", "2", "--log", "off"),
        DCTC_DATA=str(benchmarks / "data"),
        DCTC_RUNS=str(runs),
        COLUMNS="100",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout and "stand in" not in done.stdout

    def tables():
        return {f.name: f.read_text() for f in (runs / "table1-tiny").iterdir() if f.is_file()}

    drawn = tables()
    drawn = {name: text for name, text in drawn.items() if not name.endswith(".log")}
    names = ("table1", "difference-small_resnet", "nets", "sroie-small_resnet", "published")
    assert set(drawn) == {f"{name}.{kind}" for name in names for kind in ("md", "csv")}
    assert "| small_resnet, DCTC¹ | 1 |" in drawn["table1.md"]
    found = list(Registry(runs).records())
    assert {(r.arm, r.set) for r in found} == {
        *((f"table1-tiny/small_resnet-{a}", n) for a in ("ctc", "dctc") for n in SIZES),
        *((f"table1-tiny/small_resnet-{a}", "rendered") for a in ("ctc", "dctc")),
        *((f"table1-tiny-sroie/small_resnet-{a}", "SROIE") for a in ("ctc", "dctc")),
    }
    weights = [
        yaml.safe_load((runs / f"table1-tiny/small_resnet-{a}/seed0/config.yaml").read_text())
        for a in ("ctc", "dctc")
    ]
    assert weights[0]["data"] == weights[1]["data"]

    publish(runs, find_runs(runs, ["table1-tiny/*", "table1-tiny-sroie/*"]), results)
    for file in drawn:
        (runs / "table1-tiny" / file).unlink()
    call(table1, monkeypatch, "--scale", "tiny", "--from", str(results))
    assert tables() == drawn


@pytest.mark.slow
def test_without_real_data_rendered_words_stand_in(folders):
    runs = folders / "runs"
    done = run_python(
        "-m",
        "experiments.table1",
        *("--scale", "tiny", "--log", "off"),
        DCTC_DATA=str(folders / "data"),
        DCTC_RUNS=str(runs),
        COLUMNS="200",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"No real benchmarks found below {folders / 'data'} (DCTC_DATA)" in done.stdout
    assert "SROIE, lines: no LMDB folder 'sroie_lines_27066' below" in done.stdout
    table = (runs / "table1-tiny" / "table1.md").read_text()
    assert "| trained | seeds | rendered 4 |" in table and "a trial, no result" in table


def test_status_trains_nothing(table1, folders, monkeypatch, capsys):
    call(table1, monkeypatch, "--scale", "small", "--status")
    text = capsys.readouterr().out
    assert "table1-sroie" in text and list((folders / "runs").iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--only", "funsd"), "--only funsd: there are scene, sroie"),
        (("--models", "vgg"), "--models vgg: there are small_resnet"),
    ],
)
def test_what_is_wrong_is_said(table1, monkeypatch, options, message):
    with pytest.raises(ValueError, match=message):
        call(table1, monkeypatch, *options)
