"""What a result was measured with: versions, hardware, commit."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

_PACKAGES = ("torch", "timm", "pytorch-lightning", "torchmetrics", "numpy", "pillow")


def environment() -> dict[str, Any]:
    """Describe what a result was measured with: versions, hardware, commit."""
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    cuda = torch.cuda.is_available()
    hardware = torch.cuda.get_device_name() if cuda else f"CPU, {torch.get_num_threads()} threads"
    return {
        "versions": {"python": platform.python_version(), **versions},
        "hardware": f"{hardware} ({platform.machine()})",
        "commit": _commit(),
    }


def _commit() -> str:
    here = Path(__file__).parent
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            cwd=here,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return f"not a checkout; dctc {importlib.metadata.version('dctc')}"
    return described.stdout.strip()
