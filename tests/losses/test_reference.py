"""DCTCLoss against stored outputs of the authors' code.

``DCTC_REFERENCE`` names a folder with ``dctc/*.npz``: inputs and float64 outputs of their code
(gradients stored in float32) for alpha 0.1, beta 1, every frame valid.
"""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from dctc import DCTCLoss
from oracle.gradient import value_and_gradient

NAMES = "tiny repeats infeasible english36 english36_peaky english94 chinese".split()


@pytest.fixture(params=NAMES)
def reference(request):
    if "DCTC_REFERENCE" not in os.environ:
        pytest.skip("DCTC_REFERENCE is not set: no stored outputs of the authors' code")
    file = Path(os.environ["DCTC_REFERENCE"], "dctc", f"{request.param}.npz")
    assert file.is_file(), f"DCTC_REFERENCE is set, but {file} does not exist"
    with np.load(file) as arrays:
        return {name: torch.from_numpy(np.asarray(array)) for name, array in arrays.items()}


def run(reference, dtype, mask=True):
    """Our terms, and value and gradient with the weights 1, 2, 3 ... undone."""
    logits = reference["logits"].to(dtype)
    t, n, _ = logits.shape
    arguments = reference["targets"], [t] * n, reference["target_lengths"]
    alpha, beta, blank = (reference[name].item() for name in ("alpha", "beta", "blank"))
    loss = DCTCLoss(
        distill_weight=alpha, ctc_weight=beta, blank=blank, reduction="none", mask_infeasible=mask
    )
    value, gradient = value_and_gradient(loss, logits, *arguments)
    return loss.terms(logits, *arguments), value, gradient / torch.arange(1, n + 1)[:, None]


@pytest.mark.parametrize("mask", [True, False], ids=["feasible", "without the mask"])
@pytest.mark.parametrize(
    "dtype, rtol, gradient_atol",
    [
        (torch.float64, 1e-12, 1.2e-7),  # their gradients are stored in float32: half an ulp of 1
        (torch.float32, 1e-6, 1e-6),  # measured: 1.3e-7 and 4.8e-7
    ],
    ids=["float64", "float32"],
)
def test_equals_the_authors_code(reference, dtype, rtol, gradient_atol, mask):
    terms, value, gradient = run(reference, dtype, mask)
    assert terms.feasible.any()
    some = terms.feasible if mask else torch.ones_like(terms.feasible)
    # in these files no frame is so near a tie that float32 would decide it otherwise
    assert torch.equal(terms.alignment[:, some], reference["alignment"][:, some])
    for found, name in ((terms.nll, "ctc_nll"), (terms.distill, "distillation"), (value, "loss")):
        expected = reference[name][some].double()
        torch.testing.assert_close(found[some].double(), expected, rtol=rtol, atol=0.0)
    torch.testing.assert_close(
        gradient[:, some].double(), reference["grad_logits"][:, some].double(),
        rtol=0.0, atol=gradient_atol,
    )  # fmt: skip


def test_samples_that_do_not_fit_are_left_out(reference, request):
    terms, value, gradient = run(reference, torch.float64)
    out = ~terms.feasible
    assert out.any() == ("infeasible" in request.node.callspec.id)
    for part in (terms.nll[out], terms.distill[out], value[out], gradient[:, out]):
        assert part.abs().sum() == 0
    assert (terms.alignment[:, out] == -1).all()
    # the authors' code trains their every frame to class 0
    assert (reference["alignment"][:, out] == 0).all()
    assert (reference["distillation"][out] > 0).all()
