"""The Street View Text Dataset (Wang et al., ICCV 2011): ``test.xml`` and ``train.xml``."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

from dctc.data.archives.convert.word import Crops, Word


def words_of_svt(source: Path, images: Path) -> Iterator[Word]:
    """Yield the tagged words of whole street images, cropped to their rectangles.

    Args:
        source: ``test.xml`` or ``train.xml``: ``image`` elements with ``imageName`` and
            ``taggedRectangles`` of ``taggedRectangle x= y= width= height=`` with a ``tag``.
        images: Folder that imageName is relative to.

    Raises:
        ValueError: If it is not such a file.
    """
    try:
        root = ElementTree.parse(source).getroot()
    except ElementTree.ParseError as error:
        raise ValueError(f"{source}: is not XML ({error})") from error
    for image in root.iter("image"):
        name = image.findtext("imageName", "").strip()
        crops = Crops(images / name)
        for i, rectangle in enumerate(image.iter("taggedRectangle"), start=1):
            tag, values = rectangle.findtext("tag"), rectangle.attrib
            try:
                x, y, width, height = (float(values[k]) for k in ("x", "y", "width", "height"))
            except (KeyError, ValueError) as error:
                raise ValueError(
                    f"{source}: rectangle {i} of {name}: x, y, width or height is missing or not a "
                    f"number ({dict(values)})"
                ) from error
            if not name or tag is None:
                raise ValueError(f"{source}: rectangle {i} of {name or 'an image'} has no name/tag")
            yield crops.word(f"{name} rectangle {i}", tag, (x, y, x + width, y + height))
