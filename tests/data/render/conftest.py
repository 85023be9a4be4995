"""Fonts of matplotlib, by the name of their file."""

from pathlib import Path

import pytest

from dctc.data.render.fonts import Font, find_fonts


@pytest.fixture(scope="session")
def fonts() -> dict[str, Font]:
    return {Path(font.path).stem: font for font in find_fonts()}


@pytest.fixture(scope="session")
def sans(fonts) -> Font:
    return fonts["DejaVuSans"]
