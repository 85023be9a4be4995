import importlib.metadata
import importlib.util
import itertools
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import dctc

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
REQUIREMENTS = [
    *PYPROJECT["project"]["dependencies"],
    *itertools.chain(*PYPROJECT["project"]["optional-dependencies"].values()),
    *PYPROJECT["build-system"]["requires"],
]
# What the repository uses beside torch.
HEAVY = (
    *("jsonargparse", "lmdb", "matplotlib", "PIL", "pytorch_lightning", "rapidfuzz", "scipy"),
    *("sklearn", "timm", "torchmetrics", "torchvision", "wandb"),
)


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def name_of(requirement):
    return canonical(re.match(r"[\w.-]+", requirement).group())


def constraints():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def packages_loaded_by(statement):
    """Return the top-level packages in a fresh process after the statement."""
    code = f"{statement}\nimport json, sys; print(json.dumps(list(sys.modules)))"
    path = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.partition(".")[0] for name in json.loads(result.stdout)}


@pytest.mark.parametrize("statement", ["import dctc", "from dctc import DCTCLoss"])
def test_import_loads_torch_and_nothing_else(statement):
    bare = packages_loaded_by("import torch")
    loaded = packages_loaded_by(statement) - bare
    assert "dctc" in loaded
    assert loaded.isdisjoint(HEAVY)
    assert loaded <= {"dctc"} | sys.stdlib_module_names


def test_constraints_are_names_and_versions():
    for line in constraints():
        assert re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", line), line
    names = [line.partition("==")[0] for line in constraints()]
    assert len(names) == len(set(names))


def numbers(version):
    return [int(part) for part in re.findall(r"\d+", version)]


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_every_requirement_has_a_constraint_above_its_floor(requirement):
    held = dict(line.split("==") for line in constraints())
    floor = requirement.partition(">=")[2]
    assert numbers(held[name_of(requirement)]) >= numbers(floor)


def test_citation_names_the_paper():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert citation["authors"] == [{"name": "The dctc authors"}]
    assert citation["license"] == PYPROJECT["project"]["license"]
    paper = citation["preferred-citation"]
    assert paper["doi"] == "10.1609/aaai.v38i7.28575"
    assert paper["identifiers"][0]["value"] == "arXiv:2308.08806"
    assert (paper["start"], paper["end"], paper["year"]) == (7441, 7449, 2024)


def test_changelog_has_a_section_for_this_version():
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert len(headings) == 1 or dctc.__version__ in headings


@pytest.fixture(scope="module")
def beside_bare_torch(tmp_path_factory):
    """Install dctc alone into a folder, and link torch and what it requires into another."""
    for needed in ("pip", "hatchling"):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed here; ./reproduce.sh test installs it")
    alone = tmp_path_factory.mktemp("alone")
    install = ["install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    install = [sys.executable, "-m", "pip", *install, "--target", str(alone), str(ROOT)]
    result = subprocess.run(install, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    torch_only = tmp_path_factory.mktemp("torch")
    for name in closure("torch"):
        link_files_of(name, torch_only)
    return [str(alone), str(torch_only)]


def closure(name):
    """Return a distribution and, by name, all that it requires on this platform."""
    found, waiting = set(), [canonical(name)]
    while waiting:
        name = waiting.pop()
        try:
            requires = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:  # not for this platform
            continue
        if name not in found:
            found.add(name)
            waiting += [name_of(line) for line in requires if "extra ==" not in line]
    return found


def link_files_of(name, folder):
    """Link a distribution's top-level entries; entries that several share are merged."""
    files = importlib.metadata.files(name) or []
    for top in {file.parts[0] for file in files if ".." not in file.parts}:
        source = Path(importlib.metadata.distribution(name).locate_file(top))
        if not (folder / top).exists() and source.exists():
            (folder / top).symlink_to(source)


@pytest.mark.slow
def test_the_loss_needs_torch_alone(beside_bare_torch):
    code = f"""
import sys
sys.path += {beside_bare_torch!r}
import torch
from dctc import DCTCLoss
logits = torch.randn(6, 2, 5, generator=torch.Generator().manual_seed(0), requires_grad=True)
lengths = torch.tensor([6, 6]), torch.tensor([2, 1])
loss = DCTCLoss()(logits, torch.tensor([1, 2, 3]), *lengths)
loss.backward()
assert loss.isfinite() and logits.grad.isfinite().all()
for name in {HEAVY!r}:
    try:
        __import__(name)
    except ImportError:
        continue
    raise AssertionError(name + " can be imported: this is not a bare torch")
"""
    python = [sys.executable, "-I", "-S", "-c", code]
    result = subprocess.run(python, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
