"""The keys of all published runs follow from their resolved configurations."""

import json
from collections import defaultdict
from pathlib import Path

import pytest
import yaml

from dctc.data.archives.alphabet import write_common_characters
from dctc.results.registry import Registry
from dctc.runs.key import drawn_versions, run_key

RESULTS = Path(__file__).parents[2] / "experiments" / "results"
FILES = sorted((RESULTS / "configs").glob("*.yaml"))


@pytest.fixture(scope="module")
def records():
    """The published records by key."""
    found = defaultdict(list)
    for record in Registry(RESULTS).records():
        found[record.run].append(record)
    return found


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder with what the configurations name: a list of characters, recipes of words."""
    root = tmp_path_factory.mktemp("root")
    write_common_characters(root / "runs" / "words" / "chinese1000.txt", 1000)
    for name in ("scene-200000", "chinese-128000"):
        (root / "runs" / "words" / name).mkdir()
        (root / "runs" / "words" / name / "recipe.json").write_text(json.dumps({"seed": 0}))
    return root


@pytest.fixture(scope="module")
def configs():
    return {f.stem: yaml.load(f.read_text("utf-8"), yaml.CSafeLoader) for f in FILES}


def test_each_published_run_has_a_configuration_of_its_seed(records, configs):
    assert records.keys() == configs.keys()
    for key, config in configs.items():
        assert {record.seed for record in records[key]} == {config["seed_everything"]}


def test_the_key_of_each_follows_from_it(records, configs, root, monkeypatch):
    monkeypatch.chdir(root)
    drawn = {key: records[key][0].about.get("drawn", {}) for key in configs}
    keys = {key: run_key(config, drawn[key]) for key, config in configs.items()}
    assert [key for key, found in keys.items() if found != key] == []
    own = {config["data"]["init_args"].get("words", "python") for config in configs.values()}
    assert own <= {"python", "wordfreq"}
    drawn_today = {key: drawn_versions(config) for key, config in configs.items()}
    assert not any("own_version" in versions for versions in drawn_today.values())
