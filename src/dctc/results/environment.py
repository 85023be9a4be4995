"""Environment of a result: versions, hardware, command, commit."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

import dctc

DIRTY = "-dirty"  # suffix of a commit with uncommitted changes
_PACKAGES = ("torch", "timm", "pytorch-lightning", "torchmetrics", "numpy", "pillow")
_CPUINFO = Path("/proc/cpuinfo")  # platform.processor() says little on Linux
# On x86 and ARM; they decide which kernels of torch run, hence how sums are rounded
_SIMD_FLAG = re.compile(r"avx.*|amx.*|fma.*|f16c|asimd.*|sve.*|bf16|i8mm")
_PATH = re.compile(r"(?:^|(?<=[=,\[\s]))/[^=,\]\s]+")  # an absolute one, in an argument


def environment(device: torch.device | None = None) -> dict[str, Any]:
    """Return the environment of a result: versions, hardware, command, commit.

    Args:
        device: Where it was computed; None for a GPU where there is one, as benchmarks do.

    Returns:
        ``versions`` of Python and libraries; ``hardware``, the name of the GPU, or of the CPU with
        torch's threads; ``cpu``, see :func:`cpu`; ``command``, see :func:`command`; ``commit`` of
        this package.
    """
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    cuda = torch.cuda.is_available() if device is None else device.type == "cuda"
    processor = cpu()
    threads = f"{processor['threads']} thread{'s' * (processor['threads'] != 1)}"
    name = torch.cuda.get_device_name(device) if cuda else f"{processor['model']}, {threads}"
    return {
        "versions": {"python": platform.python_version(), **versions},
        "hardware": f"{name} ({platform.machine()})",
        "cpu": processor,
        "command": command(),
        "commit": _commit(),
    }


def cpu() -> dict[str, Any]:
    """Return model, vendor, family, model number, SIMD flags and threads of the CPU.

    On other CPUs torch rounds sums otherwise, so that a training repeats bit for bit only on an
    equal one. ``capability`` is the instruction set that torch chose. Unknown fields are
    omitted, except ``model``.
    """
    lines = _CPUINFO.read_text().split("\n\n")[0].splitlines() if _CPUINFO.exists() else []
    fields = {
        key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)
    }
    names = {"vendor": "vendor_id", "family": "cpu family", "number": "model"}
    flags = fields.get("flags", fields.get("Features", "")).split()
    return {
        "model": fields.get("model name", "CPU"),
        **{name: fields[field] for name, field in names.items() if field in fields},
        "flags": sorted(flag for flag in flags if _SIMD_FLAG.fullmatch(flag)),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
    }


def command() -> str:
    """Return the command line of this process for a shell, with paths relative to its folder."""
    program, *arguments = sys.argv or [""]
    if Path.cwd() not in Path(program).absolute().parents:
        program = Path(program).name
    return shlex.join(
        _PATH.sub(lambda path: os.path.relpath(path[0]), w) for w in (program, *arguments)
    )


def gpu(about: Mapping[str, Any]) -> str:
    """Return the name of the GPU that a result comes from; empty if it was a CPU.

    Args:
        about: What :func:`environment` returned, or what a record says; ``trained_on`` there is
            the hardware of the training, which may differ from that of the test.
    """
    hardware = str(about.get("trained_on") or about.get("hardware", ""))
    return "" if "thread" in hardware else hardware.rpartition(" (")[0]


def measured_on(measured: Mapping[str, Any], threads: bool = True) -> str:
    """Return hardware, torch and commit of a measurement, as a note of its table.

    Args:
        measured: What was measured, with its :func:`environment`.
        threads: Whether to name the CPU's threads.
    """
    hardware = measured["hardware"]
    if not threads:
        hardware = re.sub(r", \d+ threads?", "", hardware)
    return f"{hardware}, torch {measured['versions']['torch']}, commit {measured['commit'][:7]}"


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
