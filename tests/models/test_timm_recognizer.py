"""The recogniser as a whole: shapes, order of the frames, neck, gradients, errors."""

import pytest
import torch

from dctc.models import Recognizer, TimmRecognizer

SLOW = pytest.mark.slow


@pytest.fixture
def net():
    torch.manual_seed(0)
    return TimmRecognizer(7).eval()


def test_small_resnet_has_about_600_000_parameters():
    counts = [sum(p.numel() for p in TimmRecognizer(c).parameters()) for c in (37, 38)]
    assert 0.58e6 < counts[0] < 0.65e6
    assert counts[1] - counts[0] == 129  # one more class: 128 weights and a bias


def test_it_is_a_recognizer(net):
    assert isinstance(net, Recognizer)
    assert net.num_classes == 7


@pytest.mark.parametrize("neck_size", [0, 10])
@pytest.mark.parametrize("width", [64, 100, 128])
@torch.no_grad()
def test_logits_are_the_head_of_the_features(width, neck_size):
    net = TimmRecognizer(7, neck_size=neck_size, neck_layers=2).eval()
    images = torch.randn(2, 3, 32, width)
    features = net.features(images)
    assert features.shape == (width // 4, 2, 20 if neck_size else 128)
    logits = net(images)
    assert logits.shape == (width // 4, 2, 7)
    assert torch.equal(logits, net.head(features))


@pytest.mark.parametrize(
    "encoder",
    [
        "mobilenetv3_small_100",
        pytest.param("convnext_atto", marks=SLOW),
        pytest.param("resnet18", marks=SLOW),
        pytest.param("vit_tiny_patch16_224", marks=SLOW),
    ],
)
@torch.no_grad()
def test_timm_encoders(encoder):
    net = TimmRecognizer(5, encoder).eval()
    for width in (64, 100, 128):
        assert net(torch.zeros(2, 3, 32, width)).shape == (width // 4, 2, 5)


@pytest.mark.parametrize("encoder", ["small_resnet", "test_convnext"])
@torch.no_grad()
def test_frame_k_looks_at_the_columns_around_4k(encoder):
    """A bright column changes the frame in which it stands more than those far away."""
    torch.manual_seed(0)
    net = TimmRecognizer(7, encoder).eval()
    images = torch.randn(1, 3, 32, 256, generator=torch.Generator().manual_seed(1))
    plain = net.features(images)[:, 0]  # (t, d)
    for frame in (0, 1, 13, 32, 51, 63):
        bright = images.clone()
        bright[..., 4 * frame : 4 * frame + 4] += 2.0
        change = (net.features(bright)[:, 0] - plain).norm(dim=1)  # (t,)
        weight = change.square() / change.square().sum()
        frames = torch.arange(64)
        assert (frames - change.argmax()).abs()[frame] <= 2
        near = (frames - frame).abs() <= 8
        assert weight[near].sum() > 0.9


@torch.no_grad()
def test_the_neck_reads_in_both_directions():
    torch.manual_seed(0)
    net = TimmRecognizer(7, neck_size=6).eval()
    encoded = torch.randn(1, 128, 1, 9)
    net.encoder = torch.nn.Identity()
    changed = encoded.clone()
    changed[..., 4] += 1.0
    # the encoder is out of the way: 9 columns are 9 frames, of 36 pixels
    net.in_chans = 128
    pad = torch.nn.functional.pad
    before = net.features(pad(encoded, (0, 3)))[:9, 0]
    after = net.features(pad(changed, (0, 3)))[:9, 0]
    moved = (before != after).reshape(9, 2, 6).any(2)  # frame, direction
    assert moved[:, 0].tolist() == [False] * 4 + [True] * 5  # left to right
    assert moved[:, 1].tolist() == [True] * 5 + [False] * 4


@torch.no_grad()
def test_what_stands_at_another_height_is_seen(net):
    images = torch.zeros(2, 3, 64, 64)
    images[0, :, 4:12, 24:40] = images[1, :, 52:60, 24:40] = 1.0
    top, bottom = net.features(images).unbind(1)
    assert (top - bottom).norm() > 0.01 * top.norm()


@pytest.mark.parametrize("neck_size", [0, 8])
def test_gradients_reach_every_parameter(neck_size):
    torch.manual_seed(0)
    net = TimmRecognizer(7, neck_size=neck_size)
    with torch.no_grad():  # timm starts each residual branch at zero, where nothing flows
        for parameter in net.parameters():
            parameter.add_(0.01)
    net(torch.randn(4, 3, 32, 64)).square().sum().backward()
    without = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


@pytest.mark.parametrize("encoder", ["small_resnet", "test_convnext"])
def test_a_new_net_is_in_training_mode(encoder):
    assert all(module.training for module in TimmRecognizer(7, encoder).modules())


def test_frames_are_rounded_up(net):
    widths = [0, 1, 3, 4, 5, 100, 127, 128]
    expected = [0, 1, 1, 1, 2, 25, 32, 32]
    assert [net.frames(width) for width in widths] == expected
    frames = net.frames(torch.tensor(widths))
    assert frames.tolist() == expected
    assert frames.dtype == torch.int64


def test_frames_of_the_whole_width_are_the_frames_of_the_logits(net):
    for width in (4, 64, 100):
        assert len(net(torch.zeros(1, 3, 32, width))) == net.frames(width)


@pytest.mark.parametrize(("in_chans", "given"), [(3, 1), (1, 3)])
def test_a_wrong_number_of_channels(in_chans, given):
    net = TimmRecognizer(7, in_chans=in_chans)
    message = f"images have {given} channels, the net expects {in_chans}"
    with pytest.raises(ValueError, match=message):
        net(torch.zeros(1, given, 32, 64))


def test_a_width_that_is_no_multiple_of_four(net):
    with pytest.raises(ValueError, match="images are 66 wide, not a multiple of 4"):
        net(torch.zeros(1, 3, 32, 66))


@torch.no_grad()
def test_a_sample_is_read_alike_alone_and_in_a_batch(net):
    images = torch.randn(3, 3, 32, 64)
    torch.testing.assert_close(net(images)[:, 1:2], net(images[1:2]), rtol=1e-4, atol=1e-5)
