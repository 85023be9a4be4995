"""Which kernels are used, and the Triton ones against torch, in a process of their own."""

import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from dctc import CTCLoss
from dctc.ctc import kernels, torch_kernels
from tiny import run_python

needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="triton is not installed")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def compare(**environment):
    """Run ``triton_equality.py`` in another process; its output is shown where it fails."""
    file = Path(__file__).with_name("triton_equality.py")
    done = run_python("-m", "pytest", "-q", "-p", "no:cacheprovider", str(file), **environment)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


@needs_triton
@pytest.mark.slow
def test_equals_torch_in_the_interpreter():
    compare(TRITON_INTERPRET="1", timeout=600)


@needs_triton
@needs_gpu
def test_equals_torch_on_a_gpu():
    compare()


@needs_triton
@pytest.mark.parametrize(
    ("logits", "capability"), [("fp32", 75), ("bf16", 80), ("fp16", 90), ("fp64", 90)]
)
def test_kernels_compile_for_gpus_that_are_not_here(logits, capability, tmp_path, monkeypatch):
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from dctc.ctc import triton_kernels, triton_lattice

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    computed = "fp64" if logits == "fp64" else "fp32"
    pointers = dict.fromkeys(["logits", "out"], f"*{logits}")
    pointers |= dict.fromkeys(["peaks", "nlls", "grad_nlls", "grad_distills"], f"*{computed}")
    doubles = "rests emissions blanks characters onward occupancy posterior given_log_p masses "
    doubles += "chosen at_zs elsewheres distills"
    pointers |= dict.fromkeys(doubles.split(), "*fp64")
    pointers |= dict.fromkeys(["classes", "lengths", "frame_counts", "alignment", "given"], "*i64")
    pointers |= dict.fromkeys(["feasible", "reads"], "*i1")
    constants = {"scale": 0.3, "margin": 0.1, "CLASSES": 1024, "COLUMNS": 32}
    constants |= dict.fromkeys(["HAS_NLL", "HAS_DISTILL", "ESTIMATE", "LIKELIHOOD"], True)
    constants |= {"GIVEN": False, "FLOOR": 1e-8, "TIE": 1e-9, "IMPOSSIBLE": -5e29}
    alone = (triton_lattice._frame_terms,)  # see below
    ordered = (
        triton_kernels._emissions,
        triton_lattice._forward_backward,
        triton_kernels._gradient,
    )
    for kernel in (*alone, *ordered):
        names = [parameter.name for parameter in kernel.params]
        source = ASTSource(
            kernel,
            {k: "constexpr" if k in constants else pointers.get(k, "i32") for k in names},
            {(names.index(k),): value for k, value in constants.items() if k in names},
        )
        compiled = triton.compile(source, target=GPUTarget("cuda", capability, 32))
        assert compiled.asm["cubin"]
        # stores that other threads read or overwrite are kept in order
        assert kernel in alone or "bar.sync" in compiled.asm["ptx"]


ARGUMENTS = torch.zeros(4, 1, 3), torch.tensor([[1, 2]]), [4], [2]


def test_on_a_cpu_no_kernels_are_imported(monkeypatch):
    monkeypatch.setattr(kernels, "KERNELS", "auto")
    monkeypatch.delitem(sys.modules, "dctc.ctc.triton_kernels", raising=False)
    CTCLoss()(*ARGUMENTS)
    assert "dctc.ctc.triton_kernels" not in sys.modules


def test_a_path_that_cannot_be_taken_is_named_in_one_line(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setattr(kernels, "find_spec", lambda name: True)
    for path, error, message in (
        ("cuda", ValueError, "DCTC_KERNELS=cuda: not one of torch, triton, auto$"),
        ("triton", RuntimeError, "Triton kernels: the logits are on cpu; .*$"),
    ):
        monkeypatch.setattr(kernels, "KERNELS", path)
        with pytest.raises(error, match=message):
            CTCLoss()(*ARGUMENTS)


def test_triton_may_be_absent(monkeypatch):
    monkeypatch.setattr(kernels, "find_spec", lambda name: None)
    monkeypatch.setattr(kernels, "KERNELS", "auto")
    on_gpu = SimpleNamespace(is_cuda=True)
    assert kernels.choose_kernels(on_gpu) is torch_kernels
    monkeypatch.setattr(kernels, "KERNELS", "triton")
    with pytest.raises(RuntimeError, match="DCTC_KERNELS=triton: triton is not installed"):
        CTCLoss()(*ARGUMENTS)


def test_a_triton_that_cannot_be_imported_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "dctc.ctc.triton_kernels", None)
    kernels.triton_works.cache_clear()
    with pytest.warns(UserWarning, match=r"Error: .*; torch operations are used"):
        assert not kernels.triton_works(torch.device("cpu"))
    kernels.triton_works.cache_clear()
