"""A record to vary."""

import dataclasses

import pytest

from dctc.reporting.registry import Record

RECORD = Record(
    run="0123456789abcdef",
    arm="dctc",
    seed=0,
    set="IC15_2077",
    n=4,
    correct=3,
    edits=1,
    characters=16,
    similarity=3.75,
    drops={},
    protocol="english36",
    hits="",
    samples="fedcba9876543210",
    wall_s=1.5,
    about={"commit": "abc", "note": "é 中"},
)


@pytest.fixture
def record():
    """``record(set="SVT", ...) -> Record``."""
    return lambda **changes: dataclasses.replace(RECORD, **changes)
