import pytest
import torch

from dctc.losses.cross_entropy import CharacterCrossEntropy

LABELS = [[3, 1, 2], [2], [], [1, 1]]
LENGTHS = torch.tensor([len(label) for label in LABELS])
TARGETS = torch.tensor([label + [0] * (3 - len(label)) for label in LABELS])


def scores(seed=0, positions=4):
    logits = torch.randn(positions, 4, 5, generator=torch.Generator().manual_seed(seed))
    return logits.double().requires_grad_()


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_is_that_of_each_sample_alone(smoothing):
    logits = scores()
    loss = CharacterCrossEntropy(label_smoothing=smoothing)
    expected = 0.0
    for i, label in enumerate(LABELS):
        for k, k_class in enumerate([*label, 0]):
            log_p = logits[k, i].float().log_softmax(0)
            expected -= (1 - smoothing) * log_p[k_class] + smoothing * log_p.mean()
    assert loss(logits, TARGETS, LENGTHS).item() == pytest.approx(expected.item() / 4, rel=1e-6)


def test_padding_is_not_looked_at():
    logits = scores()
    loss = CharacterCrossEntropy()
    value = loss(logits, TARGETS, LENGTHS)
    (gradient,) = torch.autograd.grad(value, logits)
    for i, length in enumerate(LENGTHS.tolist()):
        assert (gradient[: length + 1, i] != 0).all() and not gradient[length + 1 :, i].any()
    late = torch.arange(4)[:, None] > LENGTHS
    spoilt = logits.detach().masked_fill(late[..., None], torch.nan).requires_grad_()
    (again,) = torch.autograd.grad(loss(spoilt, TARGETS, LENGTHS), spoilt)
    assert torch.equal(again, gradient)
    other = TARGETS.clone()
    other[1, 1:] = 4
    assert loss(logits, other, LENGTHS) == value


def test_a_label_that_is_too_long_adds_nothing_but_stays_in_the_mean():
    logits = scores(positions=3)
    loss = CharacterCrossEntropy()
    value = loss(logits, TARGETS[:, :2], LENGTHS)
    (gradient,) = torch.autograd.grad(value, logits)
    assert not gradient[:, 0].any() and gradient[:, 1:].any()
    rest = loss(logits[:, 1:], TARGETS[1:, :2], LENGTHS[1:])
    assert value.item() == pytest.approx(rest.item() * 3 / 4)


def test_the_end_may_be_another_class():
    logits = scores()
    swapped = logits[:, :, [4, 1, 2, 3, 0]]
    loss = CharacterCrossEntropy()(logits, TARGETS, LENGTHS)
    assert CharacterCrossEntropy(end=4)(swapped, TARGETS, LENGTHS) == loss


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_share_outside_of_zero_to_one_is_refused(share):
    with pytest.raises(ValueError, match="label_smoothing"):
        CharacterCrossEntropy(label_smoothing=share)
