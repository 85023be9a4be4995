"""Exported nets compute what the net computes; what does not is not left behind."""

import json
import sys

import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from dctc.models.crnn import CRNN
from dctc.models.export import METADATA, export
from dctc.models.svtr import SVTR

IMAGE = (3, 32, 64)


class Pooled(nn.Module):
    """A net of one layer."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(12, 5)

    def forward(self, images):
        columns = nn.functional.avg_pool2d(images, (8, 4))  # (n, 3, 4, t)
        return self.head(columns.flatten(1, 2).permute(2, 0, 1))


class FixedWidth(Pooled):
    """Has a weight for each of 16 frames."""

    def __init__(self) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.randn(16, 1, 5))

    def forward(self, images):
        return super().forward(images) + self.position


class Restless(Pooled):
    """Computes something else when it is exported."""

    def forward(self, images):
        return super().forward(images) + int(torch.compiler.is_exporting())


def run_onnx(file, images):
    session = onnxruntime.InferenceSession(str(file))
    return torch.from_numpy(session.run(None, {"images": images.numpy()})[0])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "to"), [(lambda: CRNN(37), "onnx"), (lambda: SVTR(37, width=64), "pt2")]
)
@torch.no_grad()
def test_nets_of_the_paper(make, to, tmp_path):
    torch.manual_seed(0)
    net, file = make().eval(), tmp_path / f"net.{to}"
    done = export(net, file, to, IMAGE, {})
    assert "batch" in done.dynamic and done.difference <= 1e-4
    assert to == "onnx" or (done.dynamic == ("batch",) and done.reason)
    images = torch.rand(7, *IMAGE) * 2 - 1
    got = run_onnx(file, images) if to == "onnx" else torch.export.load(file).module()(images)
    torch.testing.assert_close(got, net(images), atol=1e-4, rtol=0)


def test_pt2_with_its_metadata(tmp_path):
    net = Pooled().eval()
    done = export(net, tmp_path / "net.pt2", "pt2", IMAGE, {"blank": "0"})
    assert "batch" in done.dynamic
    extra = {METADATA: ""}
    loaded = torch.export.load(tmp_path / "net.pt2", extra_files=extra).module()
    assert json.loads(extra[METADATA]) == {"blank": "0", "dynamic": ",".join(done.dynamic)}
    images = torch.randn(3, *IMAGE)
    torch.testing.assert_close(loaded(images), net(images))


def test_onnx_with_its_metadata(tmp_path):
    net = Pooled().eval()
    export(net, tmp_path / "net.onnx", "onnx", IMAGE, {"charset": 'a"é\\x', "blank": "0"})
    model = onnx.load(tmp_path / "net.onnx")
    found = {entry.key: entry.value for entry in model.metadata_props}
    assert found.items() >= {"charset": 'a"é\\x', "blank": "0", "dynamic": "batch,width"}.items()
    assert [p.name for p in tmp_path.iterdir()] == ["net.onnx"]  # no weights in files beside it


@pytest.mark.parametrize("to", ["onnx", "pt2"])
def test_a_width_that_is_fixed_is_reported(to, tmp_path):
    done = export(FixedWidth().eval(), tmp_path / f"net.{to}", to, IMAGE, {})
    assert done.dynamic == ("batch",)
    assert done.reason and done.difference <= 1e-6
    assert {shape[0] for shape in done.shapes} == {1, 2, 5}
    assert {shape[3] for shape in done.shapes} == {64}


@pytest.mark.parametrize("to", ["onnx", "pt2"])
def test_a_file_that_computes_something_else_is_removed(to, tmp_path):
    file = tmp_path / f"net.{to}"
    file.write_text("an older one")
    with pytest.raises(ValueError, match=r"net\..*: not written, .* a logit in the file is off by"):
        export(Restless().eval(), file, to, IMAGE, {})
    assert [p.name for p in tmp_path.iterdir()] == [file.name]
    assert file.read_text() == "an older one"


def test_without_the_packages_of_onnx(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ValueError, match=r"needs the package onnxscript: pip install 'dctc\[exp"):
        export(Pooled(), tmp_path / "net.onnx", "onnx", IMAGE, {})
