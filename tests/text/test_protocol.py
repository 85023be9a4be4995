"""Evaluation protocols."""

import string

import pytest

from dctc.text import PROTOCOLS, get_protocol


@pytest.mark.parametrize(
    "name, text, expected",
    [
        ("english36", "It's 5 PM", "its5pm"),
        ("english36", "CAFÉ-24/7", "caf247"),
        ("english36", "\u212aELVIN \u0130", "elvin"),  # Kelvin sign, dotted I: lower() knows them
        ("english36", "\uff15\uff58", ""),  # full-width forms are not ASCII
        ("english36", "a_b\n", "ab"),
        ("english36", "", ""),
        ("english62", "It's 5 PM", "Its5PM"),
        ("english62", "a_B\u00b2", "aB"),
        ("english94", "It's 5 PM", "It's5PM"),
        ("english94", "[\\]^-é\t~", "[\\]^-~"),
        ("verbatim", " a B\t中", " a B\t中"),
    ],
)
def test_golden(name, text, expected):
    assert get_protocol(name)(text) == expected


@pytest.mark.parametrize("name, size", [("english36", 62), ("english62", 62), ("english94", 94)])
def test_what_is_kept_of_printable_ascii(name, size):
    kept = get_protocol(name)(string.printable)
    assert len(kept) == size
    assert len(set(kept)) == int(name.removeprefix("english"))


@pytest.mark.parametrize("name", PROTOCOLS)
def test_applying_a_protocol_twice_changes_nothing(name):
    text = "".join(map(chr, range(0x250)))
    once = get_protocol(name)(text)
    assert get_protocol(name)(once) == once


def test_an_unknown_protocol_is_named():
    with pytest.raises(ValueError, match="protocol 'french': not one of english36, english62"):
        get_protocol("french")
