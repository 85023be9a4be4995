import numpy as np
import pytest

from dctc.results.power import detectable_over_samples
from dctc.results.registry import Registry
from dctc.studies.search import (
    Searched,
    choices,
    choose_weight,
    open_searches,
    records_by_loss,
    search_table,
    strongest,
    strongest_searched,
)


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


@pytest.fixture
def searched(record):
    """A complete search, one that lacks a weight, and two with nothing to choose."""
    return {
        "focal": Searched(
            "Focal CTC", ("1", "2"), "ours", {"1": record(correct=2), "2": record(correct=3)}
        ),
        "prior": Searched("Prior", ("1", "2"), "its authors", {"1": record(correct=4)}),
        "ctc": Searched("CTC", ("",), "", {"": record(correct=1)}),
        "ace": Searched("ACE", ("",), "", {}),
    }


def test_a_choice_takes_a_complete_search(searched):
    assert choices(searched) == {"focal": "2", "ctc": ""}
    assert strongest_searched(searched, ["prior", "ctc", "focal", "ace"], 3) == ["focal", "ctc"]
    assert strongest_searched(searched, ["prior"], 3) == []


def test_open_searches_are_counted_and_named(searched):
    assert open_searches(searched).startswith("Searches that are open: 2 (Prior; ACE).")
    assert open_searches({"ctc": searched["ctc"]}) == "No search is open."


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path)


def test_every_weight_that_is_trained_has_a_row(registry, record, searched):
    def hit(*hits):
        return record(correct=sum(hits), hits=registry.write_hits(np.array(hits, bool)))

    focal = {"1": hit(1, 1, 0, 0), "2": hit(0, 1, 1, 1), "4": hit(1, 1, 0, 0)}
    searched |= {"focal": Searched("Focal CTC", tuple(focal), "ours", focal)}
    searched["ctc"] = Searched("CTC", ("",), "", {"": hit(1, 0, 0, 0)})
    searched["en"] = Searched("En", ("1",), "ours", {"1": hit(1, 0, 0, 0)})
    table = search_table(registry, searched, ["The end."])
    assert table.columns == ["loss", "weight", "n", "accuracy", "NED", "choice"]
    assert table.rows == [
        ["Focal CTC", "1", "4", "50.00", "93.75", ""],
        ["Focal CTC", "2", "4", "75.00", "93.75", "chosen"],
        ["Focal CTC", "4", "4", "50.00", "93.75", ""],
        ["Prior", "1", "4", "100.00", "93.75", ""],
        ["CTC", "-", "4", "25.00", "93.75", ""],
        ["En", "1", "4", "25.00", "93.75", "chosen"],
    ]
    # three of four samples differ between weights 1 and 2, and 2 and 4; 1 and 4 read alike
    least = f"{detectable_over_samples(*(registry.read_hits(focal[w]) for w in '12')):.2f}"
    assert f"is {least} to {least} points" in table.notes[0]
    assert table.notes[1:] == [
        "The end.",
        "Where the weights come from: Focal CTC; En (ours); Prior (its authors).",
    ]


def test_nothing_to_choose_between_says_nothing_of_what_is_found(registry, searched):
    only = {"ctc": searched["ctc"], "ace": searched["ace"]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Registry, "read_hits", lambda *_: np.zeros(4, bool))
        assert search_table(registry, only).notes == []


def test_a_choice_at_the_edge_of_the_weights_is_marked(registry, record):
    def found(*correct):
        hits = [np.arange(4) < n for n in correct]
        scored = {
            str(i): record(correct=n, hits=registry.write_hits(hit))
            for i, (n, hit) in enumerate(zip(correct, hits, strict=True))
        }
        return {"a": Searched("A", tuple(scored), "ours", scored)}

    for correct, marks in [
        ((3, 1, 2), ["chosen, edge", "", ""]),
        ((1, 2, 3), ["", "", "chosen, edge"]),
        ((1, 3, 2), ["", "chosen", ""]),
    ]:
        table = search_table(registry, found(*correct))
        assert [row[-1] for row in table.rows] == marks
        assert any(note.startswith("Edge: ") for note in table.notes) == ("chosen" not in marks)


def test_records_are_told_apart_by_weight_where_a_gpu_trained_some(record):
    cpu, gpu = ({"hardware": name} for name in ("EPYC, 1 thread (x)", "NVIDIA X (x)"))
    scored = {"1": record(about=cpu), "2": record(about=gpu)}
    searched = {
        "mixed": Searched("Mixed", ("1", "2"), "", scored),
        "plain": Searched("Plain", ("",), "", {"": record(about=gpu)}),
    }
    found = records_by_loss(searched)
    assert {name: len(records) for name, records in found.items()} == {
        "Mixed 1": 1,
        "Mixed 2": 1,
        "Plain": 1,
    }
