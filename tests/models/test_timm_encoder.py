"""Which timm models become encoders of t = w/4, what changes in them; how others are refused."""

import copy
import time
import urllib.request

import pytest
import timm
import torch

from dctc.models.timm_encoder import FRAME_STRIDE, TESTED, create_encoder

VIT = "vit_tiny_patch16_224"
QUICK = ["small_resnet", "mobilenetv3_small_100", "test_convnext", "test_vit"]
SLOW = [name for name in TESTED if name not in QUICK]
# blurred, averaged and unpadded poolings; "same" padding; space to depth; channels last
ODD = [
    *("resnet18d", "resnetblur50", "ese_vovnet19b_slim_dw", "tf_efficientnet_lite0"),
    *("cs3darknet_focus_s", "densenet121", "mambaout_femto", "hgnet_tiny", "regnety_002"),
]
ENCODERS = [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]
CNNS = [
    *("small_resnet", "test_convnext", "mobilenetv3_small_100"),
    *(pytest.param(n, marks=pytest.mark.slow) for n in [*SLOW, *ODD] if n != VIT),
]


def encoder_of(name, in_chans=3, **options):
    torch.manual_seed(0)
    return create_encoder(name, in_chans, pretrained=False, options=options).eval()


def shaken(encoder):
    """Move every parameter, since timm starts the last layer of residual branches at zero."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in encoder.parameters():
            scale = 0.1 * (p.std() if p.dim() > 1 else 1)
            p.add_(torch.randn(p.shape, generator=generator) * scale)
    return encoder


@pytest.mark.parametrize("name", ENCODERS)
@torch.no_grad()
def test_a_frame_is_four_pixels_wide_at_any_width(name):
    encoder = encoder_of(name)
    for width in (32, 100, 128, 320):
        assert encoder(torch.zeros(1, 3, 32, width)).shape[3] == width // FRAME_STRIDE


@pytest.mark.parametrize("name", CNNS)
@torch.no_grad()
def test_what_moves_by_four_pixels_moves_by_one_frame(name):
    """Exactly so far from the borders, if all branches of a net are narrowed alike."""
    encoder = shaken(encoder_of(name)).double()
    blob = torch.randn(3, 32, 64, generator=torch.Generator().manual_seed(2)).double()
    there, beyond, empty = images = torch.zeros(3, 3, 32, 768).double()
    there[..., 352:416] = beyond[..., 356:420] = blob
    there, beyond, empty = encoder(images)
    response, moved = there - empty, beyond - empty
    middle = slice(56, 136)  # of 192 frames
    # net by net the untrained response is weak, but far above rounding, and it has a place
    assert response[..., middle].std(2).max() > 1e-8 * there[..., middle].abs().max()
    atol = 1e-6 * response.abs().max().item()
    torch.testing.assert_close(moved[..., 57:137], response[..., middle], rtol=1e-6, atol=atol)


@pytest.mark.parametrize("name", ["mobilenetv3_small_100", "test_convnext", "resnet18"])
def test_weights_keep_timms_names_and_shapes(name):
    nets = encoder_of(name).encoder, timm.create_model(name)
    ours, timms = ({(k, v.shape) for k, v in net.state_dict().items()} for net in nets)
    assert ours <= timms


@pytest.mark.parametrize("name", [*ENCODERS, "test_vit2", "test_vit3"])
def test_every_parameter_takes_part(name):
    """Others would stop DistributedDataParallel."""
    encoder = shaken(encoder_of(name))
    encoder(torch.randn(2, 3, 32, 64)).square().sum().backward()
    assert [name for name, p in encoder.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("name", ["test_convnext", "resnet18d"])
@torch.no_grad()
def test_a_copy_computes_the_same(name):
    encoder, images = encoder_of(name), torch.randn(1, 3, 32, 64)
    assert torch.equal(copy.deepcopy(encoder)(images), encoder(images))


@pytest.mark.parametrize("name", ["mobilenetv3_small_100", "test_convnext", "resnet18"])
@torch.no_grad()
def test_the_vertical_strides_are_those_of_timm(name):
    images = torch.zeros(1, 3, 96, 128)
    plain = timm.create_model(name, num_classes=0).eval().forward_features(images)
    assert plain.shape[2:] == (3, 4)
    assert encoder_of(name)(images).shape == (*plain.shape[:2], 3, 32)


@torch.no_grad()
def test_a_patch_is_eight_pixels_high_unless_asked_otherwise():
    images = torch.zeros(1, 3, 32, 64)
    assert encoder_of(VIT)(images).shape == (1, 192, 4, 16)
    assert encoder_of(VIT, patch_size=(16, 4))(images).shape == (1, 192, 2, 16)


@torch.no_grad()
def test_patch_tokens_lie_where_their_patches_lay():
    encoder = encoder_of("test_vit", depth=0, class_token=True, pos_embed="none")
    images = torch.zeros(1, 3, 32, 64)
    images[:, :, 8:16, 20:24] = 1.0  # the patch in row 1, column 5
    change = (encoder(images) - encoder(torch.zeros_like(images))).abs().sum(1)[0]
    assert change.nonzero().tolist() == [[1, 5]]


def test_options_reach_timm():
    assert encoder_of("test_resnet", drop_rate=0.25).encoder.drop_rate == 0.25
    assert encoder_of("small_resnet", drop_rate=0.5).encoder.drop_rate == 0.5


@pytest.mark.parametrize("name", ["small_resnet", "test_convnext"])
def test_a_new_encoder_is_in_training_mode_and_its_statistics_untouched(name):
    encoder = create_encoder(name, 3, pretrained=False, options={})
    assert all(module.training for module in encoder.modules())
    for key, value in encoder.state_dict().items():
        if key.endswith("num_batches_tracked"):
            assert value == 0
        elif key.endswith("running_mean"):
            assert not value.any()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("swin_tiny_patch4_window7_224", r"Input height \(32\) doesn't match model \(224\)"),
        ("efficientformer_l1", "fails on images 32 high at 4 pixels per frame .*size of tensor"),
        ("halonet26t", r"fails on images 32 high .*\(AssertionError\)"),
        ("mobilevitv2_050", r"an image 100 wide gives an output of shape .* 26\), not 25 columns"),
        ("convmixer_768_32", "an image 128 wide gives an output of shape .*, not 32 columns"),
    ],
)
def test_a_model_that_cannot_give_w_4_is_refused_in_one_line(name, reason):
    with pytest.raises(ValueError, match=reason) as refused:
        encoder_of(name)
    message = str(refused.value)
    assert message.startswith(f"encoder {name!r}: ")
    assert f"tested are {', '.join(TESTED)}" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("resnet17", {}, "'resnet17': timm has no such model; similar: .*resnet18"),
        ("mobilnetv3_small", {}, "timm has no such model; similar: .*mobilenetv3_small"),
        ("?!", {}, "timm has no such model; similar: none"),
        (VIT, {"patch_size": (8, 8)}, "patches are 8 pixels wide, frames 4"),
        ("resnet18", {"dorp_rate": 0.1}, "'resnet18': timm cannot build it .*'dorp_rate'"),
        ("small_resnet", {"dorp_rate": 0.1}, "'small_resnet': timm cannot build it .*'dorp_rate'"),
        ("small_resnet", {"pretrained": True}, "'small_resnet': there are no pretrained weights"),
        ("cs3darknet_s", {"pretrained": True}, "'cs3darknet_s': there are no pretrained weights"),
        ("resnet18.none", {"pretrained": True}, r"'resnet18.none': Invalid pretrained tag \(none"),
    ],
)
def test_other_names_and_options_are_refused(name, options, message):
    pretrained = options.pop("pretrained", False)
    with pytest.raises(ValueError, match=message):
        create_encoder(name, 3, pretrained, options)


# ---- pretrained weights ----


def test_without_the_hub_pretrained_weights_are_refused_at_once(monkeypatch):
    def unreachable(request, timeout):
        raise urllib.request.URLError("no route")

    monkeypatch.setattr(urllib.request, "urlopen", unreachable)
    began = time.monotonic()
    with pytest.raises(ValueError, match=r"'resnet18': its pretrained weights .* hub") as no:
        create_encoder("resnet18", 3, pretrained=True, options={})
    assert time.monotonic() - began < 5  # timm alone takes a minute
    assert "\n" not in str(no.value)
    assert "pretrained_cfg_overlay: {file: FILE}" in str(no.value)


@torch.no_grad()
@pytest.mark.parametrize("name", ["test_convnext", "test_vit"])
def test_weights_come_from_a_local_file(name, tmp_path):
    """As the refusal says; a ViT's patches and positions are resampled to the new grid."""
    weights = timm.create_model(name).state_dict()
    for value in weights.values():
        value.add_(1.0)
    torch.save(weights, tmp_path / "weights.pth")
    options = {"pretrained_cfg_overlay": {"file": str(tmp_path / "weights.pth")}}
    loaded = create_encoder(name, 3, pretrained=True, options=options).encoder.state_dict()
    same = [k for k, v in loaded.items() if v.shape == weights[k].shape]
    assert len(same) >= len(loaded) - 2
    assert all(torch.equal(loaded[k], weights[k]) for k in same)
    assert create_encoder(name, 3, True, options)(torch.zeros(1, 3, 32, 64)).shape[3] == 16


def test_a_missing_file_of_weights(tmp_path):
    file = str(tmp_path / "nowhere.pth")
    for pretrained, options in (
        (True, {"pretrained_cfg_overlay": {"file": file}}),
        (False, {"checkpoint_path": file}),
    ):
        with pytest.raises(OSError, match=r"'test_convnext': no file .*nowhere\.pth"):
            create_encoder("test_convnext", 3, pretrained, options)


def test_weights_of_another_model(tmp_path):
    torch.save({"nothing": torch.zeros(1)}, tmp_path / "weights.pth")
    with pytest.raises(ValueError, match=r"'test_convnext': timm cannot .* state_dict") as refused:
        encoder_of("test_convnext", checkpoint_path=str(tmp_path / "weights.pth"))
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400
