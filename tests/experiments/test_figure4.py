"""Figure 4: which Chinese characters are taken for look-alikes."""

import sys

import pytest

from dctc.data.rendered import RenderedDataModule
from scripts import load


@pytest.fixture
def figure4():
    yield load("figure4")
    del sys.modules["figure4"]


def test_look_alikes_are_chinese_and_occur_often_enough(figure4):
    labels = ["对时1"] * figure4.LEAST + ["来"] * (figure4.LEAST - 1)
    readings = [("对1", "时l"), ("时", "对"), ("来", "对")]
    assert figure4.look_alikes(readings, labels) == {("对", "时"): 2}


def test_more_lines_go_on_where_the_tested_ones_end(figure4):
    data = RenderedDataModule(batch_size=4, test_size=4, num_workers=0)
    (tested,) = figure4.batches(data)
    first, second = figure4.more_lines(data, 8)
    assert first.label == tested.label and first.key == tested.key
    assert not set(second.key) & set(first.key)
    assert len(figure4.batches(data)) == 1  # the run's own set is as it was


def test_short_trainings_have_no_chinese_part(figure4, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["figure4", "--scale", "smoke", "--only", "chinese"])
    with pytest.raises(ValueError, match="shorter trainings than those of scale small"):
        figure4.main()
