"""Converters, on archives of the official layout that the tests write themselves."""

import hashlib
import io
import json

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat, savemat

from dctc.data.archives import text_lists
from dctc.data.archives.convert import KINDS, convert, read_word
from dctc.data.archives.text_lists import Word
from dctc.data.archives.verify import verify
from dctc.data.catalogue import Benchmark
from dctc.data.records.folders import open_environment
from dctc.data.records.lmdb import LmdbDataset
from dctc.text import Charset

COLOURS = [(250, 0, 0), (0, 250, 0), (0, 0, 250)]


def stored(folder):
    """Labels and images of a set, in order."""
    with open_environment(folder).begin() as transaction:
        count = int(transaction.get(b"num-samples"))
        return [
            (transaction.get(b"label-%09d" % i).decode(), transaction.get(b"image-%09d" % i))
            for i in range(1, count + 1)
        ]


def run(kind, source, out, size=None, **options):
    """Convert, with a registry in which the benchmark has ``size`` words."""
    entry = KINDS[kind]
    if entry.benchmark is not None:
        small = Benchmark(entry.benchmark.name, size, (), "")
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(KINDS, kind, entry._replace(benchmark=small))
            return convert(kind, source, out, **options)
    return convert(kind, source, out, **options)


@pytest.fixture
def put(tmp_path, encode_image):
    """``put("a/b.jpg", 3) -> bytes`` writes an image of noise below tmp_path."""

    def write(name, seed=0):
        data = encode_image(seed, format="PNG" if name.endswith("png") else "JPEG")
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
        return data

    return write


def street(file):
    """Write a picture of three patches of one colour each, 20 by 10 pixels, on black."""
    pixels = np.zeros((40, 100, 3), np.uint8)
    for i, colour in enumerate(COLOURS):
        pixels[10:20, 30 * i + 5 : 30 * i + 25] = colour
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file, "PNG")


def patch_box(i):
    """Left, top, right, bottom of a patch."""
    return 30 * i + 5, 10, 30 * i + 25, 20


def assert_patches(records, numbers):
    for (_, encoded), i in zip(records, numbers, strict=True):
        image = Image.open(io.BytesIO(encoded))
        assert image.size == (20, 10)
        assert image.getcolors() == [(200, COLOURS[i])]


@pytest.mark.parametrize(("part", "folder"), [("test", "test"), ("train", "train")])
def test_iiit5k(tmp_path, put, part, folder):
    labels = ["You", "1947", "I"]
    names = [f"{folder}/{i}_1.png" for i in range(3)]
    images = [put(name, i) for i, name in enumerate(names)]
    fields = [("ImgName", "O"), ("GroundTruth", "O"), ("smallLexi", "O")]
    lexicon = np.array(["YOU", "ME"], dtype=object)
    rows = [(name, label, lexicon) for name, label in zip(names, labels, strict=True)]
    savemat(tmp_path / f"{part}data.mat", {f"{part}data": np.array([rows], dtype=fields)})
    run(f"iiit5k-{part}", tmp_path / f"{part}data.mat", tmp_path / "out", size=3)
    assert stored(tmp_path / "out") == list(zip(labels, images, strict=True))


def test_iiit5k_of_another_file(tmp_path):
    savemat(tmp_path / "testdata.mat", {"traindata": np.zeros(1)})
    with pytest.raises(ValueError, match="holds no array 'testdata'"):
        run("iiit5k-test", tmp_path / "testdata.mat", tmp_path / "out", size=1)
    (tmp_path / "testdata.mat").write_bytes(b"<html>not found</html>" * 20)
    with pytest.raises(ValueError, match="cannot be read as a MATLAB file"):
        run("iiit5k-test", tmp_path / "testdata.mat", tmp_path / "out", size=1)


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "compressed"])
def mat(request, tmp_path_factory):
    """The bytes of a whole testdata.mat."""
    file = tmp_path_factory.mktemp("mat") / "testdata.mat"
    lexicon = np.array(["YOU", "ME"], dtype=object)
    rows = [(f"test/{i}_1.png", "You", lexicon) for i in range(30)]
    fields = [("ImgName", "O"), ("GroundTruth", "O"), ("smallLexi", "O")]
    entries = {"testdata": np.array([rows], dtype=fields)}
    savemat(file, entries, do_compression=request.param)
    return file.read_bytes()


def assert_one_line_names(source, tmp_path):
    with pytest.raises(ValueError) as caught:
        run("iiit5k-test", source, tmp_path / "out", size=30)
    assert str(source) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists() and not (tmp_path / "out.partial").exists()


@pytest.mark.parametrize("kept", [0, 3, 100, 127, 128, 130, 136, 140, 160, 200, 300, -100, -9, -1])
def test_a_mat_file_that_was_cut_off(tmp_path, mat, kept):
    (tmp_path / "testdata.mat").write_bytes(mat[:kept])
    assert_one_line_names(tmp_path / "testdata.mat", tmp_path)


# The version, the type of the first element (four bytes), and what it holds
@pytest.mark.parametrize("place", [127, 128, 129, 131, 144])
def test_a_mat_file_with_a_flipped_byte(tmp_path, mat, place):
    broken = bytearray(mat)
    broken[place] ^= 0x7F
    (tmp_path / "testdata.mat").write_bytes(broken)
    assert_one_line_names(tmp_path / "testdata.mat", tmp_path)


@pytest.mark.parametrize(
    "entries",
    [
        np.array([[("a.png", 3.0)]], dtype=[("ImgName", "O"), ("GroundTruth", "O")]),
        np.array([[(np.array(["a", "b"]), "x")]], dtype=[("ImgName", "O"), ("GroundTruth", "O")]),
        np.array([[("a.png", "x")]], dtype=[("ImgName", "O"), ("other", "O")]),
        np.zeros(3),
    ],
)
def test_a_mat_file_of_other_contents(tmp_path, entries):
    savemat(tmp_path / "testdata.mat", {"testdata": entries})
    assert_one_line_names(tmp_path / "testdata.mat", tmp_path)


SVT = """<?xml version="1.0" encoding="utf-8"?>
<tagset>
  <image>
    <imageName>img/00_01.jpg</imageName>
    <address>1 Example Street</address>
    <lex>ONE,TWO</lex>
    <Resolution x="100" y="40" />
    <taggedRectangles>
      <taggedRectangle height="10" width="20" x="5" y="10"><tag>ONE</tag></taggedRectangle>
      <taggedRectangle height="10" width="20" x="65" y="10"><tag>TWO</tag></taggedRectangle>
    </taggedRectangles>
  </image>
  <image>
    <imageName>img/00_02.jpg</imageName>
    <taggedRectangles>
      <taggedRectangle height="{height}" width="20" x="35" y="{y}">
        <tag>A&amp;B</tag>
      </taggedRectangle>
    </taggedRectangles>
  </image>
</tagset>
"""


def test_svt_words_are_cropped(tmp_path):
    street(tmp_path / "img" / "00_01.jpg"), street(tmp_path / "img" / "00_02.jpg")
    (tmp_path / "test.xml").write_text(SVT.format(height=10, y=10))
    run("svt-test", tmp_path / "test.xml", tmp_path / "out", size=3)
    records = stored(tmp_path / "out")
    assert [label for label, _ in records] == ["ONE", "TWO", "A&B"]
    assert_patches(records, [0, 2, 1])


def test_boxes_over_the_edge_are_clipped_and_beyond_it_refused(tmp_path):
    street(tmp_path / "img" / "00_01.jpg"), street(tmp_path / "img" / "00_02.jpg")
    (tmp_path / "test.xml").write_text(SVT.format(height=50, y=-10))
    run("svt-test", tmp_path / "test.xml", tmp_path / "out", size=3)
    assert Image.open(io.BytesIO(stored(tmp_path / "out")[2][1])).size == (20, 40)
    (tmp_path / "test.xml").write_text(SVT.format(height=10, y=40))
    with pytest.raises(ValueError, match=r"00_02.jpg rectangle 1: .*lies outside of the image"):
        run("svt-test", tmp_path / "test.xml", tmp_path / "out2", size=3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<tagset><image>", "is not XML"),
        (SVT.format(height="ten", y=1), "rectangle 1 of img/00_02.jpg: .*not a number"),
    ],
)
def test_a_broken_svt_file(tmp_path, text, message):
    street(tmp_path / "img" / "00_01.jpg"), street(tmp_path / "img" / "00_02.jpg")
    (tmp_path / "test.xml").write_text(text)
    with pytest.raises(ValueError, match=message):
        run("svt-test", tmp_path / "test.xml", tmp_path / "out", size=3)


# A byte order mark, Windows line ends, escaped quotes and backslashes, commas, letters beyond ASCII
GT = '\ufeffword_1.png, "Tiredness"\r\nword_2.png, "say \\"a\\", b"\r\nword_3.png, "C:\\\\é"\r\n'


def test_icdar_2015(tmp_path, put):
    images = [put(f"word_{i}.png", i) for i in (1, 2, 3)]
    (tmp_path / "gt.txt").write_text(GT, encoding="utf-8", newline="")
    run("ic15-test", tmp_path / "gt.txt", tmp_path / "out", size=3)
    labels = ["Tiredness", 'say "a", b', "C:\\é"]
    assert stored(tmp_path / "out") == list(zip(labels, images, strict=True))


def test_icdar_2013_test_keeps_letters_and_digits_only(tmp_path, put):
    (tmp_path / "images").mkdir()
    for i in (1, 2, 3):
        put(f"images/word_{i}.png", i)
    (tmp_path / "gt.txt").write_text(GT, encoding="utf-8", newline="")
    options = {"images": tmp_path / "images"}
    run("ic13-test", tmp_path / "gt.txt", tmp_path / "out", size=1, **options)
    assert [label for label, _ in stored(tmp_path / "out")] == ["Tiredness"]
    run("ic13-train", tmp_path / "gt.txt", tmp_path / "train", size=3, **options)
    assert len(stored(tmp_path / "train")) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'word_1.png, "a"\nword_2.png a\n', "line 2: 'word_2.png a' is not: file, \"label\""),
        (b'word_1.png, "\xff"\n', "is not UTF-8"),
    ],
)
def test_a_broken_icdar_file(tmp_path, put, content, message):
    put("word_1.png")
    (tmp_path / "gt.txt").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        run("ic15-test", tmp_path / "gt.txt", tmp_path / "out", size=2)


@pytest.mark.parametrize("kind", ["svtp", "cute80"])
def test_image_lists(tmp_path, put, kind):
    images = [put("13_15_0_par.jpg", 1), put("timage/img_2.jpg", 2)]
    text = "13_15_0_par.jpg PRIMI 3 primi,bar,cafe\ntimage/img_2.jpg RONALDO's\n"
    (tmp_path / "imagelist.txt").write_text(text)
    run(kind, tmp_path / "imagelist.txt", tmp_path / "out", size=2)
    assert stored(tmp_path / "out") == [("PRIMI", images[0]), ("RONALDO's", images[1])]
    (tmp_path / "imagelist.txt").write_text(text + "img_3.jpg two words\n")
    with pytest.raises(ValueError, match=r"line 3: .*two words.* is not: file label"):
        run(kind, tmp_path / "imagelist.txt", tmp_path / "out2", size=3)


@pytest.fixture
def small_mjsynth(monkeypatch):
    """annotation_train.txt has two lines."""
    monkeypatch.setitem(text_lists.MJSYNTH_LINES, "annotation_train.txt", 2)


def test_mjsynth_labels_stand_in_the_names(tmp_path, put, small_mjsynth):
    images = [put("2425/1/115_Lube_45484.jpg", 1), put("1/2/3_ALL-IN_7.jpg", 2)]
    text = "./2425/1/115_Lube_45484.jpg 45484\n./1/2/3_ALL-IN_7.jpg 7\n"
    (tmp_path / "annotation_train.txt").write_text(text)
    convert("mjsynth", tmp_path / "annotation_train.txt", tmp_path / "out")
    assert stored(tmp_path / "out") == [("Lube", images[0]), ("ALL-IN", images[1])]
    (tmp_path / "annotation_train.txt").write_text("./1/lube.jpg 3\n" * 2)
    with pytest.raises(ValueError, match=r"line 1: .* names no file number_LABEL_number"):
        convert("mjsynth", tmp_path / "annotation_train.txt", tmp_path / "out2")


def test_a_cut_off_annotation_file_of_mjsynth(tmp_path, put, small_mjsynth):
    put("1/2/3_all_7.jpg")
    source = tmp_path / "annotation_train.txt"
    source.write_text("./1/2/3_all_7.jpg 7\n")
    message = r"annotation_train\.txt: 1 words where MJSynth has 2"
    with pytest.raises(ValueError, match=f"{message}; get the complete archive"):
        convert("mjsynth", source, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.warns(UserWarning, match=message):
        convert("mjsynth", source, tmp_path / "out", lenient=True)
    with pytest.raises(ValueError, match=message):  # is not complete for that
        convert("mjsynth", source, tmp_path / "out")
    source = source.rename(tmp_path / "mine.txt")
    with pytest.warns(UserWarning, match=r"mine\.txt: no number of words is known"):
        convert("mjsynth", source, tmp_path / "mine")


def test_the_parts_of_mjsynth_add_up():
    whole, *parts = text_lists.MJSYNTH_LINES.values()
    assert whole == sum(parts)


def corners(*boxes):
    """``(2, 4, words)`` corners, clockwise from the top left, as SynthText has them."""
    quads = [[[a, c, c, a], [b, b, d, d]] for a, b, c, d in boxes]
    return np.array(quads, dtype=float).transpose(1, 2, 0)


def synthtext(tmp_path, texts, boxes):
    names = np.empty((1, len(texts)), dtype=object)
    bounds, strings = names.copy(), names.copy()
    for i, (text, box) in enumerate(zip(texts, boxes, strict=True)):
        street(tmp_path / f"8/ballet_{i}.jpg")
        names[0, i], strings[0, i], bounds[0, i] = f"8/ballet_{i}.jpg", np.array(text), box
    savemat(tmp_path / "gt.mat", {"imnames": names, "wordBB": bounds, "txt": strings})
    return tmp_path / "gt.mat"


def test_synthtext_words_are_cropped_upright(tmp_path, monkeypatch):
    monkeypatch.setattr("dctc.data.archives.annotations.SYNTHTEXT_IMAGES", 3)
    one = corners(patch_box(1))[:, :, 0]  # MATLAB drops the last axis of a single word
    tilted = np.array([[[35.0, 45, 55, 45], [15, 10, 15, 20]]]).transpose(1, 2, 0)
    texts = [["the \n end", "Now!   "], ["word"], ["x"]]
    boxes = [corners(*map(patch_box, (0, 1, 2))), one, tilted]
    convert("synthtext", synthtext(tmp_path, texts, boxes), tmp_path / "out")
    records = stored(tmp_path / "out")
    assert [label for label, _ in records] == ["the", "end", "Now!", "word", "x"]
    assert_patches(records, [0, 1, 2, 1, 1])  # the upright rectangle around a rhombus is the patch


def test_synthtext_with_more_boxes_than_words(tmp_path, monkeypatch):
    monkeypatch.setattr("dctc.data.archives.annotations.SYNTHTEXT_IMAGES", 1)
    source = synthtext(tmp_path, [["one two"]], [corners(*map(patch_box, (0, 1, 2)))])
    with pytest.raises(ValueError, match=r"8/ballet_0\.jpg has 3 boxes and 2 words"):
        convert("synthtext", source, tmp_path / "out")


def test_synthtext_of_another_number_of_images(tmp_path):
    source = synthtext(tmp_path, [["one"]], [corners(patch_box(0))])
    message = r"gt\.mat: 1 images where SynthText has 858,750"
    with pytest.raises(ValueError, match=f"{message}; get the complete archive"):
        convert("synthtext", source, tmp_path / "out")
    with pytest.warns(UserWarning, match=message):
        convert("synthtext", source, tmp_path / "out", lenient=True)
    assert [label for label, _ in stored(tmp_path / "out")] == ["one"]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("imnames", np.array([[3.0, "a.jpg"]], dtype=object), "array.* in place of a string"),
        ("imnames", np.zeros((1, 2)), "in place of a string"),
        ("wordBB", np.zeros((1, 3)), "2, 3, 2.* images, boxes and texts"),
        ("wordBB", np.array([[np.zeros((2, 3)), 1]], dtype=object), "no boxes of four corners"),
        ("txt", np.array([[np.zeros(3), "b"]], dtype=object), "has no texts"),
    ],
)
def test_synthtext_of_other_contents(tmp_path, monkeypatch, key, value, message):
    monkeypatch.setattr("dctc.data.archives.annotations.SYNTHTEXT_IMAGES", 2)
    source = synthtext(tmp_path, ["a", "b"], [corners(patch_box(i)) for i in (0, 1)])
    whole = {k: v for k, v in loadmat(source).items() if not k.startswith("__")}
    savemat(source, {**whole, key: value})
    with pytest.raises(ValueError, match=rf"gt\.mat: .*{message}"):
        convert("synthtext", source, tmp_path / "out")


def table(tmp_path, *rows):
    (tmp_path / "labels.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in rows), encoding="utf-8")
    return tmp_path / "labels.tsv"


def test_tables_keep_labels_and_bytes(tmp_path, put):
    images = [put("a.jpg", 1), put("b/c.png", 2)]
    source = table(tmp_path, ("a.jpg", " two  words !"), ("b/c.png", "漢字"))
    convert("table", source, tmp_path / "out")
    labels = [" two  words !", "漢字"]
    assert stored(tmp_path / "out") == list(zip(labels, images, strict=True))
    dataset = LmdbDataset(tmp_path / "out", "x", "english36", Charset.load("36"))
    (sample,) = list(dataset)
    assert (sample.label, dataset.drops.total()) == ("twowords", 1)
    recipe = json.loads((tmp_path / "out" / "recipe.json").read_text())
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    assert recipe["source_sha256"] == digest
    assert recipe["result"] == {"taken": 2, "records": 2, "faults": {}}


@pytest.mark.parametrize(
    ("label", "fault"),
    [
        ("", "label is empty"),
        ("  ", "label is empty"),
        ("a\tthird column", r"label has the control character U\+0009 \('a\\tthird column'\)"),
    ],
)
def test_labels_that_verify_calls_broken_are_refused(tmp_path, put, label, fault):
    put("a.jpg"), put("b.jpg")
    source = table(tmp_path, ("a.jpg", "a"), ("b.jpg", label))
    with pytest.raises(ValueError, match=f"b.jpg: {fault}.*--lenient"):
        convert("table", source, tmp_path / "out")
    with pytest.warns(UserWarning, match=fault):
        convert("table", source, tmp_path / "out", lenient=True)
    (one,) = verify({"out": tmp_path / "out"}).values()
    assert (one.records, one.faults) == (1, [])


def test_half_of_a_surrogate_pair_is_a_fault_of_the_label():
    # MATLAB stores UTF-16, of which half a pair may be left
    assert read_word(Word("a", "\ud800", bytes)).reason == "label is not UTF-8"


def test_missing_and_broken_images_are_named(tmp_path, put):
    put("a.jpg"), put("cut.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "cut.jpg").read_bytes()[:300])
    for name, reason in (("none.jpg", "image missing"), ("cut.jpg", "image cannot be decoded")):
        with pytest.raises(ValueError, match=f"{name}: {reason}.*--lenient"):
            convert("table", table(tmp_path, ("a.jpg", "a"), (name, "b")), tmp_path / name[:3])
        assert not (tmp_path / name[:3]).exists()
    source = table(tmp_path, ("cut.jpg", "b"), ("a.jpg", "a"), ("none.jpg", "c"))
    with pytest.warns(UserWarning, match="left out and counted") as caught:
        progress = convert("table", source, tmp_path / "out", lenient=True)
    assert len(caught) == 2
    assert progress.faults == {"image missing": 1, "image cannot be decoded": 1}
    assert [label for label, _ in stored(tmp_path / "out")] == ["a"]
    recipe = json.loads((tmp_path / "out" / "recipe.json").read_text())
    assert recipe["result"]["faults"] == progress.faults


def test_a_benchmark_of_another_size_is_refused(tmp_path, put):
    put("a.jpg")
    (tmp_path / "imagelist.txt").write_text("a.jpg one\n" * 3)
    source = tmp_path / "imagelist.txt"
    with pytest.raises(ValueError, match="SVTP: 3 words where 645 are expected"):
        convert("svtp", source, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    convert("svtp", source, tmp_path / "out", lenient=True)
    assert len(stored(tmp_path / "out")) == 3


def test_words_left_out_do_not_pass_as_strict(tmp_path, put):
    put("a.jpg")
    source = table(tmp_path, ("a.jpg", "a"), ("none.jpg", "b"))
    with pytest.warns(UserWarning, match="left out and counted"):
        convert("table", source, tmp_path / "out", lenient=True)
    with pytest.raises(ValueError, match=r"out: words were left out .*\(1 image missing\)"):
        convert("table", source, tmp_path / "out")
    assert convert("table", source, tmp_path / "out", lenient=True).faults.total() == 1


def test_a_set_of_another_size_does_not_pass_as_strict(tmp_path, put):
    put("a.jpg")
    source = tmp_path / "imagelist.txt"
    source.write_text("a.jpg one\n" * 3)
    run("svtp", source, tmp_path / "out", size=4, lenient=True)
    with pytest.raises(ValueError, match="SVTP: 3 words where 4 are expected"):
        run("svtp", source, tmp_path / "out", size=4)


@pytest.mark.filterwarnings("ignore:.*left out and counted")
def test_a_strict_conversion_may_go_on_lenient(tmp_path, put, monkeypatch):
    monkeypatch.setattr("dctc.data.records.writer.PER_TRANSACTION", 1)
    put("a.jpg")
    source = table(tmp_path, ("a.jpg", "a"), ("none.jpg", "b"))
    with pytest.raises(ValueError, match=r"none\.jpg: image missing.*--lenient"):
        convert("table", source, tmp_path / "out")
    (tmp_path / "a.jpg").unlink()  # committed, so not read again
    assert convert("table", source, tmp_path / "out", lenient=True).records == 1


def test_another_folder_of_images_is_another_set(tmp_path, put):
    put("one/a.jpg", 1), put("two/a.jpg", 2)
    source = table(tmp_path, ("a.jpg", "a"))
    convert("table", source, tmp_path / "out", images=tmp_path / "one")
    with pytest.raises(ValueError, match='was begun with images "one", not "two"'):
        convert("table", source, tmp_path / "out", images=tmp_path / "two")
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in ("one", "labels.tsv"):
        (tmp_path / name).rename(moved / name)
    # an archive may move as a whole
    convert("table", moved / "labels.tsv", tmp_path / "out", images=moved / "one")


@pytest.mark.filterwarnings("ignore:.*left out and counted")
@pytest.mark.parametrize(("content", "left_out"), [("", "nothing"), ("x\ta\n", "1 image missing")])
def test_a_file_without_words_is_named_and_leaves_nothing(tmp_path, content, left_out):
    source = tmp_path / "labels.tsv"
    source.write_text(content)
    with pytest.raises(ValueError, match=f"labels.tsv: no word to write; left out: {left_out}$"):
        convert("table", source, tmp_path / "out", lenient=True)
    assert [p.name for p in tmp_path.iterdir()] == ["labels.tsv"]


def test_no_annotation_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"for svt-test give the path of test\.xml"):
        convert("svt-test", tmp_path / "svt1", tmp_path / "out")


def test_a_mended_archive_goes_on_where_it_stopped(tmp_path, put, monkeypatch):
    monkeypatch.setattr("dctc.data.records.writer.PER_TRANSACTION", 2)
    rows = [(f"{i}.jpg", f"w{i}") for i in range(6)]
    images = [put(name, i) for i, (name, _) in enumerate(rows)]
    (tmp_path / "5.jpg").unlink()
    source = table(tmp_path, *rows)
    with pytest.raises(ValueError, match=r"5\.jpg: image missing"):
        convert("table", source, tmp_path / "out")
    put("5.jpg", 5)
    (tmp_path / "0.jpg").unlink()  # committed, so not read again
    convert("table", source, tmp_path / "out")
    assert [image for _, image in stored(tmp_path / "out")] == images
