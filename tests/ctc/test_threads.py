"""What a CPU computes on one thread, and memory that is kept between calls."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from dctc import DCTCLoss
from dctc.ctc.threads import SMALL, on_few_threads, workspace
from dctc.text.decode import greedy_decode

GRAIN = 32768  # elements from which on torch computes in parallel
CPU = torch.device("cpu")


class Regions(TorchDispatchMode):
    """Names of the operations that torch may compute in parallel."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        tensors = [x for x in (*args, result) if isinstance(x, torch.Tensor)]
        allocates = "empty" in str(func)
        if torch.get_num_threads() > 1 and not (func.is_view or allocates):
            self.found += [str(func)] * any(x.numel() >= GRAIN for x in tensors)
        return result


@pytest.fixture(autouse=True)
def two_threads():
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


def test_a_batch_of_words_has_a_handful_of_parallel_regions():
    logits = torch.randn(32, 256, 37, requires_grad=True)
    targets = torch.randint(1, 37, (256, 8))
    with Regions() as regions:
        DCTCLoss()(logits, targets, [32] * 256, [8] * 256).backward()
    assert 4 <= len(regions.found) <= 8, regions.found


def test_reading_a_batch_of_words_has_none():
    logits, frames = torch.randn(32, 256, 37), torch.full((256,), 32)
    with Regions() as regions:
        greedy_decode(logits, frames)
    assert not regions.found


def test_threads_are_as_before_whatever_happens():
    with pytest.raises(RuntimeError, match="stop"), on_few_threads(CPU, SMALL):
        assert torch.get_num_threads() == 1
        raise RuntimeError("stop")
    with on_few_threads(CPU, SMALL + 1):
        assert torch.get_num_threads() == 2


def test_memory_is_kept_and_usable_in_and_outside_of_inference_mode():
    like = torch.zeros(1)
    with torch.inference_mode():
        first, second = workspace(like, (2, 3000), (4,))
        first.fill_(1.0)
    assert first.untyped_storage().data_ptr() == second.untyped_storage().data_ptr()
    (again,) = workspace(like, (5, 7))
    again.fill_(2.0)
    assert again.data_ptr() == first.data_ptr()
    assert workspace(like.double(), (3,))[0].dtype == torch.float64
