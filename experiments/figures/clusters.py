"""What Figure 4 is drawn from: features of characters that are read for one another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch

from dctc.data.records.batch import Batch
from dctc.metrics.cohesion import cohesion
from dctc.metrics.localization import NOWHERE, best_frames, character_posterior
from dctc.text import CTCTokenizer

PERPLEXITY = 30  # van der Maaten & Hinton (JMLR 2008) name 5 to 50; fewer where points are few


@torch.no_grad()
def character_features(
    net: Any, tokenizer: CTCTokenizer, batches: Iterable[Batch], characters: str, limit: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the feature of the frame of each occurrence of some characters.

    The frame is that of the largest posterior of the occurrence, given the label.

    Args:
        net: A CTC net in evaluation mode.
        tokenizer: Maps the labels to classes.
        batches: Images with labels.
        characters: Whose features.
        limit: Occurrences of a character at most; the first ones count.

    Returns:
        ``(m, d)`` float32 and ``(m,)`` characters, in the order of the words.
    """
    features: list[np.ndarray] = []
    found: list[str] = []
    seen: Counter[str] = Counter()
    for batch in batches:
        if not batch.label or all(seen[c] >= limit for c in characters):
            continue
        targets, lengths = tokenizer.encode(batch.label)
        hidden = net.features(batch.image)  # (t, n, d)
        frames = net.frames(batch.width).clamp(min=1)
        weights = character_posterior(net.head(hidden), targets, frames, lengths)
        chosen = best_frames(weights, lengths)
        for i, label in enumerate(batch.label):
            for j, character in enumerate(label):
                frame = int(chosen[i, j])
                if character in characters and frame != NOWHERE and seen[character] < limit:
                    seen[character] += 1
                    features.append(hidden[frame, i].float().numpy())
                    found.append(character)
    return np.array(features), np.array(found)


def balanced(
    features: np.ndarray, found: np.ndarray, characters: str
) -> tuple[np.ndarray, np.ndarray]:
    """Keep the first ones of some characters, as many of each as the rarest has.

    Args:
        features: ``(m, d)``.
        found: ``(m,)``, the character of each.
        characters: Which are kept.

    Raises:
        ValueError: If one of them occurs less than twice.
    """
    least = min(int((found == c).sum()) for c in characters)
    if least < 2:
        rare = next(c for c in characters if (found == c).sum() < 2)
        raise ValueError(f"cluster {characters!r}: {rare!r} occurs less than twice in the words")
    kept = np.sort(np.concatenate([np.flatnonzero(found == c)[:least] for c in characters]))
    return features[kept], found[kept]


def embed(features: np.ndarray, seed: int = 0) -> np.ndarray:
    """Lay points ``(m, d)`` out in the plane, ``(m, 2)`` float32, by t-SNE from their PCA."""
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (len(features) - 1) / 3)
    plane = TSNE(2, perplexity=perplexity, init="pca", random_state=seed, learning_rate="auto")
    return plane.fit_transform(features).astype(np.float32)


def cluster_arrays(
    arms: Sequence[Sequence[Any]],
    tokenizer: CTCTokenizer,
    batches: Sequence[Batch],
    groups: Sequence[str],
    limit: int,
) -> dict[str, np.ndarray]:
    """Return the arrays of Figure 4.

    Args:
        arms: Of each arm, its nets by seed; the first ones are drawn.
        tokenizer: Maps the labels to classes.
        batches: Words that no net was trained on.
        groups: The characters of each cluster.
        limit: Occurrences of a character at most.

    Returns:
        ``groups`` ``(g,)``; of cluster k ``points_<k>`` ``(arms, m, 2)`` and ``characters_<k>``
        ``(m,)``; ``cohesion`` ``(arms, seeds, g, 3)``, see :class:`dctc.metrics.cohesion.Cohesion`.

    Raises:
        ValueError: If a word is there twice, whose features would be neighbours whatever the net.
    """
    times = Counter(key for batch in batches for key in batch.key)
    if twice := [key for key, n in times.items() if n > 1]:
        raise ValueError(f"clusters: {len(twice):,} words are given more than once, as {twice[0]}")
    arrays: dict[str, np.ndarray] = {"groups": np.array(groups)}
    measures, characters = [], "".join(groups)
    features = [
        [character_features(net, tokenizer, batches, characters, limit) for net in nets]
        for nets in arms
    ]
    for k, group in enumerate(groups):
        planes, of_arms = [], []
        for of_nets in features:
            found = [balanced(*of_net, group) for of_net in of_nets]
            planes.append(embed(found[0][0]))
            of_arms.append([cohesion(*pair) for pair in found])
            arrays[f"characters_{k}"] = found[0][1]
        arrays[f"points_{k}"] = np.stack(planes)
        measures.append(of_arms)
    arrays["cohesion"] = np.array(measures).transpose(1, 2, 0, 3)
    return arrays
