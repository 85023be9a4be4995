import numpy as np
import pytest

from dctc.data.archives import sheet as sheets
from dctc.data.archives.sheet import Cell, contact_sheet


@pytest.fixture
def without_system_fonts(monkeypatch):
    """Only matplotlib's fonts, which have no CJK characters."""
    find = sheets.find_fonts

    def only_matplotlib(where=None):
        if where is not None:
            raise ValueError("no fonts")
        return find(None)[:3]

    monkeypatch.setattr(sheets, "find_fonts", only_matplotlib)


def test_every_record_has_its_cell(tmp_path, write_lmdb, encode_image, without_system_fonts):
    records = [(encode_image(i), b"word") for i in range(3)] + [(b"broken", b"word")]
    image, undrawn = contact_sheet(write_lmdb(tmp_path / "a", records), columns=2)
    assert undrawn == 0
    pixels = np.asarray(image)
    row, half = pixels.shape[0] // 2, pixels.shape[1] // 2
    cells = [pixels[y : y + row, x : x + half] for y in (0, row) for x in (0, half)]
    assert all((cell < 100).any() for cell in cells)  # a caption each
    red = [bool((cell == (200, 0, 0)).all(2).sum() > 1000) for cell in cells]
    assert red == [False, False, False, True]
    crop = cells[1][4 : 4 + sheets.HEIGHT]
    noise = np.asarray(sheets._crop(Cell(encode_image(1), ""), half - 8))
    np.testing.assert_array_equal(crop[:, 4 : half - 4], noise)


def test_labels_without_font_are_counted(tmp_path, write_lmdb, encode_image, without_system_fonts):
    records = [(encode_image(), "漢字".encode()), (encode_image(), b"a")]
    path = write_lmdb(tmp_path / "a", records)
    shown = write_lmdb(tmp_path / "b", [(encode_image(), b"6F22 5B57"), (encode_image(), b"a")])
    (image, undrawn), (same, drawn) = contact_sheet(path), contact_sheet(shown)
    assert (undrawn, drawn) == (1, 0)
    np.testing.assert_array_equal(np.asarray(image), np.asarray(same))  # its code points


def test_the_choice_follows_the_seed(tmp_path, write_lmdb, encode_image, without_system_fonts):
    path = write_lmdb(tmp_path / "a", [(encode_image(i), b"w%d" % i) for i in range(30)])
    one, again, other = (contact_sheet(path, count=6, seed=s)[0] for s in (1, 1, 2))
    assert one.tobytes() == again.tobytes() != other.tobytes()
