"""Recognisers from ONNX files against onnxruntime."""

import json
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from dctc.data.records.batch import Sample, collate
from dctc.models import OnnxRecognizer, Recognizer, TimmRecognizer
from dctc.models.crnn import CRNN
from dctc.models.export import export
from dctc.models.onnx_export import reads_back
from dctc.onnx_files import PRETRAINED, names_onnx, read_onnx
from dctc.reading.export_run import metadata
from dctc.runs.net import load_model, training_width
from dctc.text import Charset, CTCTokenizer
from dctc.training.objective import frame_limits
from models.onnx_graphs import CHARACTERS, write_recognizer

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def scores(file, images):
    """Return onnxruntime's output ``(n, t, c)`` for RGB images."""
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), settings)
    name = session.get_inputs()[0].name
    return session.run(None, {name: images[:, [2, 1, 0]].numpy()})[0]


def images_of(n, width, seed=0):
    return torch.rand(n, 3, 48, width, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return write_recognizer(tmp_path_factory.mktemp("onnx"))


@pytest.mark.parametrize("opset", [11, 12, 18])
@torch.no_grad()
def test_a_net_computes_what_onnxruntime_does(tmp_path, opset):
    file = write_recognizer(tmp_path, opset)
    net = OnnxRecognizer(str(file)).eval()
    for n, width in ((1, 48), (3, 104), (2, 320)):
        images = images_of(n, width)
        logits = net(images)
        assert logits.shape == (net.frames(width), n, len(CHARACTERS) + 2)
        assert torch.equal(net.head(net.features(images)), logits)
        expected = scores(file, images)
        np.testing.assert_allclose(logits.softmax(-1).transpose(0, 1), expected, atol=1e-5)


@torch.no_grad()
def test_a_file_of_logits(tmp_path):
    file = write_recognizer(tmp_path, softmax=False)
    images = images_of(2, 64)
    logits = OnnxRecognizer(str(file))(images)
    np.testing.assert_allclose(logits.transpose(0, 1), scores(file, images), atol=1e-4)


def test_a_recurrent_net_of_one_width_comes_back_and_is_trained(tmp_path):
    """CRNN, whose LSTMs are exported with a fixed width."""
    net = CRNN(4, "micro").eval()
    metadata = {"charset": "abc", "keep_ratio": "false", "height": "32", "width": "64"}
    metadata |= {"channel_order": "RGB", "blank": "0"}
    export(net, tmp_path / "crnn.onnx", "onnx", (3, 32, 64), metadata)
    again = OnnxRecognizer(str(tmp_path / "crnn.onnx")).eval()
    images = torch.rand(2, 3, 32, 64) * 2 - 1
    with torch.no_grad():
        torch.testing.assert_close(again(images), net(images), atol=1e-5, rtol=0)
    assert again.frames(64) == net.frames(64)
    assert all(parameter.numel() > 1 for parameter in again.parameters())  # no first state is one
    again(images).square().sum().backward()
    assert all(parameter.grad.any() for parameter in again.parameters())
    assert again.double()(images.double()).dtype == torch.float64
    again.float()
    with pytest.raises(ValueError, match="images are 128 wide, the net expects 64"):
        again(torch.rand(1, 3, 32, 128))
    loaded = load_model(tmp_path / "crnn.onnx")  # whatever width its images would have
    assert (loaded.image, loaded.reading_size().width) == ((3, 32, 64), 64)
    done = export(again, tmp_path / "back.onnx", "onnx", (3, 32, 64), metadata)
    assert done.dynamic == ("batch",) and "fixed" in done.reason


@torch.no_grad()
def test_a_vit_of_free_width_comes_back(tmp_path):
    """Its position embedding is resized."""
    small = {"depth": 1, "embed_dim": 24, "num_heads": 2}
    net = TimmRecognizer(4, "vit_tiny_patch16_224", encoder_options=small).eval()
    said = {"charset": "abc", "keep_ratio": "false", "height": "32", "width": "64", "blank": "0"}
    said["channel_order"] = "RGB"
    assert export(net, tmp_path / "vit.onnx", "onnx", (3, 32, 64), said).dynamic[1] == "width"
    again = OnnxRecognizer(str(tmp_path / "vit.onnx")).eval()
    for width in (64, 100):
        images = torch.rand(2, 3, 32, width) * 2 - 1
        torch.testing.assert_close(again(images), net(images), atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", PRETRAINED)
@torch.no_grad()
def test_pretrained_nets_compute_what_onnxruntime_does(name):
    if find_spec(PRETRAINED[name][0]) is None:
        pytest.skip(f"{PRETRAINED[name][0]} is not installed")
    net = OnnxRecognizer(name).eval()
    assert net.image_format == (48, 320, True, 128, 3, False)
    for width in (48, 320):
        images = images_of(1, width)
        expected = scores(read_onnx(name).path, images)
        np.testing.assert_allclose(net(images).softmax(-1).transpose(0, 1), expected, atol=2e-5)


def test_weights_are_trained_and_statistics_are_not(tiny):
    net = OnnxRecognizer(str(tiny))
    assert isinstance(net, Recognizer)
    names = {"conv.w", "conv.b", "bn.scale", "bn.bias", "bn.mean", "bn.var", "wide.w", "qkv.w"}
    assert set(net.graph.named) == names
    before = {name: value.clone() for name, value in net.named_buffers()}
    net.train()(images_of(2, 64)).square().sum().backward()
    assert all(p.grad.any() for p in net.parameters())
    assert len(before) == 2
    assert all(torch.equal(before[name], value) for name, value in net.named_buffers())


def test_another_charset_keeps_the_rows_of_its_characters(tiny):
    full = OnnxRecognizer(str(tiny)).eval()
    images = images_of(2, 64)
    own = CHARACTERS + " "
    rows = {c: k for k, c in enumerate(own, 1)}
    with torch.no_grad():
        logits = full(images)
        for charset, policy in (("2aB", "subset"), (own + "x", "union"), ("x1y", "new")):
            file = tiny.parent / "chars.txt"
            file.write_text("\n".join(charset))
            net = OnnxRecognizer(str(tiny), str(file), policy).eval()
            got = net(images)
            assert net.num_classes == len(charset) + 1
            assert torch.equal(got[..., 0], logits[..., 0])  # the blank's
            for k, c in enumerate(charset, 1):
                expected = logits[..., rows[c]] if c in rows else logits[..., 1:].mean(-1)
                torch.testing.assert_close(got[..., k], expected)


@pytest.mark.parametrize(
    ("policy", "charset", "message"),
    [
        ("keep", "ab", "charset_policy keep .* lacks 7 of its 9 .*charset_policy subset does"),
        ("keep", "ax", "charset_policy keep .* does not know .*charset_policy new does"),
        ("subset", "axb", r"charset_policy subset .* 1 that it does not know \(.*x"),
        ("union", "ab", "charset_policy union .* lacks 7 .*charset_policy subset"),
        ("unoin", "ab", "charset_policy 'unoin': it is one of keep, subset, union, new"),
    ],
)
def test_a_charset_that_the_policy_does_not_allow(tiny, tmp_path, policy, charset, message):
    file = tmp_path / "chars.txt"
    file.write_text(charset)
    with pytest.raises(ValueError, match=message):
        OnnxRecognizer(str(tiny), str(file), policy)


def test_frames_of_the_padding_are_read(tiny):
    net = OnnxRecognizer(str(tiny))
    image = np.zeros((48, 320, 3), np.uint8)
    batch = collate([Sample(image, "a", "1", width=9), Sample(image, "b", "2", width=320)])
    assert frame_limits(net, batch).tolist() == [40, 40]


@pytest.mark.parametrize("frames", [[40] * 320, [1 + k // 8 for k in range(320)]])
def test_an_exported_file_says_how_its_images_are_read(tmp_path, frames):
    said = {"height": "48", "width": "320", "keep_ratio": "true", "fill": "128"}
    said |= {"rotate_tall": "left", "valid_frames": json.dumps(frames)}
    loaded = load_model(write_recognizer(tmp_path, **said))
    assert loaded.net.reads_padding == (frames[0] == 40)
    assert (loaded.image, loaded.keep_ratio, loaded.fill) == ((3, 48, 320), True, 128)
    assert loaded.rotate_tall == loaded.reading_size().rotate_tall == "left"


def test_the_charset_of_a_file_goes_by_its_name(tiny, tmp_path):
    assert Charset.load(str(tiny)).characters == CHARACTERS + " "
    (tmp_path / "more.txt").write_text("bxy")
    both = Charset.load(f"{tiny}+{tmp_path / 'more.txt'}")
    assert both.characters == CHARACTERS + " xy"
    net = OnnxRecognizer(str(tiny), f"{tiny}+{tmp_path / 'more.txt'}", "union")
    assert net.charset_note.endswith("9 of 9 characters kept, 2 added, 0 dropped")


def test_characters_are_not_composed(tmp_path):
    angstrom = "\u212b"
    file = write_recognizer(tmp_path, character="\n".join(angstrom + CHARACTERS[1:]))
    assert Charset.load(str(file)).characters[0] == angstrom


def change(file, folder, edit):
    model = onnx.load(file)
    edit(model)
    onnx.save(model, folder / "changed.onnx")
    return str(folder / "changed.onnx")


def blank_last(model):
    """Put the blank last, as Keras has it, and make it what is read on an empty image."""
    arrays = onnx.numpy_helper
    for tensor in model.graph.initializer:
        if tensor.name.startswith("head."):
            rows = arrays.to_array(tensor) + 9.0 * (np.arange(10) == 0) * (tensor.name == "head.b")
            turned = np.roll(rows.astype(np.float32), -1, -1)
            tensor.CopyFrom(arrays.from_array(turned, tensor.name))


def say(key, value):
    return lambda model: model.metadata_props.add(key=key, value=value)


def test_a_file_whose_blank_follows_its_characters_has_no_further_space(tiny, tmp_path):
    def edit(model):
        blank_last(model)
        (named,) = (entry for entry in model.metadata_props if entry.key == "character")
        named.value += "\n?"
        say("blank", "9")(model)

    file = change(tiny, tmp_path, edit)
    assert OnnxRecognizer(file).num_classes == 10
    assert load_model(file).tokenizer.charset.characters == CHARACTERS + "?"


def test_a_blank_that_is_the_last_class(tiny, tmp_path):
    file = change(tiny, tmp_path, blank_last)
    with pytest.raises(ValueError, match=r"on an empty image .* last class.*'blank': '9'"):
        OnnxRecognizer(file)
    first = OnnxRecognizer(change(file, tmp_path, say("blank", "0")))
    net = OnnxRecognizer(change(tiny, tmp_path, lambda m: (blank_last(m), say("blank", "9")(m))))
    images = images_of(2, 64)
    net, path = net.eval(), str(tmp_path / "changed.onnx")
    with torch.no_grad():
        logits = net(images)
        torch.testing.assert_close(logits.roll(-1, -1), first.eval()(images))
        np.testing.assert_allclose(reads_back(net, images), scores(path, images), atol=1e-4)
    loaded = load_model(path)
    assert loaded.tokenizer.charset.characters == CHARACTERS + " "
    (tmp_path / "chars.txt").write_text("xa1")
    other = OnnxRecognizer(path, str(tmp_path / "chars.txt"), "new").eval()
    loaded = loaded._replace(net=other, tokenizer=CTCTokenizer(str(tmp_path / "chars.txt")))
    said = metadata(loaded)
    assert said["blank"] == "3"
    export(other, tmp_path / "back.onnx", "onnx", loaded.image, said)
    again = OnnxRecognizer(str(tmp_path / "back.onnx")).eval()
    with torch.no_grad():
        torch.testing.assert_close(again(images), other(images))


def rename_swish(model):
    (node,) = (n for n in model.graph.node if n.name == "swish")
    node.op_type = "Mish"


def use_a_second_output(model):
    (pool,) = (k for k, node in enumerate(model.graph.node) if node.name == "p2")
    model.graph.node[pool].input[0] = "other"
    split = onnx.helper.make_node("Split", ["clip"], ["one", "other"], name="two")
    model.graph.node.insert(pool, split)


def scale_the_last_layer(model):
    frames_and_batch_in_one_axis(model.graph)
    (product,) = (node for node in model.graph.node if node.op_type == "Gemm")
    product.attribute.append(onnx.helper.make_attribute("alpha", 0.5))


def two_biases(model):
    gemm_and_then_the_bias(model.graph)
    (product,) = (node for node in model.graph.node if node.op_type == "Gemm")
    product.input.append("head.b")


def log_probabilities(graph):
    (last,) = (node for node in graph.node if node.output[0] == "scores.out")
    last.op_type = "LogSoftmax"


def frames_first(graph):
    log_probabilities(graph)
    graph.node.add(op_type="Transpose", input=["scores.out"], output=["turned"]).attribute.append(
        onnx.helper.make_attribute("perm", [1, 0, 2])
    )
    graph.output[0].name = "turned"
    graph.output[0].type.tensor_type.ClearField("shape")


def gemm_and_then_the_bias(graph):
    """A Gemm without a bias, whose weight stands the other way round."""
    frames_and_batch_in_one_axis(graph)
    (k,) = (k for k, node in enumerate(graph.node) if node.op_type == "Gemm")
    product, helper = graph.node[k], onnx.helper
    (weight,) = (tensor for tensor in graph.initializer if tensor.name == "head.w")
    rows = np.ascontiguousarray(onnx.numpy_helper.to_array(weight).T)
    weight.CopyFrom(onnx.numpy_helper.from_array(rows, "head.w"))
    product.attribute.append(helper.make_attribute("transB", 1))
    product.input.pop()
    product.output[0] = "product.rows"
    graph.node.insert(k + 1, helper.make_node("Add", ["product.rows", "head.b"], ["classes"]))


def frames_and_batch_in_one_axis(graph):
    """What a linear layer over ``(n t, d)`` is exported as."""
    for name, sizes in {"rows": [-1, 12], "back": [2, -1, 10]}.items():
        graph.initializer.append(onnx.numpy_helper.from_array(np.array(sizes), f"{name}.shape"))
    (product,) = (k for k, node in enumerate(graph.node) if node.name == "product")
    features = graph.node[product].input[0]
    helper = onnx.helper
    new = [
        helper.make_node("Reshape", [features, "rows.shape"], ["flat.rows"]),
        helper.make_node("Gemm", ["flat.rows", "head.w", "head.b"], ["classes"]),
        helper.make_node("Reshape", ["classes", "back.shape"], ["logits"]),
    ]
    nodes = [node for node in graph.node if node.name not in ("product", "logits")]
    nodes[product:product] = new
    del graph.node[:]
    graph.node.extend(nodes)


ENDS = [log_probabilities, frames_first, frames_and_batch_in_one_axis, gemm_and_then_the_bias]


@pytest.mark.parametrize("edit", ENDS)
def test_other_ends_of_a_graph(tiny, tmp_path, edit):
    file = change(tiny, tmp_path, lambda model: edit(model.graph))
    net, images = OnnxRecognizer(file).eval(), images_of(2, 64)
    with torch.no_grad():
        torch.testing.assert_close(net(images), OnnxRecognizer(str(tiny))(images))
        expected = scores(file, images)
        np.testing.assert_allclose(reads_back(net, images), expected, atol=1e-4)


def test_a_final_shape_with_the_classes_goes_back_with_others(tiny, tmp_path):
    def edit(model):
        frames_and_batch_in_one_axis(model.graph)
        dims = model.graph.input[0].type.tensor_type.shape.dim
        dims[3].dim_value = 100  # no multiple of 8 pixels
        shapes = {t.name: t for t in model.graph.initializer}
        shapes["back.shape"].CopyFrom(
            onnx.numpy_helper.from_array(np.array([-1, 12, 10]), "back.shape")
        )

    (tmp_path / "chars.txt").write_text("xa1")
    file = change(tiny, tmp_path, edit)
    net = OnnxRecognizer(file, str(tmp_path / "chars.txt"), "new").eval()
    assert net(images_of(2, 100)).shape == (net.frames(100), 2, 4) == (12, 2, 4)
    done = export(net, tmp_path / "back.onnx", "onnx", (3, 48, 100), {"charset": "xa1"})
    assert done.dynamic == ("batch",)
    assert OnnxRecognizer(str(tmp_path / "back.onnx"))(images_of(3, 100)).shape == (12, 3, 4)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (rename_swish, r"changed\.onnx: node 'swish': operator Mish is not supported"),
        (
            lambda m: setattr(m.graph.output[0], "name", "clip"),
            "ends with Clip.* detector .* CTC recogniser is expected",
        ),
        (
            lambda m: m.graph.node.add(op_type="Loop", name="reads", output=["y"]),
            r"node 'reads' \(Loop\) is control flow.* by attention",
        ),
        (
            lambda m: setattr(m.graph.input[0].type.tensor_type.shape.dim[0], "dim_value", 1),
            "its batch is fixed at 1; export it with a batch of any size",
        ),
        (use_a_second_output, "node 'two': operator Split is not supported"),
        (scale_the_last_layer, "ends with Gemm, not with a linear layer"),
        (two_biases, "ends with Add, not with a linear layer"),
        (lambda m: m.ClearField("metadata_props"), "its metadata names no characters"),
        (say("blank", "4"), "its metadata says blank 4; the first class, 0, or the last, 9"),
        (
            lambda m: setattr(m.metadata_props[0], "value", "a\nb"),
            "10 classes, but the metadata names 3 characters",
        ),
    ],
)
def test_files_that_are_no_ctc_recogniser(tiny, tmp_path, edit, message):
    with pytest.raises(ValueError, match=message) as refused:
        OnnxRecognizer(change(tiny, tmp_path, edit))
    assert "\n" not in str(refused.value)


def halve(model):
    """Turn a graph in float32 into one in half precision whose softmax is in float32."""
    single, half = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16
    graph = model.graph
    for tensor in graph.initializer:
        if tensor.data_type == single:
            values = onnx.numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    graph.input[0].type.tensor_type.elem_type = half
    graph.output[0].type.tensor_type.elem_type = half
    softmax = graph.node[-1]
    out = softmax.output[0]
    up = onnx.helper.make_node("Cast", [softmax.input[0]], ["up"], name="up", to=single)
    down = onnx.helper.make_node("Cast", ["wide"], [out], name="down", to=half)
    softmax.input[0], softmax.output[0] = "up", "wide"
    graph.node.insert(len(graph.node) - 1, up)
    graph.node.append(down)


def test_a_file_in_half_precision_is_trained_and_exported_in_float32(tiny, tmp_path):
    file, images = change(tiny, tmp_path, halve), images_of(2, 64)
    session = onnxruntime.InferenceSession(file)
    half = images[:, [2, 1, 0]].half().numpy()
    (expected,) = session.run(None, {session.get_inputs()[0].name: half})
    net = OnnxRecognizer(file).eval()
    assert {weight.dtype for weight in net.parameters()} == {torch.float32}
    with torch.no_grad():
        read = reads_back(net, images)
    np.testing.assert_allclose(read, expected.astype(np.float32), atol=0.01)
    export(net, tmp_path / "back.onnx", "onnx", (3, 48, 64), {"charset": CHARACTERS + " "})
    np.testing.assert_allclose(scores(tmp_path / "back.onnx", images), read, atol=1e-5)


def test_files_that_cannot_be_read(tiny, tmp_path, monkeypatch):
    (tmp_path / "cut.onnx").write_bytes(tiny.read_bytes()[:700])
    with pytest.raises(ValueError, match=r"cut\.onnx: no whole ONNX file of 700 bytes"):
        read_onnx(str(tmp_path / "cut.onnx"))
    with pytest.raises(FileNotFoundError, match=r"neither one of ppocr_v6_small, .* nor an ONNX"):
        read_onnx("nowhere.onnx")
    monkeypatch.setitem(PRETRAINED, "lost", ("no_such_package", "a.onnx"))
    assert names_onnx("lost")
    with pytest.raises(FileNotFoundError, match=r"no_such_package is not installed: pip install"):
        OnnxRecognizer("lost")


@pytest.mark.parametrize(("keep", "width"), [("true", 160), ("true", 320), ("false", 320)])
def test_an_exported_file_is_read_as_its_run_is(tmp_path, keep, width):
    said = {"height": "48", "width": str(width), "keep_ratio": keep, "protocol": "english36"}
    loaded = load_model(write_recognizer(tmp_path, **said, any_width="false"))
    assert (loaded.protocol, loaded.reading_size().width) == ("english36", width)
    assert loaded.image[2] == width
    loaded = load_model(write_recognizer(tmp_path, **said, any_width="true"))
    size = loaded.reading_size()
    if keep == "true":
        assert (size.width, size.min_width) == (3200, width)
        assert loaded.training_size(640).width == 640
    else:
        assert size.width == training_width(loaded.net.image_format, []) == width
