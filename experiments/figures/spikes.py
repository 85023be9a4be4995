"""Arrays of Figure 1: the frames of characters, how seeds differ in them, gradients of a word.

Nets are in evaluation mode and give equally many frames. The tokenizer maps labels to classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dctc.data.records.batch import Batch, pixels_of
from dctc.losses import CTCLoss, DCTCLoss
from dctc.results.registry import Record
from dctc.text import CTCTokenizer
from dctc.text.decode import greedy_decode
from dctc.training.objective import frame_limits
from experiments.figures.localization import (
    Disagreement,
    best_frames,
    character_posterior,
    disagreement,
)

WORDS = 4  # that are drawn
SHORTEST = 4  # characters of a word that is drawn
DRAWN_SEEDS = 2
DISTILL_WEIGHT = 0.1  # of the gradient that is drawn; authors' code, default

Nets = Sequence[Sequence[Any]]  # of each family, its nets by seed, in evaluation mode


@torch.no_grad()
def character_weights(net: Any, tokenizer: CTCTokenizer, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return the weight of each frame for each character of the label.

    For a CTC net that is the posterior of the character, for an attention net its attention.

    Returns:
        Weights ``(n, s, t)`` and the lengths of the labels ``(n,)``.
    """
    targets, lengths = tokenizer.encode(batch.label)
    if hasattr(net, "attention"):
        targets, lengths = targets[:, : net.max_length], lengths.clamp(max=net.max_length)
        return net.attention(batch.image, targets, batch.width), lengths
    frames = frame_limits(net, batch)
    return character_posterior(net(batch.image), targets, frames, lengths), lengths


def disagreements(
    nets: Sequence[Any], tokenizer: CTCTokenizer, batches: Iterable[Batch]
) -> list[Disagreement]:
    """Return the disagreement of each pair of nets, in the order of itertools.combinations."""
    frames: list[list[Tensor]] = [[] for _ in nets]
    for batch in batches:
        if batch.label:
            for net, of_net in zip(nets, frames, strict=True):
                of_net.append(best_frames(*character_weights(net, tokenizer, batch)))
    return [disagreement(first, second) for first, second in combinations(frames, 2)]


def rate_arrays(
    seeds: Sequence[int],
    records: Sequence[Sequence[Mapping[str, Record]]],
    nets: Nets,
    loaders: Mapping[str, Callable[[], Iterable[Batch]]],
    tokenizer: CTCTokenizer,
) -> dict[str, np.ndarray]:
    """Return the disagreement of pairs of seeds on each set, and the accuracy of each net.

    Args:
        seeds: Of each family.
        records: Of each family and seed, its records by set.
        nets: Of each family and seed.
        loaders: Of each set, what yields its batches.
        tokenizer: Of all nets.

    Returns:
        ``sets`` ``(k,)``, ``pairs`` ``(p, 2)`` of seeds, ``apart`` and ``characters``
        ``(families, k, p)``, ``correct`` ``(families, seeds, k)`` words and ``words`` ``(k,)``.
    """
    found = np.array(
        [[disagreements(row, tokenizer, batches()) for batches in loaders.values()] for row in nets]
    )  # (families, k, p, 2)
    correct = [[[of_seed[name].correct for name in loaders] for of_seed in row] for row in records]
    return {
        "sets": np.array([*loaders]),
        "pairs": np.array([*combinations(seeds, 2)]),
        "apart": found[..., 0],
        "characters": found[..., 1],
        "correct": np.array(correct),
        "words": np.array([records[0][0][name].n for name in loaders]),
    }


def word_panels(
    families: Sequence[str], nets: Nets, tokenizer: CTCTokenizer, batch: Batch
) -> dict[str, np.ndarray]:
    """Return the arrays of a few words of a batch, and the gradients of the first net for one.

    Of each family the nets of the first :data:`DRAWN_SEEDS` seeds are drawn.

    Returns:
        ``families`` ``(f,)``, ``images`` ``(n, h, w, ch)`` uint8, ``labels`` ``(n,)``, ``weights``
        ``(f, seeds, n, s, t)`` float16, ``frames`` ``(f, seeds, n, s)`` int16, and those of
        :func:`gradient_arrays`.
    """
    words = select(batch, choose_words(batch, WORDS))
    found = [
        [character_weights(net, tokenizer, words) for net in row[:DRAWN_SEEDS]] for row in nets
    ]
    weights = np.array([[weight.double().numpy() for weight, _ in row] for row in found])
    frames = np.array([[best_frames(*pair).numpy() for pair in row] for row in found])
    misread = select(batch, [choose_misread(nets[0][0], tokenizer, batch)])
    return {
        "families": np.array(families),
        "images": pixels_of(words.image),
        "labels": np.array(words.label),
        "weights": weights.astype(np.float16),
        "frames": frames.astype(np.int16),
        **gradient_arrays(nets[0][0], tokenizer, misread),
    }


def choose_words(batch: Batch, count: int) -> list[int]:
    """Return the first ``count`` different words of :data:`SHORTEST` characters or more."""
    chosen: dict[str, int] = {}
    for i, label in enumerate(batch.label):
        if len(label) >= SHORTEST:
            chosen.setdefault(label, i)
    return list(chosen.values())[:count]


@torch.no_grad()
def choose_misread(net: Any, tokenizer: CTCTokenizer, batch: Batch) -> int:
    """Return the first sample of :func:`choose_words` that a net misreads.

    CTC's gradient of a word that is read correctly is next to nothing. If all are, the first one.
    """
    long = choose_words(batch, len(batch.label))
    words = select(batch, long)
    for i, label, reading in zip(long, words.label, _read(net, tokenizer, words), strict=True):
        if reading != label:
            return i
    return long[0]


def _read(net: Any, tokenizer: CTCTokenizer, words: Batch) -> list[str]:
    frames = frame_limits(net, words)
    return [tokenizer.decode(read.classes) for read in greedy_decode(net(words.image), frames)]


def select(batch: Batch, chosen: Sequence[int]) -> Batch:
    """Return some samples of a batch; extents and second views are left out."""
    labels, keys = ([column[i] for i in chosen] for column in (batch.label, batch.key))
    return Batch(batch.image[list(chosen)], labels, keys, batch.width[list(chosen)], None, [])


def gradient_arrays(net: Any, tokenizer: CTCTokenizer, word: Batch) -> dict[str, np.ndarray]:
    """Return the gradients of CTC and of DCTC with respect to one net's logits for a word.

    Returns:
        ``gradients`` ``(2, r, t)`` float32 and ``gradient_rows`` ``(r,)``: the blank, the distinct
        characters of the label, and the sum over all other classes; ``distill_weight``;
        ``gradient_label`` and ``gradient_reading``, the word's label and the net's prediction.
    """
    targets, lengths = tokenizer.encode(word.label)
    frames = frame_limits(net, word)
    with torch.no_grad():
        logits, [reading] = net(word.image), _read(net, tokenizer, word)
    distinct = list(dict.fromkeys(word.label[0]))
    classes = [0, *(tokenizer.encode([c])[0].item() for c in distinct)]
    found = []
    dctc = DCTCLoss(distill_weight=DISTILL_WEIGHT, reduction="sum")
    for loss in (CTCLoss(reduction="sum"), dctc):
        scores = logits.clone().requires_grad_()
        value = loss(scores, targets, frames, lengths)
        (gradient,) = torch.autograd.grad(value, scores)  # (t, 1, c)
        of_label = gradient[:, 0, classes].T
        others = gradient[:, 0].sum(1) - of_label.sum(0)
        found.append(torch.cat([of_label, others[None]]))
    return {
        "gradients": torch.stack(found).numpy().astype(np.float32),
        "gradient_rows": np.array(["blank", *distinct, "others"]),
        "distill_weight": np.array(DISTILL_WEIGHT),
        "gradient_label": np.array(word.label[0]),
        "gradient_reading": np.array(reading),
    }
