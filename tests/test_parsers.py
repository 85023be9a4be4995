import argparse

import pytest

from dctc.parsers import names, positive, seeds


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [(positive, "3", 3), (names, "ctc,dctc", ["ctc", "dctc"]), (seeds, "0,7", [0, 7])],
)
def test_what_is_given(kind, text, value):
    assert kind(text) == value


@pytest.mark.parametrize(("kind", "text"), [(positive, "0"), (seeds, "0,x")])
def test_what_is_wrong_is_named(kind, text, capsys):
    parser = argparse.ArgumentParser()
    parser.add_argument("--option", type=kind)
    with pytest.raises(SystemExit):
        parser.parse_args(["--option", text])
    assert f"argument --option: invalid {kind.__name__} value: '{text}'" in capsys.readouterr().err
