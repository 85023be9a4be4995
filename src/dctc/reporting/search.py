"""The search for the weight of a loss: chosen by validation accuracy; no test set is looked at."""

from __future__ import annotations

from collections.abc import Mapping

from dctc.reporting.registry import Record


def choose_weight(scored: Mapping[str, Record]) -> str:
    """Return the weight with the best validation accuracy, of equal ones the first.

    Args:
        scored: Records of the validation set by weight.

    Raises:
        ValueError: If there is none, or they were scored on different samples.
    """
    _check(scored)
    return max(scored, key=lambda weight: scored[weight].correct)


def strongest(scored: Mapping[str, Record], count: int) -> list[str]:
    """Return the arms with the best validation accuracy, best first, of equal ones the first.

    Args:
        scored: The record of each arm's chosen weight.
        count: How many.

    Raises:
        ValueError: If there is none, or they were scored on different samples.
    """
    _check(scored)
    return sorted(scored, key=lambda arm: -scored[arm].correct)[:count]


def _check(scored: Mapping[str, Record]) -> None:
    samples = {(record.samples, record.protocol) for record in scored.values()}
    if len(samples) != 1:
        raise ValueError(
            f"search over {', '.join(scored) or 'nothing'}: {len(samples)} different sets of "
            f"samples where one is needed; run those of an old configuration again"
        )
