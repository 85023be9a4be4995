"""The YAML file of a study: every key, scales, shared arms, and what is refused."""

import json
from pathlib import Path

import pytest
import yaml

from dctc.studies.benchmark_tests import Benchmarks
from dctc.studies.study import SEARCH_SEED
from dctc.studies.study_file import load_study, whole_study

WEIGHT = "model.loss.init_args.weight"
STUDY = f"""
study: mine
title: My losses
config: [../base.yaml, more.yaml]
set: {{trainer.max_steps: 100, data.init_args.width: 64}}
seeds: 2
sets: [SVT, CUTE80]
mean: mean of two
reference: ctc
planned: dctc
benchmarks: [SVT, CUTE80]
stored: words
diagnose: true
validation: val
search: {{set: {{data.init_args.test: [val]}}}}
notes: A note.
arms:
  ctc: {{title: CTC, config: ctc.yaml, seeds: [0, 7, 9]}}
  dctc: {{title: DCTC, set: {{trainer.max_steps: 50, model.loss: my_loss.MyLoss}}}}
  focal:
    config: ctc.yaml
    search: {{argument: {WEIGHT}, values: [0.5, 1, 2], source: ours}}
  alone: {{reference: ""}}
groups:
  few: {{title: Few, arms: [ctc, focal], references: {{focal: ""}}, notes: [One., Two.]}}
scales:
  small: {{}}
  tiny:
    config: tiny.yaml
    set: {{trainer.max_steps: 1}}
    seeds: 1
    sets: rendered
    validation: rendered
    search: {{}}
    arms: [ctc, focal]
    values: 2
    allow_size_mismatch: true
"""
OTHER = """
study: other
config: [../base.yaml]
seeds: 3
arms:
  own: {}
  ctc: {use: mine.yaml#ctc, title: CTC of another, reference: own}
  focal: {use: mine.yaml#focal, value: 2, seeds: [1]}
  open: {use: mine.yaml#focal}
scales: {small: {}, tiny: {}}
"""


@pytest.fixture
def folder(tmp_path):
    """A folder with ``mine.yaml`` and ``other.yaml``, and the configurations they name."""
    folder = tmp_path / "studies"
    folder.mkdir()
    (tmp_path / "base.yaml").touch()
    for name in ("more", "ctc", "tiny"):
        (folder / f"{name}.yaml").touch()
    (folder / "mine.yaml").write_text(STUDY)
    (folder / "other.yaml").write_text(OTHER)
    return folder


def names(runs):
    return [run.name for run in runs]


def test_every_key_of_the_file(folder):
    study = load_study(folder / "mine.yaml")
    assert (study.name, study.title, study.scale) == ("mine", "My losses", "")
    base, more, ctc = (folder / name for name in ("../base.yaml", "more.yaml", "ctc.yaml"))
    assert study.configs == (base, more)
    assert (study.sets, study.mean, study.validation) == (("SVT", "CUTE80"), "mean of two", "val")
    assert (study.planned, study.notes, study.diagnose) == (("dctc",), ("A note.",), True)
    assert study.benchmarks == Benchmarks(("SVT", "CUTE80"))
    (group,) = study.groups
    assert (group.key, group.title, group.arms) == ("few", "Few", ("ctc", "focal"))
    assert (group.references, group.notes) == ({"focal": ""}, ("One.", "Two."))
    arms = study.arms
    assert {key: arm.title for key, arm in arms.items()} == {
        **{"ctc": "CTC", "dctc": "DCTC"},
        **{"focal": "focal", "alone": "alone"},
    }
    assert [arm.seeds for arm in arms.values()] == [(0, 7, 9), (0, 1), (0, 1), (0, 1)]
    assert [arm.reference for arm in arms.values()] == ["", "ctc", "ctc", ""]
    assert arms["focal"].search.values == (0.5, 1, 2) and arms["focal"].search.source == "ours"

    run = study.run("dctc", 1)
    assert (run.name, run.arm, run.seed) == ("mine/dctc/seed1", "mine/dctc", 1)
    assert (run.configs, run.folder, run.diagnosed) == ((base, more), folder, True)
    assert (run.stored.name, run.stored.configs) == ("words", study.configs)
    assert study.run("ctc", 0).configs == (base, more, ctc)


def test_options_are_configurations_then_what_is_set_the_arms_own_last(folder):
    study = load_study(folder / "mine.yaml", overrides={"model.protocol": "english36"})
    run = study.run("dctc", 1)
    assert run.set == {
        **{"trainer.max_steps": 50, "data.init_args.width": 64},
        **{"model.protocol": "english36", "model.loss": "my_loss.MyLoss"},
    }
    searched = study.run("focal", SEARCH_SEED, 0.5)
    assert (searched.arm, searched.set[WEIGHT]) == ("mine/focal-0.5", 0.5)
    assert searched.set["data.init_args.test"] == ["val"]
    assert "data.init_args.test" not in study.run("focal", 0, 0.5).set
    options = load_study(folder / "other.yaml").run("own", 2).options
    assert options == [
        *("--name=other/own/seed2", f"--config={folder / '../base.yaml'}"),
        *("--seed_everything=2", "--arm=other/own"),
    ]
    values = {"a": [1, 2], "b": None, "c": "text", "d": {"e": True}}
    dumped = load_study(folder / "other.yaml", overrides=values).run("own", 0).options[2:-2]
    assert [option.split("=", 1)[0] for option in dumped] == ["--a", "--b", "--c", "--d"]
    read = [yaml.safe_load(option.split("=", 1)[1]) for option in dumped]
    assert read == json.loads(json.dumps([*values.values()]))


def test_searches_come_first_and_then_all_arms_of_a_seed(folder):
    study = load_study(folder / "mine.yaml")
    searches = study.search_runs()
    assert {run.seed for run in searches} == {SEARCH_SEED}
    arms = ["mine/ctc", "mine/dctc", "mine/focal-0.5", "mine/focal-1", "mine/focal-2", "mine/alone"]
    assert [run.arm for run in searches] == arms
    assert [run.arm for run in study.search_runs(["focal"])] == arms[2:5]
    chosen = {"ctc": None, "focal": 1}
    assert names(study.final_runs(chosen)) == [
        *("mine/ctc/seed0", "mine/focal-1/seed0", "mine/focal-1/seed1"),
        *("mine/ctc/seed7", "mine/ctc/seed9"),
    ]
    assert names(study.final_runs(chosen, ["focal"], [3])) == ["mine/focal-1/seed3"]
    assert "focal" not in {run.arm for run in study.runs()}  # nothing is chosen yet
    # without a validation set nothing is searched
    assert load_study(folder / "other.yaml").search_runs() == []


def test_a_scale(folder):
    study = load_study(folder / "mine.yaml", "tiny")
    assert (study.name, study.scale) == ("mine-tiny", "tiny")
    assert study.configs[-1] == folder / "tiny.yaml"
    assert study.set == {"trainer.max_steps": 1, "data.init_args.width": 64}
    assert (study.sets, study.validation, study.search_set) == (("rendered",), "rendered", {})
    assert [(key, arm.seeds) for key, arm in study.arms.items()] == [("ctc", (0,)), ("focal", (0,))]
    assert study.arms["focal"].search.values == (0.5, 1)
    assert study.benchmarks.allow_size_mismatch and not study.groups[0].arms[2:]
    small = load_study(folder / "mine.yaml", "small")
    assert (small.name, [*small.arms]) == ("mine", ["ctc", "dctc", "focal", "alone"])


def test_an_arm_of_another_study_has_its_runs(folder):
    mine, other = load_study(folder / "mine.yaml"), load_study(folder / "other.yaml")
    assert other.run("ctc", 7) == mine.run("ctc", 7)
    ctc, focal = other.arms["ctc"], other.arms["focal"]
    assert (ctc.title, ctc.reference, ctc.seeds) == ("CTC of another", "own", (0, 1, 2))
    assert (focal.search, focal.seeds) == (None, (1,))
    assert other.run("focal", 1, 2) == other.run("focal", 1) == mine.run("focal", 1, 2)
    assert other.arm_name("focal") == "mine/focal-2"
    assert other.run("open", 0, 0.5) == mine.run("focal", 0, 0.5)
    assert names(other.final_runs({"own": None, "focal": 2}, seeds=[0])) == [
        *("other/own/seed0", "mine/focal-2/seed0")
    ]
    assert load_study(folder / "other.yaml", "tiny").run("ctc", 0).name == "mine-tiny/ctc/seed0"
    third = (folder / "other.yaml").with_name("third.yaml")
    third.write_text("study: third\nconfig: ../base.yaml\narms: {w: {use: other.yaml#focal}}\n")
    assert load_study(third).run("w", 0) == mine.run("focal", 0, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("study: [", "mine.yaml: not YAML: "),
        ("nothing", "mine.yaml: it holds no keys"),
        (("config:", "configs:"), "mine.yaml: no key 'configs'; there are arms, benchmarks, "),
        (("study: mine", ""), "mine.yaml: 'study' is missing"),
        ("study: a\nconfig: []\narms: [ctc]", "mine.yaml: arms: names of arms are needed"),
        ("study: a\nconfig: []\narms: {}", "mine.yaml: arms: names of arms are needed"),
        (("planned: dctc", "planned: dcct"), "mine.yaml: no arm 'dcct'; there are ctc, dctc, "),
        (("reference: ctc", "reference: cct"), "mine.yaml: no arm 'cct'"),
        (("arms: [ctc, focal], ref", "arms: [ctc, x], ref"), "mine.yaml: no arm 'x'"),
        (("    arms: [ctc, focal]", "    arms: [y]"), "mine.yaml: no arm 'y'"),
        (('alone: {reference: ""}', "alone: {reference: z}"), "mine.yaml: no arm 'z'"),
        (("{title: Few, ", "{"), "mine.yaml: group few: 'title' is missing"),
        (("    values: 2", "    values: 0"), "mine.yaml: scale tiny: give 1 or more values"),
        (("    values: 2", "    value: 2"), "mine.yaml: scale tiny: no key 'value'"),
        (("argument: ", "path: "), "mine.yaml: arm focal: search: no key 'path'"),
        ((", values: [0.5, 1, 2]", ""), "mine.yaml: arm focal: search: 'values' is missing"),
        (("    validation: rendered", '    validation: ""'), "arm focal: a search needs 'valid"),
        (("seeds: 2", "seeds: true"), "mine.yaml: seeds: True is not a number or a list"),
        (("seeds: [0, 7, 9]", 'seeds: "0,7"'), "arm ctc: seeds: '0,7' is not a number or a list"),
        (("seeds: [0, 7, 9]", "seeds: [0, a]"), "arm ctc: seeds: .* neither their number nor"),
        (("benchmarks: [SVT", "benchmarks: [IIT5K"), "mine.yaml: benchmarks: 'IIT5K' is not one"),
        (("    sets: rendered", "    sets: [a, a]"), "mine.yaml: sets: a, a; name each once"),
        (("study: mine", "study: 2024"), "mine.yaml: study: 2024 is not text"),
        (("config: ctc.yaml", "config: nix.yaml"), "mine.yaml: no configuration .*nix.yaml"),
        (("study: mine", "study: ../mine"), r"mine.yaml: '\.\./mine' is no name of a study or arm"),
        (("study: mine", "study: ''"), "mine.yaml: '' is no name of a study or arm"),
        (("  alone:", "  1:"), "mine.yaml: 1 is no name of a study or arm; give text, in quotes"),
        (("set: {trainer.max_steps: 50,", "set: {arm: x,"), "set: arm follows from study, arm and"),
        (("    set: {trainer.max_steps: 1}", "    set: {name: x}"), "set: name follows from study"),
        (("search: {set: {data", "search: {set: {arm: x, data"), "set: arm follows from study"),
        (("search: {set:", "search: {sett:"), "mine.yaml: search: no key 'sett'; there are set"),
        (("values: [0.5, 1, 2]", "values: 3"), "arm focal: search: values: 3 is not a list"),
        (("values: [0.5, 1, 2]", "values: [[1, 2], 3]"), r"values: \[1, 2\] is no single value"),
        (("values: [0.5, 1, 2]", "values: []"), "arm focal: search: values: there is none to try"),
        (("{title: CTC, ", "{title: CTC, value: 1, "), "mine.yaml: arm ctc: no key 'value'"),
        (("seeds: [0, 7, 9]", "seeds: [99, 100]"), "arm ctc: seeds: 100 is the seed of searches"),
        (("planned: dctc", "planned: [[dctc]]"), r"mine.yaml: no arm \['dctc'\]"),
        (("  small: {}", "  small: [1]"), "mine.yaml: scale small: it holds no keys"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(folder, change, message):
    file = folder / "mine.yaml"
    if isinstance(change, tuple):
        assert change[0] in STUDY
    file.write_text(STUDY.replace(*change, 1) if isinstance(change, tuple) else change)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        load_study(file, "tiny")


def test_arms_whose_runs_would_have_one_name_are_refused(folder):
    (folder / "mine.yaml").write_text(STUDY.replace("  alone:", "  focal-1:"))
    with pytest.raises(ValueError, match=r"arms focal and focal-1 would both be mine/focal-1"):
        load_study(folder / "mine.yaml", "small")


def test_scales_and_shared_arms_that_are_not_there(folder):
    with pytest.raises(ValueError, match=r"mine.yaml: no scale 'big'; there are small, tiny"):
        load_study(folder / "mine.yaml", "big")
    (folder / "other.yaml").write_text(OTHER.replace("#ctc", "#x"))
    with pytest.raises(ValueError, match=r"other.yaml: arm ctc: mine.yaml has no arm 'x'"):
        load_study(folder / "other.yaml")
    for change, message in (
        ((", value: 2", ", set: {a: 1}"), "arm focal, of another study: no key 'set'; there are"),
        (("#ctc,", "#ctc, value: 2,"), "arm ctc: value: mine.yaml searches nothing for ctc"),
        (("mine.yaml#ctc", "other.yaml#own"), "arm ctc: other.yaml in its turn uses an arm of"),
    ):
        (folder / "other.yaml").write_text(OTHER.replace(*change))
        with pytest.raises(ValueError, match=message):
            load_study(folder / "other.yaml")
    with pytest.raises(FileNotFoundError):
        load_study(Path("none.yaml"))
    (folder / "other.yaml").write_bytes(b"\xff")
    with pytest.raises(ValueError, match=r"other.yaml: not YAML: "):
        load_study(folder / "other.yaml")


def test_files_that_share_a_blind_study_are_one_whatever_else_is_in_the_folder(tmp_path):
    text = "study: a-small\nconfig: base.yml\nblind: true\noutput: {}\nscales: {{small: {{}}}}\n"
    for name, output in (("a.yml", "one"), ("b.yaml", "two")):
        (tmp_path / name).write_text(text.format(output) + "arms: {x: {}}\n")
    (tmp_path / "base.yml").write_text("trainer: {max_steps: 1}\n")
    (tmp_path / "other.yaml").write_text("study: other\n")
    (tmp_path / "broken.yaml").write_text("a: [\n")
    (tmp_path / "list.yaml").write_text("- a-small\n")
    for first in ("a.yml", "b.yaml"):
        parts = whole_study(load_study(tmp_path / first, "small"))
        assert sorted(part.output for part in parts) == ["one", "two"]
