"""``dctc finetune DATA --from MODEL``: fine-tune a pretrained recogniser on images of one's own."""

from __future__ import annotations

import json
from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl

from dctc.data.archives.alphabet import LAYOUT, read_labels
from dctc.data.archives.processes import in_processes, refuse
from dctc.data.catalogue import DOCUMENTS
from dctc.data.english import held_out_of
from dctc.data.general_words import general_words
from dctc.data.records.folders import count_records, find_lmdbs
from dctc.data.rendered import RenderedDataModule
from dctc.files import short_hash, write_whole
from dctc.onnx_files import PRETRAINED, read_onnx
from dctc.results.registry import runs_folder
from dctc.runs.configuration import IMAGES, image_format, read_settings
from dctc.runs.folder import (
    FINAL,
    PACKAGED,
    alone,
    final_checkpoint,
    marked,
    read_checkpoint,
)
from dctc.runs.net import find_model, leave_out_first_weights, start_from, training_width
from dctc.tables import Table
from dctc.text import normal_form
from dctc.text.characters import by_frequency
from dctc.text.charset import ASCII, charset_parts
from dctc.training.cli import RecognizerCLI
from dctc.training.machine import needs_cpu

# ours, and not tuned: passes over the training images, and the steps that these make at least and
# at most
PASSES, LEAST_STEPS, MOST_STEPS = 20, 100, 3000
# Learning rates. That of ONNX nets: PP-OCRv6 small, CTC, 300 words of FUNSD's training part, one
# run each; gains in points on 500 other words of it, and on rendered words:
#   1e-5 +0.2 -0.7; 3e-5 +0.8 -0.3; 1e-4 +0.2 -5.0
# On 300 accented words 3e-5 made +6.7 and -6.7, and 1e-4 with layer_lr_decay 0.7 +6.3 and -4.0.
# The rate of other nets is not tuned.
ONNX_RATE, OWN_RATE = 3e-5, 1e-4
HELD_OUT = 0.1  # share of the images that are the validation set, where none is named


class Labels(NamedTuple):
    """Labels of a training.

    Attributes:
        number: How many there are that a net can be trained on.
        kept: How many of them are left if the last tenth of each LMDB is held out.
        characters: Those beyond ASCII, most frequent first.
    """

    number: int
    kept: int
    characters: str


def read_all_labels(folders: Sequence[str]) -> Labels:
    """Count the labels of some folders of LMDBs.

    Raises:
        FileNotFoundError: If a folder does not exist or there is no LMDB in or below it.
    """
    paths: list[Path] = []
    for folder in folders:
        lmdbs = find_lmdbs(folder) if Path(folder).is_dir() else {}
        if not lmdbs:
            raise FileNotFoundError(
                f"{folder}: no LMDB (data.mdb) in or below it; dctc data convert makes one of "
                f"images and a table of labels"
            )
        paths += lmdbs.values()
    counts, number, kept = Counter[str](), 0, 0
    for found, labels, held_out in in_processes(_count_labels, paths, 1, refuse):
        counts.update(found)
        number += labels
        kept += max(labels - held_out, 0)
    characters = "".join(c for c in by_frequency(counts) if c not in ASCII + LAYOUT)
    return Labels(number, kept, characters)


def _count_labels(path: Path) -> tuple[Counter[str], int, int]:
    """Count the characters, the usable labels and the records to hold out of an LMDB."""
    labels = [normal_form(label) for label in read_labels(path)]
    usable = sum(bool(label) and not {*label} & {*LAYOUT} for label in labels)
    return Counter("".join(labels)), usable, held_out_of(count_records(path), HELD_OUT)


def starting_net(source: str, folders: Sequence[str], turn: str | None = None) -> dict[str, Any]:
    """Return the sections of a configuration that name the net to begin with, and its images.

    The width of images that keep their aspect ratio is that of all but the longest of the data.
    For ``source`` see :func:`dctc.runs.net.find_model`; ``turn`` replaces its ``rotate_tall``.
    """
    config, weights = find_model(source)
    images: dict[str, Any] = {}
    begin: dict[str, Any] = {}
    if weights is None:
        given = source if source in PRETRAINED else str(Path(source).resolve())
        init_args = {"source": given, "charset_policy": "new"}
        net: dict[str, Any] = {"class_path": "dctc.models.OnnxRecognizer", "init_args": init_args}
        if turns := read_onnx(given).metadata.get("rotate_tall"):  # of dctc export
            images["rotate_tall"] = turns
    else:
        settings = read_settings(config)
        net, stored = settings["model"]["net"], settings["data"]["init_args"]
        images = {name: stored[name] for name in IMAGES if name in stored}
        if images.get("width") is None and stored.get("source") in DOCUMENTS:
            images["width"] = DOCUMENTS[stored["source"]].width
        leave_out_first_weights(net["init_args"])
        if net["class_path"].endswith(".OnnxRecognizer"):
            net["init_args"]["charset_policy"] = "new"
        for linked in ("num_classes", "charset"):  # they follow from the charset of this training
            net["init_args"].pop(linked, None)
        packaged = config.parent.parent == PACKAGED  # whose name holds on other machines too
        begin = {"init_from": config.parent.name if packaged else str(config.parent.resolve())}
        begin["init_policy"] = "new"
    images |= {"rotate_tall": turn} if turn else {}
    there = [folder for folder in folders if Path(folder).is_dir()]
    lmdbs = [path for folder in there for path in find_lmdbs(folder).values()]
    if width := training_width(image_format(net), lmdbs, images.get("rotate_tall") or "off"):
        images["width"] = width
    return {**begin, "model": {"net": net}, "data": {"init_args": images}}


def configuration(options: Namespace, labels: Labels, charset: str) -> dict[str, Any]:
    """Return the whole configuration of a fine-tuning.

    Args:
        options: Of :func:`dctc.parsers.finetune_parser`.
        labels: Of the training data.
        charset: What the net is to read.
    """
    number = labels.number if options.val else labels.kept
    batch = max(1, min(options.batch_size, number))
    passes = -(-number * PASSES // batch)
    steps = options.steps or min(max(passes, LEAST_STEPS), MOST_STEPS)
    # each set by itself, so that one more below a folder is another training
    folders = [str(lmdb.resolve()) for data in options.data for lmdb in find_lmdbs(data).values()]
    val = {"val": [str(Path(folder).resolve()) for folder in options.val]} if options.val else None
    distil = {
        "class_path": "dctc.training.callbacks.DCTCCallback",
        "init_args": {"distill_weight": 0.1},
    }
    begin = starting_net(options.source, [*options.data, *(options.val or ())], options.rotate_tall)
    is_onnx = begin["model"]["net"]["class_path"].endswith(".OnnxRecognizer")
    usual = ONNX_RATE if is_onnx else OWN_RATE
    rate = usual if options.lr is None else options.lr
    return {
        **begin,
        "seed_everything": options.seed,
        "model": {
            **begin["model"],
            "loss": {"class_path": "dctc.losses.CTCLoss"},
            "tokenizer": {
                "class_path": "dctc.text.CTCTokenizer",
                "init_args": {"charset": charset},
            },
            "optimizer": {
                "class_path": "torch.optim.AdamW",
                "init_args": {"lr": rate, "weight_decay": 0.01},
            },
            "schedule": {"class_path": "dctc.training.schedule.WarmupCosine"},
            "protocol": "verbatim",
        },
        "data": {
            "class_path": "dctc.data.english.EnglishDataModule",
            "init_args": {
                **begin["data"]["init_args"],
                "train": folders,
                "val": val,
                "hold_out": None if val else HELD_OUT,
                "test": {},
                "batch_size": batch,
                "num_workers": 1,
            },
        },
        "trainer": {
            "callbacks": [distil] if options.loss == "dctc" else [],
            "devices": 1,
            "max_steps": steps,
            "val_check_interval": max(1, steps // 4),
            "check_val_every_n_epoch": None,
            "num_sanity_val_steps": 0,
            "gradient_clip_val": 5.0,
            "log_every_n_steps": max(1, min(10, number // batch)),
        },
    }


def scores(cli: RecognizerCLI, general: RenderedDataModule | None) -> dict[str, float]:
    """Return accuracy and NED in % on the validation set and on general words, if there are any."""
    # a trainer of its own, as the run's would write into the folder before it is claimed
    trainer = pl.Trainer(
        accelerator="cpu" if needs_cpu("auto") else "auto",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        enable_progress_bar=False,
    )
    found = {}
    sets = {"validation images": cli.datamodule, "rendered words": general}
    for name, data in sets.items():
        if data is None:
            continue
        (measured, *_) = trainer.validate(cli.model, datamodule=data, verbose=False)
        for metric in ("accuracy", "ned"):
            found[f"{name}, {metric}"] = 100 * measured[f"val/{metric}"]
    return found


def main(options: Namespace) -> None:
    """Run ``dctc finetune``: fine-tune a recogniser, and compare it with what it was.

    Raises:
        ValueError: If data and net do not fit, or the model cannot be found.
        OSError: If there is no such data.
    """
    labels = read_all_labels(options.data)
    text = "\n".join(ASCII + labels.characters).encode()
    # named by its content, so that no other run's is replaced
    file = runs_folder().resolve() / "charsets" / f"{short_hash(text)[:8]}.txt"
    charset = str(file)
    if options.charset:  # the configuration may be used from elsewhere
        parts = charset_parts(options.charset)
        charset = "+".join(str(Path(p).resolve()) if Path(p).is_file() else p for p in parts)
    config = configuration(options, labels, charset)
    if not options.charset:
        write_whole(file, text)  # for the configuration of a dry run too
    if options.dry_run:
        print(json.dumps(config, indent=1, ensure_ascii=False))
        return
    words = ["--config", json.dumps(config, ensure_ascii=False)]
    words += ["--name", options.name, "--log", options.log]
    with alone(runs_folder() / options.name):
        cli = RecognizerCLI([*words, "--arm", options.loss], run=False)
        steps = config["trainer"]["max_steps"]
        batch = config["data"]["init_args"]["batch_size"]
        print(f"{labels.number:,} labels, {steps:,} steps of {batch} images")
        characters = cli.model.tokenizer.charset.characters
        size = cli.datamodule.options["size"]
        general = general_words(characters, size, options.seed, batch)
        if cli.resolved["init_from"]:
            start_from(cli.model, cli.resolved["init_from"], "new")
        if marked(cli.folder) == cli.results.run and final_checkpoint(cli.folder):
            print(f"{cli.folder} is finished, and not trained again; else take another --name")
        before = scores(cli, general)
        cli.train()
        # a run that is finished has not been trained just now
        cli.model.load_state_dict(read_checkpoint(cli.folder / "checkpoints" / FINAL)["state_dict"])
        after = scores(cli, general)
    rows = [
        [name, f"{before[name]:.1f}", f"{after[name]:.1f}", f"{after[name] - before[name]:+.1f}"]
        for name in before
    ]
    note = f"In %. Rendered words show what is forgotten. Weights: {cli.folder}."
    Table("Before and after", ["", "before", "after", "difference"], rows, [note]).print()
    if after["validation images, accuracy"] < before["validation images, accuracy"]:
        print(
            "The fine-tuned net reads fewer validation images: keep the one before, or use a lower "
            "--lr."
        )
