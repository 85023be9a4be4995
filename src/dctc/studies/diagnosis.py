"""Alignment and blank statistics of a trained CTC net, independent of its training loss."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from dctc.ctc import candidate_classes, pack_labels, viterbi_alignment
from dctc.data.records.batch import Batch
from dctc.losses import DCTCLoss
from dctc.metrics.alignment import AlignmentCounts, compare_alignment
from dctc.text.tokenizer import BLANK
from dctc.training.module import RecognizerModule
from dctc.training.objective import frame_limits


@torch.no_grad()
def diagnose(module: RecognizerModule, batches: Iterable[Batch]) -> dict[str, float]:
    """Return frame statistics of a CTC net; z* is the ``likelihood`` estimate for every net (ours).

    Infeasible samples are skipped. See :mod:`dctc.metrics.alignment`.

    Args:
        module: The trained net; it is put into evaluation mode.
        batches: Labelled images.

    Returns:
        ``aacc_label`` (share of samples), ``viterbi_agreement`` and ``blank_share`` (shares of
        frames, of z*), ``greedy_blank_share`` (share of frames that the net reads as blank) and
        ``frame_entropy`` (mean over frames of the entropy over all classes, nats).

    Raises:
        ValueError: If no label fits its frames.
    """
    module.eval()
    loss = DCTCLoss(estimator="likelihood", blank=BLANK)
    counts: list[AlignmentCounts] = []
    greedy, entropy = 0, 0.0
    for batch in batches:
        if not batch.label:
            continue
        logits = module.net(batch.image.to(module.device)).float()
        targets, lengths = module.tokenizer.encode(batch.label)
        limits = frame_limits(module.net, batch).cpu()
        alignment = loss.terms(logits, targets, limits, lengths).alignment
        labels = pack_labels(logits, targets, limits, lengths, BLANK)
        log_probs = logits.log_softmax(2)
        columns = candidate_classes(labels, BLANK).expand(*logits.shape[:2], -1)
        best_path = viterbi_alignment(log_probs.gather(2, columns).double(), labels, BLANK)
        counts.append(compare_alignment(alignment, labels, best_path, BLANK))
        takes_part = alignment >= 0
        greedy += int(((logits.argmax(2) == BLANK) & takes_part).sum())
        entropies = -(log_probs.exp() * log_probs).sum(2)  # (t, n)
        entropy += float(entropies.double()[takes_part].sum())
    summed = ("label", "viterbi", "blank", "samples", "frames")
    sums = {name: sum(getattr(of_batch, name) for of_batch in counts) for name in summed}
    if not (frames := sums["frames"]):
        raise ValueError("diagnosis: no label fits its frames, or there is none")
    return {
        **AlignmentCounts(true=None, **sums).shares(),
        "greedy_blank_share": greedy / frames,
        "frame_entropy": entropy / frames,
    }
