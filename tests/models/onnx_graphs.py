"""A small CTC recogniser as an ONNX graph, with what real exports have: made here, not shipped."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CHARACTERS = "abcABC12"  # and the space, which PaddleOCR's metadata leaves out
D = 12


def write_recognizer(
    folder: Path, opset: int = 12, softmax: bool = True, name: str = "tiny.onnx", **metadata: str
) -> Path:
    """Write a recogniser of BGR images 48 high with 8 pixels a frame, and return its file.

    Opset 11 and 12 have axes as attributes; 18 has them as inputs.
    """
    random = np.random.default_rng(0)
    weights = {
        "conv.w": random.normal(size=(8, 3, 3, 3)) / 5,
        "conv.b": random.normal(size=8),
        "bn.scale": random.uniform(0.5, 1.5, 8),
        "bn.bias": random.normal(size=8),
        "bn.mean": random.normal(size=8),
        "bn.var": random.uniform(0.5, 1.5, 8),
        "wide.w": random.normal(size=(D, 8, 2, 2)) / 5,
        "qkv.w": random.normal(size=(D, 3 * D)) / 3,
        "head.w": random.normal(size=(D, len(CHARACTERS) + 2)),
        "head.b": random.normal(size=len(CHARACTERS) + 2),
    }
    new = opset >= 18
    nodes: list[onnx.NodeProto] = []
    stored = [numpy_helper.from_array(v.astype(np.float32), k) for k, v in weights.items()]

    def add(operator: str, inputs: list, out: str, **attributes) -> str:
        if new and operator in ("Squeeze", "Unsqueeze", "ReduceMean") and "axes" in attributes:
            inputs = [*inputs, ints(attributes.pop("axes"))]
        nodes.append(helper.make_node(operator, inputs, [out], name=out, **attributes))
        return out

    def ints(values) -> str:
        name = f"ints{len(nodes)}_{len(stored)}"
        if new:
            stored.append(numpy_helper.from_array(np.array(values, np.int64), name))
        else:  # as old exports have them
            value = numpy_helper.from_array(np.array(values, np.int32), f"{name}v")
            nodes.append(helper.make_node("Constant", [], [f"{name}c"], value=value))
            nodes.append(helper.make_node("Cast", [f"{name}c"], [name], to=TensorProto.INT64))
        return name

    def number(value: float) -> str:
        name = f"number{len(stored)}"
        stored.append(numpy_helper.from_array(np.array([value], np.float32), name))
        return name

    image = "images.in"
    x = add(
        *("Conv", [image, "conv.w", "conv.b"], "c1"), strides=[2, 2], pads=[1, 1, 1, 1], group=1
    )
    x = add("BatchNormalization", [x, *(f"bn.{k}" for k in ("scale", "bias", "mean", "var"))], "n1")
    gate = add("HardSigmoid", [add("Identity", [x], "same")], "gate", alpha=1 / 6, beta=0.5)
    x = add("Mul", [x, gate], "swish")
    x = add("MaxPool", [x], "p1", kernel_shape=[2, 2], strides=[1, 1], auto_pad="SAME_UPPER")
    x = add("Conv", [x, "wide.w"], "c2", strides=[2, 2], auto_pad="SAME_UPPER")
    x = add("Clip", [x, number(-1.0), number(6.0)], "clip")
    x = add("AveragePool", [x], "p2", kernel_shape=[3, 2], strides=[3, 2])
    x = add("ReduceMean", [x], "rows", axes=[2], keepdims=1)
    sizes = add("Shape", [x], "shape")
    t = add("Slice", [sizes, ints([3]), ints([4]), ints([0]), ints([1])], "t")
    x = add("Transpose", [add("Squeeze", [x], "flat", axes=[2])], "tokens", perm=[0, 2, 1])
    qkv = add("MatMul", [x, "qkv.w"], "qkv")
    shape = add("Concat", [ints([0]), t, ints([3]), ints([D])], "qkv.shape", axis=0)
    qkv = add("Transpose", [add("Reshape", [qkv, shape], "split")], "qkv3", perm=[2, 0, 1, 3])
    q, k, v = (
        add(
            *("Squeeze", [add("Slice", [qkv, ints([i]), ints([i + 1]), ints([0])], f"s{i}")]),
            f"part{i}",
            axes=[0],
        )
        for i in range(3)
    )
    scores = add("MatMul", [q, add("Transpose", [k], "kt", perm=[0, 2, 1])], "scores")
    scores = add("Div", [scores, number(D**0.5)], "scaled")
    mixed = add("MatMul", [add("Softmax", [scores], "attention", axis=2), v], "mixed")
    x = add("Add", [x, mixed], "residual")
    mean = add("ReduceMean", [x], "mean", axes=[-1], keepdims=1)
    centred = add("Sub", [x, mean], "centred")
    square = add("Pow", [centred, number(2.0)], "square")
    spread = add("Sqrt", [add("ReduceMean", [square], "var", axes=[-1], keepdims=1)], "std")
    x = add("Div", [centred, add("Add", [spread, number(1e-3)], "safe")], "normal")
    logits = add("Add", [add("MatMul", [x, "head.w"], "product"), "head.b"], "logits")
    out = add("Softmax", [logits], "scores.out", axis=2) if softmax else logits
    float32 = TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(image, float32, ["n", 3, 48, "w"])],
        [helper.make_tensor_value_info(out, float32, ["n", "t", len(CHARACTERS) + 2])],
        stored,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7)
    for key, value in ({"character": "\n".join(CHARACTERS)} | metadata).items():
        model.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(model)
    file = folder / name
    onnx.save(model, file)
    return file
