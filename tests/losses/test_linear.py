"""dctc_linear_loss against DCTCLoss on the logits of a linear layer."""

import pytest
import torch
import torch.nn.functional as F

from dctc import CTCLoss, DCTCLoss, dctc_linear_loss
from dctc.ctc import ESTIMATORS, terms

T, N, C, D = 9, 4, 11, 5
LABELS = (
    torch.tensor([[1, 2, 2, 0], [5, 3, 0, 0], [4, 4, 4, 4], [0, 0, 0, 0]]),
    [9, 6, 5, 7],  # the third label needs 7 frames: it does not fit
    [3, 2, 4, 0],
)


def problem(dtype=torch.float64, bias=True):
    generator = torch.Generator().manual_seed(3)

    def draw(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)

    return [
        draw(T, N, D).requires_grad_(),
        draw(C, D).requires_grad_(),
        draw(C).requires_grad_() if bias else None,
    ]


def gradients(loss, inputs):
    given = [x for x in inputs if x is not None]
    return loss.detach(), torch.autograd.grad(loss.sum(), given)


@pytest.fixture(
    params=[1, 2 * N * C, terms.CHUNK], ids=["1 frame", "2 frames", "all"], autouse=True
)
def chunk(request, monkeypatch):
    """How many frames are taken at a time."""
    monkeypatch.setattr(terms, "CHUNK", request.param)


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_equals_the_unfused_loss(estimator, bias):
    options = {"distill_weight": 0.3, "estimator": estimator, "reduction": "none"}
    inputs = problem(bias=bias)
    value, found = gradients(dctc_linear_loss(*inputs, *LABELS, **options), inputs)
    reference, expected = gradients(DCTCLoss(**options)(F.linear(*inputs), *LABELS), inputs)
    assert value[2] == 0
    torch.testing.assert_close(value, reference, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("reduction", ["sum", "mean", "batchmean"])
def test_options_and_reductions(reduction):
    options = {
        "distill_weight": 0.2,
        "ctc_weight": 0.5,
        "margin": 0.4,
        "scale": 1.7,
        "reduction": reduction,
    }
    inputs = problem()
    value, found = gradients(dctc_linear_loss(*inputs, *LABELS, **options), inputs)
    reference, expected = gradients(DCTCLoss(**options)(F.linear(*inputs), *LABELS), inputs)
    torch.testing.assert_close(value, reference, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-12)


def test_float32_is_as_exact_as_the_unfused_loss():
    inputs = problem(torch.float32)
    value, found = gradients(dctc_linear_loss(*inputs, *LABELS), inputs)
    double = [x.detach().double().requires_grad_() for x in inputs]
    reference, expected = gradients(DCTCLoss()(F.linear(*double), *LABELS), double)
    torch.testing.assert_close(value.double(), reference, rtol=1e-5, atol=0)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-5, atol=1e-6)


def test_half_precision_gradients_have_the_dtype_of_the_inputs():
    inputs = problem(torch.bfloat16)
    value, found = gradients(dctc_linear_loss(*inputs, *LABELS), inputs)
    assert value.dtype == torch.float32
    assert {gradient.dtype for gradient in found} == {torch.bfloat16}
    assert all(gradient.isfinite().all() for gradient in found)


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
    assert logits.max(2).values.min() > 20
    reference, expected = gradients(DCTCLoss(**options)(logits, *LABELS, **given), inputs)
    # the rounding of a logit, a quarter in bfloat16, would show in full
    torch.testing.assert_close(value, reference, rtol=1e-5, atol=1e-6)
    step = torch.finfo(dtype).eps
    for a, b in zip(found, expected, strict=True):
        largest = float(b.abs().max())
        torch.testing.assert_close(a.float(), b.float(), rtol=4 * step, atol=2 * step * largest)


def test_features_need_not_be_contiguous():
    features, *rest = problem()
    strided = features.detach().permute(1, 2, 0).contiguous().permute(2, 0, 1).requires_grad_()
    _, expected = gradients(dctc_linear_loss(features, *rest, *LABELS), [features, *rest])
    _, found = gradients(dctc_linear_loss(strided, *rest, *LABELS), [strided, *rest])
    torch.testing.assert_close(found, expected)


def test_given_alignment():
    inputs = problem()
    alignment = torch.randint(-1, C, (T, N), generator=torch.Generator().manual_seed(1))
    value, found = gradients(dctc_linear_loss(*inputs, *LABELS, alignment=alignment), inputs)
    logits = F.linear(*inputs)
    reference, expected = gradients(DCTCLoss()(logits, *LABELS, alignment=alignment), inputs)
    torch.testing.assert_close(value, reference, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-12)


def test_without_distillation_it_is_ctc():
    inputs = problem()
    value, found = gradients(dctc_linear_loss(*inputs, *LABELS, distill_weight=0.0), inputs)
    reference, expected = gradients(CTCLoss()(F.linear(*inputs), *LABELS), inputs)
    torch.testing.assert_close(value, reference, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-12)


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


def test_autocast_leaves_float64_alone():
    inputs = problem()
    plain = dctc_linear_loss(*inputs, *LABELS)
    with torch.autocast("cpu", torch.bfloat16):
        assert dctc_linear_loss(*inputs, *LABELS) == plain


def test_second_derivatives_are_refused():
    inputs = problem()
    (gradient,) = torch.autograd.grad(
        dctc_linear_loss(*inputs, *LABELS), inputs[0], create_graph=True
    )
    with pytest.raises(RuntimeError, match="second derivative"):
        gradient.sum().backward()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight": torch.zeros(C, D + 1)}, r"features and weight: expected .* \(11, 6\)"),
        ({"weight": torch.zeros(C, D)}, "weight: torch.float32 on cpu, but the features are"),
        ({"bias": torch.zeros(C + 1)}, r"bias: expected \(11,\), got \(12,\)"),
        ({"targets": torch.full((N, 4), C)}, "sample 0, position 0 is class 11"),
        ({"reduction": "median"}, "reduction 'median'"),
        ({"scale": 0.0}, "scale 0.0"),
        ({"estimator": "best"}, "estimator 'best'"),
        ({"estimator": "best", "distill_weight": 0}, "estimator 'best'"),
    ],
)
def test_bad_arguments(change, message):
    names = ["features", "weight", "bias", "targets", "input_lengths", "target_lengths"]
    arguments = dict(zip(names, [*problem(), *LABELS], strict=True))
    with pytest.raises(ValueError, match=message):
        dctc_linear_loss(**{**arguments, **change})
