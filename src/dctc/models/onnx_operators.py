"""Operators of ONNX, computed by torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dctc.models.onnx_resize import refuse, resize

Attributes = dict[str, Any]

# Each gets the list of its inputs, None for one that is left out, and its attributes by name, with
# ``opset``; it returns the first output. It raises ValueError for what it does not support.


def _axes(inputs: Sequence[Any], given: Attributes) -> list[int]:
    """Return axes, which older operators have as an attribute and newer ones as an input."""
    named = inputs[1].tolist() if len(inputs) > 1 and inputs[1] is not None else given.get("axes")
    return list(range(inputs[0].ndim)) if named is None else [a % inputs[0].ndim for a in named]


def _even_pads(given: Attributes, size: int) -> list[int] | None:
    """Return the padding of each axis, where both sides have the same; torch needs no copy then."""
    pads = list(given.get("pads", [0] * 2 * size))
    even = given.get("auto_pad", "NOTSET") == "NOTSET" and pads[:size] == pads[size:]
    return pads[:size] if even else None


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
    pads: int | list[int] | None = _even_pads(given, len(kernel))
    if pads is None:
        x, pads = _padded(x, kernel, given, 0.0), 0
    return convolve(x, weight, bias, strides, pads, dilations, given.get("group", 1))


def _max_pool(inputs: Sequence[Any], given: Attributes) -> Tensor:
    kernel, size = given["kernel_shape"], len(given["kernel_shape"])
    x = _padded(inputs[0], kernel, given, -math.inf)
    strides, dilations = given.get("strides", [1] * size), given.get("dilations", 1)
    pool = (F.max_pool1d, F.max_pool2d)[size - 1]
    return pool(x, kernel, strides, 0, dilations, bool(given.get("ceil_mode", 0)))


def _average_pool(inputs: Sequence[Any], given: Attributes) -> Tensor:
    kernel, size = given["kernel_shape"], len(given["kernel_shape"])
    pool, strides = (F.avg_pool1d, F.avg_pool2d)[size - 1], given.get("strides", [1] * size)
    ceil, counted = bool(given.get("ceil_mode", 0)), bool(given.get("count_include_pad", 0))
    if (pads := _even_pads(given, size)) is not None:
        return pool(inputs[0], kernel, strides, pads, ceil, counted)
    x = _padded(inputs[0], kernel, given, 0.0)
    if counted or x is inputs[0]:
        return pool(x, kernel, strides, 0, ceil)
    valid = _padded(torch.ones_like(inputs[0][:1, :1]), kernel, given, 0.0)
    return pool(x, kernel, strides, 0, ceil) / pool(valid, kernel, strides, 0, ceil)


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


def _dropout(inputs: Sequence[Any], given: Attributes) -> Tensor:
    refuse({"training_mode": len(inputs) > 2 and inputs[2] is not None and bool(inputs[2])})
    return inputs[0]


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
    has_steps = len(inputs) > 4 and inputs[4] is not None
    steps = inputs[4].tolist() if has_steps else [1] * len(starts)
    index = [slice(None)] * x.ndim
    for axis, *limits in zip(named or range(len(starts)), starts, ends, steps, strict=True):
        taken = range(x.shape[axis])[slice(*limits)]
        if taken.step > 0:
            index[axis] = slice(taken.start, taken.stop, taken.step)
        else:  # which torch's slices refuse
            x = x.index_select(axis, torch.tensor(taken, dtype=torch.int64, device=x.device))
    return x[tuple(index)]


def _gather(inputs: Sequence[Any], given: Attributes) -> Tensor:
    x, index = inputs
    axis = given.get("axis", 0) % x.ndim
    found = x.index_select(axis, (index % x.shape[axis]).reshape(-1).to(x.device))
    return found.reshape((*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]))


def _clip(inputs: Sequence[Any], given: Attributes) -> Tensor:
    low, high = (*inputs, None, None)[1:3]
    low, high = given.get("min", low), given.get("max", high)
    x, number = inputs[0], float if torch.is_floating_point(inputs[0]) else int
    most = (torch.finfo if number is float else torch.iinfo)(x.dtype).max
    limits = [None if k is None or abs(k) >= most else number(k) for k in (low, high)]
    return x if limits == [None, None] else x.clamp(*limits)


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
    named = inputs[1] if len(inputs) > 1 else given.get("axes")
    if given.get("noop_with_empty_axes") and (named is None or not len(named)):
        return inputs[0]
    return inputs[0].mean(_axes(inputs, given), keepdim=bool(given.get("keepdims", 1)))


def _lstm(inputs: Sequence[Any], given: Attributes) -> Tensor:
    x, weights, recurrent, bias, lengths, hidden, cell, peephole = (*inputs, *[None] * 8)[:8]
    direction, size = given.get("direction", "forward"), given["hidden_size"]
    directions = len(weights)
    usual = ["sigmoid", "tanh", "tanh"] * directions
    activations = [name.decode().lower() for name in given.get("activations", [])]
    refuse(
        {
            "lengths": lengths is not None and bool((lengths != len(x)).any()),
            "peepholes": peephole is not None and bool(peephole.any()),
            "other activations": activations not in ([], usual),
            **{name: bool(given.get(name)) for name in ("layout", "clip", "input_forget")},
        }
    )
    if bias is None:
        bias = x.new_zeros(directions, 8 * size)

    def gates(rows: Tensor) -> Tensor:  # ONNX has i, o, f, c; torch i, f, c, o
        i, o, f, c = rows.chunk(4)
        return torch.cat([i, f, c, o])

    parts = []
    for k in range(directions):
        first, second = bias[k].chunk(2)
        parts += [gates(rows) for rows in (weights[k], recurrent[k], first, second)]
    start = x.new_zeros(directions, x.shape[1], size)
    states = tuple(start if state is None else state.to(x) for state in (hidden, cell))
    x = x.flip(0) if direction == "reverse" else x
    trains = torch.is_grad_enabled()  # cuDNN keeps what a backward pass needs only then
    y, *_ = torch.lstm(x, states, parts, True, 1, 0.0, trains, directions == 2, False)
    y = y.unflatten(2, (directions, size)).transpose(1, 2)  # (t, directions, n, h)
    return y.flip(0) if direction == "reverse" else y


def _filled(inputs: Sequence[Any], given: Attributes) -> Tensor:
    from onnx import numpy_helper

    value = torch.zeros(1)
    if "value" in given:
        value = torch.tensor(numpy_helper.to_array(given["value"]))
    return torch.full(inputs[0].tolist(), value.item(), dtype=value.dtype)


def _shape(inputs: Sequence[Any], given: Attributes) -> Tensor:
    sizes = inputs[0].shape[given.get("start", 0) : given.get("end")]
    return torch.tensor(sizes, dtype=torch.int64)


def _expand(inputs: Sequence[Any], given: Attributes) -> Tensor:
    x = torch.as_tensor(inputs[0])
    return x.expand(torch.broadcast_shapes(x.shape, tuple(inputs[1].tolist())))


OPERATORS: dict[str, Callable[[Sequence[Any], Attributes], Any]] = {
    "Add": lambda x, _: x[0] + x[1],
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": lambda x, given: torch.cat(list(x), given["axis"]),
    "ConstantOfShape": _filled,
    "Conv": _conv,
    "Div": _divide,
    "Dropout": _dropout,
    "Erf": lambda x, _: x[0].erf(),
    "Exp": lambda x, _: x[0].exp(),
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Gelu": _gelu,
    "Gemm": _gemm,
    "GlobalAveragePool": lambda x, _: x[0].mean(tuple(range(2, x[0].ndim)), keepdim=True),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": lambda x, _: F.hardswish(x[0]),
    "Identity": lambda x, _: x[0],
    "IsNaN": lambda x, _: x[0].isnan(),
    "LSTM": _lstm,
    "LayerNormalization": _layer_norm,
    "LeakyRelu": lambda x, given: F.leaky_relu(x[0], given.get("alpha", 0.01)),
    "MatMul": lambda x, _: x[0] @ x[1],
    "MaxPool": _max_pool,
    "Mul": lambda x, _: x[0] * x[1],
    "Pow": lambda x, _: x[0] ** x[1],
    "ReduceMean": _reduce_mean,
    "Relu": lambda x, _: x[0].relu(),
    "Reshape": _reshape,
    "Resize": resize,
    "Shape": _shape,
    "Sigmoid": lambda x, _: x[0].sigmoid(),
    "Slice": _slice,
    "Softmax": _softmax,
    "Sqrt": lambda x, _: x[0].sqrt(),
    "Squeeze": _squeeze,
    "Sub": lambda x, _: x[0] - x[1],
    "Tanh": lambda x, _: x[0].tanh(),
    "Tile": lambda x, _: x[0].tile(x[1].tolist()),
    "Transpose": lambda x, given: x[0].permute(given.get("perm", [*range(x[0].ndim)][::-1])),
    "Unsqueeze": _unsqueeze,
    "Where": lambda x, _: torch.where(*x),
}
