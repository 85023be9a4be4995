"""Find fonts to draw words with, and hold out some of their families."""

from __future__ import annotations

import shutil
import subprocess
import sys
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path

from dctc.data.render.corpora import is_chinese
from dctc.data.render.typeface import Font, examine, matplotlib_folder
from dctc.files import walk

SUFFIXES = (".ttf", ".otf", ".ttc")
SYSTEM = "system"
HELD_OUT = 10  # one family in ten is held out
# Share of a charset's Chinese characters that a Chinese family draws; ours. Fonts of other scripts
# have some dozens of them, Japanese fonts half of them.
CHINESE_SHARE = 0.9
INSTALL_CHINESE = (
    "install some, such as the packages fonts-wqy-microhei, fonts-wqy-zenhei and fonts-arphic-uming"
)


def find_fonts(fonts: str | None = None) -> list[Font]:
    """Find the text fonts of a folder or of the machine, in the order of their paths.

    Fonts that are not for text are skipped (:func:`font_report` says why), unreadable files are
    skipped with a warning.

    Args:
        fonts: A folder, with all below it and its links, for .ttf, .otf, .ttc files; ``system``
            for the fonts that fontconfig knows or, without its program ``fc-list``, those in the
            system's usual folders; None for the fonts that come with matplotlib.

    Returns:
        At least one font.

    Raises:
        ValueError: If there is no such folder or no text font in it, or ``fc-list`` fails.
    """
    every = font_report(fonts)
    for font in every:
        if font.damaged:
            warnings.warn(f"font {font.path}: {font.reason}; left out", stacklevel=2)
    found = [font for font in every if not font.reason]
    if not found:
        where = str(fonts or matplotlib_folder())
        raise ValueError(
            f"fonts {where!r}: none of its {len(every)} {'/'.join(SUFFIXES)} files is a text font; "
            f"give a folder with one, or none to use the fonts of matplotlib"
        )
    return found


def font_report(fonts: str | None = None) -> list[Font]:
    """Return every font file of :func:`find_fonts`, those too that are not used."""
    if fonts == SYSTEM:
        return [examine(file) for file in _system_files()]
    root = Path(fonts) if fonts is not None else matplotlib_folder()
    if not root.is_dir():
        what = "is a file" if root.exists() else "no such folder"
        raise ValueError(
            f"fonts {str(root)!r}: {what}; give a folder of font files, or {SYSTEM!r} for those of "
            f"the machine"
        )
    return [examine(file) for file in _below(root)]


def chinese_families(fonts: Sequence[Font], charset: str) -> list[str]:
    """Return the sorted names of the families that draw a charset's Chinese characters."""
    wanted = {c for c in charset if is_chinese(c)}
    enough = CHINESE_SHARE * len(wanted)
    return sorted({f.family for f in fonts if wanted and len(wanted & f.characters) >= enough})


def split_fonts(fonts: Sequence[Font], held_out: bool, chinese: str | None = None) -> list[Font]:
    """Return the fonts of the held-out families, or those of all others.

    One family in ten is held out, by a hash of its name, so the split is the same on all machines.
    Few families draw the charset of Chinese lines: of those, the one with the least hash is held
    out.

    Raises:
        ValueError: If there is none, or fewer than two families draw Chinese.
    """
    families = len({f.family for f in fonts})
    drawing = [] if chinese is None else chinese_families(fonts, chinese)
    if chinese is not None and len(drawing) < 2:
        raise ValueError(
            f"fonts: {', '.join(drawing) or 'none'} of {families} families draws Chinese, and "
            f"holding one out takes two; {INSTALL_CHINESE}, or hold out no fonts"
        )
    first = min(drawing, key=_hash, default=None)
    kept = [
        font
        for font in fonts
        if held_out
        == (font.family == first if font.family in drawing else _hash(font.family) % HELD_OUT == 0)
    ]
    if not kept:
        raise ValueError(
            f"fonts: {'none' if held_out else 'each'} of the {families} families is held out; "
            f"give more fonts, or use all of them in every set"
        )
    return kept


def _hash(family: str) -> int:
    return zlib.crc32(family.encode())


def _below(root: Path) -> list[Path]:
    files = [Path(folder, name) for folder, _, names in walk(root) for name in names]
    return sorted(p for p in files if p.suffix.lower() in SUFFIXES and p.is_file())


def _system_files() -> list[Path]:
    program = shutil.which("fc-list")
    if program is None:
        return sorted({file for root in _system_folders() for file in _below(root)})
    listed = subprocess.run([program, "--format=%{file}\n"], capture_output=True, text=True)
    if listed.returncode:
        said = (listed.stderr.splitlines() or [f"it ended with {listed.returncode}"])[0]
        raise ValueError(
            f"fonts {SYSTEM!r}: {program} failed ({said}); give a folder of fonts instead"
        )
    paths = {Path(line) for line in listed.stdout.splitlines()}
    return sorted(p for p in paths if p.suffix.lower() in SUFFIXES and p.is_file())


def _system_folders() -> list[Path]:
    home = Path.home()
    if sys.platform == "darwin":
        return [Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library/Fonts"]
    return [Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), home / ".local/share/fonts"]
