"""dctc_linear_loss against DCTCLoss on the logits of a linear layer."""

import pytest
import torch
import torch.nn.functional as F

from dctc import CTCLoss, DCTCLoss, dctc_linear_loss
from dctc.ctc import ESTIMATORS, linear

T, N, C, D = 9, 4, 11, 5
LABELS = (
    torch.tensor([[1, 2, 2, 0], [5, 3, 0, 0], [4, 4, 4, 4], [0, 0, 0, 0]]),
    [9, 6, 5, 7],  # the third label needs 7 frames: it does not fit
    [3, 2, 4, 0],
)


@pytest.fixture(params=[1, 2 * N * C, linear.CHUNK], ids=["one", "two", "all"], autouse=True)
def chunk(request, monkeypatch):
    """How many frames are taken at a time."""
    monkeypatch.setattr(linear, "CHUNK", request.param)


def problem(dtype=torch.float64, bias=True):
    generator = torch.Generator().manual_seed(3)

    def draw(*shape):
        drawn = torch.randn(shape, generator=generator, dtype=torch.float64)
        return drawn.to(dtype).requires_grad_()

    return [draw(T, N, D), draw(C, D), draw(C) if bias else None]


def gradients(loss, inputs):
    return loss.detach(), torch.autograd.grad(loss.sum(), [x for x in inputs if x is not None])


def assert_equals_the_unfused_loss(inputs, loss, given=None, **options):
    """Compare values and gradients with those of a loss of all logits."""
    given = given or {}
    value, found = gradients(dctc_linear_loss(*inputs, *LABELS, **options, **given), inputs)
    reference, expected = gradients(loss(F.linear(*inputs), *LABELS, **given), inputs)
    torch.testing.assert_close(value, reference, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-12)
    return value


def test_without_an_alignment_to_distil_towards_it_is_ctc():
    inputs, options = problem(), {"blank": C - 1, "reduction": "none"}
    loss = DCTCLoss(estimator="given", **options).eval()
    value, found = gradients(loss(linear.LinearLogits.of(*inputs), *LABELS), inputs)
    expected = gradients(CTCLoss(**options)(F.linear(*inputs), *LABELS), inputs)
    torch.testing.assert_close((value, found), expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_every_estimator(estimator, bias):
    options = {"distill_weight": 0.3, "estimator": estimator, "reduction": "none"}
    inputs = problem(bias=bias)
    assert assert_equals_the_unfused_loss(inputs, DCTCLoss(**options), **options)[2] == 0


@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize("reduction", ["sum", "mean", "batchmean"])
def test_options_and_reductions(reduction, mask):
    options = {"distill_weight": 0.2, "ctc_weight": 0.5, "margin": 0.4, "scale": 1.7}
    options |= {"reduction": reduction, "mask_infeasible": mask}
    assert_equals_the_unfused_loss(problem(), DCTCLoss(**options), **options)


def test_a_derived_loss_gets_the_logits_themselves():
    class Squared(CTCLoss):
        def _per_sample(self, logits, labels, extras):
            return super()._per_sample(logits, labels, extras) + logits.square().sum((0, 2))

    features, weight, bias = problem()
    assert CTCLoss.fused and DCTCLoss.fused and not Squared.fused
    found = Squared()(linear.LinearLogits.of(features, weight, bias), *LABELS)
    torch.testing.assert_close(found, Squared()(F.linear(features, weight, bias), *LABELS))


def test_given_alignment():
    alignment = torch.randint(-1, C, (T, N), generator=torch.Generator().manual_seed(1))
    assert_equals_the_unfused_loss(problem(), DCTCLoss(), {"alignment": alignment})


def test_without_distillation_it_is_ctc():
    assert_equals_the_unfused_loss(problem(), CTCLoss(), distill_weight=0.0)


def test_features_of_a_frozen_encoder():
    features, *layer = problem()
    frozen = features.detach()
    value = dctc_linear_loss(frozen, *layer, *LABELS)
    found = torch.autograd.grad(value, layer)
    expected = torch.autograd.grad(dctc_linear_loss(features, *layer, *LABELS), layer)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_features_need_not_be_contiguous():
    features, *rest = problem()
    strided = features.detach().permute(1, 2, 0).contiguous().permute(2, 0, 1).requires_grad_()
    assert_equals_the_unfused_loss([strided, *rest], DCTCLoss())


def test_float32_is_as_exact_as_the_unfused_loss():
    inputs = problem(torch.float32)
    value, found = gradients(dctc_linear_loss(*inputs, *LABELS), inputs)
    double = [x.detach().double().requires_grad_() for x in inputs]
    reference, expected = gradients(DCTCLoss()(F.linear(*double), *LABELS), double)
    torch.testing.assert_close(value.double(), reference, rtol=1e-5, atol=0)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-5, atol=1e-6)


def confident(dtype):
    """Return features that lie along the weights of one class a frame, and its classes."""
    generator = torch.Generator().manual_seed(4)
    weight = F.normalize(torch.randn(C, 2 * C, generator=generator), dim=1)
    path = torch.tensor([[1, 5, 4, 0], [2, 5, 0, 0], [0, 3, 4, 0], *[[2, 3, 0, 0]] * (T - 3)])
    features = 40 * weight[path] + 0.1 * torch.randn(T, N, 2 * C, generator=generator)
    bias = torch.randn(C, generator=generator)
    return [x.to(dtype).requires_grad_() for x in (features, weight, bias)], path


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize("target", [*ESTIMATORS, "given"])
def test_confident_frames_are_those_of_the_unfused_loss(target, dtype):
    inputs, path = confident(dtype)
    options = {"ctc_weight": 0.0, "distill_weight": 1.0, "reduction": "none"}
    given = {"alignment": path} if target == "given" else {}
    if not given:
        options["estimator"] = target
    value, found = gradients(dctc_linear_loss(*inputs, *LABELS, **options, **given), inputs)
    logits = F.linear(*inputs)
    assert logits.max(2).values.min() > 20 and value.dtype == torch.float32
    reference, expected = gradients(DCTCLoss(**options)(logits, *LABELS, **given), inputs)
    # the rounding of a logit, a quarter in bfloat16, would show in full
    torch.testing.assert_close(value, reference, rtol=1e-5, atol=1e-6)
    step = torch.finfo(dtype).eps
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == dtype
        largest = float(b.abs().max())
        torch.testing.assert_close(a.float(), b.float(), rtol=4 * step, atol=2 * step * largest)


@pytest.mark.parametrize("inside", [True, False], ids=["backward inside", "backward outside"])
def test_autocast(inside):
    inputs = problem(torch.float32)
    half = [x.detach().bfloat16().requires_grad_() for x in inputs]
    expected = torch.autograd.grad(dctc_linear_loss(*half, *LABELS), half)
    with torch.autocast("cpu", torch.bfloat16):
        loss = dctc_linear_loss(*inputs, *LABELS)
        if inside:
            found = torch.autograd.grad(loss, inputs)
    if not inside:
        found = torch.autograd.grad(loss, inputs)
    torch.testing.assert_close(found, tuple(g.float() for g in expected), rtol=0, atol=0)
    plain = dctc_linear_loss(*problem(), *LABELS)
    with torch.autocast("cpu", torch.bfloat16):  # leaves float64 alone
        assert dctc_linear_loss(*problem(), *LABELS) == plain


def test_second_derivatives_are_refused():
    inputs = problem()
    loss = dctc_linear_loss(*inputs, *LABELS)
    (gradient,) = torch.autograd.grad(loss, inputs[0], create_graph=True)
    with pytest.raises(RuntimeError, match="second derivative"):
        gradient.sum().backward()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight": torch.zeros(C, D + 1)}, r"features and weight: expected .* \(11, 6\)"),
        ({"weight": torch.zeros(C, D)}, "weight: torch.float32 on cpu, but the features are"),
        ({"bias": torch.zeros(C + 1)}, r"bias: expected \(11,\), got \(12,\)"),
        ({"targets": torch.full((N, 4), C)}, "sample 0, position 0 is class 11"),
    ],
)
def test_bad_arguments(change, message):
    names = ["features", "weight", "bias", "targets", "input_lengths", "target_lengths"]
    arguments = dict(zip(names, [*problem(), *LABELS], strict=True))
    with pytest.raises(ValueError, match=message):
        dctc_linear_loss(**{**arguments, **change})
