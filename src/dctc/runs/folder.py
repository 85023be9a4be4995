"""Folder of a run: its lock, its key, its checkpoints, and what a run goes on from.

A checkpoint is read without executing what is in it, and with the charset that it names.
"""

from __future__ import annotations

import itertools
import pickle
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

import dctc
from dctc.files import locked, remove_partials, short_hash, write_whole
from dctc.onnx_files import names_onnx
from dctc.text.charset import NAMED, Charset, charset_parts

MARK = "run_key"  # file that holds the key of the run
UNKNOWN = "unknown"  # key of a folder without that file
GONE_ON = "+"  # between the keys of a configuration and of the run that it continued
FINAL = "final.ckpt"  # checkpoint of a finished training
BEST = "best.ckpt"  # weights of its best validation
LAST_FILE, PREVIOUS = "last.ckpt", "previous.ckpt"  # the last checkpoint, and the one before
CHARSET = "charset.txt"  # beside config.yaml: characters of its charset that come from files
WEIGHTS = "model.safetensors"  # in a folder of exported weights
PACKAGED = Path(dctc.__file__).parent / "models" / "weights"  # such folders that are installed


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the lock of a run's folder; of several processes of one trainer, rank 0 holds it.

    Raises:
        Busy: If another process holds it.
    """
    from pytorch_lightning.utilities import rank_zero_only  # takes seconds to import

    if getattr(rank_zero_only, "rank", 0):
        yield
        return
    lock = folder.with_name(f".{folder.name}.lock")
    with locked(lock, wait=False, busy=f"{folder}: another process holds the lock of this run"):
        yield


def claim(folder: Path, key: str) -> bool:
    """Create a run's folder and write its key; a folder of another run is renamed first.

    The folder of this run comes back if it was renamed before.

    Returns:
        Whether the run had a folder before.

    Raises:
        ValueError: If other runs lie below the folder, or it holds files and no key.
    """
    if folder.exists():
        found = marked(folder)
        if found != key and next(folder.glob(f"*/**/{MARK}"), None):
            raise ValueError(f"{folder} holds runs; take another --name, such as one below it")
        if found == UNKNOWN and any(folder.iterdir()):
            raise ValueError(f"{folder} holds files that are no run's; take another --name")
        if found != key:
            aside = _free_name(folder.with_name(f"{folder.name}.{found}"))
            folder.rename(aside)
            print(f"{folder} held a run of another configuration; that is now {aside}")
    before = folder.with_name(f"{folder.name}.{key}")
    if not folder.exists() and marked(before) == key:
        before.rename(folder)
        print(f"{before} holds the run of this configuration; that is {folder} again")
    is_there = folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    _mark(folder, key)
    return is_there


def _mark(folder: Path, key: str) -> None:
    remove_partials(folder / "checkpoints")
    if marked(folder) != key:
        write_whole(folder / MARK, f"{key}\n".encode())


def marked(folder: Path) -> str:
    """Return the key in a run's folder, or :data:`UNKNOWN`."""
    mark = folder / MARK
    return mark.read_text().strip() if mark.exists() else UNKNOWN


def _free_name(path: Path) -> Path:
    numbers = itertools.count(2)
    free = path
    while free.exists():
        free = path.with_name(f"{path.name}.{next(numbers)}")
    return free


def digest(file: str) -> str:
    """Return a short hash of a file's content."""
    return short_hash(Path(file).read_bytes())[:8]


def save_charset(charset: str, folder: Path) -> None:
    """Write the characters of a run's charset beside its configuration, unless it has a name.

    The run can then be moved, and its charset's file changed or removed.
    """
    _, files = _names_and_files(charset)
    if files:
        characters = Charset.load("+".join(files)).characters
        write_whole(folder / CHARSET, "\n".join(characters).encode())


def charset_beside(charset: str, folder: Path) -> str:
    """Return a charset with the file that a folder of a run or of weights has for it.

    Args:
        charset: As its configuration names it.
        folder: Of the configuration; a file of that name may lie in other ones too.
    """
    names, files = _names_and_files(charset)
    own = (folder / MARK).exists() and (folder / CHARSET).is_file()  # else somebody else's file
    beside = folder / (CHARSET if own else "+".join(files))
    return "+".join([*names, str(beside)]) if files and beside.is_file() else charset


def _names_and_files(charset: str) -> tuple[list[str], list[str]]:
    """Split a charset into the names that it begins with, of nets too, and its files."""
    parts = charset_parts(charset)
    at = next((i for i, p in enumerate(parts) if p not in NAMED and not names_onnx(p)), len(parts))
    return parts[:at], parts[at:]


def known_path(model: str | Path) -> Path:
    """Return the folder of packaged weights of that name, or the path as it is given."""
    packaged = PACKAGED / model
    return packaged if not Path(model).exists() and packaged.is_dir() else Path(model)


def weights_in(folder: Path) -> Path:
    """Return where the weights of a folder are: exported ones, or a run's final checkpoint."""
    exported = folder / WEIGHTS
    return exported if exported.is_file() else folder / "checkpoints" / FINAL


def weights_file(given: str) -> Path:
    """Return the weights of a folder or a packaged net, see :func:`weights_in`; or a file.

    Raises:
        FileNotFoundError: If there is none.
    """
    path = known_path(given)
    file = weights_in(path) if path.is_dir() else path
    if not file.is_file():
        raise FileNotFoundError(f"{file}: no such checkpoint; give the folder of a finished run")
    return file


def resume_point(folder: Path) -> Path | None:
    """Return the checkpoint from which a run goes on: the last whole one; None if there is none.

    Each one that is damaged or missing is named in a line.
    """
    last, previous = (folder / "checkpoints" / name for name in (LAST_FILE, PREVIOUS))
    if not last.exists() and not previous.exists():
        return None
    return _unless_damaged(last, f"the run goes on from {PREVIOUS}") or _unless_damaged(
        previous, "the run goes on from the start"
    )


def final_checkpoint(folder: Path) -> Path | None:
    """Return the checkpoint of a finished run; None if there is none, or a damaged one.

    That is named in a line.
    """
    final = folder / "checkpoints" / FINAL
    return _unless_damaged(final, "the run is not finished") if final.exists() else None


def remove_checkpoints(folder: Path) -> None:
    """Remove the checkpoints of a run that begins anew.

    Raises:
        OSError: If one cannot be removed; the run would go on from it the next time.
    """
    for checkpoint in [*(folder / "checkpoints").glob("*.ckpt")]:
        if checkpoint.is_dir() and not checkpoint.is_symlink():  # of a strategy that shards nets
            shutil.rmtree(checkpoint)
        else:
            checkpoint.unlink()


def _unless_damaged(checkpoint: Path, effect: str) -> Path | None:
    with suppress(OSError, zipfile.BadZipFile, zlib.error, EOFError):
        with zipfile.ZipFile(checkpoint) as archive:  # torch writes ZIP files, with checksums
            if archive.testzip() is None:
                return checkpoint
    from pytorch_lightning.utilities import rank_zero_only

    state = "cut off or damaged" if checkpoint.exists() else "missing"
    rank_zero_only(print)(f"{checkpoint}: {state}; {effect}")
    return None


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
