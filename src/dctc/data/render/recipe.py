"""What a set of rendered words was made with, so that it can be made again."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from PIL import features

import dctc
from dctc.data.render.chinese_lines import ChineseLines
from dctc.data.render.rendered_words import RenderedWords

RENDERER_VERSION = 3  # raised by hand when the same seed would give other images
CHINESE_VERSION = 2  # the same for Chinese lines, beside it; 2 draws symbols and punctuation


def recipe(dataset: RenderedWords) -> dict[str, Any]:
    """Return all that decides what a set holds, ready for JSON.

    Args:
        dataset: The set.

    Returns:
        Versions, the split, its size and seed, charset and protocol, the preset's values, the
        fonts, and a hash of the words; of Chinese lines a hash of the characters' frequencies too,
        and the characters that no font draws. Hashes are the first 16 digits of SHA-256.
    """
    renderer, counts = dataset.renderer, dataset.words.counts
    corpus = "".join(f"{word}\t{count!r}\n" for word, count in counts.items())
    made: dict[str, Any] = {
        "renderer": RENDERER_VERSION,
        "versions": {
            "dctc": dctc.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "pillow": PIL.__version__,
            "freetype": features.version("freetype2"),
            "jpeg": features.version("jpg"),
        },
        "split": dataset.split,
        "size": dataset.size,
        "seed": dataset.seed,
        "height": renderer.height,
        "width": renderer.width,
        **dataset.options,
        "charset": {"characters": len(dataset.charset), "sha256": _hash(dataset.charset)},
        "corpus": {"words": len(counts), "sha256": _hash(corpus)},
        "preset": asdict(renderer.preset),
        "fonts": [
            {
                "file": Path(font.path).name,
                "family": font.family,
                "sha256": _hash(Path(font.path).read_bytes()),
            }
            for font in renderer.fonts
        ],
    }
    if isinstance(dataset.words, ChineseLines):
        known = dataset.words.frequencies
        listed = "".join(f"{character}\t{known[character]!r}\n" for character in known)
        made["frequencies"] = {"characters": len(known), "sha256": _hash(listed)}
        made["left_out"] = dataset.left_out
        made["chinese"] = CHINESE_VERSION
        made["versions"].update(wordfreq=_version("wordfreq"), fonttools=_version("fonttools"))
    return made


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:  # wordfreq is an extra
        return None


def drawn_key(dataset: RenderedWords) -> str:
    """Return a hash of what decides a set's images, whatever the versions of libraries.

    The samples' keys are numbers, the same for other fonts, words or presets.
    """
    left_out = ("versions", "size", "words")  # words: their file's name, beside the corpus
    found = {k: v for k, v in recipe(dataset).items() if k not in left_out}
    return _hash(json.dumps(found, sort_keys=True))


def _hash(content: str | bytes) -> str:
    data = content.encode() if isinstance(content, str) else content
    return hashlib.sha256(data).hexdigest()[:16]
