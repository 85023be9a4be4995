"""Converters, on archives of the official layout that the tests write themselves."""

import hashlib
import io
import json
import os

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat, savemat

from dctc.data.archives import annotations, text_lists
from dctc.data.archives.convert import FORMS, LACKS, convert, read_word
from dctc.data.archives.text_lists import Word
from dctc.data.archives.verify import verify
from dctc.data.catalogue import ARCHIVES, Benchmark
from dctc.data.records.folders import count_records, open_environment, read_record
from dctc.data.records.lmdb import LmdbDataset
from dctc.text import Charset

COLOURS = [(250, 0, 0), (0, 250, 0), (0, 0, 250)]
FIELDS = [("ImgName", "O"), ("GroundTruth", "O"), ("smallLexi", "O")]


def stored(folder):
    """Labels and images of a set, in order."""
    with open_environment(folder).begin() as transaction:
        records = [read_record(transaction, i + 1) for i in range(count_records(folder))]
    return [(record.label.decode(), record.image) for record in records]


def labels(folder):
    return [label for label, _ in stored(folder)]


def run(kind, source, out, size=None, **options):
    """Convert, with a catalogue in which the benchmark has ``size`` words."""
    entry = ARCHIVES[kind]
    with pytest.MonkeyPatch.context() as patch:
        if entry.benchmark is not None:
            small = Benchmark(entry.benchmark.name, size, (), "")
            patch.setitem(ARCHIVES, kind, entry._replace(benchmark=small))
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


@pytest.fixture
def write(tmp_path):
    """``write("gt.txt", "...") -> path`` writes an annotation file."""

    def write(name, content):
        content = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write


@pytest.fixture
def street(tmp_path):
    """``street("a.jpg")`` writes a picture of three patches of one colour each, 20 by 10 pixels."""

    def write(*names):
        pixels = np.zeros((40, 100, 3), np.uint8)
        for i, colour in enumerate(COLOURS):
            pixels[10:20, 30 * i + 5 : 30 * i + 25] = colour
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / name, "PNG")

    return write


def patch_box(i):
    """Left, top, right, bottom of a patch."""
    return 30 * i + 5, 10, 30 * i + 25, 20


def assert_patches(folder, numbers):
    for (_, encoded), i in zip(stored(folder), numbers, strict=True):
        image = Image.open(io.BytesIO(encoded))
        assert image.size == (20, 10)
        assert image.getcolors() == [(200, COLOURS[i])]


def test_each_kind_of_archive_has_a_form_that_is_read():
    assert {archive.form for archive in ARCHIVES.values()} == FORMS.keys() > LACKS.keys()


# IIIT5K


def write_mat(file, rows, **options):
    lexicon = np.array(["YOU", "ME"], dtype=object)
    rows = np.array([[(*row, lexicon) for row in rows]], dtype=FIELDS)
    savemat(file, {file.stem: rows}, **options)
    return file


@pytest.mark.parametrize("part", ["test", "train"])
def test_iiit5k(tmp_path, put, part):
    labels = ["You", "1947", "I"]
    rows = [(f"{part}/{i}_1.png", label) for i, label in enumerate(labels)]
    images = [put(name, i) for i, (name, _) in enumerate(rows)]
    source = write_mat(tmp_path / f"{part}data.mat", rows)
    run(f"iiit5k-{part}", source, tmp_path / "out", size=3)
    assert stored(tmp_path / "out") == list(zip(labels, images, strict=True))


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "compressed"])
def mat(request, tmp_path_factory):
    """The bytes of a whole testdata.mat."""
    rows = [(f"test/{i}_1.png", "You") for i in range(30)]
    file = tmp_path_factory.mktemp("mat") / "testdata.mat"
    return write_mat(file, rows, do_compression=request.param).read_bytes()


def assert_one_line_names(source, tmp_path, message=""):
    with pytest.raises(ValueError, match=message) as caught:
        run("iiit5k-test", source, tmp_path / "out", size=30)
    assert str(source) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists() and not (tmp_path / "out.partial").exists()


def test_a_mat_file_that_was_cut_off_or_has_a_flipped_byte(tmp_path, mat, write):
    for kept in (0, 3, 100, 127, 128, 130, 136, 140, 160, 200, 300, -100, -9, -1):
        assert_one_line_names(write("testdata.mat", mat[:kept]), tmp_path)
    # The version, the type of the first element (four bytes), and what it holds
    for place in (127, 128, 129, 131, 144):
        broken = bytearray(mat)
        broken[place] ^= 0x7F
        assert_one_line_names(write("testdata.mat", bytes(broken)), tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html>not found</html>" * 20, "cannot be read as a MATLAB file"),
        ({"traindata": np.zeros(1)}, "holds no array 'testdata'"),
        (np.array([[("a.png", 3.0)]], FIELDS[:2]), "in place of a string"),
        (np.array([[(np.array(["a", "b"]), "x")]], FIELDS[:2]), "in place of a string"),
        (np.array([[("a.png", "x")]], [FIELDS[0], ("other", "O")]), "no field GroundTruth"),
        (np.zeros(3), "no field ImgName"),
    ],
)
def test_a_mat_file_of_other_contents(tmp_path, write, content, message):
    source = tmp_path / "testdata.mat"
    if isinstance(content, bytes):
        write("testdata.mat", content)
    else:
        savemat(source, content if isinstance(content, dict) else {"testdata": content})
    assert_one_line_names(source, tmp_path, message)


# SVT

BOX = '<taggedRectangle height="{}" width="20" x="{}" y="{}"><tag>{}</tag></taggedRectangle>'
IMAGE = """<image><imageName>img/00_0{}.jpg</imageName><address>1 Example Street</address>
<Resolution x="100" y="40" /><taggedRectangles>{}</taggedRectangles></image>"""


def svt(height=10, y=10):
    """A test.xml of two images with two words and one."""
    words = BOX.format(10, 5, 10, "ONE") + BOX.format(10, 65, 10, "TWO")
    images = IMAGE.format(1, words) + IMAGE.format(2, BOX.format(height, 35, y, "A&amp;B"))
    return f'<?xml version="1.0" encoding="utf-8"?><tagset>{images}</tagset>'


def test_svt_words_are_cropped_and_boxes_over_the_edge_clipped(tmp_path, street, write):
    street("img/00_01.jpg", "img/00_02.jpg")
    run("svt-test", write("test.xml", svt(height=10, y=10)), tmp_path / "out", size=3)
    assert labels(tmp_path / "out") == ["ONE", "TWO", "A&B"]
    assert_patches(tmp_path / "out", [0, 2, 1])
    run("svt-test", write("test.xml", svt(height=50, y=-10)), tmp_path / "edge", size=3)
    assert Image.open(io.BytesIO(stored(tmp_path / "edge")[2][1])).size == (20, 40)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<tagset><image>", "is not XML"),
        (svt(height="ten", y=1), "rectangle 1 of img/00_02.jpg: .*not a number"),
        (svt(height=10, y=40), r"00_02.jpg rectangle 1: .*lies outside of the image"),
    ],
)
def test_a_broken_svt_file(tmp_path, street, write, text, message):
    street("img/00_01.jpg", "img/00_02.jpg")
    with pytest.raises(ValueError, match=message):
        run("svt-test", write("test.xml", text), tmp_path / "out", size=3)


# Text files

# A byte order mark, Windows line ends, escaped quotes and backslashes, commas, letters beyond ASCII
GT = '\ufeffword_1.png, "Tiredness"\r\nword_2.png, "say \\"a\\", b"\r\nword_3.png, "C:\\\\é"\r\n'


def test_icdar(tmp_path, put, write):
    images = [put(f"images/word_{i}.png", i) for i in (1, 2, 3)]
    source, options = write("gt.txt", GT), {"images": tmp_path / "images"}
    for kind in ("ic15-test", "ic13-train"):
        run(kind, source, tmp_path / kind, size=3, **options)
        words = ["Tiredness", 'say "a", b', "C:\\é"]
        assert stored(tmp_path / kind) == list(zip(words, images, strict=True))
    run("ic13-test", source, tmp_path / "out", size=1, **options)
    assert labels(tmp_path / "out") == ["Tiredness"]  # letters and digits only


@pytest.mark.parametrize("kind", ["svtp", "cute80"])
def test_image_lists(tmp_path, put, write, kind):
    images = [put("13_15_0_par.jpg", 1), put("timage/img_2.jpg", 2)]
    text = "13_15_0_par.jpg PRIMI 3 primi,bar,cafe\ntimage/img_2.jpg RONALDO's\n"
    run(kind, write("imagelist.txt", text), tmp_path / "out", size=2)
    assert stored(tmp_path / "out") == [("PRIMI", images[0]), ("RONALDO's", images[1])]


@pytest.fixture
def small_mjsynth(monkeypatch):
    """annotation_train.txt has two lines."""
    whole, *parts = text_lists.MJSYNTH_LINES.values()
    assert whole == sum(parts)
    monkeypatch.setitem(text_lists.MJSYNTH_LINES, "annotation_train.txt", 2)


def test_mjsynth_labels_stand_in_the_names(tmp_path, put, write, small_mjsynth):
    images = [put("2425/1/115_Lube_45484.jpg", 1), put("1/2/3_ALL-IN_7.jpg", 2)]
    text = "./2425/1/115_Lube_45484.jpg 45484\n./1/2/3_ALL-IN_7.jpg 7\n"
    convert("mjsynth", write("annotation_train.txt", text), tmp_path / "out")
    assert stored(tmp_path / "out") == [("Lube", images[0]), ("ALL-IN", images[1])]


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        ("ic15-test", b'a.png, "a"\na.png b\n', "line 2: .*'a.png b' is not: file, \"label\""),
        ("ic15-test", b'a.png, "\xff"\n', "is not UTF-8"),
        ("svtp", b"a.png two words\n", r"line 1: .*two words.* is not: file label"),
        ("mjsynth", b"./1/lube.jpg 3\n" * 2, r"line 1: .* names no file number_LABEL_number"),
        ("table", b"a.png a\n", "line 1: .*'a.png a' is not: file, tab, label"),
        ("table", b"a.png,a,b\n", "line 1: .*not: file, comma, label; 3 columns, .* a comma"),
        ("table", b"a.png\ta\tb\n", "line 1: .*not: file, tab, label; 3 columns, .* a tab"),
        ("table", b"Bild,Text\n", "line 1, Bild: image missing .if this is a head line, name"),
        ("table", b"C:\\a.png\tx\n", "line 1, .*C: is a drive of Windows"),
        ("table", "a.png\tä\n".encode("utf-16-le"), r"line 1: .*U\+0000; if the file is UTF-16"),
        ("table", b'a.png\t"a,b"\na.png\t"a\n', "line 2: .*a quote that is not closed"),
        ("table", b'a.png,"a\nb"\n', "line 1: .*a quote that is not closed"),  # cell of two lines
        ("table", b'a.png\t"a,b"\na.png\t5"\n', "line 2: .*a quote that .* opens no cell"),
        ("table", b"a.png\tx\na.png\t\xfc\n\na.png\n", r"line 2: .*byte 0xFC after.* 1 more"),
    ],
)
def test_a_line_of_another_form(tmp_path, put, write, small_mjsynth, kind, content, message):
    put("a.png")
    with pytest.raises(ValueError, match=message):
        run(kind, write("annotation_train.txt", content), tmp_path / "out", size=2)


def test_a_cut_off_annotation_file_of_mjsynth(tmp_path, put, write, small_mjsynth):
    put("1/2/3_all_7.jpg")
    source = write("annotation_train.txt", "./1/2/3_all_7.jpg 7\n")
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


# SynthText


def corners(*boxes):
    """``(2, 4, words)`` corners, clockwise from the top left, as SynthText has them."""
    quads = [[[a, c, c, a], [b, b, d, d]] for a, b, c, d in boxes]
    return np.array(quads, dtype=float).transpose(1, 2, 0)


@pytest.fixture
def synthtext(tmp_path, street, monkeypatch):
    """``synthtext(texts, boxes) -> path`` of a gt.mat, the archive's by its number of images."""

    def write(texts, boxes):
        names = np.empty((1, len(texts)), dtype=object)
        bounds, strings = names.copy(), names.copy()
        for i, (text, box) in enumerate(zip(texts, boxes, strict=True)):
            street(f"8/ballet_{i}.jpg")
            names[0, i], strings[0, i], bounds[0, i] = f"8/ballet_{i}.jpg", np.array(text), box
        savemat(tmp_path / "gt.mat", {"imnames": names, "wordBB": bounds, "txt": strings})
        monkeypatch.setattr(annotations, "SYNTHTEXT_IMAGES", len(texts))
        return tmp_path / "gt.mat"

    return write


def test_synthtext_words_are_cropped_upright(tmp_path, synthtext):
    one = corners(patch_box(1))[:, :, 0]  # MATLAB drops the last axis of a single word
    tilted = np.array([[[35.0, 45, 55, 45], [15, 10, 15, 20]]]).transpose(1, 2, 0)
    texts = [["the \n end", "Now!   "], ["word"], ["x"]]
    boxes = [corners(*map(patch_box, (0, 1, 2))), one, tilted]
    convert("synthtext", synthtext(texts, boxes), tmp_path / "out")
    assert labels(tmp_path / "out") == ["the", "end", "Now!", "word", "x"]
    # the upright rectangle around a rhombus is the patch
    assert_patches(tmp_path / "out", [0, 1, 2, 1, 1])


def test_synthtext_of_another_number_of_images(tmp_path, synthtext, monkeypatch):
    source = synthtext([["one"]], [corners(patch_box(0))])
    monkeypatch.undo()
    message = r"gt\.mat: 1 images where SynthText has 858,750"
    with pytest.raises(ValueError, match=f"{message}; get the complete archive"):
        convert("synthtext", source, tmp_path / "out")
    with pytest.warns(UserWarning, match=message):
        convert("synthtext", source, tmp_path / "out", lenient=True)
    assert labels(tmp_path / "out") == ["one"]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("imnames", np.array([[3.0, "a.jpg"]], dtype=object), "array.* in place of a string"),
        ("imnames", np.zeros((1, 2)), "in place of a string"),
        ("wordBB", np.zeros((1, 3)), "2, 3, 2.* images, boxes and texts"),
        ("wordBB", np.array([[np.zeros((2, 3)), 1]], dtype=object), "no boxes of four corners"),
        ("txt", np.array([[np.zeros(3), "b"]], dtype=object), "has no texts"),
        ("txt", np.array([["a b", "c"]], dtype=object), r"8/ballet_0\.jpg has 1 boxes and 2 words"),
    ],
)
def test_synthtext_of_other_contents(tmp_path, synthtext, key, value, message):
    source = synthtext(["a", "b"], [corners(patch_box(i)) for i in (0, 1)])
    whole = {k: v for k, v in loadmat(source).items() if not k.startswith("__")}
    savemat(source, {**whole, key: value})
    with pytest.raises(ValueError, match=rf"gt\.mat: .*{message}"):
        convert("synthtext", source, tmp_path / "out")


# Tables, and what holds for every archive


@pytest.fixture
def table(write):
    """``table(("a.jpg", "label"), ...) -> path``."""
    return lambda *rows: write("labels.tsv", "".join(f"{a}\t{b}\n" for a, b in rows))


def test_tables_keep_labels_but_for_blanks_around_them_and_bytes(tmp_path, put, table):
    images = [put("a.jpg", 1), put("b/c.png", 2)]
    source = table(("a.jpg", " two  words !"), ("b/c.png", "漢字"))
    convert("table", source, tmp_path / "out")
    assert stored(tmp_path / "out") == [("two  words !", images[0]), ("漢字", images[1])]
    dataset = LmdbDataset(tmp_path / "out", "x", "english36", Charset.load("36"))
    assert ([sample.label for sample in dataset], dataset.drops.total()) == (["twowords"], 1)
    recipe = json.loads((tmp_path / "out" / "recipe.json").read_text())
    assert recipe["source_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert recipe["result"] == {"taken": 2, "records": 2, "faults": {}}


@pytest.mark.parametrize(
    ("label", "fault"),
    [
        ("  ", "label is empty"),
        ('"a\tb, c"', r"label has the control character U\+0009 \('a\\tb, c'\)"),
        ("a\u200bb", r"label has the invisible character U\+200B \('a\\u200bb'\)"),
        ("\u202eab", r"label has the bidirectional character U\+202E"),
        ("\uf703", r"label has the private-use character U\+F703"),
    ],
)
def test_labels_that_verify_calls_broken_are_refused(tmp_path, put, table, label, fault):
    put("a.jpg"), put("b.jpg")
    source = table(("a.jpg", "a"), ("b.jpg", label))
    with pytest.raises(ValueError, match=f"b.jpg: {fault}.*--lenient"):
        convert("table", source, tmp_path / "out")
    with pytest.warns(UserWarning, match=fault):
        convert("table", source, tmp_path / "out", lenient=True)
    (one,) = verify({"out": tmp_path / "out"}).values()
    assert (one.records, one.faults) == (1, [])


SHEET = """Path;Note;Text\r\n"crops\\a.jpg";x;"say ""hi""; or, no"\r
crops\\e\u0301.jpg;;Stra\u0308\u00dfe\r\ncrops/c.jpg;"y";=1+1\r\n;;\r\n"""


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (SHEET.encode("utf-8-sig"), ['say "hi"; or, no', "Str\u00e4\u00dfe", "=1+1"]),  # Excel
        ("a.jpg\tä\r\nb.jpg\t1, 2\r\n".encode("utf-16"), ["ä", "1, 2"]),  # its "Unicode text"
        (b'a.jpg, "1, 2"\nb.jpg, b\n', ["1, 2", "b"]),
        (b'a.jpg, "1, 2"\nb.jpg,b\n', ["1, 2", "b"]),
        (b'image,label\na.jpg, "say ""x"" "\n', ['say "x"']),
        (b"image,label,,\na.jpg,x,,\nb.jpg,y,,\n", ["x", "y"]),
        (b"a.jpg\tx\t\nb.jpg\ty\n", ["x", "y"]),
        (b"sep=,\r\nlabels,image\r\nx,a.jpg\r\n y,b.jpg\r\n", ["x", "y"]),
        (b"image;Labels \r\na.jpg;x\r\nb.jpg;y\r\n", ["x", "y"]),
        (b"file_name,label\ra.jpg,x y\rb.jpg, z\r", ["x y", "z"]),  # ends of lines of old Macs
        (b'a.jpg\t"\nb.jpg\t5" "x"\n', ['"', '5" "x"']),  # no quotes of a spreadsheet
    ],
)
def test_tables_of_spreadsheets_and_editors(tmp_path, put, write, content, expected):
    for name in ("a.jpg", "b.jpg", "crops/a.jpg", "crops/\u00e9.jpg", "crops/c.jpg"):
        put(name)
    convert("table", write("gt.txt", content), tmp_path / "out")
    assert labels(tmp_path / "out") == expected


@pytest.mark.parametrize("head", ["", "image,label\n"])
def test_a_comma_at_the_end_of_one_line_is_not_dropped(tmp_path, put, write, head):
    put("a.jpg"), put("b.jpg")
    source = write("gt.txt", f"{head}a.jpg,Sir,\nb.jpg,2019\n")
    with pytest.raises(ValueError, match=r"'a\.jpg,Sir,' is not: .*quote a label"):
        convert("table", source, tmp_path / "out")


def test_quotes_that_may_be_on_the_image_are_told_and_can_be_kept(tmp_path, put, write):
    put("a.jpg"), put("b.jpg")
    source = write("gt.txt", 'a.jpg\t"Hello"\nb.jpg\tx\n')
    with pytest.warns(UserWarning, match="1 labels are in quotes .line 1.*--literal-quotes"):
        convert("table", source, tmp_path / "out")
    convert("table", source, tmp_path / "kept", literal_quotes=True)
    assert [labels(tmp_path / out)[0] for out in ("out", "kept")] == ["Hello", '"Hello"']
    with pytest.raises(ValueError, match="literal_quotes"):
        convert("table", source, tmp_path / "kept")


def test_bad_lines_are_counted_and_marks_of_joined_files_taken_off(tmp_path, put, write):
    put("a.jpg"), put("b.jpg")
    source = write("gt.txt", b"a.jpg\ta\nb.jpg\t\xfc\nnothing\n\xef\xbb\xbfb.jpg\tb\n")
    with pytest.warns(UserWarning) as caught:
        progress = convert("table", source, tmp_path / "out", lenient=True)
    assert labels(tmp_path / "out") == ["a", "b"]
    assert progress.faults == {text_lists.LINE: 2}
    told = {str(warning.message) for warning in caught}
    assert len(told) == 3 and any("1 lines begin with a byte order mark" in t for t in told)


def test_half_of_a_surrogate_pair_is_a_fault_of_the_label():
    # MATLAB stores UTF-16, of which half a pair may be left
    assert read_word(Word("a", "\ud800", bytes)).reason == "label is not UTF-8"


@pytest.mark.parametrize("kind", ["table", "svt-train"])
def test_names_do_not_lead_out_of_the_archive(tmp_path, put, write, kind):
    put("out.jpg"), put("archive/a.jpg")
    os.mkfifo(tmp_path / "archive" / "pipe.jpg")
    inside = ["a.jpg", "x/../a.jpg", str(tmp_path / "archive" / "a.jpg")]
    outside = ["../out.jpg", str(tmp_path / "out.jpg"), "/dev/zero", "pipe.jpg", "."]
    lines = [f"{name}\ta\n" for name in inside + outside]
    if kind != "table":
        word = f"<taggedRectangles>{BOX.format(9, 1, 1, 'a')}</taggedRectangles></image>"
        lines = [f"<image><imageName>{name}</imageName>{word}" for name in inside + outside]
        lines = ["<tagset>", *lines, "</tagset>"]
    source = tmp_path / "archive" / "list"
    source.write_text("".join(lines))
    with pytest.raises(ValueError, match=r"\.\./out.jpg.*leads out of .*archive"):
        run(kind, source, tmp_path / "strict", size=3)
    with pytest.warns(UserWarning):
        progress = run(kind, source, tmp_path / "lenient", size=3, lenient=True)
    assert (progress.records, progress.faults) == (3, {"image cannot be read": 5})
    run("table", write("list", "archive/a.jpg\ta\n"), tmp_path / "wider", images=tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "archive")  # as names made with $PWD have it
    linked = write("list", f"{tmp_path}/link/a.jpg\ta\n")
    run("table", linked, tmp_path / "linked", images=tmp_path / "archive")


def test_missing_and_broken_images_are_named(tmp_path, put, table):
    put("a.jpg"), put("cut.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "cut.jpg").read_bytes()[:300])
    for name, reason in (("none.jpg", "image missing"), ("cut.jpg", "image cannot be decoded")):
        with pytest.raises(ValueError, match=f"labels.tsv: .*{name}: {reason}.*--lenient"):
            convert("table", table(("a.jpg", "a"), (name, "b")), tmp_path / name[:3])
        assert not (tmp_path / name[:3]).exists()
    source = table(("cut.jpg", "b"), ("a.jpg", "a"), ("none.jpg", "c"))
    with pytest.warns(UserWarning, match="left out and counted") as caught:
        progress = convert("table", source, tmp_path / "out", lenient=True)
    assert len(caught) == 2
    assert progress.faults == {"image missing": 1, "image cannot be decoded": 1}
    assert labels(tmp_path / "out") == ["a"]
    recipe = json.loads((tmp_path / "out" / "recipe.json").read_text())
    assert recipe["result"]["faults"] == progress.faults
    with pytest.raises(ValueError, match=r"out: words were left out .*1 image missing"):
        convert("table", source, tmp_path / "out")  # it does not pass as strict
    assert convert("table", source, tmp_path / "out", lenient=True).faults.total() == 2


def test_a_benchmark_of_another_size_is_refused(tmp_path, put, write):
    put("a.jpg")
    source, message = write("imagelist.txt", "a.jpg one\n" * 3), "SVTP: 3 words where 645 are expec"
    with pytest.raises(ValueError, match=message):
        convert("svtp", source, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    convert("svtp", source, tmp_path / "out", lenient=True)
    assert len(stored(tmp_path / "out")) == 3
    with pytest.raises(ValueError, match=message):  # nor does it pass as strict later
        convert("svtp", source, tmp_path / "out")


@pytest.mark.filterwarnings("ignore:.*left out and counted")
@pytest.mark.parametrize("mended", [True, False])
def test_a_conversion_goes_on_where_it_stopped(tmp_path, put, table, monkeypatch, mended):
    monkeypatch.setattr("dctc.data.records.writer.PER_TRANSACTION", 2)
    rows = [(f"{i}.jpg", f"w{i}") for i in range(6)]
    images = [put(name, i) for i, (name, _) in enumerate(rows)]
    (tmp_path / "5.jpg").unlink()
    with pytest.raises(ValueError, match=r"5\.jpg: image missing.*--lenient"):
        convert("table", table(*rows), tmp_path / "out")
    if mended:
        put("5.jpg", 5)
    (tmp_path / "0.jpg").unlink()  # committed, so not read again
    convert("table", tmp_path / "labels.tsv", tmp_path / "out", lenient=not mended)
    found = [image for _, image in stored(tmp_path / "out")]
    assert found == (images if mended else images[:5])


def test_a_conversion_of_a_mended_table_begins_anew(tmp_path, put, table, monkeypatch):
    monkeypatch.setattr("dctc.data.records.writer.PER_TRANSACTION", 2)
    rows = [(f"{i}.jpg", f"w{i}") for i in range(6)]
    for i, (name, _) in enumerate(rows):
        put(name, i)
    with pytest.raises(ValueError, match="mend it, or leave"):
        convert("table", table(*rows[:5], ("5.jpg", "")), tmp_path / "out")
    convert("table", table(("0.jpg", "other"), *rows[1:]), tmp_path / "out")
    assert labels(tmp_path / "out") == ["other", *(label for _, label in rows[1:])]


def test_another_folder_of_images_is_another_set(tmp_path, put, table):
    put("one/a.jpg", 1), put("two/a.jpg", 2)
    source = table(("a.jpg", "a"))
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
def test_a_file_without_words_is_named_and_leaves_nothing(tmp_path, write, content, left_out):
    source = write("labels.tsv", content)
    with pytest.raises(ValueError, match=f"labels.tsv: no word to write; left out: {left_out}$"):
        convert("table", source, tmp_path / "out", lenient=True)
    assert [p.name for p in tmp_path.iterdir()] == ["labels.tsv"]
    with pytest.raises(FileNotFoundError, match=r"for svt-test give the path of test\.xml"):
        convert("svt-test", tmp_path / "svt1", tmp_path / "out")
