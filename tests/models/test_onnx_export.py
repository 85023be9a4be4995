"""A trained net goes back into the ONNX graph that it came from."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from dctc.models import OnnxRecognizer
from dctc.models.export import export
from dctc.onnx_files import read_onnx
from dctc.reading.export_run import metadata
from dctc.runs.net import Loaded
from dctc.text import CTCTokenizer
from models.onnx_graphs import write_recognizer


@pytest.mark.parametrize("opset", [12, 18])  # weights are constants, and initialisers
@pytest.mark.parametrize("charset", ["bA x", "A1b "])  # a space that is the last class, or not
def test_weights_and_characters_go_back(tmp_path, opset, charset):
    source = write_recognizer(tmp_path, opset)
    (tmp_path / "chars.txt").write_text("\n".join(charset))
    torch.manual_seed(0)
    net = OnnxRecognizer(str(source), str(tmp_path / "chars.txt"), "new").eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    tokenizer = CTCTokenizer(str(tmp_path / "chars.txt"))
    loaded = Loaded(net, tokenizer, "verbatim", (3, 48, 320), True, "off", 128)
    file = tmp_path / "back.onnx"
    done = export(net, file, "onnx", loaded.image, metadata(loaded))
    assert (done.dynamic, done.output) == (("batch", "width"), "probabilities")

    session = onnxruntime.InferenceSession(str(file))
    images = torch.rand(2, 3, 48, 104) * 2 - 1
    got = session.run(None, {"images.in": images[:, [2, 1, 0]].numpy()})[0]
    with torch.no_grad():
        expected = net(images).softmax(-1).transpose(0, 1)
    np.testing.assert_allclose(got, expected, atol=1e-5)
    said = session.get_modelmeta().custom_metadata_map
    assert "".join(said["character"].split("\n")) == charset.removesuffix(" ")
    assert (said["channel_order"], said["fill"], said["charset"]) == ("BGR", "128", charset)
    old, new = (onnx.load(path).graph for path in (source, file))
    assert [node.op_type for node in old.node] == [node.op_type for node in new.node]
    onnx.checker.check_model(str(file))

    again = OnnxRecognizer(str(file))
    assert again.image_format == (48, 320, True, 128, 3, False)
    with torch.no_grad():
        torch.testing.assert_close(again(images), net(images))
    assert json.loads(said["valid_frames"]) == [40] * 320  # those of the padding too
    assert read_onnx(str(source)).metadata.keys() == {"character"}  # the source is as it was


def test_it_goes_to_onnx_alone(tmp_path):
    net = OnnxRecognizer(str(write_recognizer(tmp_path)))
    with pytest.raises(ValueError, match="exported to onnx"):
        export(net, tmp_path / "net.pt2", "pt2", (3, 48, 320), {})
