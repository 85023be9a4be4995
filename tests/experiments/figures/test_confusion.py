"""Substitutions and groups of confused characters, by hand."""

from experiments.figures.confusion import confused_groups, substitutions


def test_only_substitutions_count_and_their_direction_does_not():
    readings = [("hello", "hell0"), ("hell0", "hello"), ("cat", "cart"), ("cart", "cat"), ("", "x")]
    assert substitutions(readings) == {("0", "o"): 2}


def test_the_sum_of_substitutions_of_equally_long_readings():
    assert substitutions([("abc", "xbz")]) == {("a", "x"): 1, ("c", "z"): 1}


def test_groups_share_no_character():
    counts = {("0", "o"): 10, ("o", "q"): 6, ("a", "q"): 9, ("a", "e"): 8}
    # q joins 0 and o with 6 of 10, so that the pair of a and q is gone
    assert confused_groups(counts, 3) == ["0oq", "ae"]


def test_a_group_takes_nobody_who_is_rarely_confused():
    counts = {("0", "o"): 10, ("o", "q"): 4}
    assert confused_groups(counts, 3) == ["0o"]
    assert confused_groups({**counts, ("0", "q"): 1}, 3) == ["0oq"]  # 5 with both


def test_size_number_and_ties():
    counts = {("1", "l"): 5, ("1", "i"): 5, ("i", "l"): 5, ("0", "o"): 5, ("5", "s"): 1}
    assert confused_groups(counts, 9) == ["0o", "1il", "5s"]
    assert confused_groups(counts, 1) == ["0o"]
    assert confused_groups(counts, 9, size=2) == ["0o", "1i", "5s"]
    assert confused_groups({}, 3) == []
