"""Reader: a trained net that reads images, word by word or character by character."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from huggingface_hub import ModelHubMixin, snapshot_download
from torch import Tensor, nn
from torch.utils.data import DataLoader

from dctc.data.records.batch import Batch, Corrupt, collate_by_width
from dctc.data.records.image_files import ImageFiles
from dctc.data.records.image_size import RotateTall
from dctc.data.records.images import upright_size
from dctc.data.records.lmdb import LmdbImages
from dctc.onnx_files import names_onnx
from dctc.reading.weights import FILES, save_weights
from dctc.results.predictions import Outcome
from dctc.runs.configuration import check_own
from dctc.runs.folder import known_path
from dctc.runs.net import Loaded, load_model
from dctc.text import get_protocol
from dctc.text.decode import Run, character_runs
from dctc.training.objective import AttentionNet, frame_limits, objective_of, read_batch

Images = ImageFiles | LmdbImages


class Character(NamedTuple):
    """A character as a net reads it, before any protocol.

    Attributes:
        character: The character.
        confidence: Its probability at its most probable frame, in [0, 1].
        limits: Left and right limit in pixels of the resized image.
    """

    character: str
    confidence: float
    limits: tuple[float, float]


class Read(NamedTuple):
    """What was read of one image.

    Attributes:
        number: Of the image, from 0.
        found: Its reading, or why it cannot be read.
        characters: Those of the reading, if they were asked for.
    """

    number: int
    found: Outcome | Corrupt
    characters: list[Character]


class Reader(ModelHubMixin, library_name="dctc", pipeline_tag="image-to-text"):
    """A trained net that reads images; all commands that read go through it.

    ``Reader.from_pretrained`` takes the folder of a run or of weights, the name of packaged
    weights, or a repository of the Hugging Face Hub; ``save_pretrained`` writes a folder of
    weights, ``push_to_hub`` uploads one.

    Args:
        loaded: The net, and what its use requires.
        device: Where it computes; None is a GPU if there is one.
        rotate_tall: In place of that of its training.

    Attributes:
        size: What images are resized to.

    Example:
        >>> reader = Reader.from_pretrained("runs/mine")  # doctest: +SKIP
        >>> [read.found.prediction for read in reader.read_files("words")]  # doctest: +SKIP
    """

    teacher, training = None, False  # see dctc.training.objective.Parts

    def __init__(
        self,
        loaded: Loaded,
        device: str | torch.device | None = None,
        rotate_tall: RotateTall | None = None,
    ) -> None:
        usual = "cuda" if torch.cuda.is_available() else "cpu"
        self._hub_mixin_config = None  # config.yaml says it all
        self.loaded, self.device = loaded, torch.device(device or usual)
        net: Any = loaded.net
        self.net = net.to(self.device).eval()
        self.loss, self.tokenizer = nn.Identity(), loaded.tokenizer
        self.objective = objective_of(self.net, self.loss)
        self.protocol = get_protocol(loaded.protocol)
        self.size = loaded.reading_size(rotate_tall)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, **options: Any) -> Reader:
        """Load a trained net, see :class:`Reader`.

        From the hub, nets of this library alone are loaded: a configuration names what is run.

        Args:
            pretrained_model_name_or_path: The net.
            **options: ``device``, ``rotate_tall``; for the hub ``revision``, ``token``,
                ``cache_dir``, ``force_download`` and ``local_files_only``.

        Raises:
            ValueError: If net and weights do not fit, or one of the hub is not this library's.
            OSError: If there is no such model.
        """
        name = str(pretrained_model_name_or_path)
        of_hub = ("revision", "token", "cache_dir", "force_download", "local_files_only")
        hub = {option: options.pop(option) for option in of_hub if option in options}
        if known_path(name).exists() or names_onnx(name):
            return cls(load_model(name), **options)
        folder = Path(snapshot_download(name, allow_patterns=FILES, **hub))
        check_own(folder / "config.yaml")
        return cls(load_model(folder), **options)

    def _save_pretrained(self, save_directory: Path) -> None:
        save_weights(self.loaded, save_directory)

    def read_files(self, *paths: str | Path, **options: Any) -> Iterator[Read]:
        """Read image files and folders of images; options are those of :meth:`read`."""
        return self.read(ImageFiles([Path(path) for path in paths], self.size), **options)

    def read(
        self,
        images: Images,
        batch_size: int = 128,
        num_workers: int = 0,
        characters: bool = False,
    ) -> Iterator[Read]:
        """Read images in their order; the batch that one is in makes no difference.

        Args:
            images: Of the size of this reader.
            batch_size: Images in a batch.
            num_workers: Processes that decode and resize while the net computes.
            characters: Whether to find the characters too.

        Raises:
            ValueError: If characters are asked of a net that reads by attention.
        """
        if characters and isinstance(self.net, AttentionNet):
            raise ValueError(
                f"{type(self.net).__name__} reads by attention and has no frames, so its "
                f"characters have no places; take a net with a CTC head"
            )
        loader: DataLoader[Any] = DataLoader(
            images,
            batch_size,
            num_workers=num_workers,
            collate_fn=collate_by_width,
            pin_memory=self.device.type == "cuda",
        )
        done = 0
        for batches in loader:  # one for each width
            found: dict[str, tuple[Outcome | Corrupt, list[Character]]] = {}
            for batch in batches:
                found |= self._read_batch(batch, characters)
                found |= {record.key: (record, []) for record in batch.corrupt}
            for number in range(done, done + len(found)):
                # a key without a reading raises an error
                yield Read(number, *found[images.key(number)])
            done += len(found)

    @torch.inference_mode()
    def _read_batch(
        self, batch: Batch, characters: bool
    ) -> list[tuple[str, tuple[Outcome | Corrupt, list[Character]]]]:
        if not batch.label:
            return []
        batch = batch._replace(
            image=batch.image.to(self.device, non_blocking=True),
            label=[self.protocol(label) for label in batch.label],
        )
        outputs = self.objective.outputs(self, batch)
        outcomes = read_batch(self, self.protocol, batch, outputs)
        each = self._characters(batch, outputs) if characters else [[] for _ in outcomes]
        return [(o.key, (o, found)) for o, found in zip(outcomes, each, strict=True)]

    def _characters(self, batch: Batch, logits: Tensor) -> list[list[Character]]:
        frames = frame_limits(self.net, batch)
        stride = batch.image.shape[3] / len(logits)
        return [
            [
                Character(self.tokenizer.decode([run.character]), run.probability, limits)
                for run, limits in zip(runs, spread(runs, stride, width), strict=True)
            ]
            for runs, width in zip(
                character_runs(logits, frames), batch.width.tolist(), strict=True
            )
        ]

    def boxes(self, images: Images, read: Read) -> list[list[float]]:
        """Return a box for each character, in pixels of the image as viewers show it (EXIF).

        Args:
            images: Those that were read.
            read: What was read of one of them, with characters.

        Returns:
            Left, top, right and bottom; a box is as high as the line. An image that cannot be read
            has none.
        """
        if not read.characters:
            return []
        limits = np.array([c.limits for c in read.characters]).reshape(-1, 2)
        found = self.size.boxes(*upright_size(images.source(read.number)), limits)
        boxes: list[list[float]] = found.round(1).tolist()
        return boxes


def spread(runs: list[Run], stride: float, width: int) -> list[tuple[float, float]]:
    """Return the limits of characters from their frames: CTC marks less than a character's width.

    A limit between two characters lies half way between their runs of frames. The outermost ones
    lie as far from the middle of their run as the inner one on the other side (ours).

    Args:
        runs: The characters.
        stride: Pixels of a frame.
        width: Valid pixels of the image. A net that reads its padding may have a run beyond them;
            its limits are the image's end.
    """
    if not runs:
        return []
    centers = [min((run.begin + run.end) / 2 * stride, width) for run in runs]
    inner = [min((a.end + b.begin) / 2 * stride, float(width)) for a, b in pairwise(runs)]
    if not inner:
        return [(0.0, float(width))]
    first = max(2 * centers[0] - inner[0], 0.0)
    last = min(2 * centers[-1] - inner[-1], float(width))
    return list(pairwise([first, *inner, last]))
