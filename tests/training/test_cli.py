import csv
import json
import socket

import pytest
import torch
import yaml
from pytorch_lightning.accelerators import CPUAccelerator as CPU
from pytorch_lightning.accelerators import MPSAccelerator
from pytorch_lightning.loggers import WandbLogger

from dctc.cli import main
from dctc.results.registry import Registry
from dctc.training.cli import RecognizerCLI, arm_of
from dctc.training.machine import SyncBatchNorm, end_process_group
from offline_wandb import wandb_records
from tiny import config, encode_text, held_by_another, run_python, same_weights, write_config

pytestmark = [
    pytest.mark.usefixtures("runs"),
    pytest.mark.filterwarnings("ignore:LightningCLI's args parameter"),
]


def visible(folder):
    return [path.name for path in folder.iterdir() if not path.name.startswith(".")]


@pytest.fixture
def rendered(tmp_path):
    return write_config(tmp_path / "rendered.yaml", config())


@pytest.fixture
def pixels(tmp_path, write_lmdb):
    """CUTE80 with images that PixelNet reads: five records, one of them broken."""
    records = [
        (encode_text("one"), b"One"),
        (encode_text("tow"), b"two"),
        (b"broken", b"three"),
        (encode_text("four"), b"four"),
        (encode_text(""), b"five"),
    ]
    write_lmdb(tmp_path / "data" / "CUTE80", records)
    write_lmdb(tmp_path / "data" / "train", records[:2] * 4)
    settings = config("english", train=["train"], val={"a": ["train"], "b": ["train"]})
    settings["model"]["net"] = {"class_path": "tiny.PixelNet"}
    return write_config(tmp_path / "pixels.yaml", settings)


def parse(*options) -> RecognizerCLI:
    return RecognizerCLI([*options, "--log=off"], run=False)


def metrics(file) -> list[str]:
    with open(file, newline="") as stream:
        return next(csv.reader(stream))


# ---- what a configuration turns into ----


def test_the_charset_sets_the_classes_and_the_charset_of_the_data(rendered):
    cli = parse(rendered, "--model.tokenizer.init_args.charset=62", "--model.protocol=english62")
    assert cli.model.net.num_classes == cli.model.tokenizer.num_classes == 63
    assert cli.datamodule.text["charset"] == "62"
    assert cli.datamodule.text["protocol"] == "english62"
    resolved = cli.resolved
    assert resolved["model"]["net"]["init_args"]["num_classes"] == 63


def test_the_seed_is_that_of_the_weights_and_of_the_data(rendered):
    weights = []
    for seed in (3, 3, 4):
        cli = parse(rendered, f"--seed_everything={seed}")
        assert cli.datamodule.seed == seed
        assert cli.results.seed == seed
        weights.append(cli.model.net.head.weight)
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    assert parse(rendered).datamodule.seed == 0


def test_an_arm_is_named_by_its_loss(rendered):
    callback = "--trainer.callbacks+=dctc.training.callbacks.DCTCCallback"
    weight = "--trainer.callbacks.distill_weight="
    assert parse(rendered).results.arm == "CTCLoss"
    assert parse(rendered, "--model.loss=torch.nn.CTCLoss").results.arm == "CTCLoss"
    assert parse(rendered, callback, f"{weight}0.2").results.arm == "dctc"
    assert parse(rendered, callback, f"{weight}0").results.arm == "ctc"
    assert parse(rendered, callback, "--arm=mine").results.arm == "mine"


def test_a_callback_alone_counts_as_a_list_of_one(tmp_path):
    callback = {"class_path": "dctc.training.callbacks.DCTCCallback"}
    keys = []
    for number, callbacks in enumerate((callback, [callback])):
        settings = config()
        settings["trainer"]["callbacks"] = callbacks
        cli = parse(write_config(tmp_path / f"{number}.yaml", settings))
        assert arm_of(cli.resolved) == cli.results.arm == "dctc"
        keys.append(cli.results.run)
    assert keys[0] == keys[1]


def test_a_saved_configuration_is_the_same_run(rendered, runs):
    main(["fit", rendered, "--name=one", "--log=off", "--seed_everything=5"])
    saved = runs / "one" / "config.yaml"
    main(["fit", f"--config={saved}", "--name=two"])
    one, two = (
        yaml.safe_load((runs / name / "config.yaml").read_text()) for name in ("one", "two")
    )
    assert one["seed_everything"] == 5 and one["data"]["init_args"]["epoch_size"] == 24
    assert {**one, "name": "two"} == two
    first, second = (
        torch.load(runs / name / "checkpoints" / "final.ckpt", weights_only=True)["state_dict"]
        for name in ("one", "two")
    )
    assert same_weights(first, second)


def test_the_key_of_a_run_is_that_of_its_result(rendered):
    key = parse(rendered).results.run
    same = (
        ["--name=x"],
        ["--arm=x"],
        ["--data.init_args.num_workers=1"],
        ["--trainer.log_every_n_steps=7"],
        ["--trainer.callbacks+=pytorch_lightning.callbacks.LearningRateMonitor"],
    )
    other = (
        ["--seed_everything=1"],
        ["--model.optimizer.init_args.lr=0.02"],
        ["--data.init_args.batch_size=8"],
        ["--trainer.max_steps=3"],
        ["--trainer.callbacks+=dctc.training.callbacks.DCTCCallback"],
    )
    assert {parse(rendered, *options).results.run for options in same} == {key}
    assert len({key, *(parse(rendered, *options).results.run for options in other)}) == 6


# ---- what is refused ----


@pytest.mark.parametrize("option", ["use_distributed_sampler=true", "overfit_batches=1"])
def test_options_of_the_trainer_that_break_the_order_are_refused(rendered, runs, option):
    with pytest.raises(SystemExit) as ended:
        main(["fit", rendered, "--log=off", f"--trainer.{option}"])
    message = ended.value.code
    assert option.partition("=")[0] in message and "\n" not in message
    assert not runs.exists()


@pytest.mark.parametrize("command", ["validate", "test", "predict"])
def test_scoring_takes_a_checkpoint(rendered, runs, command):
    with pytest.raises(SystemExit) as ended:
        main([command, rendered, "--log=off"])
    assert f"{command} needs --ckpt_path" in ended.value.code
    assert not runs.exists()


@pytest.mark.parametrize("checkpoint", ["last", "best", "nowhere.ckpt"])
def test_scoring_takes_the_file_of_a_checkpoint(rendered, runs, checkpoint):
    with pytest.raises(SystemExit) as ended:
        main(["test", rendered, "--log=off", f"--ckpt_path={checkpoint}"])
    assert f"--ckpt_path {checkpoint}: no such file" in ended.value.code
    assert not runs.exists()


def test_apples_gpu_is_not_taken(rendered, runs, monkeypatch, capsys):
    monkeypatch.setattr(MPSAccelerator, "is_available", lambda: True)
    assert isinstance(parse(rendered, "--trainer.accelerator=auto").trainer.accelerator, CPU)
    assert "takes the CPU, as the losses compute in float64" in capsys.readouterr().out
    for name in ("mps", "gpu"):
        with pytest.raises(SystemExit, match=f"accelerator {name}: the losses compute in float64"):
            parse(rendered, f"--trainer.accelerator={name}")


def test_batch_statistics_of_all_processes_are_ours(rendered, runs):
    options = ("--trainer.sync_batchnorm=true", "--trainer.strategy=ddp", "--trainer.devices=2")
    strategy = parse(rendered, *options).trainer.strategy
    assert isinstance(strategy._layer_sync, SyncBatchNorm)


@pytest.mark.parametrize("checkpoint", ["best", "runs/one/checkpoints/lst.ckpt"])
def test_going_on_takes_the_last_or_the_file_of_a_checkpoint(rendered, runs, checkpoint):
    main(["fit", rendered, "--name=one", "--log=off"])
    with pytest.raises(SystemExit) as ended:
        main(["fit", rendered, "--name=one", "--log=off", f"--ckpt_path={checkpoint}"])
    assert f"--ckpt_path {checkpoint}: no such file" in ended.value.code
    assert visible(runs) == ["one"]


def test_going_on_takes_a_run_that_was_begun(rendered, runs):
    with pytest.raises(SystemExit) as ended:
        main(["fit", rendered, "--name=new", "--log=off", "--ckpt_path=last"])
    assert "--ckpt_path last: no such file" in ended.value.code
    assert not runs.exists()


def test_a_run_that_is_being_trained_is_not_moved(rendered, runs, tmp_path):
    main(["fit", rendered, "--name=one", "--log=off"])
    refused = pytest.raises(SystemExit, match=r"one: another process is at this run")
    with held_by_another(runs / "one", tmp_path / "ready"), refused:
        main(["fit", rendered, "--name=one", "--log=off", "--seed_everything=1"])
    assert visible(runs) == ["one"]


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
def test_a_faulty_option_ends_with_2_and_is_named(rendered, runs, capsys, options, complaint):
    with pytest.raises(SystemExit) as ended:
        main(["fit", rendered, *options])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert complaint in error[error.index("error:") :]
    assert "Traceback" not in error and not runs.exists()


def test_an_unknown_key_of_a_file_is_named(tmp_path, capsys):
    settings = config()
    settings["model"]["nett"] = settings["model"].pop("net")
    with pytest.raises(SystemExit) as ended:
        main(["fit", write_config(tmp_path / "faulty.yaml", settings), "--log=off"])
    assert ended.value.code == 2
    assert "nett" in capsys.readouterr().err


# ---- what a run leaves ----


def test_an_earlier_parts_metrics_are_kept_on_resume(rendered, runs):
    main(["fit", rendered, "--name=one", "--log=off"])
    first = (runs / "one" / "metrics.csv").read_text()
    final = runs / "one" / "checkpoints" / "final.ckpt"
    main(
        [
            "fit",
            rendered,
            "--name=one",
            "--log=off",
            "--trainer.max_steps=4",
            f"--ckpt_path={final}",
        ]
    )
    assert (runs / "one" / "metrics.1.csv").read_text() == first
    with open(runs / "one" / "metrics.csv", newline="") as stream:
        steps = {int(row["step"]) for row in csv.DictReader(stream) if row["train/loss"]}
    assert steps == {2, 3}
    assert torch.load(final, weights_only=True)["global_step"] == 4
    # neither the run of 2 steps nor one of 4: tables take it for none of them
    for steps in (2, 4):
        options = ["--name=one", "--log=off", f"--trainer.max_steps={steps}"]
        main(["test", rendered, *options, f"--ckpt_path={final}"])
    keys = [parse(rendered, "--name=x", f"--trainer.max_steps={n}").results.run for n in (2, 4)]
    assert [r.run.partition("+")[0] for r in Registry(runs).records()] == keys
    assert all("+" in record.run for record in Registry(runs).records())


def test_a_checkpoint_of_another_run_goes_on_in_a_folder_of_its_own(rendered, runs):
    main(["fit", rendered, "--name=one", "--log=off"])
    key = (runs / "one" / "run_key").read_text().strip()
    main(["fit", rendered, "--name=two", "--log=off", "--seed_everything=1"])
    final = runs / "two" / "checkpoints" / "final.ckpt"
    options = ["--seed_everything=2", "--trainer.max_steps=4", f"--ckpt_path={final}"]
    main(["fit", rendered, "--name=one", "--log=off", *options])
    kept = torch.load(runs / f"one.{key}" / "checkpoints" / "final.ckpt", weights_only=True)
    assert kept["global_step"] == 2
    own = runs / "one" / "checkpoints" / "final.ckpt"
    main(["test", rendered, "--name=one", "--log=off", *options[:2], f"--ckpt_path={own}"])
    (record,) = Registry(runs).records()  # which tables take for no run of that configuration
    assert record.run.startswith(f"{parse(rendered, '--name=x', *options[:2]).results.run}+")


def test_a_folder_of_runs_is_not_moved(rendered, runs):
    main(["fit", rendered, "--name=study/one", "--log=off"])
    for name, complaint in (("study", "holds runs"), (".", "not below"), ("../x", "not below")):
        with pytest.raises(SystemExit, match=complaint):
            main(["fit", rendered, f"--name={name}", "--log=off"])
    assert visible(runs) == ["study"]
    final = runs / "study" / "one" / "checkpoints" / "final.ckpt"
    with pytest.raises(SystemExit, match="holds runs"):
        main(["fit", rendered, "--name=study", "--log=off", f"--ckpt_path={final}"])


def test_runs_may_lie_behind_a_link(rendered, runs, tmp_path):
    runs.mkdir()
    (tmp_path / "disk").mkdir()
    (runs / "big").symlink_to(tmp_path / "disk")
    main(["fit", rendered, "--name=big/one", "--log=off"])
    assert (tmp_path / "disk" / "one" / "run_key").exists()


def test_a_fit_never_writes_over_another_run(rendered, runs, capsys):
    main(["fit", rendered, "--name=one", "--log=off"])
    first = (runs / "one" / "metrics.csv").read_text()
    key = parse(rendered, "--name=other").results.run
    main(["fit", rendered, "--name=one", "--log=off", "--seed_everything=1"])
    assert (runs / f"one.{key}" / "metrics.csv").read_text() == first
    assert f"one.{key}" in capsys.readouterr().out
    assert (runs / "one" / "metrics.csv").read_text() != first
    assert not list((runs / "one").glob("metrics.*.csv"))


def test_results_of_other_weights_are_kept_apart(rendered, runs, capsys):
    """Only the end of a run is the run's result: not its middle, and not another run."""
    main(["fit", rendered, "--name=one", "--log=off"])
    main(["fit", rendered, "--name=two", "--log=off", "--seed_everything=1"])
    own, other = (runs / name / "checkpoints" / "final.ckpt" for name in ("one", "two"))
    for checkpoint in (own, other):
        main(["test", rendered, "--name=one", "--log=off", f"--ckpt_path={checkpoint}"])
        said = capsys.readouterr().out
        assert ("not the end of a training of this configuration" in said) == (checkpoint is other)
    # nor the weights of another configuration in their own folder
    dctc = "--trainer.callbacks=dctc.training.callbacks.DCTCCallback"
    main(["test", rendered, "--name=one", "--log=off", dctc, f"--ckpt_path={own}"])
    mine, *others = Registry(runs).records()
    assert mine.run == parse(rendered, "--name=x").results.run
    assert others[0].run.startswith(f"{mine.run}+")
    assert others[1].run.startswith(f"{parse(rendered, '--name=x', dctc).results.run}+")
    assert Registry(runs).find(mine.run) == {"rendered": mine}
    assert sum(folder.name.startswith("readings") for folder in (runs / "one").iterdir()) == 3


def test_further_benchmarks_are_results_of_the_run(pixels, runs):
    with pytest.warns(UserWarning, match="CUTE80/3"):
        main(["fit", pixels, "--name=one", "--log=off"])
        more = "--data.init_args.test=[CUTE80]"
        final = f"--ckpt_path={runs / 'one' / 'checkpoints' / 'final.ckpt'}"
        main(["test", pixels, "--name=one", "--log=off", more, final])
    (record,) = Registry(runs).records()
    assert record.run == (runs / "one" / "run_key").read_text().strip()


def test_fast_dev_run_leaves_nothing(rendered, runs):
    main(["fit", rendered, "--log=off", "--trainer.fast_dev_run=true"])
    assert not [path for path in runs.rglob("*") if path.is_file()]


def test_a_checkpoint_is_validated_tested_and_used_to_predict(pixels, runs):
    with pytest.warns(UserWarning, match="CUTE80/3"):
        main(["fit", pixels, "--name=one", "--log=off", "--model.optimizer.init_args.lr=1e-9"])
        trained = metrics(runs / "one" / "metrics.csv")
        kept = (runs / "one" / "config.yaml").read_text()
        checkpoint = f"--ckpt_path={runs / 'one' / 'checkpoints' / 'final.ckpt'}"
        for command in ("validate", "test", "predict"):
            main([command, pixels, "--name=one", "--log=off", checkpoint])
    folder = runs / "one"

    # the training's own files stay what they were
    assert metrics(folder / "metrics.csv") == trained
    assert (folder / "config.yaml").read_text() == kept
    assert not list(folder.glob("metrics.*.csv"))
    assert {"val/accuracy", "val/a/accuracy", "val/b/ned"} <= set(
        metrics(folder / "validate" / "metrics.csv")
    )
    assert "test/CUTE80/accuracy" in metrics(folder / "test" / "metrics.csv")

    (record,) = Registry(runs).records()
    assert (record.set, record.n, record.correct, record.about["steps"]) == ("CUTE80", 4, 2, 2)
    assert record.drops == {"image cannot be read": 1}
    assert Registry(runs).read_hits(record).tolist() == [True, False, True, False]

    with open(folder / "predictions.tsv", newline="", encoding="utf-8") as stream:
        head, *rows = csv.reader(stream, delimiter="\t")
    assert head == ["key", "prediction", "confidence", "label"] and len(rows) == 5
    read = {row[0]: row[1] for row in rows}
    assert read == {
        "CUTE80/1": "one",
        "CUTE80/2": "tow",
        "CUTE80/3": "",
        "CUTE80/4": "four",
        "CUTE80/5": "",
    }
    notes = {row[0]: row[2] for row in rows}
    assert notes["CUTE80/3"].startswith("not read: image cannot be decoded")
    assert 0.9 < float(notes["CUTE80/1"]) < 1


# ---- logging ----


# No route to the outside.
NOWHERE = {name: "http://127.0.0.1:9" for name in ("http_proxy", "https_proxy")}
NOWHERE |= {name.upper(): value for name, value in NOWHERE.items()}


@pytest.mark.slow
@pytest.mark.parametrize("option", ["'--log', 'off'", "'--log=off'"])
def test_logging_off_never_imports_wandb(rendered, option):
    program = f"""
import sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "wandb":
            print("WANDB WAS SOUGHT", name)

sys.meta_path.insert(0, Watch())
from dctc.cli import main
main(["fit", {rendered!r}, {option}])
assert sys.modules.get("wandb") is None
assert not any(name.startswith("wandb.") for name in sys.modules)
"""
    done = run_python("-c", program)
    assert done.returncode == 0, done.stderr
    assert "WANDB WAS SOUGHT" not in done.stdout
    assert "max_steps=2" in done.stderr  # it did train


@pytest.mark.slow
def test_logging_offline_writes_a_whole_run_without_a_network(rendered, runs):
    epoch = "--trainer.max_steps=6"  # validation comes at its end
    options = ("--name=group/one", "--log=offline", epoch)
    done = run_python("-m", "dctc.cli", "fit", rendered, *options, **NOWHERE)
    assert done.returncode == 0, done.stderr
    folder, records = wandb_records(runs / "group" / "one")
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


def test_the_mode_of_logging_is_that_of_the_option(rendered):
    offline, online = (
        [logger for logger in RecognizerCLI([rendered, f"--log={mode}"], run=False).trainer.loggers]
        for mode in ("offline", "online")
    )
    assert [type(logger) for logger in offline][1:] == [WandbLogger] and offline[1]._offline
    assert not online[1]._offline
    assert len(parse(rendered).trainer.loggers) == 1


def test_nothing_is_sent_where_logging_is_off(rendered, monkeypatch):
    def refuse(*_):
        raise AssertionError("a connection was attempted")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    main(["fit", rendered, "--log=off"])


def test_the_group_of_processes_is_ended(tmp_path):
    end_process_group()  # there is none
    rendezvous = f"file://{tmp_path / 'rendezvous'}"
    torch.distributed.init_process_group("gloo", rendezvous, rank=0, world_size=1)
    end_process_group()
    assert not torch.distributed.is_initialized()
