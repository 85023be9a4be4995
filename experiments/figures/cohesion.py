"""Cohesion of classes in a feature space: silhouette, purity of neighbours, distances."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

NEIGHBOURS = 10  # ours; fewer where there are fewer points


class Cohesion(NamedTuple):
    """Three measures of the classes of some points, under the Euclidean distance.

    Attributes:
        silhouette: Mean silhouette (Rousseeuw, 1987), in [-1, 1]; the higher the better.
        purity: Share of the nearest neighbours of a point that are of its class, mean over points;
            the higher the better.
        within_between: Mean distance of a point to the mean of its class, over the mean distance of
            the means of two classes; the lower the better.
    """

    silhouette: float
    purity: float
    within_between: float


def cohesion(features: np.ndarray, classes: np.ndarray, neighbours: int = NEIGHBOURS) -> Cohesion:
    """Measure the classes ``(m,)`` of points ``(m, d)``: two or more, of equally many points."""
    from sklearn.metrics import silhouette_score
    from sklearn.neighbors import NearestNeighbors

    names = np.unique(classes)
    features = features.astype(np.float64)
    k = min(neighbours, len(features) - 1)
    nearest = NearestNeighbors(n_neighbors=k).fit(features).kneighbors(return_distance=False)
    means = np.stack([features[classes == name].mean(0) for name in names])
    within = np.linalg.norm(features - means[np.searchsorted(names, classes)], axis=1).mean()
    apart = np.linalg.norm(means[:, None] - means, axis=2)
    between = apart[np.triu_indices(len(names), 1)].mean()
    return Cohesion(
        silhouette=float(silhouette_score(features, classes)),
        purity=float((classes[nearest] == classes[:, None]).mean()),
        within_between=float(within / between) if between else float("inf"),
    )
