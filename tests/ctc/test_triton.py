"""Which kernels are used, and the Triton ones against torch, in a process of their own."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from dctc import CTCLoss
from dctc.ctc import kernels, torch_kernels

needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="triton is not installed")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def run(*arguments, **environment):
    """Run Python in another process; its output is shown where it fails."""
    inherited = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, *arguments],
        env=inherited | environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


def compare(**environment):
    file = Path(__file__).with_name("triton_equality.py")
    run("-m", "pytest", "-q", "-p", "no:cacheprovider", str(file), **environment)


@needs_triton
@pytest.mark.slow
def test_equals_torch_in_the_interpreter():
    compare(TRITON_INTERPRET="1")


@needs_triton
@needs_gpu
def test_equals_torch_on_a_gpu():
    compare()


@needs_triton
@pytest.mark.slow
@pytest.mark.parametrize("capability", [75, 80, 90])
@pytest.mark.parametrize("logits", ["fp32", "bf16", "fp16", "fp64"])
def test_kernels_compile_for_gpus_that_are_not_here(logits, capability, tmp_path, monkeypatch):
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from dctc.ctc import triton_kernels, triton_lattice

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    computed = "fp64" if logits == "fp64" else "fp32"
    pointers = dict.fromkeys(["logits", "out"], f"*{logits}")
    pointers |= dict.fromkeys(
        ["peaks", "factors", "at_alignment", "column_weights"], f"*{computed}"
    )
    pointers |= dict.fromkeys(["rests", "emissions", "blanks", "characters", "onward"], "*fp64")
    pointers |= dict.fromkeys(["nlls", "occupancy", "posterior"], "*fp64")
    pointers |= dict.fromkeys(
        ["classes", "lengths", "frame_counts", "alignment", "columns"], "*i64"
    )
    pointers["feasible"] = "*i1"
    constants = {"scale": 0.3, "HAS_ALIGNMENT": True, "CLASSES": 1024, "COLUMNS": 32}
    constants |= {"LIKELIHOOD": True, "FLOOR": 1e-8, "TIE": 1e-9}
    alone = (triton_lattice._merge_repeats, triton_lattice._best_candidate)  # see below
    ordered = (
        triton_kernels._normalise,
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


def test_the_loss_alone_imports_no_kernels():
    run(
        "-c",
        "import sys, torch; from dctc import DCTCLoss; DCTCLoss()(torch.zeros(4, 1, 3), "
        "torch.tensor([[1, 2]]), [4], [2]); assert 'dctc.ctc.triton_kernels' not in sys.modules",
        DCTC_KERNELS="",
    )


def arguments():
    return torch.zeros(4, 1, 3), torch.tensor([[1, 2]]), [4], [2]


def test_an_unknown_path_is_named(monkeypatch):
    monkeypatch.setattr(kernels, "KERNELS", "cuda")
    with pytest.raises(ValueError, match="DCTC_KERNELS=cuda: not one of torch, triton, auto"):
        CTCLoss()(*arguments())


def test_triton_may_be_absent(monkeypatch):
    monkeypatch.setattr(kernels, "find_spec", lambda name: None)
    monkeypatch.setattr(kernels, "KERNELS", "auto")
    assert kernels.choose_kernels(torch.zeros(1, 1, 2, device="meta")) is torch_kernels
    monkeypatch.setattr(kernels, "KERNELS", "triton")
    with pytest.raises(RuntimeError, match="DCTC_KERNELS=triton: triton is not installed"):
        CTCLoss()(*arguments())


@needs_triton
def test_a_gpu_without_a_working_compiler_is_told_once(monkeypatch):
    from dctc.ctc import triton_kernels

    def fail(*_):
        raise RuntimeError("Failed to find C compiler")

    monkeypatch.setattr(triton_kernels, "normalise", fail)
    kernels.triton_works.cache_clear()
    with pytest.warns(UserWarning, match=r"Failed to find C compiler\); torch operations are used"):
        assert not kernels.triton_works(torch.device("cpu"))
    assert not kernels.triton_works(torch.device("cpu"))
    kernels.triton_works.cache_clear()


@needs_triton
def test_triton_on_a_cpu_is_refused_in_one_line():
    code = (
        "import torch\n"
        "from dctc import CTCLoss\n"
        "try:\n"
        "    CTCLoss()(torch.zeros(4, 1, 3), torch.tensor([[1, 2]]), [4], [2])\n"
        "except RuntimeError as error:\n"
        "    assert str(error).startswith('Triton kernels: the logits are on cpu'), error\n"
        "    assert '\\n' not in str(error)\n"
        "else:\n"
        "    raise AssertionError('not refused')\n"
    )
    run("-c", code, DCTC_KERNELS="triton")
