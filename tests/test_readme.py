"""The pages: commands, code, links, paths and numbers hold, and paragraphs are short."""

import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch.nn import functional as F

from dctc import DCTCLoss
from dctc.cli import TRAINING, USAGE, main
from dctc.data.archives.commands import VERBS
from dctc.models import TimmRecognizer
from dctc.studies import compare
from scripts import ROOT, execute_here, resolve, shell
from tiny import make_module, save_run

LIMITS = {"README.md": 170, "experiments/README.md": 120}  # lines
CHARACTERS = 350  # of a paragraph or a bullet
PAGES = {name: (ROOT / name).read_text(encoding="utf-8") for name in LIMITS}
DEMO = "experiments/configs/demo.yaml"  # in the place of a configuration that the reader has made
PROTOCOL = (ROOT / "experiments/PROTOCOL.md").read_text(encoding="utf-8")
COMMANDS = [
    " ".join(line.split())
    for page in (*PAGES.values(), PROTOCOL)
    for block in re.findall(r"```(?:bash|sh)\n(.*?)```", page, re.DOTALL)
    for line in block.replace("\\\n", " ").splitlines()
    if shlex.split(line, comments=True) and "[" not in line  # [options]: no command but its form
]


def prose(page):
    """Yield paragraphs, bullets and table rows of a page, without code, HTML and blank lines."""
    page = re.sub(r"^```.*?^```", "\n", page, flags=re.DOTALL | re.MULTILINE)
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:[-*|]|\d+\.) ?)", page):
        yield " ".join(block.split())


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_left_to_fill_in(name):
    assert not re.search(r"@@|TODO|TBD", PAGES[name])


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_short(name):
    assert len(PAGES[name].splitlines()) <= LIMITS[name]
    assert [text for text in prose(PAGES[name]) if len(text) > CHARACTERS] == []


def anchors(page):
    """Return what a link may name behind ``#``: the headings as GitHub spells them."""
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", PAGES)
def test_links_and_paths_exist(name):
    page, folder = PAGES[name], (ROOT / name).parent
    for link in re.findall(r"\]\(([^)\s]+)\)", page):
        target, _, anchor = link.partition("#")
        if "://" in link:
            continue
        assert not target or (folder / target).exists(), link
        if anchor:
            assert anchor in anchors((folder / target).read_text("utf-8") if target else page), link
    for path in re.findall(r"(?<![\w/])(?:experiments|tests|src|notebooks)/[\w./*-]*\w", page):
        assert list(ROOT.glob(path)), path


@pytest.mark.parametrize("name", PAGES)
def test_measured_numbers_stand_in_the_tables(name):
    tables = (ROOT / "experiments/results/TABLES.md").read_text(encoding="utf-8")
    page = PAGES[name].split("## Does DCTC help?")[-1].split("## Commands")[0]
    number, interval = r"(?<![\w.])\d+\.\d\d(?!\d)", r"[-+][\d.]+ \[[-+][\d.]+, ?[-+][\d.]+\]"
    assert len(re.findall(number, page)) > len(re.findall(interval, page)) > 3
    for kind in (number, interval):
        known = {found.replace(", ", ",") for found in re.findall(kind, tables)}
        told = {found.replace(", ", ",") for found in re.findall(kind, page)}
        assert told - known == set()


def test_pages_have_commands():
    assert len(COMMANDS) > 5


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_parse(command, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("DCTC_RUNS", str(tmp_path))
    program, *options = shlex.split(command, comments=True)
    if program.endswith(".sh"):
        done = shell(program.removeprefix("./"), "--dry-run", *options)
        assert done.returncode == 0, done.stderr
    elif program == "dctc" and options[0] == "data":
        assert options[1] in VERBS
    elif program == "dctc" and options[0] in TRAINING and "--config" in options:
        resolve(*(DEMO if is_made_by_the_reader(word) else word for word in options))
    elif program == "dctc":
        assert re.search(rf"^  {options[0]} ", USAGE, re.MULTILINE)
    else:
        assert program in ("pip", "git", "export", "apt-get", "wandb", "jupyter"), program


def is_made_by_the_reader(word):
    return word.endswith(".yaml") and not Path(word).exists()


def block(language, word):
    """Return the block of README in a language that holds a word."""
    blocks = re.findall(rf"```{language}\n(.*?)```", PAGES["README.md"], re.DOTALL)
    (found,) = (block for block in blocks if word in block)
    return found


def test_the_loss_in_six_lines_is_the_loss():
    logits = torch.randn(9, 3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([[1, 2, 2], [3, 4, 0], [1, 0, 0]])
    lengths = (torch.tensor([9, 9, 9]), torch.tensor([3, 2, 1]))
    names = {"torch": torch, "F": F, "alpha": 0.1, "logits": logits.requires_grad_()}
    names |= {"targets": targets, "input_lengths": lengths[0], "target_lengths": lengths[1]}
    exec(block("python", "log_p"), names)
    expected = DCTCLoss(distill_weight=0.1)(logits, targets, *lengths)
    assert torch.allclose(names["loss"], expected)
    gradients = [torch.autograd.grad(loss, logits)[0] for loss in (names["loss"], expected)]
    assert torch.allclose(*gradients)


@pytest.mark.parametrize(
    "more", [{"keep_ratio": True, "rotate_tall": "left"}, {"grayscale": True}], ids=str
)
def test_an_exported_net_reads_as_predict_does(more, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = {"in_chans": 1} if "grayscale" in more else {}
    module = make_module(lambda classes: TimmRecognizer(classes, **arguments))
    for parameter in module.net.head.parameters():
        parameter.data.mul_(37)  # so that it reads something else in each image
    net = {"class_path": "dctc.models.TimmRecognizer", "init_args": arguments}
    data = {"class_path": "x.Y", "init_args": more}
    run = save_run(Path("runs/mine"), module, {"model": {"net": net}, "data": data})
    Path("images").mkdir()
    random = np.random.default_rng(0)
    for i, (w, h) in enumerate(random.integers(5, 200, (20, 2))):
        pixels = random.integers(0, 256, (h, w, 3), dtype=np.uint8) // 2 + np.uint8(6 * i)
        image = Image.fromarray(pixels)
        exif = image.getexif()
        exif[274] = 1 + i % 8  # orientation
        image.save(f"images/{i}.png", exif=exif)
    main(["export", str(run), "--to", "onnx"])
    main(["predict", str(run), "--images", "images", "--num_workers", "0"])
    capsys.readouterr()
    exec(block("python", "onnxruntime.Inf"), {})
    rows = (run / "images.tsv").read_text().splitlines()[1:]
    expected = ["\t".join(row.split("\t")[:2]) for row in rows]
    assert capsys.readouterr().out.splitlines() == expected
    assert len({row.split("\t")[1] for row in rows}) > 5


def test_a_loss_of_ones_own_is_compared_on_images_of_ones_own(
    tmp_path, monkeypatch, write_lmdb, encode_image, capsys
):
    for name in ("train", "val", "test"):
        write_lmdb(tmp_path / name / "mine", [(encode_image(i), b"word") for i in range(4)])
    monkeypatch.setenv("DCTC_DATA", str(tmp_path))
    monkeypatch.setenv("DCTC_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(compare, "execute_all", execute_here)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "my_loss.py").write_text(block("python", "MyLoss"))
    study = yaml.safe_load(block("yaml", "study:"))
    data = {"train": ["train/mine"], "val": {"mine": ["val/mine"]}, "test": ["test/mine"]}
    options = {"data.init_args." + name: value for name, value in data.items()}
    options |= {"data.init_args.batch_size": 2, "data.init_args.num_workers": 0}
    options |= {"trainer.max_steps": 1, "trainer.val_check_interval": 1}
    parts = ("data/english", "model/small_resnet", "trainer/cpu")
    configs = [str(ROOT / f"experiments/configs/{part}.yaml") for part in parts]
    study |= {"config": configs, "set": options, "seeds": 1}
    study["arms"]["ctc"]["config"] = str(ROOT / study["arms"]["ctc"]["config"])
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    main(["compare", str(tmp_path / "study.yaml"), "--log", "off"])
    assert "mine" in capsys.readouterr().out
    assert (tmp_path / "runs/mine/compare.png").exists()
    assert (tmp_path / "runs/mine/mine/seed0/readings/mine.tsv").exists()
