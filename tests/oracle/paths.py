"""Sums and entropies over paths by enumerating them, and over evenly spaced ones.

Shapes as in :mod:`oracle.enumeration`; ``scores`` is ``(t, c)``, any log scores, normalised or not.
"""

from fractions import Fraction
from functools import cache
from math import floor

import numpy as np

from oracle.enumeration import log_softmax, paths_of


def segment_lengths(path, blank):
    """Frames of each segment: blanks and the run after them; at the end the blanks left over."""
    lengths, frames = [], 0
    for i, k in enumerate(path):
        frames += 1
        if k != blank and (i + 1 == len(path) or path[i + 1] != k):
            lengths.append(frames)
            frames = 0
    return [*lengths, frames]


def longest_segment(s, t, tau):
    """Frames that a segment may take, with tau as it is written and no rounding."""
    return floor(Fraction(str(tau)) * (t // s + 1))


@cache
def spaced_paths(label, t, c, blank, tau):
    """All paths that read as the label and are evenly spaced, ``(paths, t)``."""
    paths = paths_of(label, t, c, blank)
    if not label or tau == np.inf:
        return paths
    longest = longest_segment(len(label), t, tau)
    kept = [path for path in paths if max(segment_lengths(path, blank)) <= longest]
    return np.array(kept, dtype=np.int64).reshape(-1, t)


def path_sums(scores, paths):
    """-log of the summed exp scores, the entropy of the paths, and both gradients ``(t, c)``."""
    frames = np.arange(len(scores))
    score = scores[frames, paths].sum(1)
    log_total = np.logaddexp.reduce(score)
    q = np.exp(score - log_total)
    by_nll, by_entropy = np.zeros(scores.shape), np.zeros(scores.shape)
    mean = (q * score).sum()
    for frame in frames:
        np.add.at(by_nll[frame], paths[:, frame], -q)
        np.add.at(by_entropy[frame], paths[:, frame], -q * (score - mean))
    return -log_total, -(q * (score - log_total)).sum(), by_nll, by_entropy


def through_softmax(gradient, logits):
    """Turn a gradient with respect to log probabilities into one with respect to the logits."""
    return gradient - np.exp(log_softmax(logits)) * gradient.sum(1, keepdims=True)
