"""Results made up for the studies of experiments/PROTOCOL.md."""

import json

import numpy as np
import pytest
from experiments.studies import load, table1_studies

from dctc.results.registry import Registry

CPU = {"model": "AMD EPYC", "flags": ["avx2"], "threads": 1}
GAINS = {"ctc": 0.0, "dctc": 0.01, "confidence_penalty": 0.008, "zero_shot": -0.1}


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A registry with all runs of the blind studies of table 1, of 400 words each."""
    registry, rng = Registry(tmp_path_factory.mktemp("made")), np.random.default_rng(0)
    for study in (study for study in map(load, table1_studies("small")) if study.blind):
        elsewhere = study.benchmarks.names if study.benchmarks else ()
        for run in study.runs():
            share = 0.7 + 0.02 * (run.seed - 200) + GAINS[run.arm.partition("-")[2].split("-")[-1]]
            for name in dict.fromkeys((*study.sets, *elsewhere)):
                hits = rng.random(400) < share
                sure = np.where(hits, -0.1, -0.4) * rng.random((3, 400))
                rows = np.stack([sure[0], sure[1], np.full(400, 32)]).T
                about = {"cpu": CPU, "hardware": "AMD EPYC, 1 thread (x86_64)"}
                about["time"] = "2026-11-30T12:00:00Z"
                about["steps"] = 1 if run.arm.endswith("zero_shot") else 400
                about["certainty"] = registry.write_certainty(rows)
                counts = {"n": 400, "correct": int(hits.sum()), "similarity": 300 + 90 * share}
                line = {"run": run.name, "arm": run.arm, "seed": run.seed, "set": name, **counts}
                line |= {"edits": 9, "characters": 2000, "drops": {}, "protocol": "english36"}
                line |= {"hits": registry.write_hits(hits), "samples": f"{name} {run.seed % 4}"}
                with open(registry.file, "a") as stream:
                    stream.write(json.dumps({**line, "wall_s": 1.0, "about": about}) + "\n")
    return registry
