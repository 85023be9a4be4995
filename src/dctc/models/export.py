"""Export of a net as ONNX or as torch's exported program, compared with the original."""

from __future__ import annotations

import json
import logging
import textwrap
import warnings
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.fx.experimental.symbolic_shapes import ConstraintViolationError

from dctc.files import replacing
from dctc.models.onnx_export import feed, output_kind, reads_back, write_back
from dctc.models.onnx_recognizer import OnnxRecognizer

TOLERANCE = 1e-4  # absolute, on logits
METADATA = "dctc.json"  # the file inside a .pt2 that holds the metadata; ONNX has a place for it

_BATCHES = (1, 2, 5)
_LONGEST = 4096  # batch and columns; the exporter wants a bound
_DYNAMIC = (("batch", "width"), ("batch",), ())
# What the exporters raise on a net that fixes a dimension.
_UNEXPORTABLE = (RuntimeError, ValueError, TypeError, AssertionError, ConstraintViolationError)

Run = Callable[[Tensor], Tensor]


class Exported(NamedTuple):
    """What :func:`export` has written.

    Attributes:
        dynamic: Those of ``batch`` and ``width`` that are free.
        difference: Largest absolute difference from the net's own output.
        shapes: Shapes of the images on which they were compared.
        reason: Why a dimension is fixed; empty if none is.
        output: What was compared.
    """

    dynamic: tuple[str, ...]
    difference: float
    shapes: list[tuple[int, ...]]
    reason: str
    output: str = "logits"


def export(
    net: Any,
    file: Path,
    to: Literal["onnx", "pt2"],
    image: tuple[int, int, int],
    metadata: dict[str, str],
) -> Exported:
    """Write a net with as many free dimensions as it allows, and check the file.

    A net that came from an ONNX file goes back into its graph.

    Written atomically after its logits match those of the net to 1e-4, at several
    batch sizes and widths.

    Args:
        net: A recogniser in evaluation mode, on the CPU.
        file: What to write. An older one is replaced.
        to: ``onnx`` or ``pt2``.
        image: Channels, height and width of images.
        metadata: Goes into the file.

    Raises:
        ValueError: If the net cannot be exported, the file computes something else, or a package
            for it is missing.
        OSError: If the file cannot be written.
    """
    write = _write_onnx if to == "onnx" else _write_pt2
    if to == "onnx":
        _need_packages(traced=not isinstance(net, OnnxRecognizer))
    reason = last = ""
    if isinstance(net, OnnxRecognizer):
        if to != "onnx":
            raise ValueError(f"{file}: not written; a net from an ONNX file is exported to onnx")
        return _export_back(net, file, image, metadata)
    with replacing(file) as part:
        for dynamic in _DYNAMIC:
            try:
                named = {**metadata, "dynamic": ",".join(dynamic)}
                run = _quietly(write, _trace(net, image, dynamic), part, named)
                step = getattr(net, "frame_stride", 4)
                difference, shapes = _compare(net, run, image, dynamic, step)
            except _UNEXPORTABLE as error:
                last = _first_line(error)
                reason = reason or last
                continue
            return Exported(dynamic, difference, shapes, reason)
        raise ValueError(f"{file}: not written, the export failed: {last}")


def _export_back(
    net: OnnxRecognizer, file: Path, image: tuple[int, int, int], metadata: dict[str, str]
) -> Exported:
    with replacing(file) as part:
        write_back(net, part, metadata)
        run = _session(part, partial(feed, net))
        dynamic = _DYNAMIC[1 if net.image_format.fixed_width else 0]
        try:
            difference, shapes = _compare(
                partial(reads_back, net), run, image, dynamic, net.frame_stride
            )
        except RuntimeError as error:
            raise ValueError(
                f"{file}: not written, its graph does not fit the net: {error}"
            ) from error
    reason = "the file's own width is fixed" if net.image_format.fixed_width else ""
    return Exported(dynamic, difference, shapes, reason, output_kind(net))


def _trace(net: nn.Module, image: tuple[int, int, int], dynamic: tuple[str, ...]) -> Any:
    columns = getattr(net, "frame_stride", 4) * Dim("columns", min=1, max=_LONGEST)
    dims = {"batch": (0, Dim("batch", min=1, max=_LONGEST)), "width": (3, columns)}
    free = dict(dims[name] for name in dynamic)
    return _quietly(torch.export.export, net, (torch.zeros(2, *image),), dynamic_shapes=(free,))


def _write_pt2(program: ExportedProgram, part: Path, metadata: dict[str, str]) -> Run:
    part_pt2 = part.with_name(f"{part.name}.pt2")  # torch insists on the suffix
    try:
        torch.export.save(program, part_pt2, extra_files={METADATA: json.dumps(metadata)})
        part_pt2.replace(part)
    finally:
        part_pt2.unlink(missing_ok=True)
    with part.open("rb") as stream:
        loaded: Run = torch.export.load(stream).module()
    return loaded


def _write_onnx(program: ExportedProgram, part: Path, metadata: dict[str, str]) -> Run:
    written: Any = torch.onnx.export(
        program, dynamo=True, verbose=False, input_names=["images"], output_names=["logits"]
    )
    written.model.metadata_props.update(metadata)
    written.save(part, external_data=False)
    return _session(part, lambda images: {"images": images.numpy()})


def _session(part: Path, given: Callable[[Tensor], dict[str, Any]]) -> Run:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4  # what fails is raised too
    session = onnxruntime.InferenceSession(
        part.read_bytes(), settings, providers=["CPUExecutionProvider"]
    )

    def run(images: Tensor) -> Tensor:
        try:
            return torch.from_numpy(session.run(None, given(images))[0])
        except Exception as error:  # onnxruntime's errors share no other class
            raise RuntimeError(f"onnxruntime: {_first_line(error)}") from error

    return run


def _need_packages(traced: bool) -> None:
    for package in ("onnx", "onnxruntime", *(["onnxscript"] if traced else [])):
        try:
            import_module(package)
        except ImportError as error:
            raise ValueError(
                f"ONNX needs the package {package}: pip install 'dctc[export]', or export to pt2 "
                f"({error})"
            ) from error


@torch.no_grad()
def _compare(
    net: Any, run: Run, image: tuple[int, int, int], dynamic: tuple[str, ...], step: int
) -> tuple[float, list[tuple[int, ...]]]:
    channels, height, width = image
    widths = [width]
    if "width" in dynamic:
        widths += [max(2, width // step // 2) * step, (width // step + 3) * step]
    batches = _BATCHES if "batch" in dynamic else (2,)
    shapes: list[tuple[int, ...]] = [(n, channels, height, w) for n in batches for w in widths]
    random = np.random.default_rng(0)
    largest = 0.0
    for shape in shapes:
        images = torch.from_numpy(random.uniform(-1, 1, shape).astype(np.float32))
        expected, got = net(images), run(images)
        if expected.shape != got.shape:
            raise ValueError(f"images {shape} give logits {tuple(got.shape)} in the file")
        difference = (expected - got).abs().max().item()
        if not difference <= TOLERANCE:
            raise ValueError(f"on images {shape} a logit in the file is off by {difference:.2g}")
        largest = max(largest, difference)
    return largest, shapes


def _quietly(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Call an exporter without its warnings and progress, which nobody can act on."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*args, **options)
    finally:
        logging.disable(level)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return textwrap.shorten(lines[0], 160, placeholder=" ...") if lines else type(error).__name__
