"""Every YAML under experiments/configs is parsed, and a step is trained with it."""

import itertools
import os
import re
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from dctc.cli import main
from dctc.data.render.fonts import chinese_families, find_fonts
from dctc.results.frame import read_frame
from dctc.results.registry import Registry
from dctc.runs.key import run_key
from dctc.training.cli import RecognizerCLI
from scripts import resolve

CONFIGS = Path("experiments/configs")
FRAGMENTS = ("data", "model", "loss", "trainer")
EVERY = sorted(CONFIGS.rglob("*.yaml"))
COMPLETE = [file for file in EVERY if file.parent.name not in FRAGMENTS]
PARTS = {name: [file for file in EVERY if file.parent.name == name] for name in FRAGMENTS}
HEAD = ("Reproduces:", "Command:", "Expected:", "Hardware:")

pytestmark = pytest.mark.filterwarnings("ignore:.*not found below")


# Nets that are built but not trained here; smaller ones of their kind are, and each of them by
# training/nets/test_every_net.py.
LARGE = ("svtr_small", "svtr_base", "svtr_large", "chinese_crnn", "crnn_chinese", "resnet18")


def named(files):
    ids = [str(file.relative_to(CONFIGS)) for file in files]
    return pytest.mark.parametrize("file", files, ids=ids)


def trained(files):
    return [file for file in files if not any(name in file.stem for name in LARGE)]


@pytest.fixture
def data(tmp_path, runs, write_lmdb, encode_image):
    """A data root with what the configurations name, and runs in a folder of the test's own."""
    records = [(encode_image(i, 40, 16), f"word{i}".encode()) for i in range(8)]
    for folder in ("train/MJ", "train/ST", "train/SVT_257"):
        write_lmdb(tmp_path / "data" / "english" / folder, records)
    for folder in ("funsd_words_21888", "funsd_words_8707", "sroie_lines_27066"):
        write_lmdb(tmp_path / "data" / "document" / folder, records)
    for folder in ("document_train", "document_val", "scene_train", "scene_val"):
        write_lmdb(tmp_path / "data" / "chinese" / folder, records)
    (tmp_path / "data" / "chinese" / "alphabet.txt").write_text("dorw01234567")
    common = "dorw01234567\u7684\u4e00\u662f\u4e0d"
    (tmp_path / "data" / "chinese" / "common.txt").write_text(common, encoding="utf-8")
    return tmp_path / "data"


def comment(file):
    """Return the lines of the comment that a file begins with."""
    lines = file.read_text().splitlines()
    return [line for line in itertools.takewhile(lambda line: line.startswith("#"), lines)]


def stand_ins(file, data):
    """Return the options that put tiny data in the place of what a configuration names."""
    if "OnnxRecognizer" in file.read_text():
        if find_spec("rapidocr") is None:
            pytest.skip("the package rapidocr is not installed")
        charset, policy = "--model.tokenizer.init_args.charset", "--model.net.init_args"
        sizes = ["--data.init_args.allow_size_mismatch=true"] if file in COMPLETE else []
        return [f"{charset}=36", f"{policy}.charset_policy=subset", *sizes]
    if "DocumentDataModule" in file.read_text():
        return ["--data.init_args.allow_size_mismatch=true"]
    if "language: zh" in file.read_text():
        charset = data / "chinese" / "common.txt"
        if len(chinese_families(find_fonts("system"), charset.read_text(encoding="utf-8"))) < 2:
            pytest.skip("fewer than two families of fonts on this machine draw Chinese")
        return [f"--model.tokenizer.init_args.charset={charset}"]
    if "ChineseDataModule" not in file.read_text():
        return []
    pytest.importorskip("zhconv")
    return [
        f"--model.tokenizer.init_args.charset={data / 'chinese' / 'alphabet.txt'}",
        "--data.init_args.allow_size_mismatch=true",
    ]


def one_step(*options):
    """Train one step, and validate, on a CPU."""
    files = [option.removeprefix("--config=") for option in options if "config=" in option]
    texts = [Path(file).read_text() for file in files]
    kinds = ("English", "Chinese", "Document")
    stored = any(f"{kind}DataModule" in text for kind in kinds for text in texts)
    sizes = () if stored else ("epoch_size=4", "val_size=4", "test_size=4")
    main(
        [
            "fit",
            *options,
            "--log=off",
            "--trainer.accelerator=cpu",
            "--trainer.strategy=auto",
            "--trainer.devices=1",
            "--trainer.precision=32",
            "--trainer.sync_batchnorm=false",
            "--trainer.enable_progress_bar=false",
            *(f"--data.init_args.{size}" for size in sizes),
            "--data.init_args.batch_size=4",
            "--data.init_args.eval_batch_size=4",
            "--data.init_args.num_workers=0",
            "--trainer.val_check_interval=1",
            "--trainer.max_steps=1",
            "--trainer.limit_val_batches=2",
        ]
    )
    folder = Path(os.environ["DCTC_RUNS"]) / "run"
    assert (folder / "checkpoints" / "final.ckpt").exists()
    assert "val/accuracy" in (folder / "metrics.csv").read_text()
    shutil.rmtree(folder / "checkpoints")  # pytest keeps the folder, and large nets fill disks


@named([file for files in PARTS.values() for file in files])
def test_a_fragment_says_in_one_line_what_it_is(file):
    (line,) = comment(file)
    assert line.startswith("# ") and line.endswith(".")
    assert set(yaml.safe_load(file.read_text())) <= {"model", "data", "trainer"}


@named(COMPLETE)
def test_a_complete_configuration_says_what_it_is_for(file):
    head = comment(file)
    assert head[0].startswith("# ") and head[0].endswith(".")
    assert [line.split()[1] for line in head if line.split()[1] in HEAD] == list(HEAD)
    assert str(file) in " ".join(head) or file.name in " ".join(head)  # the command names it


@named(COMPLETE)
def test_what_a_comment_points_to_is_there(file):
    text = " ".join(line.strip("# ") for line in comment(file))
    for what, page in re.findall(r'see "(.+?)" in (\S+\.md)', text):
        headings = re.findall(r"^#.*", Path(page).read_text(encoding="utf-8"), re.MULTILINE)
        assert any(what in heading for heading in headings), what
    for path in re.findall(r"experiments/\S+\w", text):
        assert Path(path).exists(), path


@pytest.mark.parametrize("name", ["funsd", "sroie"])  # the others' words are drawn first
def test_the_published_run_of_a_comment_has_its_key(name):
    text = (CONFIGS / f"{name}.yaml").read_text()
    (published,) = re.findall(r"experiments/results/configs/\w+\.yaml", text)
    assert run_key(resolve("fit", "--config", published), {}) == Path(published).stem


def test_the_minutes_of_a_training_are_those_of_the_results():
    frame = read_frame(Registry("experiments/results"))
    seconds = frame[(frame.study == "table1") & (frame.gpu == "")].seconds
    said = re.search(r"(\d+) to (\d+) minutes", (CONFIGS / "scene.yaml").read_text())
    assert [int(n) for n in said.groups()] == [round(s / 60) for s in (min(seconds), max(seconds))]


@named(COMPLETE)
def test_a_complete_configuration_stands_alone(file, data):
    options = [f"--config={file}", *stand_ins(file, data), "--trainer.accelerator=cpu"]
    if file in trained(COMPLETE):
        one_step(*options)
    else:
        RecognizerCLI([*options, "--log=off"], run=False)


def test_tiny_is_tiny_wherever_it_stands(data):
    files = [f"--config={CONFIGS / name}" for name in ("demo.yaml", "trainer/tiny.yaml")]
    for options in (files, [*files, "--trainer.log_every_n_steps=3", "--name=x"]):
        trainer = RecognizerCLI([*options, "--log=off"], run=False).trainer
        limits = (trainer.max_steps, trainer.limit_val_batches, trainer.limit_test_batches)
        assert limits == (1, 2, 2)


# Each fragment with one of each other kind.
USUAL = {
    "data": CONFIGS / "data" / "rendered.yaml",
    "model": CONFIGS / "model" / "small_resnet.yaml",
    "loss": CONFIGS / "loss" / "dctc.yaml",
    "trainer": CONFIGS / "trainer" / "cpu.yaml",
}
# Nets that read by attention have a loss of their own.
CROSS_ENTROPY = CONFIGS / "loss" / "character_cross_entropy.yaml"
SELECTION = [
    {**USUAL, kind: file} | ({"loss": CROSS_ENTROPY} if file.stem.startswith("attention") else {})
    for kind, files in PARTS.items()
    for file in files
    if file not in (*USUAL.values(), CROSS_ENTROPY)
]


@pytest.mark.parametrize(
    "parts",
    [parts for parts in SELECTION if trained([parts["model"]])],
    ids=lambda parts: "-".join(file.stem for file in parts.values()),
)
def test_fragments_go_together(parts, data):
    options = [option for file in parts.values() for option in stand_ins(file, data)]
    one_step(*(f"--config={file}" for file in parts.values()), *options)


@named([file for file in PARTS["model"] if file not in trained(PARTS["model"])])
def test_fragments_of_large_nets_go_together(file, data):
    files = [f"--config={part}" for part in (USUAL | {"model": file}).values()]
    assert RecognizerCLI([*files, "--log=off"], run=False).model.net.num_classes == 37
