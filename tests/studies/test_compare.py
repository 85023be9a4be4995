"""``dctc compare``: a loss and data of one's own, from YAML to table."""

import contextlib
import csv
import io
import os
import re
import shutil

import pytest
import yaml

from dctc.cli import main
from dctc.results.frame import read_frame
from dctc.results.registry import Registry
from dctc.studies import compare
from dctc.studies.parallel import Outcome
from dctc.studies.runner import execute
from dctc.studies.study_file import load_study
from places import runs_in
from scripts import execute_here
from tiny import config

OWN = '''
import torch

from dctc.losses import CTCLoss
from tiny import FixedData, noise_batch


class TwiceCTC(CTCLoss):
    """A loss of one's own."""

    def forward(self, *args, **options):
        return 2 * super().forward(*args, **options)


class Partial(CTCLoss):
    def forward(self, logits, targets):
        return logits.sum()


class Detached(CTCLoss):
    def forward(self, logits, *args, **options):
        return super().forward(logits.detach(), *args, **options)


class Constant(CTCLoss):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()))

    def forward(self, logits, *args, **options):
        return self.scale * super().forward(logits.detach(), *args, **options)


class Broken(CTCLoss):
    def __init__(self):
        super().__init__(**{}["x"])


class Misspelt(CTCLoss):
    needs = {"secnod"}


class Untyped(CTCLoss):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, *args, **options):
        return self.factor * super().forward(*args, **options)


class Words(FixedData):
    """Data of one's own: the words that are trained, and others."""

    def __init__(self):
        seen, unseen = (noise_batch(["a", "b", "c", "d"], seed) for seed in (0, 9))
        super().__init__([seen] * 30, {"seen": [seen]}, {"seen": [seen], "unseen": [unseen]})
'''
STUDY = """
study: mine
title: My loss
config: base.yaml
set: {data: own_words.Words, trainer.max_steps: 30}
seeds: 2
arms:
  ctc: {title: CTC}
  twice: {title: Twice, set: {model.loss: own_words.TwiceCTC}}
"""


def printed(*args):
    """Return what ``dctc compare`` prints."""
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        main(["compare", *map(str, args), "--log", "off"])
    return stream.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A study and the folder of its runs, which were trained by the command."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "base.yaml").write_text(yaml.safe_dump(config("english")))
    (folder / "mine.yaml").write_text(STUDY)
    (folder / "own_words.py").write_text(OWN)
    with runs_in(folder) as patch:
        patch.setattr(compare, "execute_all", execute_here)
        patch.setenv("COLUMNS", "120")
        (folder / "printed").write_text(printed(folder / "mine.yaml"))
    return folder


@pytest.fixture
def compared(folder, monkeypatch, tmp_path):
    """The same, with runs of the test's own; training fails."""
    shutil.copytree(folder / "runs", tmp_path / "runs")
    monkeypatch.setenv("DCTC_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(compare, "execute_all", lambda runs, *_: {r.name: FAILED for r in runs})
    return folder


FAILED = Outcome({}, "RuntimeError: broken")


def test_a_loss_and_data_of_ones_own_are_compared_without_touching_the_package(folder):
    frame = read_frame(Registry(folder / "runs"))
    arms = {(row.arm, row.seed, row.set) for row in frame.itertuples()}
    # and no run of a search
    assert arms == {
        (f"mine/{arm}", seed, name)
        for arm in ("ctc", "twice")
        for seed in (0, 1)
        for name in ("seen", "unseen")
    }
    out = folder / "runs" / "mine"
    for name in ("compare", "sets"):
        assert (out / f"{name}.md").read_text().startswith("### My loss: ")
    assert (out / "compare.png").stat().st_size and (out / "compare.svg").stat().st_size
    ctc, twice = csv.DictReader((out / "compare.csv").read_text().splitlines())
    assert (ctc["trained with"], twice["trained with"]) == ("CTC", "Twice")
    means = frame.groupby("arm").accuracy.mean()
    assert (ctc["runs"], float(ctc["accuracy"])) == ("2", round(means["mine/ctc"], 2))
    assert float(twice["accuracy"]) == round(means["mine/twice"], 2)
    points = means["mine/twice"] - means["mine/ctc"]
    assert twice["difference [95 % CI]"].split()[0] == f"{points:+.2f}"
    said = (folder / "printed").read_text()
    assert "My loss: mean" in said
    assert str(out) in said


def test_nothing_is_trained_to_draw_and_to_list(compared, tmp_path):
    study = compared / "mine.yaml"
    assert printed(study, "--status").startswith("mine     4 of    4 runs done,    0 missing")
    assert printed(study, "--status", "--seeds", "0,5", "--only", "ctc").startswith(
        "mine     1 of    2 runs done,    1 missing; about "
    )
    published = tmp_path / "runs"
    os.environ["DCTC_RUNS"] = str(tmp_path / "none")  # the fixture brings it back
    text = printed(study, "--from", published)
    assert "My loss: mean" in text and str(tmp_path / "none" / "mine") in text


def test_a_study_that_another_command_draws_is_not_drawn(compared, tmp_path):
    (compared / "other.yaml").write_text(STUDY + "drawn_by: ./draw.sh\n")
    text = printed(compared / "other.yaml", "--from", tmp_path / "runs")
    assert text == "mine: ./draw.sh draws its results\n"


def test_a_set_that_no_run_was_tested_on_is_named(compared, tmp_path):
    (compared / "typo.yaml").write_text(f"{STUDY}sets: [sen]\n")
    text = printed(compared / "typo.yaml", "--from", tmp_path / "runs")
    assert "mine: no run was tested on sen; there are seen, unseen\n" in text


def test_a_set_that_no_run_can_be_tested_on_is_named_before_the_training(compared):
    (compared / "typo.yaml").write_text(f"{STUDY}sets: [sen]\n")
    with pytest.raises(ValueError, match="sen is no test set of this run; it has seen, unseen"):
        execute(load_study(compared / "typo.yaml").runs()[0], "off")


def test_a_run_that_fails_ends_the_command_and_only_some_are_trained(compared, capsys):
    with pytest.raises(SystemExit):
        main(["compare", str(compared / "mine.yaml"), "--seeds=100", "--log=off"])
    assert "--seeds: 100 is the seed of searches" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["compare", str(compared / "mine.yaml"), "--from", "nowhere"])
    assert "--from nowhere: it holds no results.jsonl" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["compare", str(compared / "mine.yaml"), "--only", "twice", "--seeds=7", "--log=off"])
    assert ended.value.code == 1
    text = capsys.readouterr().out
    assert text.count("FAILED: ") == 1 and "FAILED: mine/twice/seed7: RuntimeError" in text
    assert "My loss: mean" in text  # of the runs that are there


def test_a_command_that_trains_nothing_is_an_error(compared, refused, monkeypatch):
    monkeypatch.setattr(compare, "execute_all", lambda *_: {})
    error = refused("compare", compared / "mine.yaml", "--only", "twice", "--log=off")
    assert "mine: nothing is trained of twice" in error


@pytest.mark.parametrize(
    ("right", "wrong", "seeds"),
    [("max_steps: 30", "max_steps: 31", "0, 1"), ("seeds: 2", "seeds: 1", "1")],
)
def test_results_that_are_not_of_the_study_are_left_out(compared, capsys, right, wrong, seeds):
    (compared / "changed.yaml").write_text(STUDY.replace(right, wrong))
    with pytest.raises(SystemExit):  # no training succeeds
        main(["compare", str(compared / "changed.yaml"), "--log=off"])
    said = capsys.readouterr().out
    for arm in ("ctc", "twice"):
        left_out = "left out, of another configuration or not of the study"
        assert f"mine/{arm}: {left_out}: seeds {seeds}\n" in said
    assert ("My loss: mean" in said) == (seeds == "1")


def test_a_changed_file_of_a_users_class_is_another_run(compared):
    own = compared / "own_words.py"
    kept = own.read_text()
    try:
        own.write_text(kept.replace("2 * super()", "3 * super()"))
        text = printed(compared / "mine.yaml", "--status")
    finally:
        own.write_text(kept)
    assert text.startswith("mine     0 of    4 runs done,    4 missing")


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("own_words.TwiceCTC", "own_words.Twice", "arm twice: .* has no attribute 'Twice'"),
        ("trainer.max_steps", "trainer.max_stps", "arm ctc: .*trainer.max_stps=30"),
        ("trainer.max_steps: 30", "trainer.devices: 2", "arm ctc: trainer.devices 2: .* set 1"),
        ("trainer.max_steps: 30", "trainer.num_nodes: 2", "arm ctc: trainer.num_nodes 2: .*"),
        (
            "own_words.TwiceCTC",
            "own_words.Partial",
            r"arm twice: loss own_words.Partial: TypeError: .*",
        ),
        ("own_words.TwiceCTC", "own_words.Detached", "arm twice: loss .*: RuntimeError: .*grad"),
        ("own_words.TwiceCTC", "own_words.Constant", "arm twice: .* does not reach the logits"),
        (
            "own_words.TwiceCTC",
            "own_words.Untyped",
            "arm twice: .*: TypeError: .*None.*words.py:",
        ),
        ("own_words.TwiceCTC", "own_words.Misspelt", "arm twice: .* needs secnod, which is none"),
        ("own_words.TwiceCTC", "own_words.Broken", r"arm twice: .*: KeyError: 'x' .own_words.py:"),
    ],
)
def test_a_mistake_shows_before_any_training(compared, refused, right, wrong, message):
    (compared / "typo.yaml").write_text(STUDY.replace(right, wrong))
    error = refused("compare", compared / "typo.yaml", "--log=off")
    assert re.search(f"typo.yaml: {message}", error) and "usage:" not in error


def test_a_loss_whose_arguments_have_no_annotations_is_tried(compared):
    loss = "{class_path: own_words.Untyped, init_args: {factor: 2}}"
    (compared / "untyped.yaml").write_text(STUDY.replace("own_words.TwiceCTC", loss))
    assert not compare.train_study(load_study(compared / "untyped.yaml"), seeds=[])


def test_arms_of_one_configuration_are_named(compared, capsys):
    equal = STUDY.replace(", set: {model.loss: own_words.TwiceCTC}", "")
    (compared / "equal.yaml").write_text(equal)
    for study, named in (("equal", True), ("mine", False)):
        compare.train_study(compare.load_study(compared / f"{study}.yaml"), seeds=[])
        assert ("arms ctc and twice have one configuration" in capsys.readouterr().out) == named


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--only", "nix"], 1, "dctc: --only nix: there are ctc, mine, twice"),
        (["--scale", "tiny"], 1, "no scale 'tiny'; there are small"),
        (["--seeds", "0,x"], 2, "argument --seeds: invalid seeds value: '0,x'"),
    ],
)
def test_wrong_options_are_named(compared, options, code, message, refused):
    study = compared / "mine.yaml"
    if "--scale" in options:
        study = compared / "scaled.yaml"
        study.write_text(STUDY + "scales: {small: {}}\n")
    assert message in refused("compare", study, *options, code=code)
