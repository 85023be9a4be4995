"""Single operators against onnxruntime."""

import numpy as np
import pytest
import torch

from dctc.models.onnx_graph import attributes
from dctc.models.onnx_operators import OPERATORS
from dctc.onnx_files import OnnxFile

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
T, N, D, H = 5, 2, 3, 4


def both(operator, inputs, opset=17, **given):
    """Return the first output of an operator, ours and onnxruntime's."""
    helper, kinds = onnx.helper, {"float32": 1, "int64": 7, "bool": 9}
    names = [f"in{k}" if x is not None else "" for k, x in enumerate(inputs)]
    node = helper.make_node(operator, names, ["out"], **given)
    present = {name: x for name, x in zip(names, inputs, strict=True) if name}
    values = [
        helper.make_tensor_value_info(name, kinds[str(x.dtype)], x.shape)
        for name, x in present.items()
    ]
    ours = OPERATORS[operator]
    with_opset = helper.make_opsetid("", opset)
    out = helper.make_empty_tensor_value_info("out")
    graph = helper.make_graph([node], "one", values, [out])
    model = helper.make_model(graph, opset_imports=[with_opset], ir_version=8)
    found = ours(
        [None if x is None else torch.from_numpy(x) for x in inputs],
        attributes(node, OnnxFile("one.onnx", model, {})),
    )
    model = onnx.shape_inference.infer_shapes(model)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return found.numpy(), session.run(None, present)[0]


def normal(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("has_states", [False, True])
def test_lstm(direction, has_states):
    d = 1 + (direction == "bidirectional")
    inputs = [normal(T, N, D), normal(d, 4 * H, D), normal(d, 4 * H, H)]
    if has_states:
        inputs += [normal(d, 8 * H), None, normal(d, N, H), normal(d, N, H) / 2]
    np.testing.assert_allclose(*both("LSTM", inputs, direction=direction, hidden_size=H), atol=1e-6)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"activations": ["Relu", "Tanh", "Tanh"]}, "other activations: not supported"),
        ({"layout": 1, "clip": 1.0}, "layout, clip: not supported"),
    ],
)
def test_an_lstm_of_another_kind_is_refused(given, message):
    inputs = [normal(T, N, D), normal(1, 4 * H, D), normal(1, 4 * H, H)]
    with pytest.raises(ValueError, match=message):
        both("LSTM", inputs, hidden_size=H, **given)


LONG = np.array([[1, -1, 2]], dtype=np.int64)


@pytest.mark.parametrize(
    ("operator", "inputs", "given"),
    [
        ("Shape", [normal(2, 3, 4, 5)], {"start": 1, "end": -1}),
        ("Shape", [normal(2, 3)], {}),
        ("Expand", [normal(3, 1), np.array([2, 1, 4])], {}),
        ("Where", [LONG > 0, LONG, -LONG], {}),
        ("IsNaN", [np.array([1, np.nan, np.inf], np.float32)], {}),
        ("ConstantOfShape", [np.array([2, 3])], {}),
        ("Slice", [normal(4, 5), *(np.array([k]) for k in (1, 2**62, 1, 2))], {}),
    ],
)
def test_operators_on_shapes_and_numbers(operator, inputs, given):
    ours, expected = both(operator, inputs, **given)
    np.testing.assert_array_equal(ours, expected)
    assert ours.shape == expected.shape
