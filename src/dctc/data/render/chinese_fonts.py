"""Fonts of Chinese lines: of the few families that draw Chinese, one is held out."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from dctc.data.render.corpora import is_chinese
from dctc.data.render.fonts import HELD_OUT, Font

# Share of a charset's Chinese characters that a family draws; ours. Fonts of other scripts have
# some dozens of them, Japanese ones the half.
COVERED = 0.9


def chinese_families(fonts: Sequence[Font], charset: str) -> list[str]:
    """Return the names of the families that draw a charset's Chinese characters, in their order.

    Args:
        fonts: The fonts.
        charset: The characters.
    """
    wanted = {c for c in charset if is_chinese(c)}
    enough = COVERED * len(wanted)
    return sorted({f.family for f in fonts if wanted and len(wanted & f.characters) >= enough})


def split_chinese_fonts(fonts: Sequence[Font], charset: str, held_out: bool) -> list[Font]:
    """Return the fonts of the held-out families, or those of all others.

    Of the families that draw Chinese, the one whose name has the least hash is held out; of the
    others one in ten, as :func:`dctc.data.render.fonts.split_fonts` does.

    Args:
        fonts: The fonts.
        charset: The characters of the lines.
        held_out: Which part.

    Raises:
        ValueError: If fewer than two families draw Chinese.
    """
    families = chinese_families(fonts, charset)
    if len(families) < 2:
        raise ValueError(
            f"fonts: {', '.join(families) or 'none'} of {len({f.family for f in fonts})} families "
            f"draws Chinese, and holding one out takes two; install some, such as the packages "
            f"fonts-wqy-microhei, fonts-wqy-zenhei and fonts-arphic-uming, or hold out no fonts"
        )
    first = min(families, key=_hash)

    def is_held_out(family: str) -> bool:
        return family == first if family in families else _hash(family) % HELD_OUT == 0

    return [font for font in fonts if is_held_out(font.family) == held_out]


def _hash(family: str) -> int:
    return zlib.crc32(family.encode())
