"""Studies of the tables, figures and ablations: one YAML file each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from dctc.data.benchmarks import published_folders
from dctc.data.catalogue import DOCUMENTS, TRAIN_WORDS
from dctc.data.english import REAL_TRAIN_WORDS
from dctc.data.records.folders import data_root
from dctc.studies.study import Study
from dctc.studies.study_file import load_study

PUBLISHED = Path("experiments/results")
FINETUNED = ("finetune_funsd", "finetune_sroie", "finetune_scene")  # drawn when all are complete


def table1_studies(scale: str) -> list[str]:
    """Return the names of table 1's studies: at scale ``small`` with those of PROTOCOL.md."""
    fixed = ["protocol", "protocol_scene", *FINETUNED]
    return ["models", "receipts", *(fixed if scale == "small" else [])]


def load(name: str, scale: str = "small", overrides: Mapping[str, Any] | None = None) -> Study:
    """Return the study of ``<name>.yaml`` in this folder, see :func:`load_study`."""
    return load_study(Path(__file__).with_name(f"{name}.yaml"), scale, overrides)


def blind_studies() -> set[str]:
    """Return the names of the blind studies, with which the names of their arms begin."""
    files = Path(__file__).parent.glob("*.yaml")
    studies = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files]
    return {study["study"] for study in studies if study.get("blind")}


def without_missing(studies: Sequence[Study]) -> list[Study]:
    """Return the studies whose data sets are present; print the missing sets of the others."""
    found = []
    for study in studies:
        try:
            check_data(study)
            found.append(study)
        except FileNotFoundError as error:
            print(f"{error}; left out")
    return found


def check_data(study: Study) -> None:
    """Raise FileNotFoundError if documents or real words that a study trains on are missing."""
    content = yaml.safe_load(study.configs[0].read_text(encoding="utf-8"))
    data: Any = study.set.get("data") or content["data"]
    if isinstance(data, str):  # of smaller scales: words that are drawn
        return
    chosen = data["init_args"]
    source = study.set.get("data.init_args.source", chosen.get("source"))
    if source:
        published_folders(DOCUMENTS[source].parts, data_root(), any_size=True)
    if REAL_TRAIN_WORDS in chosen.get("train", ()):
        published_folders(TRAIN_WORDS.values(), data_root(), any_size=False)
