"""Which readings to show: samples that two arms read alike and unlike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from dctc.data.records.batch import Batch
from experiments.figures.figures import Reading

# How many samples of each kind stand on a sheet: (first arm right, second arm right) -> number.
KINDS = {(True, True): 4, (False, True): 6, (True, False): 6, (False, False): 4}


def choose(
    labels: Mapping[str, str], predictions: Sequence[Mapping[str, str]], kinds: dict = KINDS
) -> list[str]:
    """Return the keys of samples to show: the first of each kind, in the order of the set.

    Args:
        labels: Label by key.
        predictions: Of two arms: prediction by key.
        kinds: How many of each kind.
    """
    first, second = predictions
    chosen: list[str] = []
    for (first_right, second_right), count in kinds.items():
        alike = (
            key
            for key, label in labels.items()
            if (first[key] == label, second[key] == label) == (first_right, second_right)
        )
        chosen.extend(islice(alike, count))
    return chosen


def with_images(
    keys: Sequence[str],
    labels: Mapping[str, str],
    predictions: Sequence[Mapping[str, str]],
    batches: Iterable[Batch],
) -> list[Reading]:
    """Find the images of some samples and put them together with their readings.

    Args:
        keys: Which samples, in the order in which to show them.
        labels: Label by key.
        predictions: Of each arm: prediction by key.
        batches: Batches that hold the samples.
    """
    wanted = set(keys)
    images = {}
    for batch in batches:
        for key, image in zip(batch.key, batch.image, strict=True):
            if key in wanted:
                images[key] = ((image + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
        if len(images) == len(wanted):
            break
    return [Reading(images[key], labels[key], [p[key] for p in predictions]) for key in keys]
