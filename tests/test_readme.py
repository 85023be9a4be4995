"""The README says nothing that is not so: its paths, commands, targets and quoted figures."""

import re
import shlex
from pathlib import Path

import pytest

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


def test_every_target_of_reproduce_sh_is_described():
    script = (ROOT / "reproduce.sh").read_text()
    targets = re.search(r'TARGETS="\n(.*?)"', script, re.DOTALL)[1].split("\n")
    for target in [line.split()[0] for line in targets if line.strip()]:
        assert f"| `{target}` |" in README, target


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_commands_are_ones_that_exist(command, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("DCTC_RUNS", str(tmp_path))
    if command[0] == "./reproduce.sh":
        assert command[1] in ("TARGET...", "demo", "test", "setup", "bench")
        return
    assert command[0] == "dctc"
    configs = [word for word in command if word.startswith("experiments/")]
    if not configs:  # on the configuration of a run that the reader has made
        configs = ["experiments/configs/demo.yaml"]
    arguments = [f"--config={config}" for config in configs]
    cli = RecognizerCLI([*arguments, "--log=off", "--trainer.fast_dev_run=1"], run=False)
    assert command[1] in type(cli).subcommands()
