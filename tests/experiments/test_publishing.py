import dataclasses
import json
import multiprocessing

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
        (folder / name / "metrics.csv").write_text("step,train/loss\n9,1.5\n")
        for test_set in ("val", "test"):
            hits = registry.write_hits(HITS)
            registry.append(record(run=key, arm=arm, set=test_set, hits=hits))
    registry.append(dataclasses.replace(registry.find("bb")["test"], wall_s=99.0))
    (folder / "t/c").mkdir()
    (folder / "t/c/run_key").write_text("cc\n")
    return folder


def published(folder):
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_records_and_hits_make_the_round_trip(runs, tmp_path):
    to = tmp_path / "results"
    publish(runs, find_runs(runs, ["t/*"]), to)
    lines = published(to)
    assert [(r["arm"], r["set"]) for r in lines] == [
        ("t/a-0.1", "test"),
        ("t/a-0.1", "val"),
        ("t/b", "test"),
        ("t/b", "val"),
    ]
    assert lines[2]["wall_s"] == 99.0  # the latest
    for key in ("aa", "bb"):
        assert Registry(to).find(key) == Registry(runs).find(key)
        for r in Registry(to).find(key).values():
            assert Registry(to).read_hits(r).tolist() == HITS.tolist()
    assert {p.name for p in (to / "metrics").iterdir()} == {"aa.csv", "bb.csv"}
    before = contents(to)
    publish(runs, find_runs(runs, ["t/*"]), to)
    assert contents(to) == before


def test_a_second_publication_waits_for_the_first(runs, tmp_path):
    to = tmp_path / "results"
    publish(runs, find_runs(runs, ["t/b"]), to)
    args = (runs, find_runs(runs, ["t/a-0.1"]), to)
    second = multiprocessing.get_context("fork").Process(target=publish, args=args, daemon=True)
    with locked(to / ".lock", wait=True):
        second.start()
        second.join(0.5)
        assert second.is_alive() and {r["run"] for r in published(to)} == {"bb"}
    second.join()
    assert {r["run"] for r in published(to)} == {"aa", "bb"}


def test_what_is_published_stays_and_hits_that_nothing_names_go(runs, tmp_path):
    to = tmp_path / "results"
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


def test_what_was_scored_later_stays(runs, tmp_path):
    to, registry = tmp_path / "results", Registry(runs)
    record = registry.find("bb")["test"]
    publish(runs, find_runs(runs, ["t/b"]), to)
    later = dataclasses.replace(record, wall_s=5.0, about={**record.about, "time": "2026-11-22"})
    (to / "results.jsonl").unlink()
    Registry(to).append(later)
    registry.append(dataclasses.replace(record, about={**record.about, "time": "2026-11-21"}))
    assert {r.set for r in publish(runs, find_runs(runs, ["t/b"]), to)} == {"val"}
    assert Registry(to).find("bb")["test"] == later


def test_a_published_line_that_is_no_record_is_not_lost(runs, tmp_path):
    to = tmp_path / "results"
    publish(runs, find_runs(runs, ["t/b"]), to)
    with open(to / "results.jsonl", "a") as stream:
        stream.write('{"run": "of another version"}\n')
    before = contents(to)
    with pytest.raises(ValueError, match=r"results\.jsonl:3: not a record .* repair or remove"):
        publish(runs, find_runs(runs, ["t/a-0.1"]), to)
    assert contents(to) == before


def test_of_folders_of_one_run_that_with_curves_is_taken(runs):
    for name in ("t/a-second", "t/z"):
        (runs / name).mkdir()
        (runs / name / "run_key").write_text("bb")
    assert find_runs(runs, ["t/*"])["bb"] == runs / "t/b/seed0"


def test_arms_that_share_a_run_are_all_published_and_adopted(runs, tmp_path):
    registry = Registry(runs)
    registry.append(dataclasses.replace(registry.find("bb")["test"], arm="t/c"))
    publish(runs, find_runs(runs, ["t/*"]), tmp_path / "results")
    arms = [r["arm"] for r in published(tmp_path / "results") if r["set"] == "test"]
    assert arms == ["t/a-0.1", "t/b", "t/c"]
    adopt(tmp_path / "results", tmp_path / "mine")
    assert len(list(Registry(tmp_path / "mine").records())) == 5


def test_published_records_are_adopted_once(runs, tmp_path):
    results, mine = tmp_path / "results", tmp_path / "mine"
    publish(runs, find_runs(runs, ["t/*"]), results)
    Registry(mine).append(Registry(runs).find("aa")["val"])
    assert {(r.run, r.set) for r in adopt(results, mine)} == {
        ("aa", "test"),
        ("bb", "val"),
        ("bb", "test"),
    }
    assert Registry(mine).find("bb") == Registry(results).find("bb")
    assert Registry(mine).read_hits(Registry(mine).find("bb")["test"]).tolist() == HITS.tolist()
    curves = [sorted(f.name for f in (x / "metrics").iterdir()) for x in (results, mine)]
    assert curves[0] == curves[1] != []
    assert adopt(results, mine) == []
    with pytest.raises(ValueError, match="no results in"):
        adopt(tmp_path / "empty", mine)


@pytest.mark.parametrize(
    "about",
    [{"note": "read /home/me/data"}, {"deep": [{"x": "/mnt/disk"}]}, {"x": "C:\\data"}],
)
def test_a_path_of_this_machine_is_refused_before_anything_is_written(runs, tmp_path, about):
    registry = Registry(runs)
    record = registry.find("bb")["val"]
    registry.append(dataclasses.replace(record, about={**record.about, **about}))
    with pytest.raises(ValueError, match=r"record of run bb on val: .* names a path"):
        publish(runs, find_runs(runs, ["t/*"]), tmp_path / "results")
    assert not contents(tmp_path / "results")


def test_names_without_a_run_or_a_result_are_refused(runs, tmp_path):
    with pytest.raises(ValueError, match="--runs t/d: no run of that name"):
        find_runs(runs, ["t/*", "t/d"])
    with pytest.raises(ValueError, match="none of 1 runs has a result"):
        publish(runs, find_runs(runs, ["t/c"]), tmp_path / "results")


def test_a_run_that_was_set_aside_is_not_found(runs):
    (runs / "t/b/seed0").rename(runs / "t/b/seed0.bb")
    with pytest.raises(ValueError, match="no run"):
        find_runs(runs, ["t/b"])
    assert find_runs(runs, ["t/a-0.1"]) == {"aa": runs / "t/a-0.1/seed0"}


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


def test_benchmarks_are_copied_all_or_none(runs, tmp_path):
    to = tmp_path / "published"
    measured = '{"hardware": "CPU, 1 threads (x86_64)", "rows": []}'
    (runs / "bench").mkdir()
    (runs / "bench" / "losses.json").write_text(measured)
    with pytest.raises(
        FileNotFoundError, match=r"models\.json: not there; dctc bench --what models"
    ):
        publish_benchmarks(runs, ["losses", "models"], to)
    assert not (to / "bench").exists()
    assert publish_benchmarks(runs, ["losses"], to) == [to / "bench" / "losses.json"]
    assert (to / "bench" / "losses.json").read_text() == measured
    on_gpu = measured.replace("CPU, 1 threads", "NVIDIA X")
    (runs / "bench" / "losses.json").write_text(on_gpu)  # stands beside that of a CPU
    assert publish_benchmarks(runs, ["losses"], to) == [to / "bench" / "losses-gpu.json"]
    assert (to / "bench" / "losses.json").read_text() == measured
    (runs / "bench" / "models.json").write_text('{"net": "/home/user/net.yaml"}')
    with pytest.raises(ValueError, match=r"models\.json: '/home/user/net.yaml' names a path"):
        publish_benchmarks(runs, ["models"], to)
    (runs / "bench" / "models.json").write_text('{"commit": "0123456789ab-dirty"}')
    with pytest.raises(ValueError, match="at 0123456789ab-dirty, with changes that are in no"):
        publish_benchmarks(runs, ["models"], to)
    assert not (to / "bench" / "models.json").exists()
