"""``dctc bench``: its options, and the losses against torch's."""

import json

import pytest
import torch

from dctc.bench import SCALES, loss, losses, models
from dctc.bench.loss import LABEL_LENGTH, Size, bench_loss, step_of, two_pass_dctc, words_of
from dctc.bench.measure import graphed, peak_memory
from dctc.ctc import pack_labels
from dctc.ctc.linear import CHUNK
from dctc.losses import DCTCLoss, dctc_linear_loss


def test_what_is_printed_is_what_was_written(bench):
    printed, written = bench("loss")
    (row,) = written["rows"]
    assert row["size"] == {"classes": 37, "frames": 16, "batch": 4}
    seconds = row["median_s"]
    assert all(0 < value < 60 for value in seconds.values())
    cells = next(line for line in printed.splitlines() if line.startswith("37 ")).split()
    ratios = {f"{seconds[name] / seconds['torch CTC']:.2f}" for name in ("CTC", "DCTC", "two-pass")}
    assert ratios <= set(cells)
    heads = [written["rows"][0][of] for of in ("median_s", "peak_bytes")]
    assert [f"{of['fused head'] / of['head']:.2f}" for of in heads] == cells[-2:]


def test_each_number_of_threads_is_measured(runs):
    before = torch.get_num_threads()
    bench_loss("tiny", [1, 3])
    assert torch.get_num_threads() == before
    rows = json.loads((runs / "bench" / "loss-tiny.json").read_text())["rows"]
    assert [row["threads"] for row in rows] == [1, 3]


def test_the_plain_implementation_is_dctc():
    torch.manual_seed(0)
    logits, words = torch.randn(16, 4, 37), words_of(Size(37, 16, 4), torch.device("cpu"))
    expected = DCTCLoss(reduction="sum", distill_weight=0.1)(logits, *words)
    torch.testing.assert_close(two_pass_dctc(logits, *words), expected)


def test_the_last_layer_fused_with_the_loss_never_holds_all_logits():
    size = Size(4000, 64, 128)
    features = torch.randn(size.frames, size.batch, 8, requires_grad=True)
    weight = torch.randn(size.classes, 8, requires_grad=True)
    words = words_of(size, torch.device("cpu"))
    step = step_of(lambda: dctc_linear_loss(features, weight, None, *words), [features, weight])
    # a chunk of logits in which the gradient takes their place, and little else
    assert peak_memory(step, torch.device("cpu")) < 1.5 * 4 * CHUNK
    assert 2 * CHUNK < size.classes * size.frames * size.batch


def test_memory_that_stays_allocated_counts_at_every_step():
    size = Size(37, 16, 64)
    logits = torch.randn(size.frames, size.batch, size.classes, requires_grad=True)
    words = words_of(size, torch.device("cpu"))
    step = step_of(lambda: DCTCLoss()(logits, *words), [logits])
    first, again = (peak_memory(step, torch.device("cpu")) for _ in range(2))
    assert first == again > 8 * size.frames * size.batch * 4 * (LABEL_LENGTH + 1)


def test_tables_of_what_was_measured():
    row = {
        "size": {"classes": 37, "frames": 16, "batch": 4},
        "threads": 1,
        "median_s": {"torch CTC": 2.0, "CTC": 1.0, "DCTC": 3.0, "two-pass": 5.0},
        "peak_bytes": {"torch CTC": 100, "CTC": 1, "DCTC": 25, "two-pass": 1},
    }
    about = {"versions": {"torch": "2"}, "rows": [row], "commit": "0123456789ab"}
    about["hardware"] = "X, 1 thread (x86_64)"
    table = loss.loss_table(about)
    assert table.rows == [["37", "16 x 4", "1", "0.50", "1.50", "2.50", "0.25"]]
    assert "X (x86_64), torch 2, commit 0123456." in table.notes[0]
    about["hardware"] = "NVIDIA X (x86_64)"  # a GPU has no threads
    table = loss.loss_table(about)
    assert table.rows == [["37", "16 x 4", "0.50", "1.50", "2.50", "0.25"]]
    assert len(table.columns) == 6
    # launches are counted on a GPU
    row["launches"] = {"torch CTC": 9, "CTC": 10, "DCTC": 12, "two-pass": 30}
    table = loss.loss_table(about)
    assert (table.columns[-1], table.rows[0][-1]) == ("launches, DCTC", "12")
    row["graph_s"] = {"DCTC": 0.5}
    table = loss.loss_table(about)
    assert (table.columns[-2], table.rows[0][-2]) == ("DCTC as CUDA graph", "0.25")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_replayed_graph_computes_the_gradient_of_the_step():
    device = torch.device("cuda")
    logits, found = torch.randn(16, 4, 37, device=device, requires_grad=True), []
    labels = pack_labels(logits, *words_of(Size(37, 16, 4), device), 0)

    def step():
        found[:] = torch.autograd.grad(loss.packed_dctc(logits, labels), logits)

    step()
    expected = found[0].clone()
    replay = graphed(step, device)
    found[0].zero_()
    replay()
    torch.testing.assert_close(found[0], expected)


def test_models_need_their_configurations(refused):
    said = refused("bench", "--what", "models", code=2)
    assert "name the folder of the nets' YAML files with --configs" in said


def test_every_scale_is_known():
    assert set(loss.REPEATS) == set(models.SCALES) == set(SCALES)
    assert {*loss.SIZES, *losses.SIZES, *losses.STEP_BATCH} <= set(SCALES)
