"""The losses that are compared (the paper's Table 3), and the weights that are searched of each."""

from __future__ import annotations

from dctc.studies.searched_arm import SearchedArm
from experiments.studies.word_runs import dctc_template, fragment

AUTHORS = "0.01: authors' CRNN experiment; 0.1: their default; 0.03 between"
AUGMENTED = ("--data.init_args.augment=1.0",)


def dctc_arm(key: str, title: str, estimator: str, seeds: int = 3) -> SearchedArm:
    """Return DCTC with an estimate of z*."""
    return SearchedArm(
        key, title, dctc_template(estimator), ("0.01", "0.03", "0.1"), AUTHORS, seeds=seeds
    )


def rival(
    key: str,
    title: str,
    argument: str,
    weights: str,
    source: str,
    *options: str,
    ranked: bool = True,
) -> SearchedArm:
    """Return a loss with the argument of it that is searched, and its weights."""
    option = f"--model.loss.init_args.{argument}={{}}"
    return SearchedArm(
        key,
        title,
        option,
        tuple(weights.split()),
        source,
        (*fragment(key), *options),
        ranked=ranked,
    )


# Seeds: ours. Weights: what the source names, a third and three times that.
ARMS = (
    SearchedArm("ctc", "CTC", options=fragment("ctc"), seeds=8),
    dctc_arm("dctc", "DCTC", "likelihood", 8),
    dctc_arm("dctc_posterior", "DCTC, posterior z*", "posterior"),
    dctc_arm("dctc_viterbi", "DCTC, Viterbi z*", "viterbi"),
    rival("focal", "Focal CTC", "gamma", "0.67 2 6", "2: PaddleOCR"),
    rival("enctc", "EnCTC", "entropy_weight", "0.033 0.1 0.3", "0.1: its authors' code"),
    rival(
        "esctc",
        "EsCTC",
        "tau",
        "1.17 1.5 2.5",
        "1.5: its authors' code; tau - 1 is varied, as below 1 labels are left without a path",
    ),
    rival(
        "enesctc",
        "EnEsCTC",
        "entropy_weight",
        "0.067 0.2 0.6",
        "0.2: its authors' code, with tau 1.5",
    ),
    rival("label_smoothing", "Label smoothing", "weight", "0.033 0.1 0.3", "0.1: ours"),
    rival("confidence_penalty", "Confidence penalty", "weight", "0.033 0.1 0.3", "0.1: ours"),
    rival(
        "center",
        "Center loss",
        "weight",
        "0.05 0.11 0.25",
        "0.05: PaddleOCR's configuration; 0.25: its report of a gain; 0.11 between",
    ),
    rival("prior", "Label-prior CTC", "prior_scale", "0.1 0.3 0.9", "0.3: ours"),
    rival(
        "distillation",
        "Frame distillation",
        "weight",
        "0.033 0.1 0.3",
        "0.1: ours, DCTC's default, which weighs a sum over frames too",
    ),
    # Two views each of half as many words: as many images as the other arms. What it reads of
    # validation words shows its augmentation too, so that it is ranked with none of them.
    rival(
        "cr_ctc",
        "CR-CTC, augmented",
        "weight",
        "0.067 0.2 0.6",
        "0.2: the paper",
        "--data.init_args.batch_size=16",
        ranked=False,
    ),
    # What CR-CTC has to be compared with: its views need augmentation, which alone changes much.
    SearchedArm("ctc_augmented", "CTC, augmented", options=(*fragment("ctc"), *AUGMENTED)),
    # The whole loss, not a term beside CTC, so that there is no weight to search for.
    SearchedArm("ace", "ACE, without CTC", options=fragment("ace")),
)
BY_KEY = {arm.key: arm for arm in ARMS}
REFERENCE, AUGMENTED_REFERENCE = "ctc", "ctc_augmented"
