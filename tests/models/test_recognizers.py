"""What every recogniser keeps to."""

import pytest
import torch

from dctc.models import CRNN, SVTR, Recognizer, TimmRecognizer

NETS = {
    "crnn": lambda: CRNN(7),
    "crnn_chinese": lambda: CRNN(7, "chinese"),
    "svtr": lambda: SVTR(7),
    "svtr_gray": lambda: SVTR(7, in_chans=1),
    "svtr_stride_8": lambda: SVTR(7, width=96, frame_stride=8),
    "svtr_rectified": lambda: SVTR(7, rectifier=True),
    "timm": lambda: TimmRecognizer(7),
    "timm_neck": lambda: TimmRecognizer(7, neck_size=10, neck_layers=2),
}


@pytest.fixture(params=NETS)
def net(request):
    torch.manual_seed(0)
    return NETS[request.param]()


def images_for(net, n=2, width=96, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, net.in_chans, 32, width, generator=generator) * 2 - 1


def off_zero(net):
    """Move every weight away from those zeros that let no gradient through."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.01 * torch.randn(parameter.shape, generator=generator))


def test_it_is_a_recognizer(net):
    assert isinstance(net, Recognizer)
    assert net.num_classes == 7
    assert all(module.training for module in net.modules())


@pytest.mark.parametrize("width", [32, 96, 136])
@torch.no_grad()
def test_logits_are_the_head_of_the_features(net, width):
    net.eval()
    images = images_for(net, width=width)
    features, logits = net.features(images), net(images)
    assert features.shape[:2] == (net.frames(width), 2)
    assert logits.shape == (net.frames(width), 2, 7)
    assert torch.equal(logits, net.head(features))


def test_frames_of_a_tensor_are_those_of_its_numbers(net):
    widths = [4, 5, 8, 96, 99, 100]
    frames = net.frames(torch.tensor(widths))
    assert frames.tolist() == [net.frames(width) for width in widths]
    assert frames.dtype == torch.int64


@torch.no_grad()
def test_evaluation_draws_nothing_and_samples_are_apart(net):
    off_zero(net)
    net.eval()
    images = images_for(net, n=3)
    logits = net(images)
    assert torch.equal(logits, net(images))
    torch.testing.assert_close(logits[:, 1:2], net(images[1:2]), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(logits[:, 0], logits[:, 1])


def test_gradients_reach_every_parameter(net):
    off_zero(net)
    weights = torch.randn(net.frames(96), 3, 7)
    (net(images_for(net, n=3)) * weights).sum().backward()
    without = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


def test_training_after_inference_mode(net):
    """Lightning validates in inference mode; nothing of it may stay for the training."""
    with torch.inference_mode():
        net(images_for(net, width=128))
    net(images_for(net, width=128)).sum().backward()
