"""``dctc data show``: a contact sheet of crops with their labels below them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from dctc.data.records.folders import count_records, read_record, reading
from dctc.data.records.images import load_image
from dctc.data.render.fonts import SYSTEM, Font, find_fonts
from dctc.data.render.glyphs import can_shape
from dctc.data.render.glyphs import face as open_face
from dctc.files import replacing
from dctc.text.characters import printed
from dctc.text.scripts import is_shaped

WIDTH = 1008  # pixels of the sheet, shared out over its columns
HEIGHT = 64  # pixels of a crop at most; smaller crops are not enlarged
CAPTION = 14  # pixels per em
GAP = 8  # pixels between columns
MAX_COLUMNS = WIDTH // (CAPTION + GAP)  # so that a caption has room for a character
_GREY, _RED = (245, 245, 245), (200, 0, 0)


def contact_sheet(
    path: Path, count: int = 60, columns: int = 6, seed: int = 0, fonts: str | None = None
) -> tuple[Image.Image, int]:
    """Draw at most ``count`` records of an LMDB, chosen evenly and in order.

    A record that cannot be decoded is a red cell. Labels are drawn with ``fonts``, see
    :func:`find_fonts`; None takes those that come with matplotlib, and those of the system for
    labels of other characters.

    Returns:
        The sheet, and how many labels no font has, so that they are shown by their code points.

    Raises:
        FileNotFoundError: If there is no LMDB.
        ValueError: If it is none or damaged, there is no font, or that many columns have no room.
    """
    records = count_records(path)
    chosen = np.random.default_rng(seed).permutation(records)[:count]
    with reading(path) as transaction:
        stored = [read_record(transaction, number) for number in sorted(int(c) + 1 for c in chosen)]
    cells = [Cell(one.image or b"", (one.label or b"").decode(errors="replace")) for one in stored]
    return draw_sheet(cells, columns, fonts)


class Cell(NamedTuple):
    """A crop and what stands below it.

    Attributes:
        source: The encoded image, or its file.
        text: The text.
        boxes: ``(s, 4)`` left, top, right, bottom in pixels of the upright image, outlined.
    """

    source: bytes | Path
    text: str
    boxes: Sequence[Sequence[float]] = ()


def draw_sheet(
    cells: Sequence[Cell], columns: int = 6, fonts: str | None = None
) -> tuple[Image.Image, int]:
    """Draw crops with a text below each; arguments and returns are those of contact_sheet."""
    if columns > MAX_COLUMNS:
        raise ValueError(f"{columns:,} columns: a sheet has room for {MAX_COLUMNS} at most")
    width, row_height = WIDTH // columns - GAP, HEIGHT + CAPTION + 10
    rows = -(-len(cells) // columns)
    sheet = Image.new("RGB", (columns * (width + GAP), rows * row_height), "white")
    draw = ImageDraw.Draw(sheet)
    available, unreadable = _Fonts(fonts), 0
    for i, cell in enumerate(cells):
        x, y = (i % columns) * (width + GAP) + GAP // 2, (i // columns) * row_height + 4
        sheet.paste(_crop(cell, width), (x, y))
        label = printed(cell.text)
        font = available.covering(label)
        unreadable += font is None
        shown = label if font else " ".join(f"{ord(c):04X}" for c in label)
        file = (font or available.fonts[0]).path
        face = open_face(file, CAPTION, is_shaped(shown) and can_shape())
        while shown and face.getlength(shown) > width:
            shown = shown[:-2] + "…" if len(shown) > 2 else ""
        draw.text((x, y + HEIGHT + 2), shown, "black", face)
    return sheet, unreadable


def check_image_file(file: Path) -> None:
    """Refuse a file without a folder, or whose name ends as no format that Pillow writes."""
    if not file.parent.is_dir():
        raise FileNotFoundError(f"{file}: there is no folder {file.parent}; make it first")
    if file.is_dir():
        raise IsADirectoryError(f"{file}: is a folder; name a file")
    if Image.EXTENSION.get(file.suffix.lower()) not in Image.SAVE:
        raise ValueError(f"{file}: names no format of images; let it end in .png")


def save_sheet(sheet: Image.Image, undrawn: int, file: Path) -> None:
    """Save what :func:`draw_sheet` returns; print how many texts stand as code points, if any."""
    with replacing(file) as partial:
        sheet.save(partial)
    if undrawn:
        said = f"{undrawn:,} texts are shown by their code points: no font at hand has them"
        print(said, file=sys.stderr)


def _crop(cell: Cell, width: int) -> Image.Image:
    pasted = Image.new("RGB", (width, HEIGHT), _GREY)
    try:
        image = load_image(cell.source)
    except ValueError:
        return Image.new("RGB", pasted.size, _RED)
    whole = image.width
    image.thumbnail(pasted.size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for box in np.array(cell.boxes).reshape(-1, 2, 2) * (image.width / whole):
        draw.rectangle([*box[0], *np.maximum(box[1] - 1, box[0])], outline=_RED)
    pasted.paste(image, ((width - image.width) // 2, (HEIGHT - image.height) // 2))
    return pasted


class _Fonts:
    """The fonts for the labels; those of the system are looked for when they are needed."""

    def __init__(self, where: str | None) -> None:
        self.fonts = find_fonts(where)
        self.complete = where is not None

    def covering(self, label: str) -> Font | None:
        drawn = "".join(label.split()) + "…"  # the mark of a label that is cut off
        font = next((font for font in self.fonts if font.covers(drawn)), None)
        if font is None and not self.complete:
            self.complete = True
            try:
                self.fonts += find_fonts(SYSTEM)
            except ValueError:  # a machine without fonts: the code points are shown
                return None
            return self.covering(label)
        return font
