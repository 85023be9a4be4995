"""Write a trained :class:`OnnxRecognizer` back into the graph that it came from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dctc.models.onnx_graph import attributes, constants
from dctc.models.onnx_head import find_head
from dctc.models.onnx_recognizer import OnnxRecognizer
from dctc.onnx_files import read_onnx
from dctc.text.tokenizer import BLANK


def write_back(net: OnnxRecognizer, file: Path, metadata: dict[str, str]) -> None:
    """Write the graph of a net's source with the net's weights.

    Nodes, input and output stay as they are, so that what reads the source reads this file too;
    the classes may be others.

    Args:
        net: In evaluation mode, on the CPU.
        file: What to write.
        metadata: Goes into the file in place of that of the same name. ``character`` is made of
            its ``charset``, as RapidOCR expects it: without a space that is the last class.
    """
    import onnx

    source = read_onnx(net.source)
    model = onnx.ModelProto()
    model.CopyFrom(source.model)
    weights = {name: getattr(net.graph, own) for name, own in net.graph.named.items()}
    last = find_head(source)
    rows, bias = (_file_order(net, part, 0) for part in (net.head.weight, net.head.bias))
    weights |= dict(zip(last.names, (rows.T if last.transposed else rows, bias), strict=True))
    for name, shape in constants(source, {*last.shapes}).items():
        if shape[-1] == len(last.bias):
            weights[name] = torch.cat([shape[:-1], shape.new_tensor([net.num_classes])])
    _replace(model.graph, source, weights)
    classes = model.graph.output[0].type.tensor_type.shape.dim
    if classes:
        classes[-1].dim_value = net.num_classes
    del model.graph.value_info[:]  # shapes of what lies between, with the classes of the source
    charset = metadata["charset"]
    lines = "\n".join(charset[:-1] if charset.endswith(" ") else charset)
    onnx.helper.set_model_props(model, {**source.metadata, **metadata, "character": lines})
    onnx.save(model, file)


def _replace(graph: Any, source: Any, weights: dict[str, Tensor]) -> None:
    from onnx import numpy_helper

    def proto(name: str) -> Any:
        return numpy_helper.from_array(weights[name].detach().contiguous().numpy(), name)

    for tensor in graph.initializer:
        if tensor.name in weights:
            tensor.CopyFrom(proto(tensor.name))
    for node in graph.node:
        if node.op_type == "Constant" and node.output[0] in weights:
            (attribute,) = (a for a in node.attribute if a.name in attributes(node, source))
            attribute.t.CopyFrom(proto(node.output[0]))


def _file_order(net: OnnxRecognizer, by_class: Tensor, axis: int) -> Tensor:
    """Return what is by class in the order of the file's classes."""
    return by_class.roll(-1, axis) if net.blank_last else by_class


def reads_back(net: OnnxRecognizer, images: Tensor) -> Tensor:
    """Return what the file's output is for images, from the net."""
    logits = _file_order(net, net(images), -1)
    if not net.time_first:
        logits = logits.transpose(0, 1)
    if net.activation == "LogSoftmax":
        return logits.log_softmax(-1)
    return logits.softmax(-1) if net.activation else logits


def output_kind(net: OnnxRecognizer) -> str:
    """Return what the numbers of a file's output are."""
    kinds = {"Softmax": "probabilities", "LogSoftmax": "log probabilities"}
    return kinds.get(net.activation, "logits")


def feed(net: OnnxRecognizer, images: Tensor) -> dict[str, Any]:
    """Return RGB images as the input of the file."""
    given = images.flip(1) if net.is_bgr else images
    return {net.graph.input: given.contiguous().numpy()}


def described(net: OnnxRecognizer) -> dict[str, str]:
    """Return the metadata that differ from those of other exported nets."""
    shape = "frames, batch" if net.time_first else "batch, frames"
    return {
        "input": f"{net.graph.input} (batch, channels, height, width)",
        "channel_order": "L" if net.in_chans == 1 else "BGR" if net.is_bgr else "RGB",
        "output": f"{output_kind(net)} ({shape}, classes)",
        "blank": str(net.num_classes - 1 if net.blank_last else BLANK),
    }
