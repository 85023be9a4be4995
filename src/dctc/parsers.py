"""Argument parsers of the commands, apart from what these run: help needs no torch."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from dctc.text.protocol import PROTOCOLS

LOG_MODES = ("offline", "online", "off")
FORMATS = ("onnx", "pt2", "weights")
PRECISIONS = ("float16", "float32")
ROTATIONS = ("off", "left", "right")

# what find_model takes
MODEL = (
    "folder of a run or of weights, an ONNX file, or a name: scene_ctc, scene_dctc, "
    "ppocr_v6_small, ppocr_v4_mobile"
)
_WEIGHTS = "weights (default: the final checkpoint, or those of the folder)"
_EXAMPLE = """a study (paths are relative to its file):
  study: mine
  config: demo.yaml
  seeds: 3
  arms:
    ctc: {config: loss/ctc.yaml}
    dctc: {config: loss/dctc.yaml}
"""


def positive(text: str) -> int:
    """Return a whole number above 0.

    Raises:
        ValueError: If it is none; argparse names the argument.
    """
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


def names(text: str) -> list[str]:
    """Split a comma-separated argument."""
    return text.split(",")


def seeds(text: str) -> list[int]:
    """Return whole numbers with commas between them.

    Raises:
        ValueError: If one is none; argparse names the argument.
    """
    return [int(seed) for seed in names(text)]


def predict_parser() -> argparse.ArgumentParser:
    """Return the parser of ``dctc predict``."""
    parser = argparse.ArgumentParser(
        prog="dctc predict", description="Recognise any images with a trained net."
    )
    add = parser.add_argument
    add("run", type=Path, metavar="MODEL", help=MODEL)
    add("--images", type=Path, required=True, help="folder of images, LMDB folder, or one image")
    add("--out", type=Path, help="file to write (default: images.tsv in its folder)")
    add("--ckpt_path", type=Path, help=_WEIGHTS)
    _add_reading(parser, workers=1)
    return parser


def read_parser() -> argparse.ArgumentParser:
    """Return the parser of ``dctc read``."""
    parser = argparse.ArgumentParser(
        prog="dctc read",
        description="Read crops of one word or line: confidence, text and path, with tabs between.",
        epilog="A confidence is the geometric mean over the characters. A box is left, top, right, "
        "bottom in pixels of the upright image (EXIF), as high as the line; left and right are "
        "estimates. "
        "scene_ctc and scene_dctc are small nets for scene words of lower-case letters and digits, "
        "ppocr_v6_small is that of RapidOCR.",
    )
    add = parser.add_argument
    add("images", type=Path, nargs="+", metavar="PATH", help="image, folder of images, or LMDB")
    add("--model", default="scene_ctc", help=f"{MODEL} (default: scene_ctc)")
    add("--characters", action="store_true", help="confidence of each character")
    add("--boxes", action="store_true", help="box and confidence of each character")
    add("--json", action="store_true", help="a JSON object in each line")
    add("--show", type=Path, metavar="FILE", help="draw images and readings into an image file")
    _add_reading(parser, workers=0)
    return parser


def _add_reading(parser: argparse.ArgumentParser, workers: int) -> None:
    parser.add_argument(
        "--rotate_tall",
        choices=ROTATIONS,
        help="turn images taller than 1.5 times their width by 90 degrees, for vertical words "
        "(default: as in training)",
    )
    parser.add_argument("--batch_size", type=positive, default=128, help="default: 128")
    decode = f"processes that decode images (default: {workers})"
    parser.add_argument("--num_workers", type=int, default=workers, help=decode)


def export_parser() -> argparse.ArgumentParser:
    """Return the parser of ``dctc export``."""
    parser = argparse.ArgumentParser(
        prog="dctc export",
        description="Write a trained net as ONNX, as torch's exported program, or as a folder of "
        "weights, which is used as the folder of a run is.",
    )
    add = parser.add_argument
    add("run", type=Path, metavar="MODEL", help=MODEL)
    add("--ckpt_path", type=Path, help=_WEIGHTS)
    add("--to", choices=FORMATS, required=True)
    add("--out", type=Path, help="default: net.onnx, net.pt2 or weights in its folder")
    add("--precision", choices=PRECISIONS, default="float16", help="of weights (default: float16)")
    add("--license", default="", help="of weights, in their model card, such as mit")
    return parser


def score_parser() -> argparse.ArgumentParser:
    """Return the parser of ``dctc score``."""
    parser = argparse.ArgumentParser(
        prog="dctc score",
        description="Accuracy, NED, CER and kinds of errors of files of predictions.",
        epilog="A file has lines 'index [prediction] [label]', or is a table (TSV, CSV) with a "
        "head that has the columns key, prediction and label; .xz and .gz are unpacked.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="predictions with their labels")
    rule = "normalisation of predictions and labels before comparison"
    parser.add_argument("--protocol", required=True, choices=PROTOCOLS, help=rule)
    parser.add_argument("--json", action="store_true", help="counts and shares as JSON")
    return parser


def describe_parser() -> argparse.ArgumentParser:
    """Return the parser of ``dctc describe``."""
    parser = argparse.ArgumentParser(
        prog="dctc describe", description="Parameters, FLOPs, memory and speed of a net."
    )
    add = parser.add_argument
    add("model", type=Path, metavar="MODEL", help=f"YAML file with a model.net, {MODEL}")
    add("--batch_size", type=positive, default=32, help="images (default: 32)")
    add("--height", type=positive, help="pixels (default: the configuration's)")
    add("--width", type=positive, help="pixels (default: the configuration's)")
    add("--threads", type=positive, help="CPU threads (default: torch's choice)")
    add("--json", action="store_true", help="print JSON in place of the table")
    return parser


def finetune_parser() -> argparse.ArgumentParser:
    """Return the parser of ``dctc finetune``."""
    parser = argparse.ArgumentParser(
        prog="dctc finetune",
        description="Fine-tune a pretrained recogniser on images of one's own.",
        epilog="The run is like one of dctc fit: the same command goes on where it was "
        "interrupted; dctc predict, score and export take its folder.",
    )
    add = parser.add_argument
    add("data", nargs="+", help="LMDB folders of dctc data convert")
    add("--from", dest="source", required=True, metavar="MODEL", help=MODEL)
    add("--val", nargs="+", default=[], help="LMDB folders (default: the last tenth of DATA)")
    add("--loss", choices=("ctc", "dctc"), default="ctc", help="default: ctc")
    add("--charset", help="characters to read (default: ASCII and those of the labels)")
    tall = "turn images taller than 1.5 times their width by 90 degrees (default: the model's)"
    add("--rotate_tall", choices=ROTATIONS, help=tall)
    add("--name", default="finetuned", help="of the run (default: finetuned)")
    rate = "learning rate (default: 3e-5 for an ONNX recogniser, 1e-4 for a net of this library)"
    add("--lr", type=float, help=rate)
    add("--steps", type=positive, help="of training (default: by the number of images)")
    add("--batch_size", type=positive, default=32, help="default: 32")
    add("--seed", type=int, default=0, help="default: 0")
    add("--log", choices=LOG_MODES, default="offline", help="W&B mode (default: offline)")
    add("--dry_run", action="store_true", help="print the configuration, and train nothing")
    return parser


def study_parser(
    description: str, scales: Sequence[str] = (), tables: bool = True
) -> argparse.ArgumentParser:
    """Return a parser of the options of every command that runs studies.

    Args:
        description: What the command does.
        scales: Scales it knows, ``smoke`` by default; empty for none.
        tables: Whether it draws tables, of chosen seeds too.
    """
    parser = argparse.ArgumentParser(description=description)
    add = parser.add_argument
    if scales:
        if "smoke" in scales:
            add("--scale", choices=scales, default="smoke", help="how much to run (default: smoke)")
        else:
            add("--scale", choices=scales, required=True, help="how much to run")
    log = "W&B mode of runs and report (default: offline)"
    add("--log", choices=LOG_MODES, default="offline", help=log)
    add("--jobs", type=positive, default=1, help="trainings at a time (default: 1)")
    add("--only", type=names, default=[], help="train these arms or parts: NAME[,NAME]")
    add("--status", action="store_true", help="list what is done and what is missing, and stop")
    if tables:
        add("--seeds", type=seeds, help="train these seeds of each arm, by number: 0,1,2")
    source = "train nothing; draw what this folder of results holds"
    add("--from", dest="source", metavar="FOLDER", help=source)
    return parser


def compare_parser() -> argparse.ArgumentParser:
    """Return the parser of ``dctc compare``."""
    parser = study_parser("Train the arms of a study over its seeds, and compare them.")
    parser.prog = "dctc compare"
    parser.formatter_class, parser.epilog = argparse.RawDescriptionHelpFormatter, _EXAMPLE
    parser.add_argument("study", metavar="STUDY.yaml", help="the study")
    parser.add_argument("--scale", default="", help="a scale that the study names")
    return parser
