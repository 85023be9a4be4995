"""The LMDB writer: resumed, grown, refused, and never complete by half."""

import json
import os
import resource
from mmap import PAGESIZE
from pathlib import Path

import numpy as np
import pytest

from dctc.data.records import writer
from dctc.data.records.folders import count_records, open_environment
from dctc.data.records.lmdb import LmdbDataset
from dctc.data.records.provenance import Progress
from dctc.data.records.writer import Fault, Record, write_set
from dctc.text import Charset
from tiny import in_child

RECIPE = {"seed": 1, "words": ["a", "ä"]}


def contents(folder):
    with open_environment(folder).begin() as transaction:
        return dict(transaction.cursor())


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def items(encode_image):
    """``items(count, faults={2}, end=7)``: numbered records, some faults, an error at a number."""

    def numbered(count, faults=(), end=None):
        def stream(taken):
            for i in range(taken, count):
                if i == end:
                    raise RuntimeError
                fault = i in faults
                yield Fault(f"file {i}", "missing") if fault else Record(encode_image(i), f"w{i}")

        return stream

    return numbered


@pytest.fixture
def small_transactions(monkeypatch):
    monkeypatch.setattr(writer, "PER_TRANSACTION", 3)


@pytest.fixture(params=["complete", "partial"])
def begun(request, tmp_path, items, small_transactions):
    """A set of four records, or what is left of one that was cut off after three; its folder."""
    if request.param == "complete":
        write_set(tmp_path / "set", RECIPE, items(4))
        return tmp_path / "set"
    with pytest.raises(RuntimeError):
        write_set(tmp_path / "set", RECIPE, items(4, end=3))
    return tmp_path / "set.partial"


def test_a_set_is_read_back(tmp_path, encode_image):
    extents = np.array([[0, 5], [5, 6], [6, 9]], np.float32)
    items = [Record(encode_image(0), "Ab"), Record(encode_image(1), "c d", extents)]
    folder = tmp_path / "a" / "set"
    assert write_set(folder, RECIPE, lambda taken: items[taken:]) == Progress(2, 2)
    dataset = LmdbDataset(folder, "x", "english36", Charset.load("36"))
    assert [sample.label for sample in dataset] == ["ab", "cd"]
    found = contents(folder)
    assert found[b"image-000000001"] == encode_image(0)
    assert found[b"label-000000002"] == b"c d"
    assert found[b"extents-000000002"] == extents.tobytes()
    assert (names(tmp_path / "a"), names(folder)) == (["set"], ["data.mdb", "recipe.json"])
    recipe = json.loads((folder / "recipe.json").read_text())
    assert recipe == {**RECIPE, "result": {"taken": 2, "records": 2, "faults": {}}}
    # a complete set is not written again
    assert write_set(folder, RECIPE, lambda taken: 1 / 0) == Progress(2, 2)


@pytest.mark.filterwarnings("ignore:file .*left out and counted")
def test_a_writer_that_was_cut_off_goes_on(tmp_path, items, small_transactions):
    faults, taken, advanced = {2, 9}, [], []
    write_set(tmp_path / "whole", RECIPE, items(11, faults))
    with pytest.raises(RuntimeError):
        write_set(tmp_path / "set", RECIPE, items(11, faults, end=7))
    assert not (tmp_path / "set").exists()
    with pytest.raises(ValueError, match="no num-samples"):
        count_records(tmp_path / "set.partial")

    def spied(begin):
        taken.append(begin)
        return items(11, faults)(begin)

    progress = write_set(tmp_path / "set", RECIPE, spied, advance=advanced.append)
    assert taken == [6]  # two transactions of three were committed
    assert advanced == [6, 9, 11]
    assert progress == Progress(11, 9, {"missing": 2})
    assert contents(tmp_path / "set") == contents(tmp_path / "whole")
    recipes = {(tmp_path / name / "recipe.json").read_text() for name in ("set", "whole")}
    assert len(recipes) == 1


@pytest.mark.parametrize("method", ["rename", "write_bytes"])
def test_a_writer_killed_at_the_end_goes_on(tmp_path, items, monkeypatch, method):
    """Before the set gets its name, or between opening and writing its last recipe."""
    usual = getattr(Path, method)

    def dies(self, argument):
        if method == "rename" or b'"result"' in argument:
            self.open("ab").close() if method == "write_bytes" else None
            os._exit(0)
        return usual(self, argument)

    monkeypatch.setattr(Path, method, dies)
    in_child(lambda: write_set(tmp_path / "set", RECIPE, items(4)))
    monkeypatch.undo()
    recipe = json.loads((tmp_path / "set.partial" / "recipe.json").read_text())
    assert ("result" in recipe) == (method == "rename")
    assert write_set(tmp_path / "set", RECIPE, items(4)) == Progress(4, 4)
    assert names(tmp_path / "set") == ["data.mdb", "recipe.json"]
    assert count_records(tmp_path / "set") == 4


@pytest.mark.parametrize("content", ["", "[1]", '{"seed": '])
def test_a_broken_recipe_is_one_line(begun, items, content):
    (begun / "recipe.json").write_text(content)
    message = f"{begun / 'recipe.json'}: is broken .*remove the folder and write"
    with pytest.raises(ValueError, match=message):
        write_set(begun.with_name("set"), RECIPE, items(4))


def test_another_recipe_is_refused(begun, items):
    with pytest.raises(ValueError, match=r"was begun with seed 1, not 2; give the same options"):
        write_set(begun.with_name("set"), {**RECIPE, "seed": 2}, items(4))
    with pytest.raises(ValueError, match=r'was begun with words \["a", "ä"\], not null'):
        write_set(begun.with_name("set"), {"seed": 1}, items(4))


def test_another_recipe_may_begin_where_nothing_was_committed(tmp_path, items):
    def dies(taken):
        yield from items(1)(taken)
        os._exit(0)

    in_child(lambda: write_set(tmp_path / "set", {}, dies))
    assert (tmp_path / "set.partial" / "recipe.json").exists()
    write_set(tmp_path / "set", RECIPE, items(2))
    assert RECIPE.items() <= json.loads((tmp_path / "set" / "recipe.json").read_text()).items()


@pytest.mark.parametrize("size", [0, 100, PAGESIZE])
def test_a_data_file_that_was_hardly_begun_is_begun_anew(tmp_path, items, size):
    (tmp_path / "set.partial").mkdir()
    (tmp_path / "set.partial" / "data.mdb").write_bytes(bytes(size))  # as a full disk leaves it
    assert write_set(tmp_path / "set", RECIPE, items(4)) == Progress(4, 4)
    assert count_records(tmp_path / "set") == 4


@pytest.mark.parametrize("begun", ["partial"], indirect=True)
@pytest.mark.parametrize("pages", [2, 3])
def test_a_data_file_that_was_cut_off_is_one_line(begun, items, pages):
    data, size = begun / "data.mdb", pages * PAGESIZE
    assert data.stat().st_size > size
    os.truncate(data, size)
    with pytest.raises(ValueError, match=r"set.partial: data.mdb .*after removing this folder"):
        write_set(begun.with_name("set"), RECIPE, items(4))
    assert data.stat().st_size == size  # not thrown away


def test_what_is_not_ours_is_left_alone(tmp_path, items):
    (tmp_path / "other").mkdir()
    with pytest.raises(ValueError, match="exists already, and is no set of this command"):
        write_set(tmp_path / "other", RECIPE, items(1))
    assert names(tmp_path / "other") == []
    (tmp_path / "set.partial").mkdir()
    (tmp_path / "set.partial" / "mine.txt").touch()
    with pytest.raises(RuntimeError):
        write_set(tmp_path / "set", RECIPE, items(4, end=2))  # before the first transaction
    assert names(tmp_path / "set.partial") == ["mine.txt"]


def test_the_map_grows(tmp_path, items, encode_image, monkeypatch, small_transactions):
    monkeypatch.setattr(writer, "FIRST_MAP", 2**16)
    write_set(tmp_path / "set", RECIPE, items(200))
    assert (tmp_path / "set" / "data.mdb").stat().st_size > 2**18
    assert contents(tmp_path / "set")[b"image-000000200"] == encode_image(199)


def test_faults_are_named_and_counted(tmp_path, items):
    with pytest.warns(UserWarning) as caught:
        progress = write_set(tmp_path / "set", RECIPE, items(30, faults=set(range(5, 25))))
    assert progress.faults == {"missing": 20}
    assert str(caught[0].message) == "file 5: missing; left out and counted"
    assert len(caught) == 10
    assert count_records(tmp_path / "set") == 10


@pytest.mark.parametrize("complete", [False, True])
def test_a_wrong_count_is_refused_also_of_a_complete_set(tmp_path, items, complete):
    def check(progress):
        raise ValueError(f"{progress.records} words")

    if complete:
        write_set(tmp_path / "set", RECIPE, items(4))
    with pytest.raises(ValueError, match="4 words"):
        write_set(tmp_path / "set", RECIPE, items(4), check)
    assert names(tmp_path) == ["set" if complete else "set.partial"]
    if not complete:
        with pytest.raises(ValueError, match="no num-samples"):
            count_records(tmp_path / "set.partial")


def test_extents_for_another_number_of_characters(tmp_path):
    items = [Record(b"", "abc", np.zeros((2, 2), np.float32))]
    with pytest.raises(ValueError, match=r"record 1: extents \(2, 2\) for the 3 characters"):
        write_set(tmp_path / "set", RECIPE, lambda taken: items)


@pytest.mark.filterwarnings("ignore:file .*left out and counted")
@pytest.mark.parametrize(("faults", "left_out"), [((), "nothing"), ((0, 1), "2 missing")])
def test_nothing_to_write_is_an_error_and_leaves_nothing(tmp_path, items, faults, left_out):
    with pytest.raises(ValueError, match=f"there is no record to write; left out: {left_out}$"):
        write_set(tmp_path / "set", RECIPE, items(len(faults), faults))
    assert not names(tmp_path)


def test_two_writers_of_one_set(tmp_path, items):
    said = []

    def first(taken):
        said.append(in_child(lambda: write_set(tmp_path / "set", RECIPE, items(1))))
        return [Record(b"", "a")]

    write_set(tmp_path / "set", RECIPE, first)
    partial = tmp_path / "set.partial"
    assert said == [f"{partial}: another process is writing it; wait for it"]


@pytest.mark.parametrize("limit", [0, PAGESIZE, 2 * PAGESIZE, 2**20])
def test_a_real_limit_of_the_file_system(tmp_path, limit):
    def fill():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        write_set(tmp_path / "set", RECIPE, items)

    def items(begin):
        taken.append(begin)
        return (Record(b"x" * 1000, str(i)) for i in range(begin, 5000))

    taken = []
    assert "make room and run the same command again" in in_child(fill)
    write_set(tmp_path / "set", RECIPE, items)
    assert 0 < taken[0] < 5000 if limit == 2**20 else taken[0] == 0
    found = contents(tmp_path / "set")
    assert [found[b"label-%09d" % i] for i in (1, 700, 5000)] == [b"0", b"699", b"4999"]
