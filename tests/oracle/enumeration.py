"""CTC and DCTC by enumerating all c**t paths in float64; nothing here is shared with the package.

Shapes: ``logits`` is ``(t, c)``, one sample; a label is a tuple of classes.
"""

import itertools
from functools import cache

import numpy as np

FLOOR = 1e-8  # the authors' clip


def collapsed(path, blank):
    """Read a path as CTC does: merge runs, then remove blanks."""
    return tuple(k for k, _ in itertools.groupby(path) if k != blank)


@cache
def paths_of(label, t, c, blank):
    """All paths that read as the label, ``(paths, t)``."""
    paths = [p for p in itertools.product(range(c), repeat=t) if collapsed(p, blank) == label]
    return np.array(paths, dtype=np.int64).reshape(len(paths), t)


def log_softmax(logits):
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def log_probability(logits, paths):
    """Log probability of each path, ``(paths,)``."""
    frames = np.arange(paths.shape[1])
    return log_softmax(logits)[frames, paths].sum(1)


def nll(logits, label, blank=0):
    paths = paths_of(label, *logits.shape, blank)
    return -np.logaddexp.reduce(log_probability(logits, paths))


def posterior(logits, label, blank=0):
    """Probability of each class at each frame, given the label: ``(t, c)``."""
    paths = paths_of(label, *logits.shape, blank)
    weight = np.exp(log_probability(logits, paths) + nll(logits, label, blank))
    gamma = np.zeros(logits.shape)
    for frame in range(len(logits)):
        np.add.at(gamma[frame], paths[:, frame], weight)
    return gamma


def best_log_probability(logits, label, blank=0):
    return log_probability(logits, paths_of(label, *logits.shape, blank)).max()


def frame_scores(estimator, logits, label, blank=0, floor=FLOOR):
    """What z* maximises at each frame, over all classes: ``(t, c)``."""
    probs = np.exp(log_softmax(logits))
    if estimator == "greedy":
        return probs
    gamma = posterior(logits, label, blank)
    if estimator == "posterior":
        return gamma
    assert estimator == "likelihood"
    return -(probs - gamma) / np.maximum(probs, floor)


def clear_frames(scores):
    """Frames whose best score stands out enough for rounding not to matter, ``(t,)`` bool."""
    second, best = np.sort(scores, axis=1)[:, -2:].T
    return best - second > 1e-5 * np.maximum(np.abs(best), 1.0)


def cross_entropy(logits, alignment, margin=0.0, scale=1.0):
    """Sum of -log softmax(s (x - m onehot(z*)))[z*] over the frames whose z* is not -1."""
    total = 0.0
    for row, z in zip(logits, alignment, strict=True):
        if z >= 0:
            total -= log_softmax(scale * (row - margin * np.eye(len(row))[z]))[z]
    return total


def dctc_gradient(logits, label, alignment, alpha, beta, blank=0):
    """Gradient with respect to the logits: (alpha + beta) P - beta gamma - alpha onehot(z*)."""
    probs = np.exp(log_softmax(logits))
    onehot = np.eye(logits.shape[1])[alignment]
    return (alpha + beta) * probs - beta * posterior(logits, label, blank) - alpha * onehot


def finite_differences(function, logits, step=1e-5):
    gradient = np.zeros_like(logits)
    for index in np.ndindex(logits.shape):
        delta = np.zeros_like(logits)
        delta[index] = step
        gradient[index] = (function(logits + delta) - function(logits - delta)) / (2 * step)
    return gradient
