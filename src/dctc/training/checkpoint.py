"""Checkpoints of runs: read without executing what is in them, and with the charset they name."""

from __future__ import annotations

import pickle
import zipfile
import zlib
from itertools import takewhile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from dctc.text.charset import Charset

FINAL = "final.ckpt"  # checkpoint of a finished training
WEIGHTS = "model.safetensors"  # in a folder of exported weights


def is_whole(checkpoint: Path) -> bool:
    """Tell whether a checkpoint is all there: torch writes ZIP files, with checksums."""
    try:
        with zipfile.ZipFile(checkpoint) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError):
        return False


def read_checkpoint(file: Path, map_location: Any = "cpu") -> dict[str, Any]:
    """Load a checkpoint of a run, or exported weights; nothing in it is executed.

    Raises:
        ValueError: If it is none, or damaged.
    """
    if file.suffix == ".safetensors":
        return _read_weights(file)
    try:
        stored: dict[str, Any] = torch.load(file, map_location=map_location, weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, LookupError, ValueError) as error:
        raise ValueError(f"{file}: no checkpoint that can be loaded safely") from error
    if not isinstance(stored, dict) or "state_dict" not in stored:
        raise ValueError(f"{file}: no checkpoint of a run; it holds no state_dict")
    return stored


def _read_weights(file: Path) -> dict[str, Any]:
    """Return a file of weights in the form of a checkpoint."""
    try:
        with safe_open(file, "pt") as stored:
            weights = {f"net.{name}": stored.get_tensor(name) for name in stored.keys()}
            return {"state_dict": weights, **(stored.metadata() or {})}
    except SafetensorError as error:
        raise ValueError(f"{file}: no safetensors file, or damaged ({error})") from error


def check_charset(checkpoint: dict[str, Any], charset: Charset) -> None:
    """Refuse a checkpoint of another charset.

    Raises:
        ValueError: If it is of another one, or names none.
    """
    if "charset" not in checkpoint:
        raise ValueError("the checkpoint names no charset; it was not written by this project")
    stored, ours = checkpoint["charset"], charset.characters
    if stored != ours:
        # long alphabets may begin alike, so their beginnings say nothing
        pairs = zip(stored, ours, strict=False)
        at = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        raise ValueError(
            f"the checkpoint reads {len(stored)} characters, the tokenizer {len(ours)}; from "
            f"character {at + 1} on they are {stored[at : at + 12]!r} and "
            f"{ours[at : at + 12]!r}; give it the same charset"
        )
