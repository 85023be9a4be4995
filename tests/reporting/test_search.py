import pytest

from dctc.reporting.search import choose_weight, strongest


def test_the_best_validation_accuracy_is_chosen_and_of_equal_ones_the_first(record):
    scored = {"0.01": record(correct=2), "0.03": record(correct=3), "0.1": record(correct=3)}
    assert choose_weight(scored) == "0.03"
    assert choose_weight({"": record()}) == ""


def test_the_strongest_are_ranked(record):
    scored = {name: record(correct=c) for name, c in (("a", 1), ("b", 3), ("c", 2), ("d", 3))}
    assert strongest(scored, 3) == ["b", "d", "c"]
    assert strongest(scored, 9) == ["b", "d", "c", "a"]


@pytest.mark.parametrize("change", [{"samples": "other"}, {"protocol": "english94"}])
def test_other_samples_are_refused(record, change):
    for choose in (choose_weight, lambda scored: strongest(scored, 1)):
        with pytest.raises(ValueError, match="search over a, b: 2 different sets"):
            choose({"a": record(), "b": record(**change)})


def test_nothing_to_choose_from_is_refused():
    with pytest.raises(ValueError, match="search over nothing"):
        choose_weight({})
