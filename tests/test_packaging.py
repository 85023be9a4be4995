"""The distribution: dependencies, metadata, and a wheel that works without a clone."""

import itertools
import json
import os
import re
import subprocess
import sys
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import dctc
from scripts import ROOT
from tiny import run_python

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]
REQUIREMENTS = [
    *PROJECT["project"]["dependencies"],
    *itertools.chain(*(needs for extra, needs in EXTRAS.items() if extra != "all")),
    *PROJECT["build-system"]["requires"],
]
LOADED = """
import json, sys
import torch
torch.ones(1, requires_grad=True).log_softmax(0).sum().backward()
before = set(sys.modules)
from dctc import DCTCLoss
logits = torch.randn(6, 2, 5, generator=torch.Generator().manual_seed(0), requires_grad=True)
lengths = torch.tensor([6, 6]), torch.tensor([2, 1])
loss = DCTCLoss()(logits, torch.tensor([1, 2, 3]), *lengths)
loss.backward()
assert loss.isfinite() and logits.grad.isfinite().all()
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
"""


def test_the_loss_loads_torch_and_nothing_else():
    done = run_python("-c", LOADED)
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout)) - {"torch"}
    assert "dctc" in loaded
    assert loaded <= {"dctc"} | sys.stdlib_module_names


def test_constraints_hold_a_version_for_every_requirement():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name, _ in pins)
    held = dict(pins)
    assert len(held) == len(pins)
    for requirement in map(Requirement, REQUIREMENTS):
        if requirement.extras:  # the package itself, with another extra
            continue
        assert requirement.specifier.contains(held[canonicalize_name(requirement.name)])


def test_all_is_every_extra_that_installs_everywhere():
    (everything,) = map(Requirement, EXTRAS["all"])
    assert everything.extras == EXTRAS.keys() - {"all", "peers"}


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a clone")
def test_git_ignores_nothing_that_it_has():
    """What git ignores, the wheel lacks, ruff does not read, and a new file of is not added."""
    ignored = ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"]
    assert not subprocess.run(ignored, cwd=ROOT, capture_output=True, text=True).stdout
    packages = {file.parent for file in (ROOT / "src" / "dctc").rglob("*.py")}
    known = subprocess.run(["git", "ls-files", "src"], cwd=ROOT, capture_output=True, text=True)
    inits = [str((package / "__init__.py").relative_to(ROOT)) for package in packages]
    assert {*inits} <= {*known.stdout.split()}


def test_citation_names_the_paper():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["license"] == PROJECT["project"]["license"]
    paper = citation["preferred-citation"]
    assert paper["doi"] == "10.1609/aaai.v38i7.28575"
    assert paper["identifiers"][0]["value"] == "arXiv:2308.08806"


def test_changelog_has_a_section_for_this_version():
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert len(headings) == 1 or dctc.__version__ in headings


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel and install it, alone, into a folder."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", folder)
    pip = [sys.executable, "-m", "pip", "install", *map(str, options), str(ROOT)]
    done = subprocess.run(pip, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_the_wheel_is_the_library_alone(wheel):
    files = [path for path in wheel.rglob("*") if path.suffix == ".py"]
    assert files and {path.relative_to(wheel).parts[0] for path in files} == {"dctc"}
    assert [path for path in files if "experiments" in path.read_text(encoding="utf-8")] == []
    (metadata,) = wheel.glob("dctc-*.dist-info")
    assert f"Version: {dctc.__version__}\n" in (metadata / "METADATA").read_text()


@pytest.mark.slow
def test_the_wheel_trains_from_an_empty_folder(wheel, tmp_path):
    demo = yaml.safe_load((ROOT / "experiments/configs/demo.yaml").read_text())
    demo["trainer"] |= {"max_steps": 2, "val_check_interval": 2, "limit_val_batches": 1}
    demo["data"]["init_args"] |= {"batch_size": 4, "num_workers": 0, "epoch_size": 8}
    (tmp_path / "my.yaml").write_text(yaml.safe_dump(demo))
    program = f"""
import sys
sys.path.insert(0, {str(wheel)!r})
import dctc.cli
assert dctc.__file__.startswith({str(wheel)!r}), dctc.__file__
dctc.cli.main(["fit", "--config", "my.yaml", "--trainer.accelerator", "cpu", "--log", "off"])
"""
    python = [sys.executable, "-I", "-c", program]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DCTC_")}
    done = subprocess.run(python, cwd=tmp_path, env=kept, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("runs/*/checkpoints/final.ckpt"))) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"my.yaml", "runs"}
