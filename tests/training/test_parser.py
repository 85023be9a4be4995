"""Configurations: text that looks like a number, counts of batches, and what may be named."""

import pytest
import yaml
from jsonargparse import get_loader
from pytorch_lightning import Trainer

from dctc.cli import main
from dctc.runs.net import load_net
from dctc.training.cli import RecognizerCLI
from dctc.training.parser import RunParser
from tiny import config, of_class, write_config

pytestmark = pytest.mark.usefixtures("runs")


@pytest.mark.parametrize("text", ["695e0514", "1.5e5", "-1e3", "20240612", "1_0", "off", "null"])
def test_saved_text_reads_back_as_text(text):
    parser = RunParser()
    parser.add_argument("--name", type=str)
    parser.add_argument("--lr", type=float)
    saved = parser.dump(parser.parse_args([f"--name={text}", "--lr=1e-5"]))
    assert get_loader("yaml")(saved) == {"name": text, "lr": 1e-5}
    assert yaml.safe_load(saved)["name"] == text


def test_a_bare_off_is_off_and_a_number_for_text_is_refused(tmp_path, rendered, capsys):
    off = write_config(tmp_path / "off.yaml", {"log": False})
    assert RecognizerCLI([rendered, off], run=False).resolved["log"] == "off"
    tokenizer = {"class_path": "dctc.text.CTCTokenizer", "init_args": {"charset": 36}}
    for wrong in ({"name": 20240612}, {"arm": True}, {"model": {"tokenizer": tokenizer}}):
        with pytest.raises(SystemExit):
            main(["fit", rendered, write_config(tmp_path / "wrong.yaml", wrong)])
        assert "needs quotes" in capsys.readouterr().err
    bare = write_config(tmp_path / "bare.yaml", {"model": {**config()["model"], **wrong["model"]}})
    with pytest.raises(ValueError, match="needs quotes"):
        load_net(tmp_path / bare.rpartition("/")[2])


def test_one_batch_is_not_all_of_them():
    class Floats(Trainer):
        def __init__(self, limit_val_batches: float | int | None = None) -> None:
            """Take what typing may make of Lightning's int | float."""

    parser = RunParser()
    parser.add_lightning_class_args(Floats, "trainer")
    for text, value in (("1", 1), ("1.0", 1.0), ("0.5", 0.5)):
        found = parser.parse_args([f"--trainer.limit_val_batches={text}"])
        assert repr(found.trainer.limit_val_batches) == repr(value)


def calling(file, path="os.system", **init_args):
    """Return a class path whose construction would make a file."""
    return of_class(path, **(init_args or {"command": f"touch {file}"}))


PARTS = ["optimizer", "schedule", "net", "timm", "popen", "nested", "callback"]


@pytest.mark.parametrize("part", PARTS)
def test_a_configuration_calls_no_function_and_starts_no_program(tmp_path, part):
    file, settings = tmp_path / "made", config()
    call = calling(file)
    if part == "popen":
        call = calling(file, "subprocess.Popen", args=["touch", str(file)])
    if part == "nested":  # a function of a module that is no module of this path
        call = calling(file, "torch.nn.functional.torch.save", obj=[], f=str(file))
        settings["model"]["schedule"] = call
    elif part in ("optimizer", "schedule"):
        settings["model"][part] = call
    elif part == "callback":
        settings["trainer"]["callbacks"] = [call]
    elif part == "timm":
        path = "timm.models.vision_transformer.VisionTransformer"
        settings["model"]["net"] = of_class(path, norm_layer=call)
    else:
        options = {"encoder": "small_resnet", "encoder_options": {"norm_layer": call}}
        settings["model"]["net"] = of_class("dctc.models.TimmRecognizer", **options)
    written = write_config(tmp_path / "c.yaml", settings)
    with pytest.raises((SystemExit, ValueError, TypeError)):
        main(["fit", written, "--log=off"])
    if part != "callback":
        with pytest.raises((ValueError, TypeError)):
            load_net(tmp_path / "c.yaml")
    assert not file.exists()
