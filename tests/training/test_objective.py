import pytest
import torch
from torch import Tensor, nn

from dctc.data.records.batch import Batch
from dctc.losses import CTCLoss, DCTCLoss
from dctc.losses.cross_entropy import CharacterCrossEntropy
from dctc.models import AttentionRecognizer, TimmRecognizer
from dctc.text import CTCTokenizer
from dctc.training.module import RecognizerModule
from dctc.training.objective import AttentionObjective, CTCObjective, objective_of
from tiny import TinyNet, make_module, noise_batch

# ---- which objective ----


@pytest.fixture(scope="module")
def attention_net() -> AttentionRecognizer:
    torch.manual_seed(0)
    return AttentionRecognizer(37, size=16, heads=2, max_length=5)


def test_the_net_decides(attention_net):
    assert type(objective_of(attention_net, CharacterCrossEntropy())) is AttentionObjective
    for loss in (CTCLoss(), nn.CTCLoss(), DCTCLoss()):
        for net in (TinyNet(37), TimmRecognizer(37)):
            assert type(objective_of(net, loss)) is CTCObjective


@pytest.mark.parametrize("make", [CTCLoss, nn.CTCLoss, DCTCLoss, CharacterCrossEntropy])
def test_a_loss_for_the_other_kind_of_nets_is_refused(attention_net, make):
    loss = make()
    net = TinyNet(37) if isinstance(loss, CharacterCrossEntropy) else attention_net
    message = f"net {type(net).__name__} .* loss {type(loss).__name__} "
    with pytest.raises(ValueError, match=message) as caught:
        RecognizerModule(net, loss, CTCTokenizer("36"))
    assert "\n" not in str(caught.value)


# ---- images of unequal width ----


class Given(nn.Module):
    """Gives the logits that it is given."""

    num_classes = 37

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = nn.Parameter(logits)

    def forward(self, images: Tensor) -> Tensor:
        return 1.0 * self.logits

    def frames(self, width):
        return width // 4  # below 4 pixels: none


WIDTH = torch.tensor([64, 43, 12, 1, 9])
FRAMES = [16, 10, 3, 1, 2]
LABELS = ["word", "letter", "abc", "a", "aa"]  # the last needs 3 frames


def narrow_batch() -> Batch:
    return noise_batch(LABELS)._replace(width=WIDTH)


LOSSES = [
    CTCLoss(reduction="sum"),
    nn.CTCLoss(reduction="sum", zero_infinity=True),
    DCTCLoss(distill_weight=0.3, ctc_weight=0.0, reduction="sum"),  # the distillation term alone
    DCTCLoss(distill_weight=0.3, estimator="greedy", reduction="sum"),
]


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_a_narrow_image_is_trained_and_read_as_if_it_stood_alone(loss):
    """What stands in its padding is neither learnt nor read."""
    batch = narrow_batch()
    logits = 3 * torch.randn(16, 5, 37, generator=torch.Generator().manual_seed(0))
    module = make_module(lambda c: Given(logits), loss=loss)
    outputs = module.objective.outputs(module, batch)
    together, unfit = module.objective.loss(module, batch, outputs)
    together.backward()
    readings = module.objective.read(module, batch, outputs)
    gradient, alone = module.net.logits.grad, 0.0
    for i, frames in enumerate(FRAMES):
        assert not gradient[frames:, i].any()
        assert gradient[:frames, i].any() == (LABELS[i] != "aa")  # it does not fit: no gradient
        one = noise_batch([LABELS[i]])._replace(width=torch.tensor([4 * frames]))
        single = make_module(lambda c, i=i, f=frames: Given(logits[:f, i : i + 1]), loss=loss)
        cropped = single.objective.outputs(single, one)
        alone += single.objective.loss(single, one, cropped).value.item()
        (reading,) = single.objective.read(single, one, cropped)
        assert reading.classes == readings[i].classes
        assert reading.confidence == pytest.approx(readings[i].confidence, rel=1e-5)
    assert together.item() == pytest.approx(alone, rel=1e-5) and unfit == 1


@pytest.mark.parametrize(
    ("loss", "effect"),
    [
        (DCTCLoss(mask_infeasible=False), "train each frame of theirs to blank"),
        (nn.Identity(), "count as Identity has it"),
    ],
)
def test_what_labels_that_do_not_fit_do_in_the_loss_is_said(loss, effect):
    assert make_module(loss=loss).objective.explain(make_module(loss=loss)).endswith(effect)


@pytest.mark.parametrize(
    ("value", "found"), [(1.5, "float"), (torch.ones(3), r"shape \(3,\)"), ((1, 2), "tuple")]
)
def test_a_loss_that_is_no_scalar_is_named(value, found):
    class Mine(nn.Module):
        def forward(self, *_):
            return value

    module = make_module(loss=Mine())
    batch = noise_batch(["a", "b"])
    outputs = module.objective.outputs(module, batch)
    with pytest.raises(ValueError, match=f"loss Mine gave .*{found}.*, not a scalar tensor"):
        module.objective.loss(module, batch, outputs)


def test_a_net_that_reads_by_attention_does_not_look_at_padding(attention_net):
    module = RecognizerModule(attention_net.eval(), CharacterCrossEntropy(), CTCTokenizer("36"))
    batch = narrow_batch()._replace(image=torch.rand(5, 3, 32, 64))
    outputs = module.objective.outputs(module, batch).detach()
    other = outputs.clone()
    for i, frames in enumerate([16, 11, 3, 1, 3]):  # of 4 pixels, the last one in part
        other[frames:, i] = 1e3
    results = []
    for features in (outputs.requires_grad_(), other.requires_grad_()):
        value, unfit = module.objective.loss(module, batch, features)
        (gradient,) = torch.autograd.grad(value, features)
        results.append((value.item(), unfit, module.read(batch, features), gradient))
    assert results[0][:3] == results[1][:3] and results[0][1] == 1
    assert torch.equal(results[0][3], results[1][3])
    assert not results[0][3][11:, 1].any() and results[0][3][:11, 2:].any()
