"""The keys of all published runs follow from their resolved configurations."""

import json
from collections import defaultdict
from pathlib import Path

import pytest
import yaml

from dctc.data.archives.alphabet import write_common_characters
from dctc.results.registry import Registry
from dctc.training.run_key import run_key

RESULTS = Path(__file__).parents[2] / "experiments" / "results"
CONFIGS = {file.stem: file for file in sorted((RESULTS / "configs").glob("*.yaml"))}


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


def test_every_published_run_has_a_configuration(records):
    assert records.keys() == CONFIGS.keys()


def test_the_key_of_each_follows_from_it(records, root, monkeypatch):
    monkeypatch.chdir(root)
    loaded = {key: yaml.safe_load(file.read_text("utf-8")) for key, file in CONFIGS.items()}
    keys = {
        key: run_key(config, records[key][0].about.get("drawn", {}))
        for key, config in loaded.items()
    }
    assert [key for key, found in keys.items() if found != key] == []


def test_records_agree_with_their_configuration(records):
    for key, file in CONFIGS.items():
        seeds = {yaml.safe_load(file.read_text("utf-8"))["seed_everything"]}
        assert {record.seed for record in records[key]} == seeds
