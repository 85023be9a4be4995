"""EnCTC against the enumeration of all paths."""

import numpy as np
import pytest
import torch

from dctc.losses import CTCLoss, EnCTCLoss, EnEsCTCLoss
from dctc.losses import entropy as module
from oracle.cases import FEASIBLE, Case
from oracle.enumeration import finite_differences, log_softmax, paths_of
from oracle.gradient import value_and_gradient
from oracle.paths import path_sums, through_softmax


@pytest.mark.parametrize("peak", [1.0, 6.0])
@pytest.mark.parametrize("case", FEASIBLE, ids=str)
def test_value_and_gradient_equal_the_enumeration(case, peak):
    h = 0.3
    logits = case.logits(n=6, peak=peak)
    loss = EnCTCLoss(h, case.blank, "none")
    value, gradient = value_and_gradient(loss, logits, *case.arguments(6))
    terms = loss.terms(logits, *case.arguments(6))
    paths = paths_of(case.label, case.t, case.c, case.blank)
    for i in range(6):
        sample = logits[:, i].numpy()
        nll, entropy, by_nll, by_entropy = path_sums(log_softmax(sample), paths)
        np.testing.assert_allclose(terms.nll[i], nll, atol=1e-11)
        np.testing.assert_allclose(terms.regularizer[i], entropy, atol=1e-11)
        np.testing.assert_allclose(value[i], (1 - h) * nll - h * entropy, atol=1e-11)
        expected = through_softmax((1 - h) * by_nll - h * by_entropy, sample)
        np.testing.assert_allclose(gradient[:, i], (i + 1) * expected, atol=1e-11)


@pytest.mark.parametrize("case", [Case((1, 1), 5, 3), Case((1, 2), 4, 4), Case((), 3, 2)], ids=str)
def test_gradient_is_that_of_finite_differences(case):
    logits = case.logits(n=1)
    _, gradient = value_and_gradient(EnCTCLoss(1.0, case.blank), logits, *case.arguments(1))
    paths = paths_of(case.label, case.t, case.c, case.blank)
    expected = finite_differences(
        lambda x: -path_sums(log_softmax(x), paths)[1], logits[:, 0].numpy()
    )
    np.testing.assert_allclose(gradient[:, 0], expected, atol=1e-8)


def test_one_path_has_no_entropy_and_equal_paths_the_log_of_their_number():
    exact, uniform = Case((1, 1), 3, 3), Case((1, 2), 6, 4)
    assert EnCTCLoss().terms(exact.logits(2), *exact.arguments(2)).regularizer.abs().max() < 1e-12
    terms = EnCTCLoss().terms(0 * uniform.logits(1), *uniform.arguments(1))
    count = len(paths_of(uniform.label, 6, 4, 0))
    assert terms.regularizer.item() == pytest.approx(np.log(count), abs=1e-12)


def test_without_weight_it_is_ctc(samples):
    found = value_and_gradient(EnCTCLoss(0.0, reduction="none"), *samples)
    expected = value_and_gradient(CTCLoss(reduction="none"), *samples)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("make", [EnCTCLoss, EnEsCTCLoss])
def test_more_samples_than_are_taken_at_a_time(make):
    generator = torch.Generator().manual_seed(0)
    n, t = 300, 12
    logits = torch.randn(t, n, 6, generator=generator, dtype=torch.float64)
    lengths = torch.randint(0, 7, (n,), generator=generator)
    targets = torch.randint(1, 6, (n, 7), generator=generator)
    frames = torch.randint(0, t + 1, (n,), generator=generator)
    arguments = targets, frames, lengths
    value, gradient = value_and_gradient(make(0.4, reduction="none"), logits, *arguments)
    for i in range(0, n, 19):
        alone = targets[i : i + 1, : lengths[i]], frames[i : i + 1], lengths[i : i + 1]
        loss = make(0.4, reduction="none")
        found, by_logits = value_and_gradient(loss, logits[:, i : i + 1], *alone)
        torch.testing.assert_close(found, value[i : i + 1])
        torch.testing.assert_close((i + 1) * by_logits, gradient[:, i : i + 1])


def test_a_long_confident_sample_keeps_its_precision():
    t, logits = 2000, torch.full((2000, 1, 3), -30.0, dtype=torch.float64)
    logits[:, :, 0] = 30.0
    logits[1000, 0] = torch.tensor([-30.0, 30.0, -30.0])
    loss = EnCTCLoss(1.0, reduction="none")
    value, gradient = value_and_gradient(loss, logits, torch.tensor([[1]]), [t], [1])
    assert -1e-10 < -value.item() < 1e-6
    assert gradient.isfinite().all() and gradient.abs().max() < 1e-6


@pytest.mark.parametrize("weight", [-0.1, 1.5])
def test_a_weight_is_from_0_to_1(weight):
    with pytest.raises(ValueError, match="entropy_weight"):
        EnCTCLoss(weight)


@pytest.mark.parametrize("loss", [EnCTCLoss, EnEsCTCLoss])
@pytest.mark.parametrize("weight", [0.0, 0.1])
def test_the_entropy_is_not_computed_for_nothing(loss, weight, samples, monkeypatch):
    asked, computed = [], module.path_sums

    def watched(*arguments):
        asked.append(arguments[-1])
        return computed(*arguments)

    monkeypatch.setattr(module, "path_sums", watched)
    loss(weight)(*samples)
    assert asked == [weight > 0]
