"""Nets of the shipped configurations learn words by heart, and still read them when tested."""

import os
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch

from dctc.data.english import EnglishDataModule
from dctc.data.records.batch import Batch
from dctc.data.records.folders import data_root
from dctc.data.rendered import RenderedDataModule
from dctc.losses import CTCLoss
from dctc.losses.cross_entropy import CharacterCrossEntropy
from dctc.runs.net import load_net
from dctc.text import CTCTokenizer
from dctc.training.callbacks import DCTCCallback
from dctc.training.module import RecognizerModule
from dctc.training.schedule import WarmupCosine
from tiny import FixedData, make_trainer

FRAGMENTS = Path(__file__).parents[3] / "experiments/configs/model"
REAL = "english/train/IIIT5K_2000"
# Narrow images and short words, for time: 10 frames, and 11 of CRNN.
SETTINGS = {"batch_size": 128, "width": 40, "num_workers": 0, "seed": 2}


@pytest.fixture(scope="module")
def words() -> Batch:
    """Sixteen different words of 3 and 4 characters: real ones where there are any, else drawn."""
    data: pl.LightningDataModule
    required = os.environ.get("DCTC_REQUIRE_DATA") == "1"
    if required or (os.environ.get("DCTC_DATA") and (data_root() / REAL).is_dir()):
        data = EnglishDataModule(train=[REAL], val={"words": [REAL]}, **SETTINGS)
    else:
        data = RenderedDataModule(epoch_size=128, val_size=1, max_length=4, **SETTINGS)
    data.setup("fit")
    batch = next(iter(data.train_dataloader()))
    rows = {text: i for i, text in enumerate(batch.label) if 3 <= len(text) <= 4}
    labels, keep = list(rows)[:16], torch.tensor(list(rows.values())[:16])
    assert len(labels) == 16
    keys = [batch.key[i] for i in keep]
    images, widths = batch.image[keep], batch.width[keep]
    return batch._replace(image=images, label=labels, key=keys, width=widths, extents=None)


class UntilRead(pl.Callback):
    """Ends a training once the running statistics of normalisation layers serve reading too."""

    def on_validation_end(self, trainer, pl_module):
        trainer.should_stop = trainer.callback_metrics["val/accuracy"].item() == 1.0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "n", "lr", "distill_weight"),
    [  # CRNN emits blanks alone for the first 50 steps or so, whatever its rate
        ("small_resnet", 16, 5e-3, 0.0),
        ("small_resnet", 16, 5e-3, 0.01),
        ("attention_small_resnet", 16, 2e-3, 0.0),
        ("svtr_tiny", 8, 1e-3, 0.01),
        ("crnn", 4, 1e-3, 0.0),
    ],
)
def test_words_are_learnt_by_heart(tmp_path, words, name, n, lr, distill_weight):
    steps = 300  # at most
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # several wait for each other on busy cores
    torch.manual_seed(0)
    loaded = load_net(FRAGMENTS / f"{name}.yaml")
    attention = hasattr(loaded.net, "teach")
    module = RecognizerModule(
        loaded.net.train(),
        CharacterCrossEntropy() if attention else CTCLoss(),
        CTCTokenizer("36"),
        lambda parameters: torch.optim.AdamW(parameters, lr=lr),
        WarmupCosine(warmup=0.05, final=1.0),
    )
    batch = Batch(*(None if part is None else part[:n] for part in words))
    data = FixedData([batch] * steps, val={"words": [batch]})
    (before,) = make_trainer(tmp_path).validate(module, data, verbose=False)
    assert before["val/accuracy"] == 0.0
    callbacks: list[pl.Callback] = [UntilRead()]
    if not attention:
        callbacks.append(DCTCCallback(distill_weight))
    trainer = make_trainer(
        tmp_path, max_steps=steps, val_check_interval=20, gradient_clip_val=5.0, callbacks=callbacks
    )
    trainer.fit(module, datamodule=data)
    torch.set_num_threads(threads)
    assert trainer.callback_metrics["val/accuracy"] == 1.0
