"""``dctc score`` by hand, and on the predictions that FudanVI published."""

import json
import os
from pathlib import Path

import pytest

from dctc.cli import main
from dctc.data.records.batch import Corrupt
from dctc.results.predictions import HEAD, Outcome, prediction_row, writing
from dctc.results.score import mean, pool, read_predictions, score
from dctc.text import get_protocol

LINES = {
    # hits, edits, characters and similarities by hand
    "a.txt": "0 [One] [one]\n1 [tho] [the]\n2 [x] [...]\n3 [ab] [abc]\n",
    "b.tsv": "label\tkey\tprediction\nno\tb/1\tyes\n",
}


@pytest.fixture
def files(tmp_path):
    for name, text in LINES.items():
        (tmp_path / name).write_text(text)
    return [str(tmp_path / name) for name in LINES]


def score_file(file, protocol):
    return score("x", read_predictions(file), get_protocol(protocol))


def test_by_hand(files):
    a, b = (score_file(file, "english36") for file in files)
    assert (a.n, a.correct, a.edits, a.characters, a.dropped) == (3, 1, 2, 9, 1)
    assert a.similarity == pytest.approx(1 + 2 / 3 + 2 / 3)
    assert (b.n, b.correct, b.edits, b.characters, b.dropped) == (1, 0, 3, 2, 0)
    assert (a.substitutions, a.deletions, a.insertions) == (1, 1, 0)  # tho, the; ab, abc
    assert (b.substitutions, b.deletions, b.insertions) == (2, 0, 1)  # yes, no

    def rates(accuracy, ned, cer, substitutions, deletions, insertions):
        parts = {"substitutions": substitutions, "deletions": deletions, "insertions": insertions}
        named = {f"cer_{part}": share for part, share in parts.items()}
        return pytest.approx({"accuracy": accuracy, "ned": ned, "cer": cer, **named})

    assert a.rates() == rates(1 / 3, 7 / 9, 2 / 9, 1 / 9, 1 / 9, 0)
    assert mean([a, b]) == rates(1 / 6, 7 / 18, 31 / 36, 5 / 9, 1 / 18, 1 / 4)
    assert pool([a, b]).rates() == rates(1 / 4, 7 / 12, 5 / 11, 3 / 11, 1 / 11, 1 / 11)


def test_empty_labels_count_under_the_chinese_protocols(tmp_path, capsys):
    """As FudanVI's scorer has it: of a label of spaces, an empty reading is right."""
    file = tmp_path / "p.txt"
    file.write_text("0 [x] [ ]\n1 [] [\u3000]\n2 [a] [a]\n", encoding="utf-8")
    got = score_file(file, "chinese_fold")
    assert (got.n, got.correct, got.dropped, got.empty, got.characters) == (3, 2, 0, 2, 1)
    assert got.similarity == 2.0
    assert score_file(file, "english36").dropped == 2
    main(["score", str(file), "--protocol", "chinese_fold"])
    assert "2 with an empty label" in capsys.readouterr().out


def test_images_that_could_not_be_decoded_are_told_apart_from_empty_labels(tmp_path, capsys):
    read = Outcome("1", "one", "on", 0.5)
    with writing(tmp_path / "a.tsv", HEAD) as write:
        for found in (read, Corrupt("2", "cut off"), Corrupt("3", "x")):
            write(prediction_row(found))
    for protocol in ("chinese", "english36"):
        found = score_file(tmp_path / "a.tsv", protocol)
        assert (found.n, found.correct, found.dropped, found.unread) == (1, 0, 0, 2)
    (tmp_path / "unlabelled.tsv").write_text("key\tprediction\tlabel\n1\tone\t\n")
    main(["score", "--protocol", "english36", *map(str, tmp_path.glob("*.tsv"))])
    told = " ".join(capsys.readouterr().out.split())
    assert "a: 2 images could not be decoded" in told
    assert "unlabelled: no sample has a label" in told


def test_letters_that_the_protocol_drops_are_named(tmp_path, capsys):
    file = tmp_path / "p.txt"
    file.write_text("0 [Stra\u00dfe] [Strae]\n1 [a] [a!]\n", encoding="utf-8")
    for protocol in ("english36", "verbatim"):
        main(["score", str(file), "--protocol", protocol])
        said = "english36 drops or changes characters (\u00df) of 1 of 2 texts: 'Stra"
        assert (said in capsys.readouterr().err) == (protocol == "english36")


def test_the_protocol_is_applied_to_both_sides(files):
    verbatim = score_file(files[0], "verbatim")
    assert (verbatim.n, verbatim.correct, verbatim.dropped) == (4, 0, 0)


def test_the_table(files, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    main(["score", *files, "--protocol", "english36"])
    printed = capsys.readouterr().out
    rows = [line.split() for line in printed.splitlines()]
    assert ["a", "3", "1", "33.33", "0.7778", "22.22", "11.11", "11.11", "0.00"] in rows
    assert ["b", "1", "0", "0.00", "0.0000", "150.00", "100.00", "0.00", "50.00"] in rows
    assert ["mean", "16.67", "0.3889", "86.11", "55.56", "5.56", "25.00"] in rows
    last = ["weighted", "mean", "4", "1", "25.00", "0.5833", "45.45", "27.27", "9.09", "9.09"]
    assert last in rows
    assert "english36" in printed and max(map(len, printed.splitlines())) <= 80
    main(["score", files[0], "--protocol", "english36"])
    assert "\nmean" not in capsys.readouterr().out  # of one file


def test_json_holds_counts_and_shares(files, capsys):
    main(["score", *files, "--protocol", "english36", "--json"])
    written = json.loads(capsys.readouterr().out)
    assert written["protocol"] == "english36"
    assert [row["name"] for row in written["files"]] == ["a", "b"]
    assert written["files"][1] == {
        "name": "b", "n": 1, "correct": 0, "substitutions": 2, "deletions": 0, "insertions": 1,
        "edits": 3, "characters": 2, "similarity": 0.0, "dropped": 0, "empty": 0, "unread": 0,
        "accuracy": 0.0, "ned": 0.0, "cer": 1.5, "cer_substitutions": 1.0, "cer_deletions": 0.0,
        "cer_insertions": 0.5,
    }  # fmt: skip
    assert written["mean"]["cer"] == pytest.approx(31 / 36)
    assert written["weighted_mean"]["correct"] == 1


def test_a_file_of_which_nothing_is_left_and_bad_input(tmp_path, capsys, refused):
    file = tmp_path / "p.txt"
    file.write_text("0 [a] [...]\n")
    main(["score", str(file), "--protocol", "english36"])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["p", "0", "1", *"------"] in rows
    file.write_text("0 [a] [a]\n1 [a]\n")
    for options, code, message in (
        (["--protocol", "english36"], 1, f"dctc: {file}:2: '1 [a]' is not of"),
        ([], 2, "--protocol"),  # it has to be named
    ):
        assert message in refused("score", file, *options, code=code)


# Accuracy in percent and NED: FudanVI, benchmarking-chinese-text-recognition, README, CRNN. They
# cut NED off or round it: Document's is .9955, printed as .995.
PUBLISHED = {
    "scene": (63646, "54.94", 0.742),
    "web": (14059, "56.21", 0.745),
    "document": (50000, "97.41", 0.995),
    "handwriting": (23389, "48.04", 0.843),
}


@pytest.fixture
def reference():
    pytest.importorskip("zhconv")
    if "DCTC_REFERENCE" not in os.environ:
        pytest.skip("DCTC_REFERENCE is not set: no published predictions")
    return Path(os.environ["DCTC_REFERENCE"], "chinese")


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_predictions_score_as_published(name, reference):
    n, accuracy, ned = PUBLISHED[name]
    got = score_file(reference / f"CRNN_{name}.txt.xz", "chinese")
    assert (got.n, got.dropped) == (n, 0)
    assert f"{100 * got.rates()['accuracy']:.2f}" == accuracy
    assert got.rates()["ned"] == pytest.approx(ned, abs=0.0006)


def test_without_the_conversion_to_simplified_characters_the_figures_differ(reference):
    handwriting = score_file(reference / "CRNN_handwriting.txt.xz", "chinese_fold")
    assert handwriting.rates()["accuracy"] < 0.471
