"""Reading MATLAB files."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np

# scipy believes the bytes that it finds: of a broken file it raises whatever zlib, numpy, its
# tables of types and its own variables make of them.
_BROKEN = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NameError,
    NotImplementedError,
    OSError,
    TypeError,
    ValueError,
    zlib.error,
)


def load_mat(file: Path, names: list[str]) -> dict[str, np.ndarray]:
    """Return some arrays of a MATLAB file (up to version 7.2, as both archives are).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is none, is broken, or lacks one of the arrays.
    """
    from scipy.io import loadmat  # slow to load
    from scipy.io.matlab import MatReadError

    if not file.is_file():
        raise FileNotFoundError(f"{file}: no such file")
    try:
        found = loadmat(file, variable_names=names)
    except (*_BROKEN, MatReadError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"{file}: cannot be read as a MATLAB file ({reason}); fetch or unpack it again"
        ) from error
    for name in names:
        if not isinstance(found.get(name), np.ndarray):
            raise ValueError(f"{file}: holds no array {name!r}; give the archive's own file")
    return {name: found[name] for name in names}


def text_of(file: Path, cell: Any) -> str:
    """Return the string of a cell.

    Args:
        file: Where it stands, for the message.
        cell: Array of one string.

    Raises:
        ValueError: If it is something else.
    """
    if not isinstance(cell, np.ndarray) or cell.dtype.kind != "U" or cell.size != 1:
        seen = " ".join(repr(cell).split())[:60]
        raise ValueError(f"{file}: holds {seen} in place of a string; fetch or unpack it again")
    return str(cell.item())
