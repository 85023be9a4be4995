"""Whether a net can learn sixteen words by heart, the least that a net and a loss have to do."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import nn

from dctc.bench.cost import arm, count_parameters
from dctc.bench.few_words import few_words
from dctc.bench.models import FRAGMENTS
from dctc.data.records.batch import Batch
from dctc.losses import CTCLoss, DCTCLoss
from dctc.losses.cross_entropy import CharacterCrossEntropy
from dctc.results.environment import environment
from dctc.results.registry import runs_folder
from dctc.results.tables import Table
from dctc.training.module import RecognizerModule
from dctc.training.nets import Loaded, load_net
from dctc.training.objective import AttentionNet
from dctc.training.schedule import WarmupCosine

WORDS = 16
EVERY = 10  # steps between readings
CLIP = 5.0  # ours: norm of the gradient; while frames turn blank, at first, it is 10 to 50
# The rate is held after its warm-up: what is left to learn late are single characters, for which a
# fallen rate takes long (CRNN ended at 13 of 16 words after a cosine of 500 steps to 0).
WARMUP = 0.05  # of the steps
WIDTH = 100  # SVTR's published width, t = 25
WIDTHS = {"crnn_chinese": 256}  # the width that it was made for

# Ours, found by trial on this very batch. Residual nets bear the largest rate. The larger a
# transformer, the smaller the rate at which its first steps do not end in reading blanks alone:
# vit_tiny fails at 1e-3, so SVTR-B and SVTR-L get less than SVTR-T. CRNN has no shortcuts around
# its convolutions: 2e-3 leaves it with blanks.
RATE = 5e-4
RATES = {
    "small_resnet": 5e-3,
    "attention_small_resnet": 2e-3,
    "resnet18_bilstm": 1e-3,
    "svtr_tiny": 1e-3,
    "svtr_base": 3e-4,
    "svtr_large": 2e-4,
}
# Less than the default, 0.1: z* may lack a character of a word that is nearly known, and draws the
# net to reading it without; at 0.1 nets stayed at 15 of the 16 words.
DISTILL_WEIGHT = 0.02


@dataclass(frozen=True)
class Fitted:
    """What became of one model.

    Attributes:
        model: Name of its fragment.
        loss: Name of the loss.
        parameters: Of the net.
        width: Of the images, in pixels.
        rate: Peak learning rate.
        steps: Steps taken: until all words were read, or all that were allowed.
        seconds: For training and reading.
        words: How many there were.
        wrong: What was read last where it was not the label, by label.
    """

    model: str
    loss: str
    parameters: int
    width: int
    rate: float
    steps: int
    seconds: float
    words: int
    wrong: dict[str, str]


def bench_overfit(
    models: Sequence[str] = (),
    loss: str = "ctc",
    steps: int = 500,
    width: int | None = None,
    fragments: Path = FRAGMENTS,
) -> Table:
    """Train models on sixteen words until they read all; print a table and write it as JSON.

    Args:
        models: Names of fragments; none takes all.
        loss: ``ctc`` or ``dctc``; nets that read by attention have a loss of their own.
        steps: Steps at most.
        width: Of the images, in pixels; None is the model's.
        fragments: Folder of the fragments.

    Raises:
        FileNotFoundError: If there are no fragments.
        ValueError: If a model is unknown, or the words do not fit into its frames.
    """
    names = [file.stem for file in sorted(fragments.glob("*.yaml"))]
    if not names:
        raise FileNotFoundError(f"{fragments}: no model fragments; run from the repository's root")
    if unknown := [name for name in models if name not in names]:
        raise ValueError(f"model {unknown[0]!r}: it is one of {', '.join(names)}")
    fitted = []
    for name in models or names:
        torch.manual_seed(0)
        loaded = load_net(fragments / f"{name}.yaml")
        channels, height, _ = loaded.image
        loaded = loaded._replace(image=(channels, height, width or WIDTHS.get(name, WIDTH)))
        batch, source = few_words(WORDS, loaded)
        fitted.append(_fit(name, loaded, batch, loss, steps))
        print(f"{name}: {_read_words(fitted[-1])} words read", flush=True)
    table = _table(fitted, source, steps)
    table.print(Console())
    _write_json(fitted, source)
    return table


def _fit(name: str, loaded: Loaded, batch: Batch, loss: str, steps: int) -> Fitted:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    module = arm(loaded, _loss(loaded, loss)).to(device)
    batch = batch._replace(image=batch.image.to(device))
    rate = RATES.get(name, RATE)
    optimizer = torch.optim.AdamW(module.parameters(), rate)
    schedule = WarmupCosine(WARMUP, final=1.0)
    rates = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: schedule((k + 1) / steps))
    began = time.perf_counter()
    wrong: dict[str, str] = {}
    for step in range(1, steps + 1):
        module.train()
        outputs = module.objective.outputs(module, batch)
        value, unfit = module.objective.loss(module, batch, outputs)
        if unfit:
            raise ValueError(
                f"{name}: {unfit} of {len(batch.label)} words do not fit into the frames of images "
                f"{loaded.image[2]} wide; give a larger --width"
            )
        optimizer.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(module.parameters(), CLIP)
        optimizer.step()
        rates.step()
        if step % EVERY == 0 or step == steps:
            wrong = _wrong(module, batch)
            if not wrong:
                break
    return Fitted(
        model=name,
        loss=type(module.loss).__name__,
        parameters=count_parameters(module.net),
        width=loaded.image[2],
        rate=rate,
        steps=step,
        seconds=time.perf_counter() - began,
        words=len(batch.label),
        wrong=wrong,
    )


def _loss(loaded: Loaded, loss: str) -> nn.Module:
    if isinstance(loaded.net, AttentionNet):
        return CharacterCrossEntropy()
    return DCTCLoss(distill_weight=DISTILL_WEIGHT) if loss == "dctc" else CTCLoss()


@torch.inference_mode()
def _wrong(module: RecognizerModule, batch: Batch) -> dict[str, str]:
    """Return what is misread in evaluation mode, by label."""
    module.eval()
    outcomes = module.read(batch, module.objective.outputs(module, batch))
    return {o.label: o.prediction for o in outcomes if o.prediction != o.label}


def _read_words(f: Fitted) -> str:
    return f"{f.words - len(f.wrong)} of {f.words}"


def _table(fitted: Sequence[Fitted], source: str, steps: int) -> Table:
    rows = []
    for f in fitted:
        size = [f"{f.parameters:,}", f"{f.width}", f"{f.rate:g}"]
        taken = "missed" if f.wrong else f"{f.steps}"
        loss = f.loss.replace("CharacterCrossEntropy", "CE").removesuffix("Loss")
        rows.append([f.model, loss, *size, taken, f"{f.seconds:.0f}", _read_words(f)])
    note = (
        f"{WORDS} {source}, one batch: AdamW, gradients clipped to {CLIP:g}, a warm-up of "
        f"{WARMUP:.0%} of {steps} steps; read greedily in evaluation mode every {EVERY} steps. "
        f"Missed: not all were read at once within {steps} steps. CE: cross entropy of characters, "
        f"the loss of nets that read by attention. {environment()['hardware']}"
    )
    columns = ["model", "loss", "parameters", "width", "rate", "steps", "seconds", "words read"]
    return Table(f"Models: {WORDS} words by heart", columns, rows, [note])


def _write_json(fitted: Sequence[Fitted], source: str) -> None:
    file = runs_folder() / "bench" / "overfit.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = [asdict(f) for f in fitted]
    found = {"source": source, "rows": rows}
    file.write_text(json.dumps({**environment(), **found}, indent=1) + "\n")
    print(f"written to {file}")
