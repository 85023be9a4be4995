"""Records and hits survive each other, killed writers and crowds."""

import multiprocessing
import warnings
from pathlib import Path

import numpy as np
import pytest

from dctc.results.registry import Registry, runs_folder


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path / "deep" / "runs")


def test_nothing_is_created_before_something_is_written(registry):
    assert list(registry.records()) == []
    assert registry.find("any") == {}
    assert not registry.folder.exists()


def test_records_come_back_as_they_were_written(registry, record):
    written = [record(set=name) for name in ("SVT", "english/test/IC13_857", 'a "b"\n\u2028', "中")]
    for one in written:
        registry.append(one)
    assert list(registry.records()) == written
    assert registry.file.read_bytes().count(b"\n") == 4


def test_the_latest_record_of_a_set_counts(registry, record):
    registry.append(record(set="SVT", correct=1))
    registry.append(record(set="IIIT5K"))
    registry.append(record(set="SVT", correct=2))
    registry.append(record(set="SVT", correct=3, run="another"))
    found = registry.find("0123456789abcdef")
    assert {name: one.correct for name, one in found.items()} == {"SVT": 2, "IIIT5K": 3}


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 1000])
def test_hits_come_back_as_they_were_written(registry, record, n):
    hits = np.random.default_rng(n).random(n) < 0.7
    name = registry.write_hits(hits.tolist())
    file = registry.folder / "hits" / name
    assert name.endswith(f"-{n}.bits")
    assert file.stat().st_size == -(-n // 8)
    found = registry.read_hits(record(n=n, correct=int(hits.sum()), hits=name))
    assert found.dtype == bool
    np.testing.assert_array_equal(found, hits)


def test_equal_hits_share_a_file_and_others_do_not(registry):
    hits = [[True, False], [True, False], [True, False, False], [True, True]]
    names = [registry.write_hits(row) for row in hits]
    assert names[0] == names[1]
    assert len(set(names)) == len(list((registry.folder / "hits").iterdir())) == 3


def test_hits_that_do_not_add_up_or_are_damaged_or_missing(registry, record):
    name = registry.write_hits([True] * 16)
    with pytest.raises(ValueError, match="16 hits, but the record of SVT says 15"):
        registry.read_hits(record(set="SVT", n=16, correct=15, hits=name))
    found = record(set="SVT", n=16, correct=16, hits=name)
    for content in (b"\xff", b"\xff\xfe", b"\xff\xff\xff"):
        (registry.folder / "hits" / name).write_bytes(content)
        with pytest.raises(ValueError, match=rf"{name} is damaged, .*: dctc, seed 0, SVT; "):
            registry.read_hits(found)
    name = registry.write_certainty([[-1.0, -0.5, 4.0]] * 16)
    found = record(n=16, correct=16, hits=found.hits, about={"certainty": name})
    assert registry.read_certainty(found)[:, 0].tolist() == [-1.0, -0.5, 4.0]
    (registry.folder / "certainty" / name).write_bytes(b"half")
    with pytest.raises(ValueError, match=f"{name} is damaged"):
        registry.read_certainty(found)
    with pytest.raises(ValueError, match="has no certainty; test that run again"):
        registry.read_certainty(record())
    with pytest.raises(FileNotFoundError, match=r"nothing\.bits is missing: the hits of .*, SVT;"):
        registry.read_hits(record(set="SVT", hits="nothing.bits"))
    (registry.folder / "other").write_bytes(b"\xff\xff")
    with pytest.raises(ValueError, match="other is damaged"):
        registry.read_hits(record(n=16, correct=16, hits="../other"))


def test_a_new_record_counts_where_the_clock_was_set_back(registry, record):
    def add(run, **about):
        registry.append(record(run=run, arm="a", about=about))

    add("first", time=registry.now("a", 0))
    assert registry.now("b", 0) < "2099"
    add("ahead", time="2099-12-31T23:59:59Z")
    add("now", time=registry.now("a", 0))
    assert registry.find("now")["IC15_2077"].about["time"] == "2100-01-01T00:00:00Z"
    assert registry.latest()["a", 0]["IC15_2077"].run == "now"


@pytest.mark.parametrize("left", [b'{"run": "0123', b"\x00\x00\x00", b"[1, 2]", b'{"run": "x"}'])
def test_what_a_killed_writer_left_is_named_and_set_aside(registry, record, left, capsys):
    registry.append(record(set="SVT"))
    with open(registry.file, "ab") as stream:
        stream.write(left)
    with pytest.warns(UserWarning, match=r"results\.jsonl:2: not a record \(.+\); left out"):
        assert [one.set for one in registry.records()] == ["SVT"]
    registry.append(record(set="CUTE80"))
    assert "half a record" in capsys.readouterr().out
    registry.append(record(set="SVTP"))
    assert [one.set for one in registry.records()] == ["SVT", "CUTE80", "SVTP"]  # and no warning
    assert capsys.readouterr().out == ""
    assert registry.file.with_name("results.jsonl.rejected").read_bytes() == left + b"\n"


def test_a_last_line_without_its_end_is_kept(registry, record):
    registry.append(record(set="SVT"))
    registry.file.write_bytes(registry.file.read_bytes().rstrip())
    registry.append(record(set="CUTE80"))
    assert [one.set for one in registry.records()] == ["SVT", "CUTE80"]


def append_many(folder, record, sets):
    for name in sets:
        # so long that a line does not fit into a stream's buffer
        Registry(folder).append(record.__class__(**{**vars(record), "set": name}))


def test_two_processes_lose_nothing(registry, record):
    long = record(about={"padding": "x" * 20_000})
    names = [[f"{who}{i}" for i in range(50)] for who in "ab"]
    context = multiprocessing.get_context("fork")
    args = [(registry.folder, long, part) for part in names]
    writers = [context.Process(target=append_many, args=of) for of in args]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = [one.set for one in registry.records()]
    for part in names:
        assert [name for name in found if name in part] == part
    assert len(found) == 100


@pytest.mark.parametrize(("value", "folder"), [(None, "runs"), ("", "runs"), ("a/b", "a/b")])
def test_runs_folder(monkeypatch, value, folder):
    monkeypatch.delenv("DCTC_RUNS", raising=False)
    if value is not None:
        monkeypatch.setenv("DCTC_RUNS", value)
    assert runs_folder() == Path(folder)
