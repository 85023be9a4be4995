"""Reading MATLAB files."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def load_mat(file: Path, names: list[str]) -> dict[str, Any]:
    """Return some arrays of a MATLAB file (up to version 7.2, as both archives are).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is none, or lacks one of the arrays.
    """
    from scipy.io import loadmat  # slow to load

    try:
        found = loadmat(file, variable_names=names)
    except (ValueError, TypeError, NotImplementedError, EOFError) as error:
        raise ValueError(f"{file}: cannot be read as a MATLAB file ({error})") from error
    for name in names:
        if name not in found:
            raise ValueError(f"{file}: holds no array {name!r}; give the archive's own file")
    return found
