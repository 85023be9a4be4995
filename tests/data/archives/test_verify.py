"""``dctc data verify``: planted faults are found, sound sets are sound."""

import os

import lmdb
import numpy as np
import pytest

from dctc.data.archives import verify as verifying
from dctc.data.archives.processes import ENDS
from dctc.data.archives.verify import report, scan, verify
from dctc.data.records.folders import read_record
from dctc.data.render.fonts import find_fonts
from dctc.data.render.rendered_words import RenderedWords
from dctc.data.render.renderer import WordRenderer
from dctc.data.render.stored import render_set


@pytest.fixture
def jpeg(encode_image):
    return lambda seed=0: encode_image(seed, 60, 24, "JPEG")


def test_planted_faults_are_named(tmp_path, write_lmdb, jpeg):
    good = jpeg()
    records = [
        (good, b"word"),
        (good[: len(good) // 2], b"cut"),
        (b"no image", b"x"),
        (None, b"x"),
        (jpeg(1), b""),
        (jpeg(2), b"\xff"),
        (jpeg(3), b"a\tb"),
        (jpeg(4), None),
        (good, b"again"),
        (jpeg(5), "漢字 a".encode()),
        (jpeg(6), b"  "),
        (jpeg(7), "a\u0085b".encode()),
        *((jpeg(8 + i), "\uf0fe".encode()) for i in range(6)),
        (jpeg(14), "\uf0fe\ufffd".encode()),
    ]
    (one,) = verify({"a": write_lmdb(tmp_path / "a", records)}).values()
    assert sorted(one.faults) == [
        "image cannot be decoded (OSError): 1 records (2)",
        "image cannot be decoded (UnidentifiedImageError): 1 records (3)",
        "image missing: 1 records (4)",
        "label has the control character U+0009: 1 records (7)",
        "label has the control character U+0085: 1 records (12)",
        "label has the replacement character U+FFFD: 1 records (19)",
        "label is empty: 2 records (5, 11)",
        "label is not UTF-8: 1 records (6)",
        "label missing: 1 records (8)",
    ]
    private, repeated = one.findings
    assert private.endswith(
        "private-use character U+F0FE: 6 records (13, 14, 15, 16, 17 and 1 more)"
    )
    assert (one.repeats, repeated) == (1, "1 images are repeated (9 = 1)")
    assert report({"a": one}).notes[0] == f"BROKEN a: {one.faults[0]}"


def test_wrong_counts_are_faults(tmp_path, write_lmdb, jpeg):
    for count, what in ((b"2", "no record 2"), (b"3", "no record 3"), (b"0", "the set is empty")):
        path = write_lmdb(tmp_path / what, [(jpeg(), b"a")], count)
        (one,) = verify({"a": path}).values()
        assert what in one.faults[0] and not len(one.digests)
    (one,) = verify({"a": write_lmdb(tmp_path / "a", [(jpeg(), b"a")] * 2, b"1")}).values()
    assert one.faults[0].startswith("num-samples is 1, but there is a record 2")
    assert len(one.digests) == 1


@pytest.mark.parametrize(
    ("folder", "fault"),
    [
        ("document/test/FUNSD_words_8707", "FUNSD, test words has 8,707"),
        ("document/train/SROIE_lines_27066", "SROIE, lines has 27,066"),
        ("chinese/train/web_train", "Web_train has 112,471"),
        ("chinese/val/handwriting_val", "Handwriting_val has 18,651"),
        ("val/SVT", "SVT_257 has 257"),
        ("test/SVT", "SVT has 647"),
    ],
)
def test_every_registered_set_is_known_by_its_size(tmp_path, write_lmdb, jpeg, folder, fault):
    path = tmp_path / "training" / folder  # folders above the data root say nothing
    (one,) = verify({folder: write_lmdb(path, [(jpeg(0), b"a")])}).values()
    assert one.faults == [f"1 records where {fault}"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ('{"seed": 0, "result": {"records": 1}}', None),
        ('{"result": {"records": 2}}', "1 records where its recipe.json has 2"),
        ('{"result": {"records": "2"}}', None),
        ('{"seed": 0}', None),
        ("", "recipe.json: is broken"),
    ],
)
def test_the_recipe_beside_a_set_is_compared(tmp_path, write_lmdb, jpeg, content, fault):
    path = write_lmdb(tmp_path / "a", [(jpeg(0), b"a")])
    (path / "recipe.json").write_text(content)
    (one,) = verify({"a": path}).values()
    assert len(one.faults) == (fault is not None)
    assert fault is None or fault in one.faults[0]


def test_limits_of_characters_are_verified(tmp_path, write_lmdb, jpeg):
    sound = [[0, 20], [20, 30], [30, 60]]  # of an image of 60 pixels
    stored = [
        sound,
        sound[:2],
        [[0, 20], [20, np.nan], [30, 60]],
        [[-1, 20], *sound[1:]],
        [*sound[:2], [30, 60.5]],
        [[0, 20], [30, 20], [30, 60]],
        [[20, 30], [0, 20], [30, 60]],
        None,
    ]
    path = write_lmdb(tmp_path / "a", [(jpeg(i), "aäb".encode()) for i in range(8)])
    with lmdb.open(str(path), map_size=2**24) as environment, environment.begin(write=True) as t:
        for record, extents in enumerate(stored, start=1):
            if extents is not None:
                t.put(b"extents-%09d" % record, np.array(extents, np.float32).tobytes())
    (one,) = verify({"a": path}).values()
    assert one.faults == [
        "extents of 2 characters for a label of 3: 1 records (2)",
        "extents are not finite: 1 records (3)",
        "extents reach out of the image: 2 records (4, 5)",
        "extents are not in order: 2 records (6, 7)",
        "extents missing: 1 records (8)",
    ]


def test_rendered_sets_are_sound(tmp_path):
    words = RenderedWords("train", 20, WordRenderer(find_fonts()[:4], 32, 128, "scene"))
    render_set(words, tmp_path / "a")
    (one,) = verify({"a": tmp_path / "a"}).values()
    assert (one.records, one.faults) == (20, [])


def test_sets_of_neither_side_are_named(tmp_path, write_lmdb, jpeg):
    names = ["train/a", "b"]
    for i, name in enumerate(names):
        write_lmdb(tmp_path / name, [(jpeg(i), b"a")])
    found = verify({name: tmp_path / name for name in names})
    assert found["train/a"].findings == []
    (finding,) = found["b"].findings
    assert finding.startswith("compared with no other set: neither train nor test")
    assert verify({"b": tmp_path / "b"})["b"].findings == []  # there is nothing to compare with


def test_test_images_in_the_training_data_are_found(tmp_path, write_lmdb, jpeg):
    train, test = [[jpeg(i) for i in seeds] for seeds in ((1, 2), (1, 3))]
    write_lmdb(tmp_path / "train" / "a", [(image, b"one") for image in train])
    write_lmdb(tmp_path / "test" / "b", [(image, b"two") for image in test])
    found = verify({name: tmp_path / name for name in ("train/a", "test/b")})
    assert not any(v.faults for v in found.values())
    assert found["test/b"].findings == ["1 images also occur in train/a, byte for byte"]


def test_damaged_pages_are_named_and_fatal_ones_found(tmp_path, write_lmdb, jpeg, monkeypatch):
    """Raised by LMDB for records 4 and 9, which spoils a transaction; 6 and 12 are fatal."""

    def read(transaction, record):
        if record in (4, 9):
            raise lmdb.CorruptedError("page")
        if record in (6, 12):
            os._exit(1)
        return read_record(transaction, record)

    monkeypatch.setattr(verifying, "CHUNK", 5)
    monkeypatch.setattr(verifying, "read_record", read)
    path = write_lmdb(tmp_path / "a", [(jpeg(i), b"word") for i in range(13)])
    raised = "data.mdb is damaged (CorruptedError): 2 records (4, 9)"
    for workers in (1, 2):
        (one,) = verify({"a": path}, workers).values()
        assert one.faults == [raised, f"{ENDS}: 2 records (6, 12)"] and one.state == "broken"
        assert list(np.flatnonzero(one.digests == 0) + 1) == [4, 6, 9, 12]
    said = report(verify({"b": write_lmdb(tmp_path / "b", [(jpeg(), b"a")])})).notes[-1]
    assert "is not seen: compare the checksum of data.mdb" in said


def test_several_processes_read_the_same(tmp_path, write_lmdb, jpeg, monkeypatch):
    monkeypatch.setattr(verifying, "CHUNK", 3)
    records = [(jpeg(i), b"word" if i != 7 else b"") for i in range(10)]
    path = write_lmdb(tmp_path / "a", records)
    done = []
    one, two = scan(path, 10), scan(path, 10, workers=2, advance=done.append)
    np.testing.assert_array_equal(one.digests, two.digests)
    assert one.faults == two.faults == [(8, "label is empty")]
    assert done == [3, 6, 9, 10]
