"""``dctc data doctor``: findings in sets made for them, and CTC's first target by paths."""

import io

import numpy as np
import pytest
import yaml
from PIL import Image

from dctc.cli import main
from dctc.data.archives import doctor
from dctc.data.archives.doctor import Target, doctor_report, examine, first_target
from dctc.data.records.image_size import ImageSize
from dctc.text import Charset
from models.onnx_graphs import write_recognizer
from oracle.enumeration import paths_of

WIDE = {"width": 640, "keep_ratio": True}
FRAMES = [max(width // 4, 1) for width in range(641)]


def target(charset="36", protocol="english36", **size):
    return Target("net", Charset.load(charset), protocol, ImageSize(32, 128, **size), FRAMES)


def image(width=100, height=32, seed=0, constant=False):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(np.zeros_like(pixels) if constant else pixels).save(stream, "PNG")
    return stream.getvalue()


def numbers(records, write_lmdb, path, *args, **size):
    """Records of each finding in a set of (image, label)."""
    encoded = [(one, text.encode() if isinstance(text, str) else text) for one, text in records]
    return examine(write_lmdb(path, encoded), target(*args, **size)).found


def test_labels_that_a_net_cannot_be_trained_on(tmp_path, write_lmdb):
    texts = ["cat", "!", "Gru\N{LATIN SMALL LETTER SHARP S}", "", b"\xff", "a\u200bb", "x" * 17]
    records = [(image(seed=i), text) for i, text in enumerate(texts)]
    assert numbers(records, write_lmdb, tmp_path / "a") == {
        doctor.EMPTY: [2],
        "label is empty": [4],
        "label is not UTF-8": [5],
        "label has the invisible character U+200B": [6],
        doctor.LONG: [7],  # 17 equal characters need 33 frames of 32
    }
    # nothing of 16 is too long, but the padding of a narrow image gives no frames
    fits = [(image(), "x" * 16), (image(24), "abc" * 3)]
    assert numbers(fits, write_lmdb, tmp_path / "b") == {}
    narrow = numbers(fits, write_lmdb, tmp_path / "c", keep_ratio=True)
    assert narrow == {doctor.LONG: [1, 2]}  # 31 frames needed of 25, and 9 of 6


def test_frames_of_the_padding_count_where_a_net_reads_them(tmp_path, write_lmdb):
    path = write_lmdb(tmp_path / "a", [(image(24), b"abc" * 3), (image(640), b"x" * 32)])
    size = ImageSize(32, 640, keep_ratio=True)
    net = Target("net", Charset.load("36"), "english36", size, FRAMES)
    assert examine(path, net).found == {doctor.LONG: [1]}
    found = examine(path, net._replace(reads_padding=True))
    assert (found.found, found.gives) == ({}, [160, 160])
    assert "images 32 x 640)" in doctor_report("a", found, net).title


def test_why_characters_are_outside_the_charset(tmp_path, write_lmdb):
    chars = tmp_path / "chars.txt"
    chars.write_text("abc\u05d0")
    texts = ["ab", "\uff41b", "aB", "a b", "xyz", "\u05d0"]
    records = [(image(seed=i), text) for i, text in enumerate(texts)]
    expected = {
        **{doctor.FORMS: [2], doctor.CASE: [3], doctor.SPACE: [4], doctor.OUTSIDE: [5]},
        doctor.RIGHT_TO_LEFT: [6],
    }
    assert numbers(records, write_lmdb, tmp_path / "a", str(chars), "verbatim") == expected
    chars.write_text("ab ")
    fixed = [(image(), "a\u00a0b")]  # a no-break space, where the charset has a plain one
    found = numbers(fixed, write_lmdb, tmp_path / "b", str(chars), "verbatim")
    assert found == {doctor.FORMS: [1]}


def test_images_that_a_net_cannot_read(tmp_path, write_lmdb):
    records = [
        (image(30, 64), "tall"),
        (image(300, 32), "wide"),
        (image(constant=True), "empty"),
        (b"broken", "broken"),
        (image(seed=5), "one"),
        (image(seed=5), "two"),
        (image(seed=5), "one"),
    ]
    found = numbers(records, write_lmdb, tmp_path / "a")
    assert found.pop(doctor.TALL_CROP) == [1] and found.pop(doctor.NARROW) == [2]
    assert found.pop(doctor.CONSTANT) == [3] and found.pop(doctor.TWICE) == [6]
    ((what, where),) = found.items()
    assert what.startswith(doctor.UNDECODED) and where == [4]
    half = np.full((32, 100, 3), 9, np.uint8)
    stream = io.BytesIO()
    Image.fromarray(half).save(stream, "JPEG")
    (damaged,) = numbers([(stream.getvalue()[:-40], "cat")], write_lmdb, tmp_path / "c")
    assert damaged.startswith(doctor.DAMAGED)
    turned = numbers(records[:1], write_lmdb, tmp_path / "b", rotate_tall="left")
    assert turned == {}


def test_ctcs_first_target_counts_paths():
    """While all outputs are equal, each path of the label counts the same."""
    for frames, characters in ((3, 2), (5, 1), (6, 3)):
        paths = paths_of(tuple(range(1, characters + 1)), frames, characters + 1, 0)
        assert first_target(frames, characters) == pytest.approx((paths == 0).mean(), abs=1e-12)


def test_a_large_set_is_looked_at_in_part_and_said_so(tmp_path, write_lmdb):
    records = [(image(seed=i), b"cat" if i % 2 else b"!") for i in range(9)]
    found = examine(write_lmdb(tmp_path / "a", records), target(), count=3)
    assert (found.records, found.looked_at, found.found) == (9, 3, {doctor.EMPTY: [1, 5, 9]})
    report = doctor_report("a", found, target())
    assert "3 of 9 records" in report.title and report.rows[0][:2] == ["3", "100.0"]
    assert report.notes[-1] == "No label is left to train on"


def test_every_finding_has_a_cure(tmp_path, write_lmdb):
    named = {v for k, v in vars(doctor).items() if k.isupper() and isinstance(v, str)}
    assert named - {doctor.BROKEN, doctor.NO_IMAGE, doctor.UNDECODED, doctor.DAMAGED} == {
        *doctor.CURES
    }
    net = target()
    records = [(b"broken", b"cat"), (image(), b"\xff")]
    report = doctor_report("a", examine(write_lmdb(tmp_path / "a", records), net), net)
    assert sum(note.endswith(doctor.BROKEN) for note in report.notes) == len(report.rows) == 2


def test_images_are_judged_at_the_width_of_fine_tuning(tmp_path, write_lmdb, capsys):
    """As ``dctc finetune`` takes it, and not at the width that reading goes up to."""
    records = [(image(320, 32, seed=i), b"abc~Z") for i in range(199)]
    path = write_lmdb(tmp_path / "a", [*records, (image(1200, 32), b"abc")])
    model = write_recognizer(tmp_path)
    with pytest.raises(SystemExit):
        main(["data", "doctor", str(path), "--model", str(model)])
    said = " ".join(capsys.readouterr().out.split())
    assert "images 48 x 480)" in said and f"1 0.5 {doctor.NARROW} 200" in said
    assert doctor.CASE not in said  # dctc finetune adds ASCII to the charset
    # a configuration is taken as it is
    options = {"source": str(model), "charset_policy": "new"}
    net = {"class_path": "dctc.models.OnnxRecognizer", "init_args": options}
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump({"model": {"net": net}, "data": {"init_args": WIDE}}))
    with pytest.raises(SystemExit):
        main(["data", "doctor", str(path), "--model", str(config)])
    assert "images 48 x 640)" in " ".join(capsys.readouterr().out.split())


def test_what_is_seen_in_pixels_is_a_share_of_those_that_were_read(
    tmp_path, write_lmdb, monkeypatch
):
    monkeypatch.setattr(doctor, "PIXELS", 2)
    records = [(image(constant=True), b"cat")] * 8 + [(b"no image", b"cat")] * 2
    found = examine(write_lmdb(tmp_path / "a", records), target())
    assert (found.looked_at, found.decoded, len(found.found[doctor.CONSTANT])) == (10, 2, 2)
    report = doctor_report("a", found, target())
    assert [row[:2] for row in report.rows] == [["2", "100.0"], ["2", "20.0"]]
    assert any("Pixels were read of 2 records" in note for note in report.notes)


def test_the_command_fits_a_terminal(tmp_path, write_lmdb, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    net = {"class_path": "tiny.TinyNet", "init_args": {"height": 32}}
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump({"model": {"net": net}}))
    good = write_lmdb(tmp_path / "good", [(image(seed=i), b"cat") for i in range(3)])
    main(["data", "doctor", str(good), "--model", str(config)])
    said = " ".join(capsys.readouterr().out.split())
    assert "3 labels are 'cat'" in said and "images give 32" in said
    bad = write_lmdb(tmp_path / "bad", [(image(seed=0), b"cat"), (image(seed=1), b"!")])
    with pytest.raises(SystemExit) as ended:
        main(["data", "doctor", str(bad), "--model", str(config)])
    lines = capsys.readouterr().out.splitlines()
    assert ended.value.code == 1 and max(map(len, lines)) <= 80 and len(lines) <= 24
    assert any(line.split()[:2] == ["1", "50.0"] for line in lines)
