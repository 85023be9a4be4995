"""Which timm models become encoders of t = w/4, what changes in them; how others are refused."""

import re

import pytest
import timm
import torch

from dctc.models.timm_encoder import FRAME_STRIDE, create_encoder

VIT = "vit_tiny_patch16_224"
QUICK = ["small_resnet", "mobilenetv3_small_100", "test_convnext", "test_vit"]
SLOW = ["resnet18", "convnext_atto", VIT]  # convnext: even kernels
ENCODERS = [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]


def encoder_of(name, in_chans=3, **options):
    torch.manual_seed(0)
    return create_encoder(name, in_chans, pretrained=False, options=options).eval()


@pytest.mark.parametrize("name", ENCODERS)
@torch.no_grad()
def test_a_frame_is_four_pixels_wide_at_any_width(name):
    encoder = encoder_of(name)
    for width in (32, 64, 100, 128):
        assert encoder(torch.zeros(1, 3, 32, width)).shape[3] == width // FRAME_STRIDE


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


@pytest.mark.parametrize("name", QUICK)
@torch.no_grad()
def test_grayscale(name):
    assert encoder_of(name, in_chans=1)(torch.zeros(1, 1, 32, 64)).shape[3] == 16


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
        ("efficientformer_l1", "fails on an image of 32x128 at 4 pixels per frame .*size of tens"),
        ("halonet26t", r"fails on an image of 32x128 .*\(AssertionError\)"),
        ("crossvit_tiny_240", r"cannot be built without pooling \(Only token or avg pooling"),
        ("mambaout_femto", "an image 128 wide gives an output of shape .*, not 32 columns"),
    ],
)
def test_a_model_that_cannot_give_w_4_is_refused_in_one_line(name, reason):
    with pytest.raises(ValueError, match=reason) as refused:
        encoder_of(name)
    message = str(refused.value)
    assert message.startswith(f"encoder {name!r}: ")
    assert "what works: CNNs" in message
    assert "vit_tiny_patch16_224" in message
    assert "\n" not in message


@pytest.mark.slow
def test_what_a_refusal_recommends_works():
    with pytest.raises(ValueError) as refused:
        encoder_of("mambaout_femto")
    works = str(refused.value).partition("what works:")[2]
    names = [name for name in re.findall(r"\w+", works) if timm.is_model(name)]
    assert sorted(names) == sorted(["resnet18", "mobilenetv3_small_100", "convnext_atto", VIT])
    for name in names:
        encoder_of(name)


@pytest.mark.parametrize(
    ("name", "similar"),
    [
        ("resnet17", "similar: .*resnet18"),
        ("mobilnetv3_small", "similar: .*mobilenetv3_small"),
        ("?!", "similar: none"),
    ],
)
def test_an_unknown_model(name, similar):
    with pytest.raises(ValueError, match=f"timm has no such model; {similar}"):
        encoder_of(name)


def test_patches_of_another_width_are_refused():
    with pytest.raises(ValueError, match="patches are 8 pixels wide, frames 4"):
        encoder_of(VIT, patch_size=(8, 8))


def test_there_are_no_pretrained_weights_of_small_resnet():
    with pytest.raises(ValueError, match="'small_resnet': there are no pretrained weights"):
        create_encoder("small_resnet", 3, pretrained=True, options={})


def test_an_image_whose_height_does_not_fit_the_patches():
    with pytest.raises(ValueError, match="images are 36 high, not a multiple of the patches' 8"):
        encoder_of(VIT, depth=1)(torch.zeros(1, 3, 36, 64))


def test_a_misspelled_option_is_named():
    with pytest.raises(TypeError, match="dorp_rate"):
        encoder_of("resnet18", dorp_rate=0.1)
