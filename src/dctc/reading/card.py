"""Model card of a trained net: data, counts, seed, command, accuracy, licence and limits."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

from dctc.results.registry import OTHER_WEIGHTS, Record, Registry
from dctc.runs.configuration import read_settings
from dctc.runs.folder import FINAL, GONE_ON, digest, marked, read_checkpoint
from dctc.runs.net import Loaded

_CARD = """---
library_name: dctc
pipeline_tag: image-to-text
tags: [text-recognition, ctc]
{license}---
# {name}

{net}, {parameters:,} parameters, reads {characters} from images of one word or line,
{height} x {width} pixels (height x width). `dctc read --model FOLDER IMAGE...` uses it.

## Training

| | |
| --- | --- |
{training}

## Accuracy

{accuracy}

## Licence

{terms}

## Limits

It knows no other characters, and reads one line from left to right. Images unlike those of its
training are read worse than the table says. A confidence is no probability of being right.
"""


def model_card(
    name: str,
    loaded: Loaded,
    run: Path | None = None,
    checkpoint: Path | None = None,
    license: str = "",
) -> str:
    """Return the model card of a net: data, counts, seed, command, accuracy, licence and limits.

    Args:
        name: Its title.
        loaded: The net.
        run: Folder of the run that trained it; what is not recorded there is said to be unknown.
        checkpoint: The weights of that run.
        license: Identifier of the licence, such as ``mit``; empty if none is chosen.
    """
    charset = loaded.tokenizer.charset
    number = f"{len(charset):,} characters"
    _, height, width = loaded.image
    facts, records = _training(run, checkpoint) if run else ([], [])
    accuracy = [
        f"| {r.set} | {r.n:,} | {100 * r.correct / r.n:.2f} | {100 * r.similarity / r.n:.2f} |"
        for r in records
    ]
    table = ["| set | samples | accuracy, % | NED, % |", "| --- | ---: | ---: | ---: |", *accuracy]
    terms = (
        f"`{license}`." if license else "Not chosen yet: whoever publishes the weights names it."
    )
    return _CARD.format(
        license=f"license: {license}\n" if license else "",
        name=name,
        net=str(loaded.settings["net"]["class_path"]).rpartition(".")[2],
        parameters=sum(p.numel() for p in loaded.net.parameters()),  # type: ignore[attr-defined]
        characters=f"{number} (charset {charset.name})" if charset.name else number,
        height=height,
        width=width,
        training="\n".join(facts) or "| run | not known |",
        accuracy="\n".join(table) if accuracy else "Not measured.",
        terms=f"{terms} The terms of the training data apply too.",
    )


def _training(run: Path, checkpoint: Path | None) -> tuple[list[str], list[Record]]:
    """Return rows of facts about the training of a run, and its results."""
    config = read_settings(run / "config.yaml")
    data, options = config["data"], config["data"]["init_args"]
    shown = ("source", "train", "language", "preset", "train_size", "epoch_size", "augment")
    told = [f"{k} {_flat(options[k])}" for k in shown if options.get(k)]
    folders = [run, *run.resolve().parents][:4]
    key = marked(run)
    if checkpoint and checkpoint.resolve() != (run / "checkpoints" / FINAL).resolve():
        # as dctc test has it: the key of the configuration, and these weights
        key = f"{key.partition(GONE_ON)[0]}{OTHER_WEIGHTS}{digest(str(checkpoint))}"
    results = next((f for f in folders if (f / "results.jsonl").exists()), None)
    records = list(Registry(results).find(key).values()) if results else []
    facts = {
        "data": ", ".join([str(data.get("class_path", "unknown")).rpartition(".")[2], *told]),
        "labels": _labels(run),
        "loss": _loss(config),
        "batch": options.get("batch_size"),
        "seed": config.get("seed_everything"),
        "steps": read_checkpoint(checkpoint).get("global_step") if checkpoint else None,
        "command": _command(records[0]) if records else None,
    }
    rows = [f"| {name} | {'not recorded' if v in (None, '') else v} |" for name, v in facts.items()]
    return rows, records


def _command(record: Record) -> str | None:
    words = shlex.split(record.about.get("command", ""))
    return f"`{shlex.join(map(_flat, words))}`" if words else None


def _loss(config: dict[str, Any]) -> str:
    loss = config["model"].get("loss") or {}
    name = (loss if isinstance(loss, str) else str(loss.get("class_path", ""))).rpartition(".")[2]
    callbacks = (config.get("trainer") or {}).get("callbacks") or []
    for callback in [callbacks] if isinstance(callbacks, dict) else callbacks:
        weight = (callback.get("init_args") or {}).get("distill_weight")
        if weight:
            name += f", DCTCCallback with distill_weight {weight:g}"
    return name


def _labels(run: Path) -> str | None:
    file = run / "labels.json"
    if not file.exists():
        return None
    train = json.loads(file.read_text(encoding="utf-8")).get("train", {})
    out = sum(train.get("left_out", {}).values())
    return f"{train['labels']:,}, {out:,} left out" if train else None


def _flat(value: Any) -> str:
    """Return a value, or several; a card is public, so of absolute paths the last two parts."""
    if isinstance(value, list):
        return " ".join(map(_flat, value))
    return re.sub(  # not of a URL; a path ends where the next one begins, also after + and blanks
        r"(?<![\w.~/-])(?<!:(?=//[^/]))/(?:(?![\s+]/)[^,;'\"=:\[\]])+",
        lambda found: "/".join(Path(found[0]).parts[1:][-2:]),
        str(value),
    )
