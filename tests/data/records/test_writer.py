"""The LMDB writer: resumed, grown, refused, and never complete by half."""

import json
import os
import sys
from mmap import PAGESIZE
from pathlib import Path
from subprocess import run

import lmdb
import numpy as np
import pytest

from dctc.data.records import writer
from dctc.data.records.folders import count_records, open_environment
from dctc.data.records.lmdb import LmdbDataset
from dctc.data.records.provenance import Progress
from dctc.data.records.writer import Fault, Record, write_set
from dctc.text import Charset

RECIPE = {"seed": 1, "words": ["a", "ä"]}


def contents(folder):
    with open_environment(folder).begin() as transaction:
        return dict(transaction.cursor())


def numbered(count, encode, faults=()):
    """``items(taken)`` of so many records; those whose number is in ``faults`` are faults."""

    def items(taken):
        for i in range(taken, count):
            yield Fault(f"file {i}", "missing") if i in faults else Record(encode(i), f"w{i}")

    return items


def broken_after(items, limit, error):
    """The same items, with an error in place of number ``limit``."""

    def stream(taken):
        for i, item in enumerate(items(taken), start=taken):
            if i == limit:
                raise error
            yield item

    return stream


def killed(change):
    """Run ``change()`` in a process that then ends without any clearing up."""
    if (child := os.fork()) == 0:
        try:
            change()
        finally:
            os._exit(0)
    os.waitpid(child, 0)


@pytest.fixture
def small_transactions(monkeypatch):
    monkeypatch.setattr(writer, "PER_TRANSACTION", 3)


def test_a_set_is_read_back(tmp_path, encode_image):
    extents = np.array([[0, 5], [5, 6], [6, 9]], np.float32)
    items = [Record(encode_image(0), "Ab"), Record(encode_image(1), "c d", extents)]
    progress = write_set(tmp_path / "a" / "set", RECIPE, lambda taken: items[taken:])
    assert progress == Progress(2, 2)
    dataset = LmdbDataset(tmp_path / "a" / "set", "x", "english36", Charset.load("36"))
    assert [sample.label for sample in dataset] == ["ab", "cd"]
    found = contents(tmp_path / "a" / "set")
    assert found[b"image-000000001"] == encode_image(0)
    assert found[b"label-000000002"] == b"c d"
    assert found[b"extents-000000002"] == extents.tobytes()
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["set"]
    assert sorted(p.name for p in (tmp_path / "a" / "set").iterdir()) == ["data.mdb", "recipe.json"]
    recipe = json.loads((tmp_path / "a" / "set" / "recipe.json").read_text())
    assert recipe == {**RECIPE, "result": {"taken": 2, "records": 2, "faults": {}}}


@pytest.mark.filterwarnings("ignore:file .*left out and counted")
def test_a_writer_that_was_cut_off_goes_on(tmp_path, encode_image, small_transactions):
    items = numbered(11, encode_image, faults={2, 9})
    write_set(tmp_path / "whole", RECIPE, items)
    with pytest.raises(RuntimeError):
        write_set(tmp_path / "set", RECIPE, broken_after(items, 7, RuntimeError()))
    assert not (tmp_path / "set").exists()
    with pytest.raises(ValueError, match="no num-samples"):
        count_records(tmp_path / "set.partial")
    taken, advanced = [], []

    def spied(begin):
        taken.append(begin)
        return items(begin)

    progress = write_set(tmp_path / "set", RECIPE, spied, advance=advanced.append)
    assert taken == [6]  # two transactions of three were committed
    assert advanced == [6, 9, 11]
    assert progress == Progress(11, 9, {"missing": 2})
    assert contents(tmp_path / "set") == contents(tmp_path / "whole")
    names = [(tmp_path / name / "recipe.json").read_text() for name in ("set", "whole")]
    assert names[0] == names[1]


def test_a_writer_killed_before_the_renaming_only_renames(tmp_path, encode_image, monkeypatch):
    items = numbered(4, encode_image)
    monkeypatch.setattr("pathlib.Path.rename", lambda self, target: os._exit(0))
    killed(lambda: write_set(tmp_path / "set", RECIPE, items))
    monkeypatch.undo()
    assert '"result"' in (tmp_path / "set.partial" / "recipe.json").read_text()
    assert write_set(tmp_path / "set", RECIPE, items) == Progress(4, 4)
    assert count_records(tmp_path / "set") == 4


def test_the_last_recipe_is_whole_or_the_one_before(tmp_path, encode_image, monkeypatch):
    items, write_bytes = numbered(4, encode_image), Path.write_bytes

    def emptied(self, content):
        if b'"result"' in content:  # as a kill between opening and writing leaves it
            self.open("w").close()
            os._exit(0)
        return write_bytes(self, content)

    monkeypatch.setattr("pathlib.Path.write_bytes", emptied)
    killed(lambda: write_set(tmp_path / "set", RECIPE, items))
    monkeypatch.undo()
    assert json.loads((tmp_path / "set.partial" / "recipe.json").read_text()) == RECIPE
    assert write_set(tmp_path / "set", RECIPE, items) == Progress(4, 4)
    files = sorted(p.name for p in (tmp_path / "set").iterdir())
    assert files == ["data.mdb", "recipe.json"]


@pytest.mark.parametrize("content", ["", "[1]", '{"seed": '])
@pytest.mark.parametrize("complete", [True, False])
def test_a_broken_recipe_is_one_line(tmp_path, encode_image, small_transactions, complete, content):
    items = numbered(4, encode_image)
    if complete:
        write_set(tmp_path / "set", RECIPE, items)
    else:
        with pytest.raises(RuntimeError):
            write_set(tmp_path / "set", RECIPE, broken_after(items, 3, RuntimeError()))
    (file,) = tmp_path.glob("*/recipe.json")
    file.write_text(content)
    with pytest.raises(ValueError, match=f"{file}: is broken .*remove the folder and write"):
        write_set(tmp_path / "set", RECIPE, items)


@pytest.mark.parametrize("size", [0, 100, PAGESIZE])
def test_a_data_file_that_was_hardly_begun_is_begun_anew(tmp_path, encode_image, size):
    (tmp_path / "set.partial").mkdir()
    (tmp_path / "set.partial" / "data.mdb").write_bytes(bytes(size))  # as a full disk leaves it
    assert write_set(tmp_path / "set", RECIPE, numbered(4, encode_image)) == Progress(4, 4)
    assert count_records(tmp_path / "set") == 4


@pytest.mark.parametrize("pages", [2, 3])
def test_a_data_file_that_was_cut_off_is_one_line(
    tmp_path, encode_image, small_transactions, pages
):
    items = numbered(4, encode_image)
    with pytest.raises(RuntimeError):
        write_set(tmp_path / "set", RECIPE, broken_after(items, 3, RuntimeError()))
    data = tmp_path / "set.partial" / "data.mdb"
    size = pages * PAGESIZE
    assert data.stat().st_size > size
    data.write_bytes(data.read_bytes()[:size])
    with pytest.raises(ValueError, match=r"set.partial: data.mdb .*after removing this folder"):
        write_set(tmp_path / "set", RECIPE, items)
    assert data.stat().st_size == size  # not thrown away


def test_a_complete_set_is_not_written_again(tmp_path, encode_image):
    write_set(tmp_path / "set", RECIPE, numbered(4, encode_image))
    assert write_set(tmp_path / "set", RECIPE, lambda taken: 1 / 0) == Progress(4, 4)


@pytest.mark.parametrize("complete", [True, False])
def test_another_recipe_is_refused(tmp_path, encode_image, small_transactions, complete):
    items = numbered(4, encode_image)
    if complete:
        write_set(tmp_path / "set", RECIPE, items)
    else:
        with pytest.raises(RuntimeError):
            write_set(tmp_path / "set", RECIPE, broken_after(items, 3, RuntimeError()))
    with pytest.raises(ValueError, match=r"was begun with seed 1, not 2; give the same options"):
        write_set(tmp_path / "set", {**RECIPE, "seed": 2}, items)
    with pytest.raises(ValueError, match=r'was begun with words \["a", "ä"\], not null'):
        write_set(tmp_path / "set", {"seed": 1}, items)


def test_another_recipe_may_begin_where_nothing_was_committed(tmp_path, encode_image):
    def dies(taken):
        yield Record(encode_image(0), "a")
        os._exit(0)

    killed(lambda: write_set(tmp_path / "set", {}, dies))
    assert (tmp_path / "set.partial" / "recipe.json").exists()
    write_set(tmp_path / "set", RECIPE, numbered(2, encode_image))
    assert RECIPE.items() <= json.loads((tmp_path / "set" / "recipe.json").read_text()).items()


def test_a_folder_of_something_else_is_left_alone(tmp_path, encode_image):
    with pytest.raises(ValueError, match="exists already, and not by this command"):
        write_set(tmp_path, RECIPE, numbered(1, encode_image))
    assert not list(tmp_path.iterdir())


def test_the_map_grows(tmp_path, encode_image, monkeypatch, small_transactions):
    monkeypatch.setattr(writer, "FIRST_MAP", 2**16)
    items = numbered(200, encode_image)
    write_set(tmp_path / "set", RECIPE, items)
    assert (tmp_path / "set" / "data.mdb").stat().st_size > 2**18
    assert contents(tmp_path / "set")[b"image-000000200"] == encode_image(199)


def test_faults_are_named_and_counted(tmp_path, encode_image):
    with pytest.warns(UserWarning) as caught:
        progress = write_set(
            tmp_path / "set", RECIPE, numbered(30, encode_image, faults=set(range(5, 25)))
        )
    assert progress.faults == {"missing": 20}
    assert str(caught[0].message) == "file 5: missing; left out and counted"
    assert 10 <= len(caught) <= 20
    assert count_records(tmp_path / "set") == 10


def test_a_wrong_count_leaves_no_complete_set(tmp_path, encode_image):
    def check(progress):
        raise ValueError(f"{progress.records} words")

    with pytest.raises(ValueError, match="4 words"):
        write_set(tmp_path / "set", RECIPE, numbered(4, encode_image), check)
    assert not (tmp_path / "set").exists()
    with pytest.raises(ValueError, match="no num-samples"):
        count_records(tmp_path / "set.partial")


def test_extents_for_another_number_of_characters(tmp_path, encode_image):
    items = [Record(encode_image(0), "abc", np.zeros((2, 2), np.float32))]
    with pytest.raises(ValueError, match=r"record 1: extents \(2, 2\) for the 3 characters"):
        write_set(tmp_path / "set", RECIPE, lambda taken: items)


def test_stored_extents_that_do_not_fit_are_corrupt(tmp_path, write_lmdb, encode_image):
    path = write_lmdb(tmp_path / "set", [(encode_image(), b"abc")])
    environment = lmdb.open(str(path), map_size=2**24)
    with environment.begin(write=True) as transaction:
        transaction.put(b"extents-000000001", np.zeros((2, 2), np.float32).tobytes())
    environment.close()
    (corrupt,) = list(LmdbDataset(path, "x", "english36", Charset.load("36")))
    assert corrupt.reason == "extents of 2 characters for a text of 3"


@pytest.mark.filterwarnings("ignore:file .*left out and counted")
@pytest.mark.parametrize(("faults", "left_out"), [((), "nothing"), ((0, 1), "2 missing")])
def test_nothing_to_write_is_an_error_and_leaves_nothing(tmp_path, encode_image, faults, left_out):
    items = numbered(len(faults), encode_image, faults)
    with pytest.raises(ValueError, match=f"there is no record to write; left out: {left_out}$"):
        write_set(tmp_path / "set", RECIPE, items)
    assert not list(tmp_path.iterdir())


def test_a_failure_before_the_first_record_leaves_what_is_not_ours(tmp_path, encode_image):
    (tmp_path / "set.partial").mkdir()
    (tmp_path / "set.partial" / "mine.txt").touch()
    with pytest.raises(RuntimeError):
        items = broken_after(numbered(4, encode_image), 2, RuntimeError())
        write_set(tmp_path / "set", RECIPE, items)
    assert [p.name for p in (tmp_path / "set.partial").iterdir()] == ["mine.txt"]


def test_a_complete_set_is_checked_again(tmp_path, encode_image):
    def check(progress):
        raise ValueError(f"{progress.records} words")

    write_set(tmp_path / "set", RECIPE, numbered(4, encode_image))
    with pytest.raises(ValueError, match="4 words"):
        write_set(tmp_path / "set", RECIPE, numbered(4, encode_image), check)
    assert count_records(tmp_path / "set") == 4


def test_two_writers_of_one_set(tmp_path, encode_image):
    def items(taken):
        reader, end = os.pipe()
        if (child := os.fork()) == 0:
            try:
                write_set(tmp_path / "set", RECIPE, numbered(1, encode_image))
            except OSError as error:
                os.write(end, str(error).encode())
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        os.close(end)
        said.append(os.read(reader, 1000).decode())
        return [Record(b"", "a")]

    said = []
    write_set(tmp_path / "set", RECIPE, items)
    assert said == [f"{tmp_path / 'set.partial'}: another process is writing it; wait for it"]


def test_a_full_disk_is_one_line_and_the_rest_stays(
    tmp_path, encode_image, monkeypatch, small_transactions
):
    items = numbered(10, encode_image)
    growing, calls = writer._growing, []

    def full(environment, write):
        calls.append(write)
        if len(calls) == 3:
            raise lmdb.DiskError("No space left on device")
        return growing(environment, write)

    monkeypatch.setattr(writer, "_growing", full)
    with pytest.raises(OSError, match=r"No space left.*make room and run the same command again"):
        write_set(tmp_path / "set", RECIPE, items)
    monkeypatch.undo()
    taken = []
    write_set(tmp_path / "set", RECIPE, lambda begin: [taken.append(begin), *items(begin)][1:])
    assert taken == [6]
    assert count_records(tmp_path / "set") == 10


@pytest.mark.slow
@pytest.mark.parametrize("limit", [0, PAGESIZE, 2 * PAGESIZE, 2**20])
def test_a_real_limit_of_the_file_system(tmp_path, encode_image, limit):
    program = f"""
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
from dctc.data.records.writer import Record, write_set
try:
    write_set({str(tmp_path / "set")!r}, {{"seed": 0}}, lambda taken:
        (Record(b"x" * 1000, str(i)) for i in range(taken, 5000)))
except OSError as error:
    print(error)
"""
    done = run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert "make room and run the same command again" in done.stdout, done.stderr
    taken = []

    def items(begin):
        taken.append(begin)
        return (Record(b"x" * 1000, str(i)) for i in range(begin, 5000))

    write_set(tmp_path / "set", {"seed": 0}, items)
    assert 0 < taken[0] < 5000 if limit == 2**20 else taken[0] == 0
    found = contents(tmp_path / "set")
    assert [found[b"label-%09d" % i] for i in (1, 700, 5000)] == [b"0", b"699", b"4999"]
