"""Rendered words read back from an LMDB, checked to be those that would be drawn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dctc.data.records.claim import RECIPE, read_recipe, shortened, warn_of_versions
from dctc.data.records.lmdb import LmdbDataset
from dctc.data.render.recipe import recipe
from dctc.data.render.rendered_words import RenderedWords
from dctc.text import Charset


def stored_recipe(folder: str | Path) -> dict[str, Any]:
    """Return the recipe of a complete set of rendered words.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is broken.
    """
    found = read_recipe(Path(folder))
    if not found:
        raise FileNotFoundError(
            f"{folder}: no rendered words here ({RECIPE} is missing); 'dctc data render' or "
            f"dctc.data.render.prerender.render_set writes them"
        )
    return found


def open_stored(folder: str | Path, drawn: RenderedWords) -> LmdbDataset:
    """Open stored words in place of those that are drawn on demand.

    Args:
        folder: Folder that :func:`dctc.data.render.prerender.render_set` wrote.
        drawn: The same words, drawn on demand; of any number.

    Raises:
        FileNotFoundError: If there are no words.
        ValueError: If they were drawn with other options, fonts or words. Other versions of
            libraries are warned of.
    """
    found = stored_recipe(folder)
    wanted = dict(json.loads(json.dumps(recipe(drawn))))
    warn_of_versions(folder, found.pop("versions", None), wanted.pop("versions"))
    for name, value in wanted.items():
        if name != "size" and found.get(name) != value:
            raise ValueError(
                f"{folder}: these words were drawn with {name} {shortened(found.get(name))}, not "
                f"{shortened(value)}; give the same options, or draw them anew"
            )
    return LmdbDataset(
        folder,
        "stored",
        protocol=drawn.protocol,
        charset=Charset(drawn.charset),
        height=drawn.renderer.height,
        width=drawn.renderer.width,
        grayscale=drawn.grayscale,
    )
