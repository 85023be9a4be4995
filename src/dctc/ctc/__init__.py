"""CTC on torch alone: labels, forward-backward, latent alignments, both terms of DCTC.

Shapes used throughout: ``t`` frames, ``n`` batch, ``c`` classes including the blank, ``s`` length
of the longest label of the batch.
"""

from dctc.ctc.estimators import ESTIMATORS, NO_CLASS, Estimator, collapse, viterbi_alignment
from dctc.ctc.kernels import label_emissions
from dctc.ctc.labels import Labels, candidate_classes, frames_needed, pack_labels, valid_frames
from dctc.ctc.lattice import Lattice, forward_backward
from dctc.ctc.linear import LinearLogits, Logits
from dctc.ctc.terms import CTCTerms, ctc_terms
from dctc.ctc.torch_kernels import compute_dtype

__all__ = [
    "ESTIMATORS",
    "NO_CLASS",
    "CTCTerms",
    "Estimator",
    "Labels",
    "Lattice",
    "LinearLogits",
    "Logits",
    "candidate_classes",
    "collapse",
    "compute_dtype",
    "ctc_terms",
    "forward_backward",
    "frames_needed",
    "label_emissions",
    "pack_labels",
    "valid_frames",
    "viterbi_alignment",
]
