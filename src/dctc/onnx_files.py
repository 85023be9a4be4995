"""Files of ONNX recognisers: those that installed packages bring, and what their metadata says."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

SUFFIX = ".onnx"
# name: the package whose wheel holds the weights (Apache 2.0), the file in it
PRETRAINED = {
    "ppocr_v6_small": ("rapidocr", "models/PP-OCRv6_rec_small.onnx"),
    "ppocr_v4_mobile": ("rapidocr_onnxruntime", "models/ch_PP-OCRv4_rec_infer.onnx"),
}
INSTALL = "pip install 'dctc[pretrained]'"
_INSTALL_OF = {
    # its own requirements bring a second OpenCV, and the weights need none
    "rapidocr_onnxruntime": "pip install --no-deps rapidocr-onnxruntime==1.4.4",
}


class OnnxFile(NamedTuple):
    """An ONNX file that has been read.

    Attributes:
        path: The file.
        model: Its ``onnx.ModelProto``.
        metadata: Its custom metadata.
    """

    path: Path
    model: Any
    metadata: dict[str, str]


def names_onnx(source: str) -> bool:
    """Tell whether a text is the name of a pretrained recogniser or of an ONNX file."""
    return source in PRETRAINED or source.endswith(SUFFIX)


def read_onnx(source: str) -> OnnxFile:
    """Read an ONNX recogniser.

    Args:
        source: A name of :data:`PRETRAINED`, whose package is not imported, or a path.

    Raises:
        ValueError: If the file is no ONNX, or is cut off, or the package onnx is not installed.
        FileNotFoundError: If there is no such file, or the package that has it is not installed.
    """
    path = Path(source)
    if source in PRETRAINED:
        package, inside = PRETRAINED[source]
        spec, install = find_spec(package), _INSTALL_OF.get(package, INSTALL)
        if spec is None or not spec.origin:
            raise FileNotFoundError(f"{source}: its package {package} is not installed: {install}")
        path = Path(spec.origin).parent / inside
        if not path.is_file():
            raise FileNotFoundError(
                f"{source}: this version of {package} has no {inside}; for one that has: {install}"
            )
    elif not path.is_file():
        raise FileNotFoundError(
            f"source {source!r}: neither one of {', '.join(PRETRAINED)} nor an ONNX file"
        )
    status = path.stat()
    return _read(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=2)
def _read(path: Path, changed: int, size: int) -> OnnxFile:
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise ValueError(f"{path}: reading it needs the package onnx: {INSTALL}") from error
    try:
        model = onnx.load(path)
    except (DecodeError, onnx.checker.ValidationError, FileNotFoundError) as error:
        raise ValueError(
            f"{path}: no whole ONNX file of {size:,} bytes (it may be cut off; fetch it again)"
        ) from error
    if not model.graph.node:
        raise ValueError(f"{path}: no ONNX file; it has no nodes")
    _to_float32(model)
    return OnnxFile(path, model, {p.key: p.value for p in model.metadata_props})


def _to_float32(model: Any) -> None:
    """Turn a graph in half precision into one in float32, in which weights can be trained."""
    from onnx import AttributeProto, TensorProto, numpy_helper

    half, single = TensorProto.FLOAT16, TensorProto.FLOAT
    graph = model.graph
    tensors = [*graph.initializer]
    for attribute in (a for node in graph.node for a in node.attribute):
        if attribute.type == AttributeProto.TENSOR:
            tensors.append(attribute.t)
        elif attribute.name == "to" and attribute.i == half:  # of Cast
            attribute.i = single
    for tensor in tensors:
        if tensor.data_type == half:
            values = numpy_helper.to_array(tensor).astype("float32")
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type == half:
            value.type.tensor_type.elem_type = single


def onnx_characters(file: OnnxFile) -> str:
    """Return the characters of a recogniser in class order, as its metadata has them.

    ``character`` is PaddleOCR's, as RapidOCR's files have it: a line for each character, without
    the blank, which is class 0, and without the space, which is the last class. A file that says
    that its ``blank`` follows these characters has no further space. ``charset`` is that of ``dctc
    export``. None of them is composed or changed.

    Raises:
        ValueError: If there is no such metadata, or an entry is not a single character.
    """
    if "charset" in file.metadata:
        return file.metadata["charset"]
    if "character" not in file.metadata:
        raise ValueError(
            f"{file.path}: its metadata names no characters (character, charset), so it is no "
            f"recogniser, or its charset is not known"
        )
    entries = file.metadata["character"].split("\n")
    if longer := [entry for entry in entries if len(entry) != 1]:
        raise ValueError(f"{file.path}: class {longer[0]!r} of its metadata is no single character")
    has_space = " " not in entries and file.metadata.get("blank") != str(len(entries))
    return "".join(entries) + " " * has_space
