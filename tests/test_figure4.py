"""Figure 4: which Chinese characters are taken for look-alikes."""

import sys

import pytest

from scripts import load


@pytest.fixture
def figure4():
    yield load("figure4")
    del sys.modules["figure4"]


def test_look_alikes_are_chinese_and_occur_often_enough(figure4):
    labels = ["对时1"] * figure4.LEAST + ["来"] * (figure4.LEAST - 1)
    readings = [("对1", "时l"), ("时", "对"), ("来", "对")]
    assert figure4.look_alikes(readings, labels) == {("对", "时"): 2}


def test_short_trainings_have_no_chinese_part(figure4, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["figure4", "--scale", "smoke", "--only", "chinese"])
    with pytest.raises(ValueError, match="shorter trainings than those of scale small"):
        figure4.main()
