import pytest

from dctc.data.archives.alphabet import characters_lacking, read_labels, write_alphabet
from dctc.text import Charset, get_protocol

pytestmark = pytest.mark.filterwarnings("ignore:.* labels are missing or not UTF-8")


@pytest.fixture
def folder(tmp_path, write_lmdb, encode_image):
    image = encode_image(width=2, height=2)
    labels = ["字 字".encode(), b"a\nb", "A漢".encode(), b"\xff", None]
    write_lmdb(tmp_path / "sets" / "one", [(image, label) for label in labels])
    write_lmdb(tmp_path / "sets" / "two", [(image, "漢\uff21".encode())])
    return tmp_path / "sets"


def test_labels_without_blanks_around_them(folder):
    with pytest.warns(match="one: 2 of 5 labels are missing or not UTF-8"):
        assert list(read_labels(folder / "one")) == ["字 字", "a\nb", "A漢"]


def test_the_most_frequent_character_comes_first(folder, tmp_path):
    # a (three times: b, A and the full-width form count as folded), 字 and 漢 (twice), b (once)
    file = tmp_path / "new" / "alphabet.txt"
    with pytest.warns(match=r"chinese_fold drops or changes 3 of the 7 .* \(U\+0020 A \uff21\)"):
        charset = write_alphabet(file, [folder], protocol="chinese_fold")
    assert charset.characters == "a字漢b"
    assert Charset.load(str(tmp_path / "new" / "alphabet.txt")) == charset
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["alphabet.txt"]


def test_the_protocol_decides(folder, tmp_path):
    with pytest.warns(match="english62 drops or changes 3 of the 6 characters"):
        charset = write_alphabet(tmp_path / "a.txt", [folder / "one"], protocol="english62")
    assert charset.characters == "Aab"


def test_no_accent_joins_another_character(tmp_path, write_words):
    # no letter is a q with an accent, and no file holds a byte order mark
    labels = ["u\u0308", "q\u0301", "q\u0301", "e e\ufeff"]
    charset = write_alphabet(tmp_path / "a.txt", [write_words(tmp_path / "set", labels)])
    assert charset.characters == "eq\u0301 \u00fc"
    assert Charset.load(str(tmp_path / "a.txt")) == charset


def test_nothing_to_derive_from(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"alphabet: no LMDB \(data.mdb\) in or below"):
        write_alphabet(tmp_path / "a.txt", [tmp_path / "empty"])
    with (
        pytest.warns(match="drops or changes 2 of the 2"),
        pytest.raises(ValueError, match="charset: it holds no character"),
    ):
        write_alphabet(tmp_path / "a.txt", [folder / "two"], protocol="english36")
    assert not (tmp_path / "a.txt").exists()


@pytest.mark.parametrize(
    ("characters", "lacking", "missed"),
    [
        ("字ab汉", "\n漢", 1),
        ("字A\nb漢", "a", 0),  # A is compared as a
        ("b", "\na字漢", 3),
    ],
)
def test_what_a_charset_lacks(folder, characters, lacking, missed):
    pytest.importorskip("zhconv")
    rules = get_protocol("chinese"), get_protocol("chinese_fold")
    got = characters_lacking(folder / "one", Charset(characters), *rules)
    assert got == (lacking, missed)


def test_a_label_may_be_written_as_it_is_shown_although_no_character_is(write_lmdb, tmp_path):
    """乾 alone is compared as 干, but 乾隆 stays."""
    pytest.importorskip("zhconv")
    write_lmdb(tmp_path / "one", [(b"x", "乾隆".encode())])
    rules = get_protocol("chinese"), get_protocol("chinese_fold")
    assert characters_lacking(tmp_path / "one", Charset("乾隆"), *rules) == ("", 0)
    assert characters_lacking(tmp_path / "one", Charset("干隆"), *rules) == ("乾", 1)
