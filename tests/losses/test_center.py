"""Center loss against its closed form, and how its centres move."""

import pytest
import torch

from dctc.losses import CenterCTCLoss, CTCLoss


@pytest.fixture
def features():
    return torch.randn(9, 7, 3, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def make(weight=0.4, **options):
    loss = CenterCTCLoss(5, 3, weight=weight, reduction="none", **options).double()
    loss.centers.copy_(torch.randn(5, 3, generator=torch.Generator().manual_seed(6)))
    return loss


def read(samples, i):
    """The frames of a sample, and what each is read as."""
    t = int(samples.input_lengths[i])
    return slice(t), samples.logits[:t, i].argmax(1)


def test_value_and_gradient_are_the_closed_form(samples, features):
    loss = make().eval()
    features.requires_grad_()
    value = loss(*samples, features=features)
    (gradient,) = torch.autograd.grad(value.sum(), features)
    nll, blanks = CTCLoss(reduction="none")(*samples), 0
    for i in (0, 1, 2, 4):
        frames, z = read(samples, i)
        blanks += int((z == 0).sum())  # frames read as blank count too
        offset = features[frames, i].detach() - loss.centers[z]
        mean = offset.square().sum(1).mean()
        torch.testing.assert_close(value[i], nll[i] + 0.4 * mean)
        torch.testing.assert_close(gradient[frames, i], 0.8 * offset / len(z))
    for i in (3, 5, 6):  # no feature of a sample that takes no part
        assert value[i] == 0 and gradient[:, i].abs().sum() == 0
    assert (gradient[samples.input_lengths[2] :, 2] == 0).all() and blanks > 3


def test_centers_move_as_in_the_paper(samples, features):
    loss = make(center_rate=0.25)
    before = loss.centers.clone()
    found = loss(*samples, features=features)
    torch.testing.assert_close(found, make().eval()(*samples, features=features))
    total, count = torch.zeros_like(before), torch.zeros(5)
    for i in (0, 1, 2, 4):
        frames, z = read(samples, i)
        for feature, k in zip(features[frames, i], z, strict=True):
            total[k] += before[k] - feature
            count[k] += 1
    expected = before - 0.25 * total / (1 + count)[:, None]  # eq. 4 and 5
    torch.testing.assert_close(loss.centers, expected)
    assert (loss.centers != before).any()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_sample_that_is_not_finite_moves_no_center(samples, features, bad):
    loss, other = make(), make()
    broken = features.clone()
    broken[2, 1, 0] = bad
    assert loss(*samples, features=broken).isfinite().tolist() == [True, False] + 5 * [True]
    rest = [0, *range(2, 7)]
    other(*samples.only(rest), features=features[:, rest])
    torch.testing.assert_close(loss.centers, other.centers)
    expected = other(*samples, features=features)
    torch.testing.assert_close(loss(*samples, features=features), expected)


def test_centers_rest_in_evaluation_and_in_terms(samples, features):
    loss = make()
    before = loss.centers.clone()
    loss.terms(*samples, features=features)
    loss.eval()(*samples, features=features)
    assert torch.equal(loss.centers, before)


def test_what_does_not_fit_is_named(samples, features):
    with pytest.raises(ValueError, match="5 classes, but 6 centres"):
        CenterCTCLoss(6, 3)(*samples, features=features)
    with pytest.raises(ValueError, match=r"centers: torch\.bfloat16; keep the loss in float32"):
        CenterCTCLoss(5, 3).bfloat16()(*samples, features=features)
    with pytest.raises(ValueError, match="center_rate"):
        CenterCTCLoss(5, 3, center_rate=2.0)
