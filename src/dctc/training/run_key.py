"""The key of a run: a hash of what determines its result."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from dctc.data.records.writer import RECIPE
from dctc.data.render.corpora import PYTHON, WORDFREQ
from dctc.data.render.fonts import SYSTEM, find_fonts
from dctc.text import Charset

# Raised by hand when a change of the code would change results; part of every run's key.
RECIPE_VERSION = 1

# What does not change a run's results, hence not its key.
_NOT_HASHED = {
    "trainer": {
        "accelerator",
        "barebones",
        "default_root_dir",
        "devices",
        "enable_checkpointing",
        "enable_model_summary",
        "enable_progress_bar",
        "log_every_n_steps",
        "logger",
        "num_nodes",
        "num_sanity_val_steps",
        "plugins",
        "profiler",
        "strategy",
    },
    "data": {"data_root", "num_workers"},
}
# Lightning's callbacks that only look on; any other may change results (an average of weights, a
# schedule, an early stop) and is hashed.
_ONLOOKERS = {
    "DeviceStatsMonitor",
    "LearningRateMonitor",
    "ModelCheckpoint",
    "ModelSummary",
    "OnExceptionCheckpoint",
    "RichModelSummary",
    "RichProgressBar",
    "TQDMProgressBar",
}
# Lightning's limits of batches may be counts or shares. Whether the command line reads 2 or 2.0
# depends on what was imported first, as typing remembers unions without the order of their types.
_COUNTS_OR_SHARES = ("limit_", "overfit_batches")
# Of a folder of rendered words: what drew them, and how far that got
_NOT_DRAWN = ("versions", "result")
# The classes that the command line builds without a class_path
_CLASSES = {
    "trainer": "pytorch_lightning.Trainer",
    "model": "dctc.training.module.RecognizerModule",
}


def run_key(config: Mapping[str, Any]) -> str:
    """Return the key of a run.

    Arguments at their default are left out, so that an option that is added later, here or in a
    library, leaves the keys of finished runs alone. Data that is drawn counts with the version of
    what draws it (``recipe_version`` of the data module). A folder of rendered words or of fonts,
    and the file of a charset or of words, count as what they hold, wherever they lie; rendered
    words without the versions of the libraries that drew them.

    Args:
        config: The resolved configuration of the command line (``seed_everything``, ``trainer``,
            ``model``, ``data``).
    """
    trainer: dict[str, Any] = {
        k: float(v) if k.startswith(_COUNTS_OR_SHARES) and (v or 0) > 1 else v  # 1 is not 1.0
        for k, v in config["trainer"].items()
        if k not in _NOT_HASHED["trainer"]
    }
    trainer["callbacks"] = [
        callback
        for callback in trainer.get("callbacks") or []
        if callback["class_path"].rsplit(".", 1)[-1] not in _ONLOOKERS
    ]
    data = dict(config["data"])
    data["init_args"] = {
        k: v for k, v in data.get("init_args", {}).items() if k not in _NOT_HASHED["data"]
    }
    parts = {"trainer": trainer, "model": config["model"], "data": data}
    hashed = {
        "recipe_version": RECIPE_VERSION,
        "seed": config["seed_everything"],
        **{
            name: _essence(_without_defaults(part, _CLASSES.get(name)))
            for name, part in parts.items()
        },
    }
    drawn = imported(data["class_path"])
    language = data["init_args"].get("language", "")
    versions = {
        "data_version": getattr(drawn, "recipe_version", None),
        "language_version": getattr(drawn, "language_versions", {}).get(language),
    }
    return _hash({**hashed, **{k: v for k, v in versions.items() if v is not None}})


def _essence(value: Any) -> Any:
    """Return a configuration without the arguments at their defaults, at any depth."""
    if isinstance(value, Mapping):
        if isinstance(value.get("init_args"), Mapping):
            given = _without_defaults(value["init_args"], value["class_path"])
            value = {**value, "init_args": given}
        return {
            name: _HELD[name](inner) if name in _HELD else _essence(inner)
            for name, inner in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_essence(inner) for inner in value]
    return _content(value)


def _without_defaults(given: Mapping[str, Any], path: str | None) -> dict[str, Any]:
    defaults = _defaults(path) if path else {}
    return {
        name: value
        for name, value in given.items()
        if name not in defaults or _plain(value) != _plain(defaults[name])
    }


def _defaults(path: str) -> dict[str, Any]:
    function = imported(path)
    if function is None:  # what is not installed has no defaults to leave out
        return {}
    parameters = inspect.signature(function).parameters
    return {n: p.default for n, p in parameters.items() if p.default is not p.empty}


def imported(path: str) -> Any:
    """Return a class or function by its path; None if there is none."""
    module, _, name = path.rpartition(".")
    try:
        return getattr(import_module(module), name, None) if module else None
    except ModuleNotFoundError:
        return None


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))  # lists for tuples


def _content(value: Any) -> Any:
    recipe = Path(value) / RECIPE if isinstance(value, str) and value else None
    if recipe is not None and recipe.is_file():
        found = json.loads(recipe.read_text(encoding="utf-8"))
        if "renderer" in found:  # of a converted set, what came of it says what it holds
            found = {k: v for k, v in found.items() if k not in _NOT_DRAWN}
        return f"{RECIPE} {_hash(found)}"
    return value


def _characters(charset: Any) -> Any:
    if isinstance(charset, str) and Path(charset).is_file():
        return f"charset {_hash(Charset.load(charset).characters)}"
    return charset


def _words(words: Any) -> Any:
    if isinstance(words, str) and words not in (PYTHON, WORDFREQ) and Path(words).is_file():
        return f"words {_digest(Path(words).read_bytes())}"
    return words


def _fonts(fonts: Any) -> Any:
    if isinstance(fonts, str) and fonts != SYSTEM and Path(fonts).is_dir():
        files = {font.path for font in find_fonts(fonts)}
        return f"fonts {_hash(sorted(_digest(Path(file).read_bytes()) for file in files))}"
    return fonts


_HELD = {"charset": _characters, "words": _words, "fonts": _fonts}


def _hash(value: Any) -> str:
    return _digest(json.dumps(value, sort_keys=True, default=str).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
