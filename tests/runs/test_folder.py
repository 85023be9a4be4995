"""The copy of a charset in a run's folder."""

import pytest

from dctc.runs.folder import CHARSET, MARK, charset_beside, save_charset
from dctc.text import Charset


@pytest.mark.parametrize(
    "named", ["{0}/a.txt", "{0}/a.txt+{0}/b.txt", "36+{0}/b.txt", "{0}/a.txt+36"]
)
def test_a_run_keeps_the_characters_of_its_files(tmp_path, named):
    (tmp_path / "a.txt").write_text("xy文")
    (tmp_path / "b.txt").write_text("zxé ")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / MARK).write_text("key")
    charset = named.format(tmp_path)
    expected = Charset.load(charset)
    save_charset(charset, tmp_path / "run")
    for change in ("a different one", None):  # changed, and removed
        for file in ("a.txt", "b.txt"):
            if change is None:
                (tmp_path / file).unlink()
            else:
                (tmp_path / file).write_text("qr")
        assert Charset.load(charset_beside(charset, tmp_path / "run")) == expected
    moved = (tmp_path / "run").rename(tmp_path / "moved")
    assert Charset.load(charset_beside(charset, moved)) == expected


def test_a_charset_with_a_name_is_not_copied(tmp_path):
    save_charset("36", tmp_path)
    assert not (tmp_path / CHARSET).exists() and charset_beside("36", tmp_path) == "36"


def test_a_file_of_a_folder_that_is_no_run_is_not_taken_for_another(tmp_path):
    (tmp_path / CHARSET).write_text("abc")
    assert charset_beside("typo.txt", tmp_path) == "typo.txt"
    assert charset_beside(CHARSET, tmp_path) == str(tmp_path / CHARSET)  # of a folder of weights
