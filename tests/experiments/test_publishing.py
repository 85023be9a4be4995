"""Publishing of runs and benchmarks, and the way back."""

import dataclasses
import json
import multiprocessing
import shutil

import numpy as np
import pytest
from experiments.figures.curves import read_metrics
from experiments.tables.publishing import (
    adopt,
    find_runs,
    publish,
    publish_benchmarks,
    thin_metrics,
)

from dctc.files import locked
from dctc.results.registry import Registry

HITS = np.array([True, False, True, True])


@pytest.fixture
def runs(tmp_path, record):
    """Two runs of two sets each, one of which was tested twice, and one that is not finished."""
    folder = tmp_path / "runs"
    registry = Registry(folder)
    for name, key, arm in (("t/b/seed0", "bb", "t/b"), ("t/a-0.1/seed0", "aa", "t/a-0.1")):
        (folder / name).mkdir(parents=True)
        (folder / name / "run_key").write_text(f"{key}\n")
        (folder / name / "config.yaml").write_text(f"stored: {folder}/words/x\nname: {name}\n")
        (folder / name / "metrics.csv").write_text("step,train/loss\n9,1.5\n")
        for test_set in ("val", "test"):
            hits = registry.write_hits(HITS)
            about = {"certainty": registry.write_certainty([(-0.5, -0.25, 32)] * 4)}
            registry.append(record(run=key, arm=arm, set=test_set, hits=hits, about=about))
    registry.append(dataclasses.replace(registry.find("bb")["test"], wall_s=99.0))
    (folder / "t/c").mkdir()
    (folder / "t/c/run_key").write_text("cc\n")
    return folder


@pytest.fixture
def to(tmp_path):
    return tmp_path / "results"


def published(folder):
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_records_hits_metrics_and_configurations_are_published(runs, to):
    publish(runs, find_runs(runs, ["t/*"]), to)
    lines = published(to)
    arms = [("t/a-0.1", "test"), ("t/a-0.1", "val"), ("t/b", "test"), ("t/b", "val")]
    assert [(r["arm"], r["set"]) for r in lines] == arms
    assert lines[2]["wall_s"] == 99.0  # the latest
    for key, name in (("aa", "t/a-0.1/seed0"), ("bb", "t/b/seed0")):
        assert Registry(to).find(key) == Registry(runs).find(key)
        for r in Registry(to).find(key).values():
            assert Registry(to).read_hits(r).tolist() == HITS.tolist()
            assert Registry(to).read_certainty(r).T.tolist() == [[-0.5, -0.25, 32]] * 4
        config = (to / "configs" / f"{key}.yaml").read_text()
        assert config == f"stored: runs/words/x\nname: {name}\n"
    assert {p.name for p in (to / "metrics").iterdir()} == {"aa.csv", "bb.csv"}
    before = contents(to)
    publish(runs, find_runs(runs, ["t/*"]), to)
    assert contents(to) == before


def test_a_second_publication_waits_for_the_first(runs, to):
    publish(runs, find_runs(runs, ["t/b"]), to)
    args = (runs, find_runs(runs, ["t/a-0.1"]), to)
    second = multiprocessing.get_context("fork").Process(target=publish, args=args, daemon=True)
    with locked(to / ".lock", wait=True):
        second.start()
        second.join(0.3)
        assert second.is_alive() and {r["run"] for r in published(to)} == {"bb"}
    second.join()
    assert {r["run"] for r in published(to)} == {"aa", "bb"}


def test_what_is_published_stays_and_hits_that_nothing_names_go(runs, to):
    publish(runs, find_runs(runs, ["t/b"]), to)
    publish(runs, find_runs(runs, ["t/a-0.1"]), to)
    assert {r["run"] for r in published(to)} == {"aa", "bb"}
    registry = Registry(runs)
    for r in [*registry.find("aa").values(), *registry.find("bb").values()]:
        hits = registry.write_hits([True, True, True, False])
        registry.append(dataclasses.replace(r, hits=hits))
    publish(runs, find_runs(runs, ["t/a-0.1"]), to)
    assert len(list((to / "hits").iterdir())) == 2
    publish(runs, find_runs(runs, ["t/b"]), to)
    assert len(list((to / "hits").iterdir())) == 1


def test_what_was_scored_later_stays(runs, to):
    registry = Registry(runs)
    record = registry.find("bb")["test"]
    publish(runs, find_runs(runs, ["t/b"]), to)
    later = dataclasses.replace(record, wall_s=5.0, about={**record.about, "time": "2026-11-22"})
    (to / "results.jsonl").unlink()
    Registry(to).append(later)
    registry.append(dataclasses.replace(record, about={**record.about, "time": "2026-11-21"}))
    assert {r.set for r in publish(runs, find_runs(runs, ["t/b"]), to)} == {"val"}
    assert Registry(to).find("bb")["test"] == later


def test_a_published_line_that_is_no_record_is_not_lost(runs, to):
    publish(runs, find_runs(runs, ["t/b"]), to)
    with open(to / "results.jsonl", "a") as stream:
        stream.write('{"run": "of another version"}\n')
    before = contents(to)
    with pytest.raises(ValueError, match=r"results\.jsonl:3: not a record .* repair or remove"):
        publish(runs, find_runs(runs, ["t/a-0.1"]), to)
    assert contents(to) == before


def test_published_records_are_adopted_once_and_can_be_published_again(runs, to, tmp_path):
    registry, mine = Registry(runs), tmp_path / "mine"
    registry.append(dataclasses.replace(registry.find("bb")["test"], arm="t/c"))  # shares a run
    publish(runs, find_runs(runs, ["t/*"]), to)
    assert [r["arm"] for r in published(to) if r["set"] == "test"] == ["t/a-0.1", "t/b", "t/c"]
    Registry(mine).append(registry.find("aa")["val"])
    lacked = {("t/a-0.1", "test"), *((arm, s) for arm in ("t/b", "t/c") for s in ("test",))}
    assert {(r.arm, r.set) for r in adopt(to, mine)} == lacked | {("t/b", "val")}
    assert Registry(mine).find("bb") == Registry(to).find("bb")
    assert Registry(mine).read_hits(Registry(mine).find("bb")["test"]).tolist() == HITS.tolist()
    curves = [sorted(f.name for f in (x / "metrics").iterdir()) for x in (to, mine)]
    assert curves[0] == curves[1] != []
    assert adopt(to, mine) == []
    # a run that is not trained leaves a folder without a configuration
    (mine / "t/b/seed0").mkdir(parents=True)
    (mine / "t/b/seed0/run_key").write_text("bb")
    before = contents(to)
    publish(mine, find_runs(mine, ["t/b"]), to)
    assert contents(to) == before
    with pytest.raises(ValueError, match=r"seed0/config\.yaml: not there; a run is published"):
        publish(mine, find_runs(mine, ["t/b"]), tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="no results in"):
        adopt(tmp_path / "empty", mine)


def test_a_published_record_that_was_scored_later_is_adopted(runs, to, tmp_path):
    publish(runs, find_runs(runs, ["t/b"]), to)
    mine = Registry(tmp_path / "mine")
    adopt(to, mine.folder)
    known = Registry(to).find("bb")["test"]
    later = dataclasses.replace(known, wall_s=5.0, about={**known.about, "time": "2026-12-01"})
    Registry(to).append(later)
    assert adopt(to, mine.folder) == [later] and mine.find("bb")["test"] == later
    mine.append(dataclasses.replace(later, about={**later.about, "time": "2026-12-02"}))
    assert adopt(to, mine.folder) == []


def test_several_that_adopt_at_once_take_turns(runs, to, tmp_path):
    publish(runs, find_runs(runs, ["t/*"]), to)
    fork, mine = multiprocessing.get_context("fork"), tmp_path / "mine"
    adopting = [fork.Process(target=adopt, args=(to, mine)) for _ in range(4)]
    for process in adopting:
        process.start()
    for process in adopting:
        process.join()
    assert len(published(mine)) == len(published(to)) == 4


def test_what_a_killed_publication_left_is_removed(runs, to):
    publish(runs, find_runs(runs, ["t/*"]), to)
    before = contents(to)
    for name in ("hits/.123.0-4.bits", ".7.results.jsonl", "configs/.9.aa.yaml"):
        (to / name).write_bytes(b"half")
    publish(runs, find_runs(runs, ["t/b"]), to)
    assert contents(to) == before


@pytest.mark.parametrize(
    "about",
    [
        {"note": "read /home/me/data"},
        {"deep": [{"x": "/mnt/disk"}]},
        {"x": "C:\\data"},
        {"x": "file:///x"},
        None,
    ],
)
def test_a_path_of_this_machine_is_refused_before_anything_is_written(runs, to, about):
    registry = Registry(runs)
    record, message = registry.find("bb")["val"], r"record of run bb on val: .* names a path"
    if about is None:
        message = r"configuration .*/t/b/seed0/config\.yaml: '/mnt/data' names a path"
        (runs / "t/b/seed0/config.yaml").write_text("data_root: /mnt/data\n")
    registry.append(dataclasses.replace(record, about={**record.about, **(about or {})}))
    with pytest.raises(ValueError, match=message):
        publish(runs, find_runs(runs, ["t/*"]), to)
    assert not contents(to).keys() - {(to / ".lock").relative_to(to)}


def test_which_folder_is_that_of_a_run(runs, to):
    for name in ("t/a-second", "t/z"):
        (runs / name).mkdir()
        (runs / name / "run_key").write_text("bb")
    assert find_runs(runs, ["t/*"])["bb"] == runs / "t/b/seed0"  # that with curves
    for name in ("t/a-second", "t/z"):
        shutil.rmtree(runs / name)
    (runs / "t/b/seed0").rename(runs / "t/b/seed0.bb")  # set aside
    assert find_runs(runs, ["t/a-0.1"]) == {"aa": runs / "t/a-0.1/seed0"}
    for patterns in (["t/b"], ["t/*", "t/d"]):
        with pytest.raises(ValueError, match=f"--runs {patterns[-1]}: no run of that name"):
            find_runs(runs, patterns)
    for pattern in ("", "/t"):
        with pytest.raises(ValueError, match="give a name of runs below"):
            find_runs(runs, [pattern])
    with pytest.raises(ValueError, match="none of 1 runs has a result"):
        publish(runs, find_runs(runs, ["t/c"]), to)


def test_metrics_keep_all_of_validation_and_every_kth_of_training(tmp_path):
    steps = list(range(1000))
    curves = {
        "train/loss": (steps, [float(step) for step in steps]),
        "val/accuracy": ([99, 999], [0.25, 0.5]),
    }
    text = thin_metrics(curves, 2000)
    assert 1000 < len(text) <= 2000
    (tmp_path / "metrics.csv").write_text(text)
    read = read_metrics(tmp_path)
    assert read["val/accuracy"] == curves["val/accuracy"]
    kept, values = read["train/loss"]
    assert values == [float(step) for step in kept] and len(set(np.diff(kept))) == 1
    assert thin_metrics(curves, 10**6).count("\n") == 1001
    with pytest.raises(ValueError, match="do not fit"):
        thin_metrics(curves, 10)


def test_benchmarks_are_copied_all_or_none(runs, to):
    (runs / "bench").mkdir()
    file, other = runs / "bench" / "losses.json", runs / "bench" / "models.json"
    measured = '{"hardware": "CPU, 1 threads (x86_64)", "rows": []}'
    file.write_text(measured)
    with pytest.raises(FileNotFoundError, match=r"models\.json: not there; dctc bench --what mod"):
        publish_benchmarks(runs, ["losses", "models"], to)
    assert not (to / "bench").exists()
    assert publish_benchmarks(runs, ["losses"], to) == [to / "bench" / "losses.json"]
    file.write_text(measured.replace("CPU, 1 threads", "NVIDIA X"))  # beside that of a CPU
    assert publish_benchmarks(runs, ["losses"], to) == [to / "bench" / "losses-gpu.json"]
    assert (to / "bench" / "losses.json").read_text() == measured
    for content, message in (
        ('{"net": "/home/user/net.yaml"}', r"models\.json: '/home/user/net.yaml' names a path"),
        ('{"commit": "0123456789ab-dirty"}', "at 0123456789ab-dirty, with changes that are in no"),
    ):
        other.write_text(content)
        with pytest.raises(ValueError, match=message):
            publish_benchmarks(runs, ["models"], to)
    assert not (to / "bench" / "models.json").exists()
