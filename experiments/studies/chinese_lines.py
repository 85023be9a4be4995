"""The study on Chinese lines: its characters are listed in a file that is written first."""

from __future__ import annotations

from dctc.data.archives.alphabet import write_common_characters
from dctc.data.render.fonts import find_fonts, split_fonts
from dctc.results.registry import runs_folder
from dctc.studies.study import Study
from dctc.text import Charset
from experiments.studies import load

CHARACTERS = 1000  # Chinese ones; digits and small letters come on top


def chinese_study(scale: str) -> Study:
    """Write the list of characters, and return the study."""
    file = runs_folder() / "words" / f"chinese{CHARACTERS}.txt"
    write_common_characters(file, CHARACTERS)
    return load("chinese", scale, {"model.tokenizer.init_args.charset": str(file)})


def missing_fonts() -> str:
    """Say that fewer than two families of fonts draw Chinese; empty if they are there."""
    file = runs_folder() / "words" / f"chinese{CHARACTERS}.txt"
    try:
        characters = Charset.load(str(file)).characters
        split_fonts(find_fonts("system"), held_out=True, chinese=characters)
    except ValueError as error:
        return str(error)
    return ""
