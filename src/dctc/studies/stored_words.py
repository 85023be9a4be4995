"""Rendered training words that the runs of an experiment share: drawn once, read by every run."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dctc.data.archives.commands.arguments import progress_bar
from dctc.data.rendered import RenderedDataModule
from dctc.files import Busy
from dctc.results.registry import runs_folder

DATA = "--data.init_args."
_WAIT_S = 5.0  # between two looks at words that another process draws


@dataclass(frozen=True)
class StoredWords:
    """The training words of a configuration, below the folder of runs.

    Attributes:
        name: What the folder is called, before the number of words.
        config: The configuration, whose data is a RenderedDataModule.
        options: Command line of ``dctc fit``; of it, what changes an argument of the data counts.
        charset: Charset of the configuration's tokenizer.
    """

    name: str
    config: Path
    options: tuple[str, ...] = ()
    charset: str = "36"

    def data(self) -> RenderedDataModule:
        """Return the data module that draws them."""
        content = yaml.safe_load(self.config.read_text(encoding="utf-8"))
        arguments: dict[str, Any] = {**content["data"]["init_args"], "charset": self.charset}
        arguments["protocol"] = content["model"]["protocol"]
        for option in self.options:
            if option.startswith(DATA):
                name, value = option.removeprefix(DATA).split("=", 1)
                arguments[name] = yaml.safe_load(value)
        return RenderedDataModule(**arguments, seed=content["seed_everything"])

    @property
    def folder(self) -> Path:
        """Where they lie."""
        return runs_folder() / "words" / f"{self.name}-{self.data().sizes['train']}"

    @property
    def option(self) -> str:
        """The option of ``dctc fit`` that reads them."""
        return f"{DATA}stored={self.folder}"

    def write(self) -> None:
        """Draw those that are missing, with every core; wait for another process that does.

        Raises:
            ValueError: If the folder holds other words.
            OSError: If the disk is full.
        """
        data, said = self.data(), False
        while True:
            try:
                with progress_bar("training words", data.sizes["train"]) as show:
                    data.store(self.folder, os.cpu_count() or 1, show)
                return
            except Busy as error:
                if not said:
                    print(error, flush=True)
                said = True
                time.sleep(_WAIT_S)
