"""An ONNX graph as a torch module that can be trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dctc.onnx_files import OnnxFile

Node = Any  # an onnx.NodeProto
Attributes = dict[str, Any]
_ARITHMETIC = {"Add", "Sub", "Mul", "Div", "Pow", "Clip", "Identity"}  # take numbers


class OnnxGraph(nn.Module):
    """The part of an ONNX graph that leads from its input to one of its values.

    Float tensors become parameters; the statistics of batch normalisation become buffers, and are
    never updated. Numbers in arithmetic are constants. All else, such as shapes, is held as CPU
    tensors. What depends on constants alone is computed here, once.

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
        graph, self.output = file.model.graph, output
        self.input = graph_input(file)
        self._constants: dict[str, Any] = {}
        self.named: dict[str, str] = {}
        nodes = list(needed_nodes(graph, output))
        known = constants(file, {name for node in nodes for name in node.input})
        normalising = [node for node in nodes if node.op_type == "BatchNormalization"]
        statistics = {name for node in normalising for name in node.input[3:]}
        others = {name for n in nodes if n.op_type not in _ARITHMETIC for name in n.input}
        weights = {
            name
            for name, value in known.items()
            if value.is_floating_point() and (value.numel() > 1 or name in others)
        }
        aliases: dict[str, str] = {}
        self._steps: list[tuple[str, list[str], Attributes, str, str]] = []
        for node in nodes:
            if node.op_type == "Constant":
                continue
            inputs = [aliases.get(name, name) for name in node.input]
            if node.op_type == "Identity":
                aliases[node.output[0]] = inputs[0]
                continue
            where = f"{file.path}: node {node.name or node.output[0]!r}"
            if node.op_type not in OPERATORS or len(list(filter(None, node.output))) > 1:
                raise ValueError(
                    f"{where}: operator {node.op_type} is not supported; supported are "
                    f"{', '.join(sorted(OPERATORS))}"
                )
            step = (node.op_type, inputs, attributes(node, file), node.output[0], where)
            if all(name in known and name not in weights for name in inputs if name):
                known[node.output[0]] = _compute(step, [known.get(name) for name in inputs])
            else:
                self._steps.append(step)
        self.output = aliases.get(output, output)
        for name in dict.fromkeys(name for step in self._steps for name in step[1]):
            if name in weights:
                self._register(name, known[name], name in statistics)
            elif name in known:
                number = known[name].is_floating_point() and known[name].numel() == 1
                self._constants[name] = known[name].item() if number else known[name]
        self._last = {name: k for k, step in enumerate(self._steps) for name in step[1]}

    def _register(self, name: str, value: Tensor, is_statistic: bool) -> None:
        own = "".join(c if c.isalnum() else "_" for c in name)
        while own in self._parameters or own in self._buffers or hasattr(self, own):
            own += "_"
        self.named[name] = own
        if is_statistic:
            self.register_buffer(own, value)
        else:
            self.register_parameter(own, nn.Parameter(value))

    def forward(self, images: Tensor) -> Tensor:
        """Compute the value from the graph's input."""
        values: dict[str, Any] = {name: getattr(self, own) for name, own in self.named.items()}
        values |= {**self._constants, self.input: images}
        for k, step in enumerate(self._steps):
            inputs = step[1]
            values[step[3]] = _compute(step, [values[name] if name else None for name in inputs])
            for name in inputs:  # so that memory holds what is still needed
                if self._last.get(name) == k:
                    values.pop(name, None)
        return values[self.output]


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


def needed_nodes(graph: Any, output: str) -> Iterator[Node]:
    """Yield the nodes that a value depends on, in the order of the graph."""
    needed, kept = {output}, []
    for node in reversed(graph.node):  # ONNX sorts them topologically
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    yield from reversed(kept)


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


def attributes(node: Node, file: OnnxFile) -> Attributes:
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
    except (RuntimeError, TypeError, IndexError, KeyError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{where} ({operator}): {reason}") from error


# ---- operators: each gets the list of its inputs, None for one that is left out ----


def _axes(inputs: Sequence[Any], given: Attributes) -> list[int]:
    """Return axes, which older operators have as an attribute and newer ones as an input."""
    named = inputs[1].tolist() if len(inputs) > 1 and inputs[1] is not None else given.get("axes")
    return list(range(inputs[0].ndim)) if named is None else [a % inputs[0].ndim for a in named]


def _padded(x: Tensor, kernel: Sequence[int], given: Attributes, value: float) -> Tensor:
    """Pad an image as ``pads`` or ``auto_pad`` says."""
    size, mode = len(kernel), given.get("auto_pad", "NOTSET")
    strides, dilations = given.get("strides", [1] * size), given.get("dilations", [1] * size)
    pads = list(given.get("pads", [0] * 2 * size))
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        total = [
            max((math.ceil(n / s) - 1) * s + (k - 1) * d + 1 - n, 0)
            for n, k, s, d in zip(x.shape[2:], kernel, strides, dilations, strict=True)
        ]
        less, more = [t // 2 for t in total], [t - t // 2 for t in total]
        pads = less + more if mode == "SAME_UPPER" else more + less
    if not any(pads):
        return x
    # torch wants pairs, the last axis first
    pairs = [pads[axis + side * size] for axis in reversed(range(size)) for side in (0, 1)]
    return F.pad(x, pairs, value=value)


def _conv(inputs: Sequence[Any], given: Attributes) -> Tensor:
    x, weight, bias = (*inputs, None)[:3]
    kernel = list(weight.shape[2:])
    convolve = (F.conv1d, F.conv2d)[len(kernel) - 1]
    strides, dilations = given.get("strides", 1), given.get("dilations", 1)
    x = _padded(x, kernel, given, 0.0)
    return convolve(x, weight, bias, strides, 0, dilations, given.get("group", 1))


def _max_pool(inputs: Sequence[Any], given: Attributes) -> Tensor:
    kernel, size = given["kernel_shape"], len(given["kernel_shape"])
    x = _padded(inputs[0], kernel, given, -math.inf)
    strides, dilations = given.get("strides", [1] * size), given.get("dilations", 1)
    return F.max_pool2d(x, kernel, strides, 0, dilations, bool(given.get("ceil_mode", 0)))


def _average_pool(inputs: Sequence[Any], given: Attributes) -> Tensor:
    kernel, strides = given["kernel_shape"], given.get("strides", [1, 1])
    ceil, counted = bool(given.get("ceil_mode", 0)), bool(given.get("count_include_pad", 0))
    pads = given.get("pads", [0, 0, 0, 0])
    if given.get("auto_pad", "NOTSET") == "NOTSET" and pads[:2] == pads[2:]:
        return F.avg_pool2d(inputs[0], kernel, strides, pads[:2], ceil, counted)
    x = _padded(inputs[0], kernel, given, 0.0)
    if counted or x is inputs[0]:
        return F.avg_pool2d(x, kernel, strides, 0, ceil)
    valid = _padded(torch.ones_like(inputs[0][:1, :1]), kernel, given, 0.0)
    return F.avg_pool2d(x, kernel, strides) / F.avg_pool2d(valid, kernel, strides)


def _batch_norm(inputs: Sequence[Any], given: Attributes) -> Tensor:
    x, weight, bias, mean, variance = inputs
    return F.batch_norm(x, mean, variance, weight, bias, eps=given.get("epsilon", 1e-5))


def _layer_norm(inputs: Sequence[Any], given: Attributes) -> Tensor:
    x, weight, bias = (*inputs, None)[:3]
    shape = x.shape[given.get("axis", -1) % x.ndim :]
    return F.layer_norm(x, shape, weight, bias, given.get("epsilon", 1e-5))


def _gemm(inputs: Sequence[Any], given: Attributes) -> Tensor:
    a, b, c = (*inputs, None)[:3]
    a, b = (a.T if given.get("transA") else a), (b.T if given.get("transB") else b)
    product = given.get("alpha", 1.0) * (a @ b)
    return product if c is None else product + given.get("beta", 1.0) * c


def _softmax(inputs: Sequence[Any], given: Attributes) -> Tensor:
    x, old = inputs[0], given["opset"] < 13
    axis = given.get("axis", 1 if old else -1) % inputs[0].ndim
    if old and axis != x.ndim - 1:  # all axes from there on are one
        return x.flatten(axis).softmax(-1).view_as(x)
    return x.softmax(axis)


def _reshape(inputs: Sequence[Any], given: Attributes) -> Tensor:
    x, wanted = inputs[0], inputs[1].tolist()
    if not given.get("allowzero", 0):
        wanted = [x.shape[k] if size == 0 else size for k, size in enumerate(wanted)]
    return x.reshape(wanted)


def _flatten(inputs: Sequence[Any], given: Attributes) -> Tensor:
    shape = inputs[0].shape
    axis = given.get("axis", 1)
    return inputs[0].reshape(math.prod(shape[:axis]), math.prod(shape[axis:]))


def _squeeze(inputs: Sequence[Any], given: Attributes) -> Tensor:
    has_axes = "axes" in given or len(inputs) > 1
    return inputs[0].squeeze(tuple(_axes(inputs, given))) if has_axes else inputs[0].squeeze()


def _unsqueeze(inputs: Sequence[Any], given: Attributes) -> Tensor:
    x = inputs[0]
    named = inputs[1].tolist() if len(inputs) > 1 else given["axes"]
    for axis in sorted(a % (x.ndim + len(named)) for a in named):
        x = x.unsqueeze(axis)
    return x


def _slice(inputs: Sequence[Any], given: Attributes) -> Tensor:
    x = inputs[0]
    if len(inputs) == 1:
        inputs = [x, *(torch.tensor(given[name]) for name in ("starts", "ends"))]
        named = given.get("axes")
    else:
        named = inputs[3].tolist() if len(inputs) > 3 and inputs[3] is not None else None
    starts, ends = inputs[1].tolist(), inputs[2].tolist()
    steps = inputs[4].tolist() if len(inputs) > 4 else [1] * len(starts)
    index = [slice(None)] * x.ndim
    for axis, *limits in zip(named or range(len(starts)), starts, ends, steps, strict=True):
        index[axis] = slice(*limits)
    return x[tuple(index)]


def _gather(inputs: Sequence[Any], given: Attributes) -> Tensor:
    x, index = inputs
    axis = given.get("axis", 0) % x.ndim
    found = x.index_select(axis, (index % x.shape[axis]).reshape(-1).to(x.device))
    return found.reshape(*x.shape[:axis], *index.shape, *x.shape[axis + 1 :])


def _clip(inputs: Sequence[Any], given: Attributes) -> Tensor:
    low, high = (*inputs, None, None)[1:3]
    low, high = given.get("min", low), given.get("max", high)
    return inputs[0].clamp(
        None if low is None else float(low), None if high is None else float(high)
    )


def _cast(inputs: Sequence[Any], given: Attributes) -> Tensor:
    from onnx.helper import tensor_dtype_to_np_dtype

    name = tensor_dtype_to_np_dtype(given["to"]).name
    return inputs[0].to(getattr(torch, name))


def _divide(inputs: Sequence[Any], given: Attributes) -> Tensor:
    a, b = inputs
    whole = all(isinstance(x, Tensor) and not x.is_floating_point() for x in inputs)
    return torch.div(a, b, rounding_mode="trunc" if whole else None)


def _hard_sigmoid(inputs: Sequence[Any], given: Attributes) -> Tensor:
    return (given.get("alpha", 0.2) * inputs[0] + given.get("beta", 0.5)).clamp(0, 1)


def _gelu(inputs: Sequence[Any], given: Attributes) -> Tensor:
    return F.gelu(inputs[0], approximate=given.get("approximate", "none"))


def _reduce_mean(inputs: Sequence[Any], given: Attributes) -> Tensor:
    return inputs[0].mean(_axes(inputs, given), keepdim=bool(given.get("keepdims", 1)))


OPERATORS: dict[str, Callable[[Sequence[Any], Attributes], Any]] = {
    "Add": lambda x, _: x[0] + x[1],
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": lambda x, given: torch.cat(list(x), given["axis"]),
    "Conv": _conv,
    "Div": _divide,
    "Erf": lambda x, _: x[0].erf(),
    "Exp": lambda x, _: x[0].exp(),
    "Flatten": _flatten,
    "Gather": _gather,
    "Gelu": _gelu,
    "Gemm": _gemm,
    "GlobalAveragePool": lambda x, _: x[0].mean(tuple(range(2, x[0].ndim)), keepdim=True),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": lambda x, _: F.hardswish(x[0]),
    "Identity": lambda x, _: x[0],
    "LayerNormalization": _layer_norm,
    "LeakyRelu": lambda x, given: F.leaky_relu(x[0], given.get("alpha", 0.01)),
    "MatMul": lambda x, _: x[0] @ x[1],
    "MaxPool": _max_pool,
    "Mul": lambda x, _: x[0] * x[1],
    "Pow": lambda x, _: x[0] ** x[1],
    "ReduceMean": _reduce_mean,
    "Relu": lambda x, _: x[0].relu(),
    "Reshape": _reshape,
    "Shape": lambda x, _: torch.tensor(x[0].shape),
    "Sigmoid": lambda x, _: x[0].sigmoid(),
    "Slice": _slice,
    "Softmax": _softmax,
    "Sqrt": lambda x, _: x[0].sqrt(),
    "Squeeze": _squeeze,
    "Sub": lambda x, _: x[0] - x[1],
    "Tanh": lambda x, _: x[0].tanh(),
    "Transpose": lambda x, given: x[0].permute(given.get("perm", range(x[0].ndim)[::-1])),
    "Unsqueeze": _unsqueeze,
}
