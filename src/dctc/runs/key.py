"""Key of a run: a hash of everything that determines its result."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from sysconfig import get_path
from typing import Any

import dctc
from dctc import losses
from dctc.data.records.folders import data_root
from dctc.data.records.provenance import RECIPE
from dctc.data.render.corpora import PYTHON, WORDFREQ
from dctc.data.render.fonts import SYSTEM, find_fonts
from dctc.data.render.rendered_words import is_own
from dctc.data.render.stored import stored_recipe
from dctc.files import short_hash
from dctc.onnx_files import SUFFIX
from dctc.runs.configuration import named
from dctc.runs.folder import weights_file
from dctc.text import Charset
from dctc.text.charset import charset_parts

# Raised by hand when a change of the code would change results; part of every key.
RECIPE_VERSION = 1

# Arguments of the Trainer that change results. All others (devices, loggers, progress bars) do not.
_TRAINER = (
    "accumulate_grad_batches",
    "benchmark",
    "callbacks",
    "check_val_every_n_epoch",
    "detect_anomaly",
    "deterministic",
    "fast_dev_run",
    "gradient_clip_algorithm",
    "gradient_clip_val",
    "inference_mode",
    "limit_predict_batches",
    "limit_test_batches",
    "limit_train_batches",
    "limit_val_batches",
    "max_epochs",
    "max_steps",
    "max_time",
    "min_epochs",
    "min_steps",
    "overfit_batches",
    "precision",
    "reload_dataloaders_every_n_epochs",
    "sync_batchnorm",
    "use_distributed_sampler",
    "val_check_interval",
)
_DATA_LEFT_OUT = {"data_root", "num_workers"}  # where the data lies, and who loads it
# Callbacks that do not affect training. Any other may, such as an average of weights.
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
# Counts of batches, or shares of an epoch: 1 is not 1.0, but 2 and 2.0 are the same, and which of
# them the command line yields depends on what was imported first.
_COUNTS_OR_SHARES = ("limit_", "overfit_batches", "val_check_interval")
# Fields of a recipe that say which libraries drew a folder of words, and how far they got
_NOT_DRAWN = ("versions", "result")


def run_key(config: Mapping[str, Any], versions: Mapping[str, int] | None = None) -> str:
    """Return the key of a run: the first 16 hex digits of a SHA-256.

    It is made of the resolved configuration itself, not of how that differs from today's defaults:
    every argument counts, given or default. Three rules make it stable:

    - A class counts by its name, not by its module. One that is in no installed package, such as a
      user's own loss, counts with the content of its file too.
    - An argument that is None or False counts as absent, so that an option that is added later,
      off by default, changes no key.
    - Arguments that only set where or how fast a run is computed are left out.

    A folder of rendered words or of fonts, a file of characters or of words, an ONNX file and the
    weights that a run starts from count by their content. Stored training words (``stored``) count
    by their seed alone: the data module checks that the rest is what its own arguments would draw.
    The renderer's version is part of the key.

    Args:
        config: Resolved configuration of the command line (``seed_everything``, ``trainer``,
            ``model``, ``data``).
        versions: Versions of what draws the data; None takes those of the data module
            (``recipe_version``, ``language_versions`` and ``own_version``).

    Raises:
        FileNotFoundError: If stored words have not been drawn yet.
    """
    data = dict(config["data"])
    arguments = {k: v for k, v in data.get("init_args", {}).items() if k not in _DATA_LEFT_OUT}
    hashed = {
        "recipe_version": RECIPE_VERSION,
        "seed": config["seed_everything"],
        "trainer": _trainer(config["trainer"]),
        "model": config["model"],
        "data": {**data, "init_args": arguments},
        "init_from": config.get("init_from"),
        "drawn": drawn_versions(config) if versions is None else versions,
    }
    root = data_root(data.get("init_args", {}).get("data_root"))
    return _hash(_essence(hashed, root))


def drawn_versions(config: Mapping[str, Any]) -> dict[str, int]:
    """Return the versions of what draws the data of a configuration; empty for stored data."""
    module, _, name = config["data"]["class_path"].rpartition(".")
    drawn = getattr(import_module(module), name)
    arguments = config["data"].get("init_args", {})
    texts = {k: v for k, v in arguments.items() if k in ("language", "words", "charset")}
    versions = {
        "data_version": getattr(drawn, "recipe_version", None),
        "language_version": getattr(drawn, "language_versions", {}).get(texts.get("language")),
        "own_version": getattr(drawn, "own_version", None) if is_own(**texts) else None,
    }
    return {name: version for name, version in versions.items() if version is not None}


def arm_of(config: dict[str, Any]) -> str:
    """Name the loss of a configuration: ``ctc``, ``dctc``, or the class of the loss."""
    for callback in config["trainer"].get("callbacks") or []:
        if callback["class_path"].endswith(".DCTCCallback"):
            return "dctc" if callback["init_args"]["distill_weight"] else "ctc"
    return str(config["model"]["loss"]["class_path"]).rsplit(".", 1)[-1]


def _trainer(arguments: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name in _TRAINER:
        value = arguments.get(name)
        if name.startswith(_COUNTS_OR_SHARES) and isinstance(value, (int, float)):
            counts = isinstance(value, int) or value > 1
            value = f"{int(value)} batches" if counts else float(value)
        kept[name] = value
    if kept["gradient_clip_val"] is not None:
        kept["gradient_clip_val"] = float(kept["gradient_clip_val"])
    kept["callbacks"] = [
        callback
        for callback in arguments.get("callbacks") or []
        if callback["class_path"].rsplit(".", 1)[-1] not in _ONLOOKERS
    ]
    return kept


def _essence(value: Any, root: Path) -> Any:
    """Return a configuration in the form that is hashed, see :func:`run_key`."""
    if isinstance(value, Mapping):
        kept = {k: _HELD[k](v) if k in _HELD else _essence(v, root) for k, v in value.items()}
        if "class_path" in kept:
            path = str(kept["class_path"])
            kept |= {"class_path": path.rsplit(".", 1)[-1], "source": _source(path)}
        return {k: v for k, v in kept.items() if v is not None and v is not False}
    if isinstance(value, (list, tuple)):
        return [_essence(inner, root) for inner in value]
    return _content(value, root)


def _source(path: str) -> str | None:
    """Return a hash of the file of a user's own class; None for one of an installed package."""
    module = path.rpartition(".")[0]
    if not module or module.partition(".")[0] == "dctc":
        return None
    # where the class is defined, which may be another module than the one that exports it
    module = getattr(named(path), "__module__", module)
    try:
        spec = find_spec(module)
    except (ModuleNotFoundError, ValueError):
        return None
    if spec is None or not spec.origin or not Path(spec.origin).is_file():
        return None
    if _is_installed(spec.origin):
        # a class of another library with the name of one of ours is another class
        return module.partition(".")[0] if hasattr(losses, path.rpartition(".")[2]) else None
    return short_hash(Path(spec.origin).read_bytes())


def _is_installed(file: str) -> bool:
    installed = [get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    return any(Path(file).is_relative_to(folder) for folder in installed)


def own_sources() -> dict[str, int]:
    """Return when each loaded module that is in no installed package was changed, by its file."""
    files = {getattr(module, "__file__", None) for module in [*sys.modules.values()]}
    here = Path(dctc.__file__).parent
    own = [f for f in files if f and not _is_installed(f) and not Path(f).is_relative_to(here)]
    return {file: Path(file).stat().st_mtime_ns for file in own if Path(file).is_file()}


def _content(value: Any, root: Path) -> Any:
    """Return a hash of the recipe in place of a folder of rendered words or of a converted set.

    Data modules take it as a folder below the data root, unless it is an absolute path.
    """
    if isinstance(value, str) and value.endswith(SUFFIX) and Path(value).is_file():
        return f"{SUFFIX} {short_hash(Path(value).read_bytes())}"
    folders = (Path(value), root / value) if isinstance(value, str) and value else ()
    recipe = next((f / RECIPE for f in folders if (f / RECIPE).is_file()), None)
    if recipe is not None:
        found = json.loads(recipe.read_text(encoding="utf-8"))
        if "renderer" in found:  # of a converted set, what came of it says what it holds
            found = {k: v for k, v in found.items() if k not in _NOT_DRAWN}
        return f"{RECIPE} {_hash(found)}"
    return value


def _stored(folder: Any) -> Any:
    """Return the seed of stored training words; a number is the seed itself."""
    if not isinstance(folder, str):
        return folder
    return stored_recipe(folder)["seed"]


def _characters(charset: Any) -> Any:
    if isinstance(charset, str) and any(Path(p).is_file() for p in charset_parts(charset)):
        return f"charset {_hash(Charset.load(charset).characters)}"
    return charset


def _words(words: Any) -> Any:
    if isinstance(words, str) and words not in (PYTHON, WORDFREQ) and Path(words).is_file():
        return f"words {short_hash(Path(words).read_bytes())}"
    return words


def _fonts(fonts: Any) -> Any:
    if isinstance(fonts, str) and fonts != SYSTEM and Path(fonts).is_dir():
        files = {font.path for font in find_fonts(fonts)}
        return f"fonts {_hash(sorted(short_hash(Path(file).read_bytes()) for file in files))}"
    return fonts


def _weights(given: Any) -> str | None:
    return f"weights {short_hash(weights_file(given).read_bytes())}" if given else None


_HELD = {
    "init_from": _weights,
    "stored": _stored,
    "charset": _characters,
    "words": _words,
    "fonts": _fonts,
    "rotate_tall": lambda value: None if value == "off" else value,  # off counts as absent
}


def _hash(value: Any) -> str:
    return short_hash(json.dumps(value, sort_keys=True, default=str))
