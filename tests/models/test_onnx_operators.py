"""Single operators against onnxruntime."""

import numpy as np
import pytest
import torch

from dctc.models.onnx_graph import OnnxGraph, attributes
from dctc.models.onnx_operators import OPERATORS
from dctc.onnx_files import OnnxFile
from dctc.training.schedule import SparingAdamW

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
        ({"activations": ["Relu", "Tanh", "Tanh"]}, "^other activations: not supported"),
        ({"layout": 1, "clip": 1.0}, "layout, clip: not supported"),
    ],
)
def test_an_lstm_of_another_kind_is_refused(given, message):
    inputs = [normal(T, N, D), normal(1, 4 * H, D), normal(1, 4 * H, H)]
    with pytest.raises(ValueError, match=message):
        both("LSTM", inputs, hidden_size=H, **given)


def test_an_lstm_of_lengths_that_are_whole_and_peepholes_that_are_0():
    inputs = [normal(T, N, D), normal(1, 4 * H, D), normal(1, 4 * H, H), normal(1, 8 * H)]
    whole, none = np.full(N, T, np.int32), np.zeros((1, 3 * H), np.float32)
    usual = both("LSTM", inputs, hidden_size=H)[1]
    given = [
        torch.from_numpy(x) if x is not None else None for x in (*inputs, whole, None, None, none)
    ]
    names = [b"sigmoid", b"Tanh", b"tanh"]
    ours = OPERATORS["LSTM"](given, {"hidden_size": H, "activations": names})
    np.testing.assert_allclose(ours.numpy(), usual, atol=1e-6)
    given[4] = torch.from_numpy(whole - 1)
    with pytest.raises(ValueError, match="lengths: not supported"):
        OPERATORS["LSTM"](given, {"hidden_size": H})


LONG = np.array([[1, -1, 2]], dtype=np.int64)
SEVEN = onnx.numpy_helper.from_array(np.array([7]))


@pytest.mark.parametrize(
    ("operator", "inputs", "given"),
    [
        ("Shape", [normal(2, 3, 4, 5)], {"start": 1, "end": -1}),
        ("Shape", [normal(2, 3)], {}),
        ("Expand", [normal(3, 1), np.array([2, 1, 4])], {}),
        ("Where", [LONG > 0, LONG, -LONG], {}),
        ("IsNaN", [np.array([1, np.nan, np.inf], np.float32)], {}),
        ("ConstantOfShape", [np.array([2, 3])], {}),
        ("ConstantOfShape", [np.array([2])], {"value": SEVEN}),
        ("Clip", [LONG, np.array(0), np.array(1)], {}),
        ("Clip", [LONG], {}),
        ("Slice", [normal(4, 5), *(np.array([k]) for k in (0, 3, 0, -1))], {}),
        ("Gather", [np.array([4, 5, 6]), np.array(1)], {}),
        ("Shape", [normal(2, 3)], {"start": 2}),
        ("Slice", [normal(4, 5), *(np.array([k]) for k in (3, -(2**62), 0, -1))], {}),
        ("Slice", [normal(4, 5), np.array([3]), np.array([1])], {}),
        ("Tile", [normal(2, 1), np.array([1, 3])], {}),
        ("Transpose", [normal(2, 3, 4)], {}),
        ("ReduceMean", [normal(2, 3)], {"noop_with_empty_axes": 1}),
        ("Slice", [normal(4, 5), *(np.array([k]) for k in (1, 2**62, 1, 2))], {}),
    ],
)
def test_operators_on_shapes_and_numbers(operator, inputs, given):
    ours, expected = both(operator, inputs, 18, **given)
    assert ours.dtype == expected.dtype
    np.testing.assert_array_equal(ours, expected)
    assert ours.shape == expected.shape


@pytest.mark.parametrize("operator", ["AveragePool", "MaxPool"])
@pytest.mark.parametrize(
    ("shape", "given"),
    [
        ((1, 2, 9), {"kernel_shape": [2], "strides": [2]}),
        ((1, 2, 7, 9), {"kernel_shape": [2, 3], "pads": [0, 1, 1, 0]}),
        ((1, 2, 7, 9), {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
        ((1, 2, 6, 8), {"kernel_shape": [2, 2], "strides": [2, 2], "pads": [0, 0, 1, 1]}),
    ],
)
def test_pooling(operator, shape, given):
    ours, expected = both(operator, [normal(*shape)], 18, **given)
    np.testing.assert_allclose(ours, expected, atol=1e-6)


SIZES, SCALES = np.array([2, 3, 4, 9]), np.array([1, 1, 2, 0.6], np.float32)
SMOOTH = {"antialias": 1, "exclude_outside": 1, "cubic_coeff_a": -0.5}


@pytest.mark.parametrize("to", [[None, SIZES], [SCALES]], ids=["sizes", "scales"])
@pytest.mark.parametrize(
    ("mode", "places", "given"),
    [
        ("nearest", "asymmetric", {"nearest_mode": "floor"}),
        ("linear", "half_pixel", {}),
        ("linear", "align_corners", {}),
        ("linear", "half_pixel", {"antialias": 1, "exclude_outside": 1}),
        ("cubic", "half_pixel", {}),
        ("cubic", "align_corners", {}),
        ("cubic", "half_pixel", SMOOTH),
    ],
)
def test_resize(to, mode, places, given):
    given = {"mode": mode, "coordinate_transformation_mode": places, **given}
    ours, expected = both("Resize", [normal(2, 3, 5, 7), None, *to], 18, **given)
    np.testing.assert_allclose(ours, expected, atol=1e-5)


@pytest.mark.parametrize(("pixels", "scale"), [(10, 0.7), (5, 1.4), (10, 0.9), (7, 0.6), (9, 2)])
def test_a_scale_gives_as_many_pixels_as_in_float32(pixels, scale):
    given = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    scales = np.array([1, 1, 1, scale], np.float32)
    ours, expected = both("Resize", [normal(1, 1, 2, pixels), None, scales], 18, **given)
    np.testing.assert_allclose(ours, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "mode nearest, half_pixel, nearest_mode: not supported"),
        ({"mode": "linear", "axes": [2, 3]}, "axes: not supported"),
        ({"mode": "cubic", **SMOOTH, "exclude_outside": 0}, "exclude_outside: not supported"),
        ({"mode": "cubic", "cubic_coeff_a": -0.5}, "cubic_coeff_a: not supported"),
        ({"mode": "linear", "keep_aspect_ratio_policy": "not_larger"}, "keep_aspect_ratio_policy"),
    ],
)
def test_a_resize_of_another_kind_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        both("Resize", [normal(2, 3, 5, 7), None, None, SIZES], 18, **given)


def test_a_dropout_passes_everything_on():
    x = normal(2, 3)
    for inputs in ([x], [x, np.array(0.5, np.float32)], [x, None, np.array(False)]):
        ours, expected = both("Dropout", inputs)
        np.testing.assert_array_equal(ours, expected)
    with pytest.raises(ValueError, match="training_mode: not supported"):
        OPERATORS["Dropout"]([x, None, np.array(True)], {})


def graph_of(nodes, stored):
    """Return the graph of nodes ``(operator, inputs, output, attributes)`` from x to the last."""
    helper = onnx.helper
    made = [helper.make_node(op, ins, outs, **given) for op, ins, outs, given in nodes]
    arrays = [onnx.numpy_helper.from_array(value, name) for name, value in stored.items()]
    out = nodes[-1][2][0]
    x, y = (helper.make_tensor_value_info(name, 1, None) for name in ("x", out))
    graph = helper.make_graph(made, "made", [x], [y], arrays)
    return OnnxGraph(OnnxFile("made.onnx", helper.make_model(graph), {}), out)


def test_what_passes_an_identity_is_what_it_would_be_without():
    """As exporters share equal tensors."""
    kinds = ("scale", "bias", "mean", "var")
    net = graph_of(
        [
            *(("Identity", [f"{kind}.own"], [kind], {}) for kind in kinds),
            ("BatchNormalization", ["x", *kinds], ["normal"], {}),
            ("Identity", ["normal"], ["y"], {}),
        ],
        {f"{kind}.own": normal(3) ** 2 for kind in kinds},
    )
    assert {*dict(net.named_parameters())} == {"scale_own", "bias_own"}
    assert {*dict(net.named_buffers())} == {"mean_own", "var_own"}
    assert net(torch.zeros(1, 3, 2, 2)).shape == (1, 3, 2, 2)


def test_biases_do_not_decay_whatever_their_shape():
    names = ("w", "r", "b", "added", "product")
    shapes = ((2, 4 * H, D), (2, 4 * H, H), (2, 8 * H), (1, 2, 1, 1), (H, H))
    net = graph_of(
        [
            ("LSTM", ["x", "w", "r", "b"], ["y"], {"hidden_size": H, "direction": "bidirectional"}),
            ("Add", ["y", "added"], ["sum"], {}),
            ("MatMul", ["sum", "product"], ["z"], {}),
        ],
        {name: normal(*shape) for name, shape in zip(names, shapes, strict=True)},
    )
    decayed, spared = SparingAdamW(net.double().named_parameters()).param_groups
    assert decayed["param_names"] == ["w", "r", "product"]
    assert spared["param_names"] == ["b", "added"] and spared["weight_decay"] == 0.0


def test_sizes_of_images_are_no_weights():
    resize = {"mode": "linear"}
    stored = {"none": np.zeros(0, np.float32), "twice": np.array([1, 1, 2, 2], np.float32)}
    net = graph_of([("Resize", ["x", "none", "twice"], ["y"], resize)], stored)
    assert not [*net.parameters()]
    assert net(torch.zeros(1, 3, 2, 4)).shape == (1, 3, 4, 8)


META = torch.device("meta")


def test_first_states_that_are_made_from_shapes_go_where_the_images_are(monkeypatch):
    stored = {"one": np.array([1]), "d": np.array([1]), "h": np.array([H])}
    stored |= {"w": normal(1, 4 * H, D), "r": normal(1, 4 * H, H)}
    inputs = ["x", "w", "r", "", "", "state", "state"]
    net = graph_of(
        [
            ("Shape", ["x"], ["sizes"], {}),
            ("Gather", ["sizes", "one"], ["n"], {}),
            ("Concat", ["d", "n", "h"], ["shape"], {"axis": 0}),
            ("ConstantOfShape", ["shape"], ["state"], {}),
            ("LSTM", inputs, ["y", "", ""], {"hidden_size": H}),
        ],
        stored,
    )
    assert {*dict(net.named_parameters())} == {"w", "r"}
    monkeypatch.setattr(torch, "lstm", lambda x, states, *_: (states[0].new_zeros(T, N, H),))
    assert net.to(META)(torch.zeros(T, N, D, device=META)).device == META


def test_sizes_that_are_computed_in_floats_and_masks():
    """As exporters write ``x.reshape(int(w * 0.5), ...)`` and a mask of attention."""
    stored = {"half": np.array([0.5], np.float32), "rest": np.array([-1]), "one": np.array([1])}
    stored |= {"mask": np.array([[True, False]]), "low": np.array(-9, np.float32)}
    stored |= {"two": np.array([1, 2]), "scale": np.array([4], np.float32)}
    net = graph_of(
        [
            ("Shape", ["x"], ["sizes"], {}),
            ("Gather", ["sizes", "one"], ["w"], {}),
            ("Cast", ["w"], ["w.float"], {"to": 1}),
            ("Mul", ["w.float", "half"], ["w.half"], {}),
            ("Cast", ["w.half"], ["w.int"], {"to": 7}),
            ("Concat", ["rest", "w.int"], ["shape"], {"axis": 0}),
            ("Reshape", ["x", "shape"], ["rows"], {}),
            ("Where", ["mask", "rows", "low"], ["masked"], {}),
            ("Sqrt", ["scale"], ["root"], {}),
            ("Div", ["masked", "root"], ["scaled"], {}),
            ("Expand", ["low", "two"], ["added"], {}),
            ("Add", ["scaled", "added"], ["y"], {}),
        ],
        stored,
    )
    assert not [*net.parameters()]  # a single number is no weight
    assert all(value.is_contiguous() for value in net.buffers())  # DDP and averages write to them
    x = torch.arange(8.0).reshape(2, 4)
    assert net(x).tolist() == [[k / 2 - 9, -9 / 2 - 9] for k in (0, 2, 4, 6)]
    assert net.to(META)(x.to(META)).shape == (4, 2)
