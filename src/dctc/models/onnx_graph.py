"""An ONNX graph as a torch module that can be trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dctc.models.onnx_operators import OPERATORS, Attributes
from dctc.onnx_files import OnnxFile

# Inputs of operators that are weights, even of one element; elsewhere a constant of one element is
# no weight. What is added or multiplied is a bias or a scale, whatever its shape is.
_Inputs = dict[str, slice]
_WEIGHTS: _Inputs = dict.fromkeys(
    ("Conv", "Gemm", "MatMul", "BatchNormalization", "LayerNormalization", "LSTM"), slice(1, None)
)
_BIASES: _Inputs = dict.fromkeys(("Add", "Sub", "Mul", "Div"), slice(2)) | {
    "Conv": slice(2, 3),
    "Gemm": slice(2, 3),
    "LSTM": slice(3, 4),
}
_STATISTICS: _Inputs = {"BatchNormalization": slice(3, 5), "LSTM": slice(5, 8)}
_SIZES: _Inputs = {"Resize": slice(1, None)}
# Their further inputs are shapes, axes or indices, which stay on the CPU
_TAKE_SHAPES = {"Expand", "Gather", "ReduceMean", "Reshape", "Resize", "Slice", "Squeeze", "Tile"}
_TAKE_SHAPES |= {"Unsqueeze"}


class OnnxGraph(nn.Module):
    """The part of an ONNX graph that leads from its input to one of its values.

    Float tensors become parameters, whose ``is_bias`` says whether they are biases or scales, which
    the number of their axes does not; the statistics of batch normalisation and the first states of
    an LSTM become buffers, and are never updated. Numbers in arithmetic are constants. All else,
    such as shapes, is held as CPU tensors, and goes where the images are when it is computed with
    them. What depends on constants alone is computed here, once.

    Args:
        file: The graph.
        output: Name of the value to compute.

    Raises:
        ValueError: For an operator or attribute that is not known; it names the node.

    Attributes:
        named: Name of the parameter or buffer here by its name in the file.
    """

    def __init__(self, file: OnnxFile, output: str) -> None:
        super().__init__()
        graph = file.model.graph
        self.input = graph_input(file)
        self._constants: dict[str, Any] = {}
        self.named: dict[str, str] = {}
        self._computed: dict[str, str] = {}
        nodes: list[tuple[Any, list[str]]] = []
        aliases: dict[str, str] = {}
        for node in needed_nodes(graph, output):
            inputs = [aliases.get(name, name) for name in node.input]
            if node.op_type == "Identity":
                aliases[node.output[0]] = inputs[0]
            elif node.op_type != "Constant":
                nodes.append((node, inputs))
        self.output = aliases.get(output, output)

        def named(kind: _Inputs) -> set[str]:
            return {name for n, inputs in nodes for name in inputs[kind.get(n.op_type, slice(0))]}

        used = {self.output, *(name for _, inputs in nodes for name in inputs if name)}
        known = constants(file, used)
        statistics, biases, weighted = named(_STATISTICS), named(_BIASES), named(_WEIGHTS)
        weights = {
            name
            for name, value in known.items()
            if value.is_floating_point() and (value.numel() > 1 or name in weighted)
        } - named(_SIZES)
        self._steps: list[tuple[str, list[str], Attributes, str, str]] = []
        for node, inputs in nodes:
            where = f"{file.path}: node {node.name or node.output[0]!r}"
            if node.op_type not in OPERATORS:
                raise ValueError(
                    f"{where}: operator {node.op_type} is not supported; supported are "
                    f"{', '.join(sorted(OPERATORS))}"
                )
            if more := used.intersection(node.output[1:]):
                raise ValueError(
                    f"{where}: output {more.pop()!r} of {node.op_type} is not supported, only the "
                    f"first one is"
                )
            step = (node.op_type, inputs, attributes(node, file), node.output[0], where)
            if all(name in known and name not in weights for name in inputs if name):
                known[node.output[0]] = _compute(step, [known.get(name) for name in inputs])
            else:
                self._steps.append(step)
        for name in dict.fromkeys(name for step in self._steps for name in step[1]):
            if name not in known:
                continue
            value = known[name]
            if name in weights:
                self.named[name] = own = self._register(name, value, name not in statistics)
                getattr(self, own).is_bias = name in biases
            elif value.is_floating_point() and value.numel() > 1:  # computed from constants
                self._computed[name] = self._register(name, value, False, persistent=False)
            else:
                single = value.is_floating_point() and value.numel() == 1
                self._constants[name] = value.item() if single else value
        self._last = {name: k for k, step in enumerate(self._steps) for name in step[1]}

    def _register(self, name: str, value: Tensor, is_weight: bool, persistent: bool = True) -> str:
        own = "".join(c if c.isalnum() else "_" for c in name)
        while own in self._parameters or own in self._buffers or hasattr(self, own):
            own += "_"
        if is_weight:
            self.register_parameter(own, nn.Parameter(value))
        else:
            self.register_buffer(own, value.contiguous(), persistent)
        return own

    def forward(self, images: Tensor) -> Tensor:
        """Compute the value from the graph's input."""
        held = {**self.named, **self._computed}
        values: dict[str, Any] = {name: getattr(self, own) for name, own in held.items()}
        values |= {**self._constants, self.input: images}
        for k, step in enumerate(self._steps):
            inputs = step[1]
            given = [values[name] if name else None for name in inputs]
            if not images.is_cpu and step[0] not in _TAKE_SHAPES:
                given = _on_one_device(given, images.device)
            values[step[3]] = _compute(step, given)
            for name in inputs:  # so that memory holds what is still needed
                if self._last.get(name) == k:
                    values.pop(name, None)
        return values[self.output]


def _on_one_device(inputs: list[Any], device: torch.device) -> list[Any]:
    """Return inputs with all tensors on a device, if one is there; shapes alone stay on the CPU."""
    tensors = [x for x in inputs if isinstance(x, Tensor)]
    if not any(x.device == device for x in tensors):
        return inputs
    return [x.to(device) if isinstance(x, Tensor) else x for x in inputs]


def graph_input(file: OnnxFile) -> str:
    """Return the name of the only input of a graph.

    Raises:
        ValueError: If it has several.
    """
    graph = file.model.graph
    stored = {tensor.name for tensor in graph.initializer}
    inputs = [value.name for value in graph.input if value.name not in stored]
    if len(inputs) != 1:
        raise ValueError(
            f"{file.path}: its inputs are {', '.join(inputs)}; a CTC recogniser reads images alone"
        )
    return inputs[0]


def needed_nodes(graph: Any, output: str) -> list[Any]:
    """Return the nodes that a value depends on, in the order of the graph."""
    needed, kept = {output}, []
    for node in reversed(graph.node):  # ONNX sorts them topologically
        if needed.intersection(node.output):
            needed.update(filter(None, node.input))
            kept.append(node)
    return kept[::-1]


def constants(file: OnnxFile, names: set[str] | None = None) -> dict[str, Tensor]:
    """Return the stored tensors of a graph by name, those of Constant nodes too, as copies."""
    from onnx import numpy_helper

    graph = file.model.graph
    found = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            value = attributes(node, file)
            found[node.output[0]] = value.get("value", next(iter(value.values())))
    return {
        name: torch.tensor(numpy_helper.to_array(value) if hasattr(value, "dims") else value)
        for name, value in found.items()
        if names is None or name in names
    }


def attributes(node: Any, file: OnnxFile) -> Attributes:
    """Return the attributes of a node by name, and ``opset``."""
    from onnx.helper import get_attribute_value

    opset = next((o.version for o in file.model.opset_import if o.domain in ("", "ai.onnx")), 1)
    found = {a.name: get_attribute_value(a) for a in node.attribute}
    texts = {name: value.decode() for name, value in found.items() if isinstance(value, bytes)}
    return {**found, **texts} if node.op_type == "Constant" else {**found, **texts, "opset": opset}


def _compute(step: tuple[str, list[str], Attributes, str, str], inputs: Sequence[Any]) -> Any:
    operator, _, given, _, where = step
    try:
        return OPERATORS[operator](inputs, given)
    except (RuntimeError, TypeError, AttributeError, LookupError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{where} ({operator}): {reason}") from error
