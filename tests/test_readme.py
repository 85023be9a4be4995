"""The README says nothing that is not so: its paths, commands, targets and quoted figures."""

import re
import shlex
from pathlib import Path

import pytest

from dctc.cli import TRAINING, USAGE
from dctc.data.archives.commands import VERBS
from dctc.training.cli import RecognizerCLI

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
COMMANDS = [
    shlex.split(line, comments=True)
    for block in BLOCKS
    for line in block.replace("\\\n", " ").splitlines()
    if shlex.split(line, comments=True)
]
SCRIPT = (ROOT / "reproduce.sh").read_text()
LISTED = re.search(r'TARGETS="\n(.*?)"', SCRIPT, re.DOTALL)[1].splitlines()
TARGETS = [line.split()[0] for line in LISTED if line.strip()]


def test_nothing_is_left_to_fill_in():
    assert not re.search(r"@@|TODO|TBD", README)


def test_paths_exist():
    paths = re.findall(r"(?:experiments|tests|src)/[\w./{},*-]*\w", README)
    assert len(paths) > 5
    for path in paths:
        if "{" in path or "*" in path:
            continue
        assert (ROOT / path).exists(), path
    for folder in ("model", "data", "loss", "trainer"):
        assert list((ROOT / "experiments/configs" / folder).glob("*.yaml"))


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_of_reproduce_sh_is_described(target):
    assert f"| `{target}` |" in README


def test_every_loss_for_ctc_nets_is_listed():
    (listed,) = (line for line in README.splitlines() if line.startswith("**Losses.**"))
    files = (ROOT / "experiments/configs/loss").glob("*.yaml")
    names = {file.stem for file in files} - {"character_cross_entropy"}  # for nets with attention
    assert names <= set(re.findall(r"`(\w+)`", listed))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_commands_are_ones_that_exist(command, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("DCTC_RUNS", str(tmp_path))
    if command[0] == "./reproduce.sh":
        assert command[1] in ("TARGET...", *TARGETS)
        return
    assert command[0] == "dctc"
    if command[1] == "data":
        assert command[2] in VERBS
        return
    if command[1] not in TRAINING or not any("config" in word for word in command):
        assert re.search(rf"^  {command[1]} ", USAGE, re.MULTILINE)
        return
    configs = [word for word in command if word.startswith("experiments/")]
    if not configs:  # on the configuration of a run that the reader has made
        configs = ["experiments/configs/demo.yaml"]
    arguments = [f"--config={config}" for config in configs]
    cli = RecognizerCLI([*arguments, "--log=off", "--trainer.fast_dev_run=1"], run=False)
    assert command[1] in type(cli).subcommands()
