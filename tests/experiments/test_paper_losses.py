"""The losses at the scale of the paper: which they are, and that their commands parse."""

from pathlib import Path

import pytest
from experiments.studies.paper_losses import AUGMENTED, FEATURES, LOSSES, loss_launches

from dctc.training.cli import RecognizerCLI

ROOT = Path(__file__).parents[2]


@pytest.fixture
def launches(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("DCTC_RUNS", str(tmp_path))
    return loss_launches("table3-paper", "table1-paper", (0, 1))


def test_ctc_and_dctc_are_those_of_table_1_and_all_other_losses_are_there(launches):
    shared, others = launches
    assert (shared.name, others.name) == ("table1-paper", "table3-paper")
    fragments = {file.stem for file in LOSSES.glob("*.yaml")} - {"character_cross_entropy"}
    assert {*shared.losses, *others.losses} == {*fragments, AUGMENTED}
    assert not {*shared.losses} & {*others.losses}


@pytest.mark.filterwarnings("ignore:LightningCLI's args parameter")
def test_commands_parse_and_train_as_many_images(launches):
    shared, others = launches
    on_a_cpu = ("--trainer.accelerator=cpu", "--trainer.devices=1", "--trainer.strategy=auto")
    for loss, options in others.losses.items():
        command = [f"--config={others.config}", *options, *on_a_cpu, "--log=off"]
        cli = RecognizerCLI(command, run=False)
        data, trainer = cli.resolved["data"]["init_args"], cli.resolved["trainer"]
        callbacks = [c["class_path"].rpartition(".")[2] for c in trainer["callbacks"]]
        assert ("DCTCCallback" in callbacks) == (loss == AUGMENTED)
        assert data["batch_size"] * data["views"] == shared.batch
        assert (data["augment"] > 0) == (loss in (AUGMENTED, "cr_ctc"))
        length = (trainer["max_epochs"], trainer["max_steps"])
        augmented = loss in (AUGMENTED, "cr_ctc")
        assert length == ((-1, shared.steps) if augmented else (20, -1))
        if loss == "center":
            assert cli.model.net.head.in_features == FEATURES
