"""``dctc fit | validate | test | predict``: configuration, refusals, files of a run, logging."""

import csv
import json

import pytest
import torch
import yaml
from pytorch_lightning.accelerators import CPUAccelerator as CPU
from pytorch_lightning.accelerators import MPSAccelerator
from pytorch_lightning.loggers import WandbLogger

from dctc.cli import main
from dctc.results.registry import Registry
from dctc.runs.key import arm_of, run_key
from dctc.text import get_protocol
from dctc.training.cli import RecognizerCLI
from dctc.training.logs import loggers
from dctc.training.module import RecognizerModule
from offline_wandb import wandb_records
from tiny import config, final, held_by_another, run_python, same_weights, stored, write_config

pytestmark = [
    pytest.mark.usefixtures("runs"),
    pytest.mark.filterwarnings("ignore:CUTE80/"),  # records that cannot be decoded
]

DCTC = "dctc.training.callbacks.DCTCCallback"
ATTENTIVE = "dctc.losses.cross_entropy.CharacterCrossEntropy"


OWN = "--trainer.callbacks=ModelCheckpoint --trainer.callbacks"


def parse(*options) -> RecognizerCLI:
    return RecognizerCLI([*options, "--log=off"], run=False)


def visible(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def rows(file):
    with open(file, newline="") as stream:
        return list(csv.DictReader(stream))


def key_of(*options) -> str:
    return parse("--name=other", *options).results.run


# ---- what a configuration turns into ----


def test_charset_protocol_and_seed_reach_net_and_data(rendered):
    options = ("--model.tokenizer.init_args.charset=62", "--model.protocol=english62")
    cli = parse(rendered, *options, "--seed_everything=3")
    assert cli.model.net.num_classes == cli.model.tokenizer.num_classes == 63
    assert (cli.datamodule.text["charset"], cli.datamodule.text["protocol"]) == ("62", "english62")
    assert cli.resolved["model"]["net"]["init_args"]["num_classes"] == 63
    assert cli.datamodule.seed == cli.results.seed == 3
    again, other = (parse(rendered, *options, f"--seed_everything={n}") for n in (3, 4))
    weights = [c.model.net.head.weight for c in (cli, again, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_without_a_protocol_the_charset_decides_and_the_configuration_has_it(tmp_path, rendered):
    (tmp_path / "charset.txt").write_text("abcdefghijklmnopqrst\u00fc", encoding="utf-8")
    keys = set()
    for charset, name in (("36", 36), ("94", 94), (str(tmp_path / "charset.txt"), None)):
        protocol = f"english{name}" if name else "verbatim"
        option = f"--model.tokenizer.init_args.charset={charset}"
        cli = parse(rendered, option)
        assert cli.resolved["model"]["protocol"] == cli.datamodule.text["protocol"] == protocol
        assert cli.model.protocol is get_protocol(protocol)
        assert cli.results.run == key_of(rendered, option, f"--model.protocol={protocol}")
        keys.add(cli.results.run)
    assert len(keys) == 3 and key_of(rendered) in keys


@pytest.mark.parametrize(
    "loss, weight, arm",
    [
        ("dctc.losses.CTCLoss", None, "CTCLoss"),
        ("torch.nn.CTCLoss", 0.2, "dctc"),
        ("torch.nn.CTCLoss", 0, "ctc"),
    ],
)
def test_an_arm_is_named_by_its_loss(loss, weight, arm):
    callback = {"class_path": DCTC, "init_args": {"distill_weight": weight}}
    settings = {"model": {"loss": {"class_path": loss}}, "trainer": {"callbacks": [callback]}}
    if weight is None:
        settings["trainer"]["callbacks"] = None
    assert arm_of(settings) == arm


def test_a_callback_alone_counts_as_a_list_of_one(tmp_path):
    keys = set()
    for number, callbacks in enumerate(({"class_path": DCTC}, [{"class_path": DCTC}])):
        settings = config()
        settings["trainer"]["callbacks"] = callbacks
        results = parse(write_config(tmp_path / f"{number}.yaml", settings)).results
        assert results.arm == "dctc"
        keys.add(results.run)
    assert len(keys) == 1


def test_a_run_is_repeated_from_its_saved_configuration_alone(two, runs):
    main(["fit", f"--config={two / 'config.yaml'}", "--name=again"])
    saved, again = (
        yaml.safe_load((runs / name / "config.yaml").read_text()) for name in ("two", "again")
    )
    assert saved["seed_everything"] == 1 and saved["data"]["init_args"]["epoch_size"] == 24
    assert {**saved, "name": "again"} == again
    assert run_key(saved) == (two / "run_key").read_text().strip()  # it says all that counts
    assert (runs / "again" / "run_key").read_text() == (two / "run_key").read_text()
    assert same_weights(stored(two)["state_dict"], stored(runs / "again")["state_dict"])


def test_batch_statistics_of_all_processes_and_the_device_are_ours(rendered, monkeypatch):
    options = ("--trainer.strategy=ddp", "--trainer.devices=2")
    options += (
        "--model.net=dctc.models.TimmRecognizer",
        "--model.net.encoder=mobilenetv3_small_050",
    )
    cli = parse(rendered, *options, "--trainer.sync_batchnorm=true")
    assert cli.trainer.strategy._layer_sync is None  # Lightning's drops activations
    layers = [m for m in cli.model.modules() if isinstance(m, torch.nn.SyncBatchNorm)]
    assert any(isinstance(getattr(layer, "act", None), torch.nn.Hardswish) for layer in layers)
    monkeypatch.setattr(MPSAccelerator, "is_available", lambda: True)
    assert isinstance(parse(rendered, "--trainer.accelerator=auto").trainer.accelerator, CPU)


# ---- what is refused ----


@pytest.mark.parametrize(
    "command, option, complaint",
    [
        ("fit", "--trainer.use_distributed_sampler=true", "use_distributed_sampler must stay"),
        ("fit", "--trainer.overfit_batches=1", "overfit_batches must stay 0: batches depend"),
        ("fit", "--trainer.reload_dataloaders_every_n_epochs=1", "the batches of the first"),
        ("fit", "--trainer.enable_checkpointing=false", "enable_checkpointing must stay true"),
        ("fit", "--ckpt_path=last", "the same command goes on from the run's own last"),
        ("fit", "--model.optimizer.init_args.lr=-1", "Invalid learning rate"),
        ("fit", "--data.init_args.batch_size=1000", "do not fill one batch of 1000"),
        ("fit", "--data.init_args.views=2 --data.init_args.augment=1", "gives two views"),
        ("fit", f"--model.loss=torch.nn.Identity --trainer.callbacks={DCTC}", "works on CTCLoss"),
        ("fit", f"--model.loss={ATTENTIVE}", "give the net a loss for CTC"),
        ("fit", "--trainer.max_steps=0", "the training has 0 steps"),
        ("fit", "--trainer.limit_train_batches=0", "no batch is left of the 6 of an epoch"),
        ("fit", "--trainer.limit_train_batches=4", "4 batches do not divide the 6 of an epoch"),
        ("fit", "--trainer.max_steps=-1 --trainer.max_epochs=-1", "the training has inf steps"),
        ("fit", "--trainer.val_check_interval=7", "val_check_interval 7: an epoch has 6 batches"),
        ("fit", f"{OWN}.save_last=true", "ModelCheckpoint: last.ckpt in"),
        ("fit", f"{OWN}.filename=best", "ModelCheckpoint: best.ckpt in"),
        ("fit", "--name=../x", "--name ../x: that is not below"),
        ("validate", "--name=x", "validate needs --ckpt_path"),
        ("test", "--ckpt_path=best", "--ckpt_path best: no such file"),
        ("test", "--ckpt_path=last", "--ckpt_path last: no such file"),
    ],
)
def test_a_refusal_is_a_line_and_leaves_nothing(rendered, runs, capsys, command, option, complaint):
    with pytest.raises(SystemExit) as ended:
        main([command, rendered, "--log=off", *option.split()])
    message = ended.value.code if isinstance(ended.value.code, str) else capsys.readouterr().err
    assert complaint in message and "\n" not in message.split("\n(DCTC_DEBUG")[0]
    assert not [path for path in runs.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "options, complaint",
    [
        (["--model.nett=1"], "model.nett"),
        (["--trainer.max_steps=many"], "trainer.max_steps"),
        (["--log=maybe"], "offline"),
        (["--config=nowhere.yaml"], "nowhere.yaml"),
        (["--data.init_args.batchsize=1"], "batchsize"),
        (["--seed_everything=true"], "seed_everything"),
    ],
)
def test_a_faulty_option_ends_with_2_and_is_named(rendered, runs, refused, options, complaint):
    error = refused("fit", rendered, *options, code=2)
    assert error.startswith("dctc fit: ") and complaint in error
    assert len(error) < 600 and "Traceback" not in error and not runs.exists()


def test_a_run_is_not_moved_by_a_missing_checkpoint_or_while_it_trains(rendered, one, runs):
    other = ["fit", rendered, "--name=one", "--log=off", "--seed_everything=1"]
    with pytest.raises(SystemExit, match=r"--ckpt_path nowhere\.ckpt: no such file"):
        main([*other, "--ckpt_path=nowhere.ckpt"])
    refused = pytest.raises(SystemExit, match=r"one: another process holds the lock of this run")
    with held_by_another(one), refused:
        main(other)
    assert visible(runs) == ["one"]


def test_what_is_no_checkpoint_of_the_net_is_refused_in_one_line(rendered, one, tmp_path, capsys):
    content = final(one).read_bytes()
    weights = {**stored(one), "state_dict": {}}
    del weights["optimizer_states"]
    (tmp_path / "half.ckpt").write_bytes(content[: len(content) // 2])
    torch.save([1], tmp_path / "list.ckpt")
    (tmp_path / "text.ckpt").write_text("some text\n")  # to pickle: an item of an empty stack
    torch.save(weights, tmp_path / "weights.ckpt")
    (tmp_path / "whole.ckpt").write_bytes(content)
    cases = [
        ("fit", "whole", "trained to max_steps 2, so that nothing is left to train up to 2"),
        ("fit", "half", "half.ckpt: no checkpoint that can be loaded safely"),
        ("test", "text", "text.ckpt: no checkpoint that can be loaded safely"),
        ("test", "list", "list.ckpt: no checkpoint of a run; it holds no state_dict"),
        ("fit", "weights", "weights.ckpt: weights alone; fit takes a whole checkpoint"),
        ("validate", "weights", "the checkpoint is of another net: Missing key"),
    ]
    for command, name, complaint in cases:
        option = f"--ckpt_path={tmp_path / name}.ckpt"
        with pytest.raises(SystemExit) as ended:
            main([command, rendered, "--name=one", "--log=off", option])
        said = str(ended.value.code) + capsys.readouterr().err
        assert complaint in said
    assert final(one).read_bytes() == content


def test_a_folder_of_runs_is_not_moved(rendered, one, runs):
    (runs / "study").mkdir()
    one.rename(runs / "study" / "one")
    further = ["--trainer.max_steps=4", f"--ckpt_path={final(runs / 'study' / 'one')}"]
    for options in ([], further):
        with pytest.raises(SystemExit, match="study holds runs"):
            main(["fit", rendered, "--name=study", "--log=off", *options])
    with pytest.raises(SystemExit, match="to train longer, take another --name"):
        main(["fit", rendered, "--name=study/one", "--log=off", *further])
    assert visible(runs) == ["study"]


# ---- what a run leaves ----


def test_the_same_command_goes_on_where_it_was_interrupted(rendered, runs, capsys, monkeypatch):
    def stop(self, *_):
        assert self.trainer.global_step < 8, "killed"

    own = ["fit", rendered, "--name=one", "--log=off", "--trainer.max_steps=12"]
    with monkeypatch.context() as patch, pytest.raises(AssertionError, match="killed"):
        patch.setattr("dctc.training.cli.CHECKPOINT_EVERY", 4)
        patch.setattr(RecognizerModule, "on_train_batch_end", stop)
        main(own)
    best = torch.load(runs / "one" / "checkpoints" / "best.ckpt", weights_only=True)
    assert best["global_step"] == 6 and "optimizer_states" not in best
    for further, said, first in (
        ([], "going on from its last checkpoint", 8),
        ([], "is finished; --restart trains it again", 8),
        (["--restart"], "", 0),
    ):
        main([*own, *further])
        assert said in capsys.readouterr().out
        assert int(rows(runs / "one" / "metrics.csv")[0]["step"]) == first
    assert "restart" not in (runs / "one" / "config.yaml").read_text()


def test_a_run_that_ended_before_its_first_checkpoint_says_that_it_begins_anew(
    rendered, runs, capsys, monkeypatch
):
    def stop(self, *_):
        raise RuntimeError("killed")

    own = ["fit", rendered, "--name=one", "--log=off"]
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="killed"):
        patch.setattr(RecognizerModule, "on_train_batch_end", stop)
        main(own)
    assert "anew" not in capsys.readouterr().out
    main(own)
    said = f"{runs / 'one'}: ended before its first checkpoint, so it begins anew\n"
    assert said in capsys.readouterr().out


def test_averages_of_weights_and_other_loggers_leave_the_same_files(rendered, runs, tmp_path):
    average = "--trainer.callbacks=EMAWeightAveraging"
    logger = ("--trainer.logger=CSVLogger", f"--trainer.logger.save_dir={tmp_path / 'logs'}")
    main(["fit", rendered, "--name=1e5", "--log=off", average, *logger])
    kept = (runs / "1e5" / "config.yaml").read_text()
    assert list((tmp_path / "logs").rglob("metrics.csv"))
    assert "current_model_state" in stored(runs / "1e5")  # beside the average
    own = f"--config={runs / '1e5' / 'config.yaml'}"
    main(["test", own, "--trainer.logger=false", f"--ckpt_path={final(runs / '1e5')}"])
    assert (runs / "1e5" / "config.yaml").read_text() == kept
    (record,) = Registry(runs).records()
    assert record.run == (runs / "1e5" / "run_key").read_text().strip()


def test_a_checkpoint_of_another_run_goes_on_in_a_folder_of_its_own(rendered, one, two, runs):
    key = (one / "run_key").read_text().strip()
    options = [rendered, "--seed_everything=2", "--trainer.max_steps=4"]
    main(["fit", *options, "--name=one", "--log=off", f"--ckpt_path={final(two)}"])
    assert stored(runs / f"one.{key}")["global_step"] == 2  # set aside
    main(["test", *options, "--name=one", "--log=off", f"--ckpt_path={final(one)}"])
    (record,) = Registry(runs).records()  # which tables take for no run of that configuration
    assert record.run.startswith(f"{key_of(*options)}+")


def test_a_fit_never_writes_over_another_run_behind_a_link(rendered, one, runs, tmp_path, capsys):
    first = (one / "metrics.csv").read_text()
    key = (one / "run_key").read_text().strip()
    (tmp_path / "disk").mkdir()
    one.rename(tmp_path / "disk" / "one")
    (runs / "big").symlink_to(tmp_path / "disk")
    main(["fit", rendered, "--name=big/one", "--log=off", "--seed_everything=1"])
    assert visible(tmp_path / "disk") == ["one", f"one.{key}"]
    assert (tmp_path / "disk" / f"one.{key}" / "metrics.csv").read_text() == first
    assert f"one.{key}" in capsys.readouterr().out
    assert (tmp_path / "disk" / "one" / "metrics.csv").read_text() != first
    main(["fit", rendered, "--name=big/one", "--log=off"])  # which is back, and finished
    assert (tmp_path / "disk" / "one" / "metrics.csv").read_text() == first
    assert len(visible(tmp_path / "disk")) == 2


def test_results_of_other_weights_are_kept_apart(rendered, one, two, runs, capsys):
    """Only the end of a run is the run's result: not its middle, and not another run."""
    for checkpoint in (final(one), final(two)):
        main(["test", rendered, "--name=one", "--log=off", f"--ckpt_path={checkpoint}"])
        said = capsys.readouterr().out
        assert ("not the end of a training of this" in said) == (checkpoint == final(two))
    # nor the weights of another configuration in their own folder
    dctc = f"--trainer.callbacks={DCTC}"
    main(["test", rendered, "--name=one", "--log=off", dctc, f"--ckpt_path={final(one)}"])
    mine, *others = Registry(runs).records()
    assert mine.run == (one / "run_key").read_text().strip()
    assert others[0].run.startswith(f"{mine.run}+")
    assert others[1].run.startswith(f"{key_of(rendered, dctc)}+")
    assert Registry(runs).find(mine.run) == {"rendered": mine}
    assert sum(name.startswith("readings") for name in visible(one)) == 3


def test_fast_dev_run_leaves_nothing(rendered, runs):
    main(["fit", rendered, "--log=off", "--trainer.fast_dev_run=true"])
    assert not [path for path in runs.rglob("*") if path.is_file()]


def test_a_checkpoint_is_validated_and_tested(pixels, runs):
    own = [pixels, "--name=one", "--log=off"]
    main(["fit", *own])
    folder = runs / "one"
    kept = [(folder / name).read_text() for name in ("metrics.csv", "config.yaml")]
    for command in ("validate", "test"):
        main([command, *own, f"--ckpt_path={final(folder)}"])
    # the training's own files stay what they were
    assert [(folder / name).read_text() for name in ("metrics.csv", "config.yaml")] == kept
    assert not list(folder.glob("metrics.*.csv"))
    validated = rows(folder / "validate" / "metrics.csv")[0].keys()
    assert {"val/accuracy", "val/a/accuracy", "val/b/ned"} <= validated
    assert "test/CUTE80/accuracy" in rows(folder / "test" / "metrics.csv")[0]

    (record,) = Registry(runs).records()
    assert (record.set, record.n, record.correct, record.about["steps"]) == ("CUTE80", 43, 28, 2)
    assert record.drops == {"image cannot be read": 2}
    assert Registry(runs).read_hits(record)[:4].tolist() == [True, True, False, True]
    # a choice of test sets that is given later leaves it the run's result
    main(["test", *own, "--data.init_args.test=[CUTE80]", f"--ckpt_path={final(folder)}"])
    assert [r.run for r in Registry(runs).records()] == [record.run] * 2
    assert record.run == (folder / "run_key").read_text().strip()


# ---- logging ----

# No route to the outside.
NOWHERE = {name: "http://127.0.0.1:9" for name in ("http_proxy", "https_proxy")}
NOWHERE |= {name.upper(): value for name, value in NOWHERE.items()}


@pytest.fixture(scope="module")
def logged(tmp_path_factory, rendered):
    """One process that trains with --log off, then offline; the folder of the second run."""
    program = f"""
import sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "wandb":
            print("WANDB WAS SOUGHT", name)

watch = Watch()
sys.meta_path.insert(0, watch)
from dctc.cli import main
main(["fit", {rendered!r}, "--log=off"])
main(["fit", {rendered!r}, "--log", "off", "--restart"])
assert sys.modules.get("wandb") is None
assert not any(name.startswith("wandb.") for name in sys.modules)
sys.meta_path.remove(watch)
main(["fit", {rendered!r}, "--name=group/one", "--trainer.max_steps=6"])  # an epoch: validated
"""
    folder = tmp_path_factory.mktemp("logged")
    places = ("DCTC_RUNS", "WANDB_DATA_DIR", "WANDB_CACHE_DIR")
    own = {name: str(folder / name) for name in places} | {"OMP_NUM_THREADS": "1"}
    done = run_python("-c", program, **own, **NOWHERE)
    assert done.returncode == 0, done.stderr
    return done, folder / "DCTC_RUNS" / "group" / "one"


def test_logging_off_never_imports_wandb(logged):
    done, _ = logged
    assert "WANDB WAS SOUGHT" not in done.stdout
    assert done.stderr.count("max_steps=2") == 2  # it did train


def test_logging_offline_writes_a_whole_run_without_a_network(logged):
    folder, records = wandb_records(logged[1])
    assert len(records["exit"]) == 1 and records["exit"][0].exit_code == 0  # it was closed
    (run,) = records["run"]
    assert (run.project, run.display_name, run.run_group) == ("dctc", "group/one", "group")
    settings = {}
    for part in [run.config, *records.get("config", [])]:
        for item in part.update:
            settings["/".join(item.nested_key) or item.key] = json.loads(item.value_json)
    text = json.dumps(settings)
    assert "dctc.data.rendered.RenderedDataModule" in text and '"max_steps": 6' in text
    (table,) = folder.glob("files/media/table/val/readings*.table.json")
    content = json.loads(table.read_text())
    assert content["columns"] == ["image", "label", "prediction", "confidence"]
    assert len(content["data"]) == 4  # the first batch
    # the images belong to an artifact, which W&B keeps in its data folder until it synchronises
    (manifest,) = [artifact.manifest for artifact in records["artifact"] if artifact.manifest]
    assert sum(entry.path.endswith(".png") for entry in manifest.contents) == 4
    history = {
        "/".join(item.nested_key) or item.key for row in records["history"] for item in row.item
    }
    assert {"train/loss", "val/accuracy"} <= history
    assert any(name.startswith("val/readings/") for name in history)


def test_logging_online_without_a_key_is_refused(rendered, runs, tmp_path, monkeypatch, refused):
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    error = refused("fit", rendered, "--log=online")
    assert "dctc: --log online: W&B has no API key here;" in error and not runs.exists()


def test_metrics_are_set_aside_under_a_free_name_and_named_where_the_disk_is_full(tmp_path):
    (tmp_path / "run").mkdir()
    for name in ("metrics.2", "metrics"):
        (tmp_path / "run" / f"{name}.csv").write_text(name)
    (logger,) = loggers(tmp_path / "run", "run", "", "off")
    logger.log_metrics({"train/loss": 1.0}, step=0)
    left = {path.name: path.read_text() for path in (tmp_path / "run").iterdir()}
    assert left == {"metrics.2.csv": "metrics.2", "metrics.3.csv": "metrics"}
    (tmp_path / "run" / "metrics.csv").symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"No space left on device: '.*/run/metrics\.csv'"):
        logger.save()


@pytest.mark.parametrize("option, offline", [([], True), (["--log=online"], False)])
def test_the_mode_of_logging_is_that_of_the_option(rendered, option, offline, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    found = RecognizerCLI([rendered, *option], run=False).trainer.loggers
    assert type(found[1]) is WandbLogger and found[1]._offline is offline
