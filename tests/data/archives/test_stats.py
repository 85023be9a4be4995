import pytest

from dctc.data.archives.stats import set_stats, stats_table, width_of_most
from dctc.data.records.image_size import ImageSize
from dctc.text import get_protocol


def test_numbers_by_hand(tmp_path, write_lmdb, encode_image):
    labels = [b"Hello", b"aa a", b"...", b"\xff", b"\xe2\x80\x8bb"]
    sizes = [(40, 10), (20, 20), (30, 10), (10, 10), (60, 20)]
    records = [(encode_image(0, *size), label) for size, label in zip(sizes, labels, strict=True)]
    path = write_lmdb(tmp_path / "a", [*records, (b"broken", b"word")])
    stats = set_stats(path, get_protocol("english36"), frames=5)
    assert (stats.records, stats.labels, stats.unreadable) == (6, 3, 2)
    assert stats.lengths[::2] == [1, 3, 5]  # hello, aaa, b
    assert (stats.aspects[::2], stats.heights[2]) == ([1, 3, 4], 15)
    # hello needs 6 frames for its l's, aaa needs 5
    assert (stats.too_long, stats.longest_need) == (1, 6)
    assert stats.characters == {"a": 3, "l": 2, "h": 1, "e": 1, "o": 1, "b": 1}
    table = stats_table({"a": stats}, 5, "english36")
    assert table.rows == [["a", "6", "3", "3/5", "1.1/3.0/4.0", "15", "6", "66.67"]]
    assert "a: 1 records: label has the invisible character U+200B" in table.notes
    assert "a: 2 records cannot be read; see dctc data verify" in table.notes


def test_a_protocol_that_leaves_nothing(tmp_path, write_lmdb, encode_image):
    path = write_lmdb(tmp_path / "a", [(encode_image(), b"...")])
    with pytest.raises(ValueError, match="no label is left by this protocol"):
        set_stats(path, get_protocol("english36"), 5)
    broken = write_lmdb(tmp_path / "b", [(b"broken", b"ab"), (None, b"ab")])
    with pytest.raises(ValueError, match="none of 2 records can be read"):
        set_stats(broken, get_protocol("english36"), 5)


def test_the_width_of_most_images(tmp_path, write_lmdb, encode_image):
    narrow = [(encode_image(i, 64, 32), b"a") for i in range(199)]
    path = write_lmdb(tmp_path / "a", [*narrow, (encode_image(1, 900, 32), b"a"), (b"broken", b"")])
    assert width_of_most([path], ImageSize(32)) == 64
    assert width_of_most([path], ImageSize(48)) == 96
    assert width_of_most([path, write_lmdb(tmp_path / "b", narrow[:9])], ImageSize(33)) == 96
    assert width_of_most([write_lmdb(tmp_path / "c", [(b"broken", b"")])], ImageSize(32)) == 0
    tall = write_lmdb(tmp_path / "d", [(encode_image(1, 30, 600), b"a")])
    assert width_of_most([tall], ImageSize(32)) == 32
    assert width_of_most([tall], ImageSize(32, rotate_tall="left")) == 640
