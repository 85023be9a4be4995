"""Rendered training words that the runs of a study share: drawn once, read by every run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from dctc.data.archives.progress import progress_bar
from dctc.data.rendered import RenderedDataModule
from dctc.files import locked
from dctc.results.registry import runs_folder

_DATA = "data.init_args."


@dataclass(frozen=True)
class StoredWords:
    """The training words of a configuration, in an LMDB below the folder of runs.

    Attributes:
        name: First part of the folder's name, before the number of words.
        configs: Configurations whose data is a RenderedDataModule; later ones override.
        set: Overrides by dotted path, as of :class:`dctc.studies.study.Run`.
    """

    name: str
    configs: tuple[Path, ...]
    set: Mapping[str, Any] = field(default_factory=dict)

    def data(self) -> RenderedDataModule:
        """Return the data module that draws them.

        Raises:
            ValueError: If the data of the configurations is another one.
        """
        arguments: dict[str, Any] = {}
        seed = 0
        for config in self.configs:
            content = _keys(yaml.safe_load(config.read_text(encoding="utf-8")))
            arguments |= _keys(_keys(content.get("data")).get("init_args"))
            model = _keys(content.get("model"))
            if "protocol" in model:
                arguments["protocol"] = model["protocol"]
            if charset := _keys(_keys(model.get("tokenizer")).get("init_args")).get("charset"):
                arguments["charset"] = str(charset)
            seed = content.get("seed_everything", seed)
        for key, value in self.set.items():
            if key.startswith(_DATA):
                arguments[key.removeprefix(_DATA)] = value
            if key in ("model.tokenizer.init_args.charset", "model.protocol"):
                arguments[key.rpartition(".")[2]] = None if value is None else str(value)
        try:
            return RenderedDataModule(**arguments, seed=seed)
        except TypeError as error:
            names = ", ".join(map(str, self.configs))
            raise ValueError(f"stored: {names}: no data of rendered words: {error}") from error

    @property
    def folder(self) -> Path:
        """Folder of the LMDB."""
        return runs_folder() / "words" / f"{self.name}-{self.data().sizes['train']}"

    def write(self) -> None:
        """Draw those that are missing, with every core; wait for another process that does.

        Raises:
            ValueError: If the folder holds other words.
            Busy: If ``dctc data render`` writes into it.
            OSError: If the disk is full.
        """
        data, folder = self.data(), self.folder
        lock = folder.with_name(f".{folder.name}.drawing.lock")
        with locked(lock, wait=True), progress_bar("training words", data.sizes["train"]) as show:
            data.store(folder, os.cpu_count() or 1, show)


def _keys(value: Any) -> dict[str, Any]:
    """Return a section of a configuration; one that is a class's name alone has no keys."""
    return value if isinstance(value, dict) else {}
