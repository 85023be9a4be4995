"""z* against the enumeration of all paths; collapse against itertools.groupby."""

import numpy as np
import pytest
import torch

from dctc import DCTCLoss
from dctc.ctc import (
    ESTIMATORS,
    collapse,
    ctc_terms,
    pack_labels,
)
from oracle.cases import FEASIBLE, Case
from oracle.enumeration import (
    best_log_probability,
    clear_frames,
    collapsed,
    frame_scores,
    log_probability,
)


def alignment_of(estimator, case, logits):
    loss = DCTCLoss(estimator=estimator, blank=case.blank)
    return loss.terms(logits, *case.arguments(logits.shape[1])).alignment


@pytest.mark.parametrize("peak", [0.0, 1.0, 6.0, 30.0])
@pytest.mark.parametrize("case", FEASIBLE, ids=str)
def test_viterbi_is_a_best_path_of_the_label(case, peak):
    logits = case.logits(peak=peak)
    alignment = alignment_of("viterbi", case, logits).numpy()
    for i in range(logits.shape[1]):
        sample, path = logits[:, i].numpy(), alignment[:, i]
        assert collapsed(path.tolist(), case.blank) == case.label
        found = log_probability(sample, path[None])[0]
        best = best_log_probability(sample, case.label, case.blank)
        np.testing.assert_allclose(found, best, rtol=1e-12, atol=1e-12)


def test_the_authors_clip_decides_on_peaky_outputs():
    case = Case((1, 2, 1), t=6, c=4)
    logits = case.logits(n=60, peak=12.0)
    alignment = alignment_of("likelihood", case, logits).numpy()
    decided_by_clip = 0
    for i in range(60):
        sample = logits[:, i].numpy()
        clipped = frame_scores("likelihood", sample, case.label)
        unclipped = frame_scores("likelihood", sample, case.label, floor=1e-300)
        differ = (clipped.argmax(1) != unclipped.argmax(1)) & clear_frames(clipped)
        np.testing.assert_array_equal(alignment[differ, i], clipped.argmax(1)[differ])
        decided_by_clip += differ.sum()
    assert decided_by_clip >= 10


@pytest.mark.parametrize("height", [5.0, 15.0, 20.0, 25.0, 30.0])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_confident_float32_outputs_are_aligned_as_float64_ones(estimator, height):
    rng = np.random.default_rng(0)
    spikes = np.zeros((20, 30), dtype=np.int64)
    spikes[2::5] = rng.integers(1, 12, (4, 30))
    logits = rng.standard_normal((20, 30, 12)) + height * np.eye(12)[spikes]
    logits = torch.from_numpy(logits.astype(np.float32))
    loss = DCTCLoss(estimator=estimator)
    arguments = torch.from_numpy(spikes[2::5].T), [20] * 30, [4] * 30
    expected = loss.terms(logits.double(), *arguments).alignment
    assert torch.equal(loss.terms(logits, *arguments).alignment, expected)


@pytest.mark.parametrize("estimator", ["likelihood", "posterior"])
@pytest.mark.parametrize(
    "case, expected",
    [
        (Case((1, 2), t=3, c=3), [1, 1, 2]),  # the middle frame is 1 or 2 with equal right
        (Case((2, 1), t=3, c=3), [2, 1, 1]),
        (Case((1, 0), t=3, c=3, blank=2), [1, 0, 0]),
        (Case((0, 2), t=3, c=3, blank=1), [0, 0, 2]),
        # frames 0 and 8: as many paths with the blank as with the character; rounding differs
        (Case((1, 2, 3), t=9, c=5), [0, 1, 1, 2, 2, 2, 3, 3, 0]),
    ],
    ids=str,
)
def test_the_lowest_of_tied_classes_wins(estimator, case, expected):
    for value in (0.0, 0.1, -3.0):
        logits = torch.full((case.t, 2, case.c), value, dtype=torch.float64)
        assert alignment_of(estimator, case, logits).T.tolist() == [expected] * 2


@pytest.mark.parametrize("height", [50.0, 1e3, 1e4])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_where_probabilities_are_1_the_output_itself_is_the_alignment(estimator, height):
    path = [0, 1, 1, 0, 2, 2, 0]
    logits = torch.zeros((7, 1, 4)).double()
    logits[range(7), 0, path] = height
    terms = DCTCLoss(estimator=estimator).terms(logits, torch.tensor([[1, 2]]), [7], [2])
    assert terms.alignment[:, 0].tolist() == path
    assert terms.distill.item() < 1e-12


def test_an_unknown_estimator_is_named():
    case = Case((1,), t=2, c=2)
    log_probs = case.logits(1).log_softmax(2)
    labels = pack_labels(log_probs, *case.arguments(1), case.blank)
    with pytest.raises(ValueError, match="estimator 'best': not one of likelihood, posterior"):
        ctc_terms(log_probs, labels, case.blank, "best")


@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("t", [1, 2, 9])
def test_collapse_reads_paths_as_groupby_does(t, blank):
    paths = torch.from_numpy(np.random.default_rng(t).integers(0, 3, (t, 200)))
    classes, lengths = collapse(paths, blank)
    assert classes.shape == (200, t)
    for i in range(200):
        expected = collapsed(paths[:, i].tolist(), blank)
        assert tuple(classes[i, : lengths[i]].tolist()) == expected
        assert (classes[i, lengths[i] :] == blank).all()
