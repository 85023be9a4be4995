"""What a result was measured with: versions, hardware, commit."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

import dctc

DIRTY = "-dirty"  # ends the name of a commit where there were changes on top of it
_PACKAGES = ("torch", "timm", "pytorch-lightning", "torchmetrics", "numpy", "pillow")


def environment(device: torch.device | None = None) -> dict[str, Any]:
    """Describe what a result was measured with: versions, hardware, commit.

    Args:
        device: Where it was computed; None for a GPU where there is one, as benchmarks do.
    """
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    cuda = torch.cuda.is_available() if device is None else device.type == "cuda"
    hardware = torch.cuda.get_device_name(device) if cuda else _processor()
    return {
        "versions": {"python": platform.python_version(), **versions},
        "hardware": f"{hardware} ({platform.machine()})",
        "commit": _commit(),
    }


def gpu(about: Mapping[str, Any]) -> str:
    """Return the name of the GPU that something was computed on; empty if it was a CPU.

    Args:
        about: What :func:`environment` said of it, or of a test; ``trained_on`` says where the net
            was trained that was tested.
    """
    hardware = str(about.get("trained_on") or about.get("hardware", ""))
    return "" if "thread" in hardware else hardware.rpartition(" (")[0]


def _processor() -> str:
    """Name the CPU, and the threads that torch computes with."""
    cpuinfo = Path("/proc/cpuinfo")  # platform.processor() says little on Linux
    named = re.search(r"model name\s*: (.+)", cpuinfo.read_text()) if cpuinfo.exists() else None
    threads = torch.get_num_threads()
    return f"{named[1] if named else 'CPU'}, {threads} thread{'s' * (threads != 1)}"


def _commit() -> str:
    try:
        # an installed package may lie in a virtual environment inside somebody else's checkout
        _git("ls-files", "--error-unmatch", Path(__file__).name)
        return _git("describe", "--always", f"--dirty={DIRTY}", "--abbrev=12", "--exclude=*")
    except (OSError, subprocess.CalledProcessError):
        return f"not a checkout; dctc {dctc.__version__}"


def _git(*arguments: str) -> str:
    here = Path(__file__).parent
    done = subprocess.run(["git", *arguments], cwd=here, capture_output=True, text=True, check=True)
    return done.stdout.strip()
