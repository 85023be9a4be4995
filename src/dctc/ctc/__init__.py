"""The CTC lattice on torch alone: labels, forward-backward, latent alignments.

Shapes used throughout: ``t`` frames, ``n`` batch, ``c`` classes including the blank, ``s`` length
of the longest label of the batch.
"""

from dctc.ctc.alignment import (
    ESTIMATORS,
    NO_CLASS,
    Estimator,
    collapse,
    estimate_alignment,
    viterbi_alignment,
)
from dctc.ctc.labels import Labels, frames_needed, pack_labels
from dctc.ctc.lattice import Lattice, candidate_classes, forward_backward
from dctc.ctc.terms import CTCTerms, ctc_nll, ctc_terms

__all__ = [
    "ESTIMATORS",
    "NO_CLASS",
    "CTCTerms",
    "Estimator",
    "Labels",
    "Lattice",
    "candidate_classes",
    "collapse",
    "ctc_nll",
    "ctc_terms",
    "estimate_alignment",
    "forward_backward",
    "frames_needed",
    "pack_labels",
    "viterbi_alignment",
]
