import errno
import os
import resource

import pytest

from dctc.files import locked, replacing, walk, write_whole
from tiny import in_child


def lock(path, **options):
    with locked(path, wait=False, **options):
        return sorted(p.name for p in path.parent.iterdir())


def test_a_lock_keeps_other_processes_out_and_leaves_no_file(tmp_path):
    path = tmp_path / "below" / ".lock"
    with locked(path, wait=False):
        assert in_child(lambda: lock(path)) == f"{path}: another process holds this lock"
        assert path.exists()
        assert in_child(lambda: lock(path, busy="set: in use")) == "set: in use"
    assert not list(path.parent.iterdir())
    assert in_child(lambda: lock(path)) == "['.lock']"


def test_a_lock_ends_with_its_process(tmp_path):
    def killed():
        with locked(tmp_path / ".lock", wait=False):
            os._exit(0)

    in_child(killed)
    assert (tmp_path / ".lock").exists()
    assert lock(tmp_path / ".lock") == [".lock"]


def test_a_lock_is_not_inherited(tmp_path):
    reader, writer = os.pipe()
    with locked(tmp_path / ".lock", wait=False):
        if (child := os.fork()) == 0:  # such as a loading worker, which outlives its parent
            os.close(writer)
            os.read(reader, 1)
            os._exit(0)
    assert in_child(lambda: lock(tmp_path / ".lock")) == "['.lock']"
    os.close(writer)
    os.waitpid(child, 0)


def test_processes_that_wait_take_turns(tmp_path):
    counter, children = tmp_path / "counter", []
    counter.write_text("0")
    for _ in range(4):
        if (child := os.fork()) == 0:
            for _ in range(50):
                with locked(tmp_path / ".lock", wait=True):
                    write_whole(counter, str(int(counter.read_text()) + 1).encode())
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    assert counter.read_text() == "200"
    assert list(tmp_path.iterdir()) == [counter]


def test_a_file_is_written_as_a_whole_or_not_at_all(tmp_path):
    file = tmp_path / "a.npz"
    write_whole(file, b"old")
    with pytest.raises(RuntimeError), replacing(file) as partial:
        partial.write_bytes(b"n")
        assert partial.suffix == ".npz" and file.read_bytes() == b"old"
        raise RuntimeError
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"old"]
    write_whole(file, b"new")
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"new"]


def test_a_link_stays_and_leads_to_what_is_written(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "far" / "file")
    for content in (b"first", b"second"):
        write_whole(tmp_path / "link", content)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "far" / "file").read_bytes() == content


def test_a_folder_or_a_pipe_is_refused_before_anything_is_written(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(OSError, match=f"{path}: is no file"), replacing(path):
            raise AssertionError
    assert (tmp_path / "pipe").is_fifo()


def test_a_full_disk_is_named_and_leaves_the_file_as_it_was(tmp_path):
    """A limit on the size of files stands for a full disk."""
    file, copy = tmp_path / "a", tmp_path / "b"
    write_whole(file, b"old")

    def fill():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        write_whole(file, bytes(2000), keep=copy)

    assert in_child(fill) == f"[Errno 27] File too large: '{file}'"
    assert file.read_bytes() == b"old" and [*tmp_path.iterdir()] == [file]
    write_whole(file, b"new", keep=copy)
    assert file.read_bytes() == b"new" and copy.read_bytes() == b"old"


def test_an_error_of_another_file_is_not_that_of_the_one_that_is_written(tmp_path):
    with pytest.raises(OSError) as raised, replacing(tmp_path / "a") as partial:
        partial.touch()
        raise OSError(errno.EIO, "Input/output error")  # of an image that is read meanwhile
    assert raised.value.filename is None and not [*tmp_path.iterdir()]


def test_a_folder_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    (tmp_path / "closed").mkdir()
    scan = os.scandir

    def refusing(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.warns(UserWarning, match=r"closed: Permission denied; what lies in it is left out"):
        assert [folder for folder, _, _ in walk(tmp_path)] == [str(tmp_path)]
    assert list(walk(tmp_path / "none")) == []
