"""EstimatorLog: one model, the AACC of every estimator, none of it changing the training."""

import pytest
import torch

from dctc.ctc import ESTIMATORS
from dctc.data.records.batch import Sample, collate
from dctc.training.callbacks import METRICS, DCTCCallback, EstimatorLog
from tiny import fit, make_module, noise, same_weights, weights


def batches(count=4):
    """Noise of two characters whose extents are known."""
    extents = torch.tensor([[4.0, 28.0], [34.0, 60.0]]).numpy()
    return [
        collate([Sample(*noise(label, i)[:3], extents) for label in ("ab", "c1")])
        for i in range(count)
    ]


def train(folder, *callbacks, **options):
    torch.manual_seed(0)
    module = make_module()
    trainer = fit(folder, module, batches(), callbacks=list(callbacks), **options)
    return module, {k: v.item() for k, v in trainer.callback_metrics.items()}


def test_every_estimator_is_logged_and_agrees_with_what_dctc_logs(tmp_path):
    for estimator in ("likelihood", "posterior"):
        callbacks = EstimatorLog(), DCTCCallback(0.1, estimator)
        _, logged = train(tmp_path, *callbacks, log_every_n_steps=2)
        for metric in METRICS:
            assert {f"train/{metric}/{name}" for name in ESTIMATORS} <= set(logged)
            assert logged[f"train/{metric}/{estimator}"] == logged[f"train/{metric}"]
        assert logged["train/aacc_label/viterbi"] == 1.0
        assert logged["train/viterbi_agreement/viterbi"] == 1.0


def test_the_true_alignment_in_place_of_an_estimate_is_none_of_them(tmp_path):
    _, logged = train(tmp_path, EstimatorLog(), DCTCCallback(0.1, "given"), log_every_n_steps=2)
    assert logged["train/aacc_true"] == 1.0 > logged["train/aacc_true/greedy"]
    assert logged["train/viterbi_agreement/viterbi"] == 1.0 > logged["train/viterbi_agreement"]


def test_it_only_looks_on(tmp_path):
    alone, _ = train(tmp_path, DCTCCallback(0.1), log_every_n_steps=1)
    watched, _ = train(tmp_path, EstimatorLog(), DCTCCallback(0.1), log_every_n_steps=1)
    assert same_weights(weights(alone), weights(watched))


def test_a_loss_without_estimators_is_refused(tmp_path):
    with pytest.raises(ValueError, match="add a DCTCCallback"):
        train(tmp_path, EstimatorLog())
