"""Factors of the ablations: what each varies, and the arms that show it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dctc.studies.study import Arm
from experiments.studies.scene_runs import DATA, DISTILL_WEIGHT, both_losses, net
from experiments.studies.word_runs import dctc_template, fragment

FRAMES = 32  # t, of 128 pixels; every image has that width
NARROW, NARROW_FRAMES = 32, 8  # pixels and frames where labels that do not fit are many
ALPHA = str(DISTILL_WEIGHT)
MODEL = "small_resnet"


@dataclass(frozen=True)
class Level:
    """One row of a table.

    Attributes:
        arm: Its name in the registry is that of a study and this key.
        against: Key of what it is compared with; empty for a reference.
    """

    arm: Arm
    against: str = ""


@dataclass(frozen=True)
class Factor:
    """What is varied.

    Attributes:
        key: Its name on the command line, and of its table's files.
        title: Heading of its table.
        levels: Its rows.
        notes: Lines below the table.
        scene: Whether rendered scene words are trained on, in place of FUNSD.
    """

    key: str
    title: str
    levels: tuple[Level, ...]
    notes: tuple[str, ...] = ()
    scene: bool = False


@dataclass(frozen=True)
class Scale:
    """How much is run.

    Attributes:
        seeds: Seeds of every run.
        steps: Optimizer steps.
        weights: Weights of the distillation term.
        estimators: Estimators beside the likelihood.
        lengths: Other numbers of steps.
        words: Other numbers of training words.
        options: What it changes in every training on FUNSD.
        scene: Name of the scale of trainings on scene words.
    """

    seeds: tuple[int, ...]
    steps: int
    weights: tuple[str, ...]
    estimators: tuple[str, ...]
    lengths: tuple[int, ...]
    words: tuple[int, ...]
    options: tuple[str, ...] = ()
    scene: str = "small"


def of_length(steps: int) -> tuple[str, ...]:
    """Return the options of a training of so many steps, validated five times."""
    return (f"--trainer.max_steps={steps}", f"--trainer.val_check_interval={steps // 5}")


CTC = Level(Arm("ctc", "CTC", fragment("ctc")))


def dctc(
    weight: str,
    estimator: str = "likelihood",
    key: str = "",
    title: str = "",
    options: tuple[str, ...] = (),
    against: str = "ctc",
    **arguments: int,
) -> Level:
    """Return DCTC at a weight, and what else is changed, by key and title."""
    name = "dctc" if estimator == "likelihood" else f"dctc_{estimator}"
    callback = dctc_template(estimator, **arguments).format(weight)
    arm = Arm(f"{name}-{weight}{key}", f"DCTC {weight}{title}", (*options, callback))
    return Level(arm, against)


def pair(key: str, title: str, options: tuple[str, ...]) -> tuple[Level, Level]:
    """Return CTC and DCTC under a condition."""
    reference = Arm(f"ctc{key}", f"CTC{title}", (*CTC.arm.options, *options))
    return Level(reference), dctc(ALPHA, "likelihood", key, title, options, reference.key)


def factors(scale: Scale) -> tuple[Factor, ...]:
    """Return every factor of a scale."""
    means = ", ".join(f"{float(w) * FRAMES:g}" for w in scale.weights)
    weight = Factor(
        "weight",
        "Weight of the distillation term",
        (CTC, *(dctc(w) for w in scale.weights)),
        (
            f"Sum or mean over frames: all images have {FRAMES} frames, so that the sum at a "
            f"weight is the mean at {FRAMES} times that weight. These rows are the mean at "
            f"{means} too; no other runs are needed.",
        ),
    )
    estimators = [dctc(ALPHA, name, "", f", {name} estimate") for name in scale.estimators]
    estimator = Factor(
        "estimator",
        "Estimator of z*",
        (CTC, dctc(ALPHA, title=", likelihood estimate"), *estimators),
    )
    likelihood = dctc(ALPHA, title=", likelihood estimate", against="")
    estimates = Factor(
        "estimates",
        "Estimators of z* against the likelihood",
        (likelihood, *(replace(level, against=likelihood.arm.key) for level in estimators)),
        ("The nets of the table above. Which estimate is best was not planned to be tested so.",),
    )
    half = scale.steps // 2
    warmup = Factor(
        "warmup",
        "Warm-up of the weight",
        (
            CTC,
            dctc(ALPHA),
            dctc(
                ALPHA,
                key=f"-warmup{half}",
                title=f", warm-up over {half:,} steps",
                warmup_steps=half,
            ),
        ),
    )
    narrow = (f"{DATA}.width={NARROW}",)
    key, title = f"-w{NARROW}", f", {NARROW_FRAMES} frames"
    bare = (
        *narrow,
        "--model.loss=dctc.losses.DCTCLoss",
        "--model.loss.init_args.mask_infeasible=false",
    )
    reference = Arm(f"ctc{key}", f"CTC{title}", (*CTC.arm.options, *narrow))
    mask = Factor(
        "mask",
        f"Mask of samples whose label does not fit, at {NARROW_FRAMES} frames",
        (
            Level(reference),
            dctc(ALPHA, "likelihood", key, f"{title}, mask", narrow, reference.key),
            dctc(
                *(ALPHA, "likelihood", f"{key}-unmasked", f"{title}, no mask", bare),
                reference.key,
            ),
        ),
        (
            "Without the mask, as in the authors' code, each frame of such a sample is trained to "
            f"blank. Images are {NARROW} pixels wide: {UNFIT}",
        ),
    )
    words = Factor(
        "words",
        "Amount of training data",
        (
            *(level for n in scale.words for level in pair(f"-{n}w", f", {n:,} words", first(n))),
            CTC,
            dctc(ALPHA),
        ),
        (
            "The first so many training words in the order of their pages, the same for every "
            "seed; all arms see as many images. Rows that name no number have all words.",
        ),
    )
    length = Factor(
        "length",
        "Length of the training",
        (
            *(
                level
                for n in scale.lengths
                for level in pair(f"-{n}s", f", {n:,} steps", of_length(n))
            ),
            CTC,
            dctc(ALPHA),
        ),
        (f"Rows that name no number have {scale.steps:,} steps.",),
    )
    augment = (f"{DATA}.augment=1.0",)
    augmented = Arm("ctc_augmented", "CTC, augmented", (*CTC.arm.options, *augment))
    noise = Factor(
        "noise",
        "Noise in the training images",
        (
            Level(augmented),
            dctc(ALPHA, "likelihood", "-augmented", ", augmented", augment, augmented.key),
            CTC,
            dctc(ALPHA),
        ),
        (
            "Augmented: training images are warped, recoloured, blurred and made noisy at random; "
            "test images are as they are everywhere.",
        ),
    )
    compared = (estimates,) if estimators else ()
    return (weight, estimator, *compared, warmup, mask, words, length, noise, true_alignment())


# Labels after english36; dctc data stats --frames 8 gives the shares
UNFIT = (
    "2,778 of the 19,044 training words and 1,169 of the 8,510 test words do not fit, and no loss "
    "makes the latter readable. At the 32 frames of the other tables all words fit, and the mask "
    "changes nothing."
)


def first(size: int) -> tuple[str, ...]:
    """Return the option that trains on the first words only."""
    return (f"{DATA}.train_size={size}",)


def true_alignment() -> Factor:
    """Return the comparison of the estimate with the truth, on rendered words."""
    ctc, own = both_losses(MODEL)  # as the comparison of models has them
    given = dctc_template("given").format(ALPHA)
    return Factor(
        "alignment",
        "True alignment in place of z*: scene words",
        (
            Level(replace(ctc, title="CTC")),
            Level(replace(own, title=f"DCTC {ALPHA}, likelihood estimate"), ctc.key),
            Level(
                Arm(
                    f"dctc_given-{ALPHA}",
                    f"DCTC {ALPHA}, true alignment",
                    (*net(MODEL), given),
                ),
                ctc.key,
            ),
        ),
        (
            "Held-out words in fonts of the training. The true alignment is an oracle that real "
            "words do not have: a frame belongs to the character that covers its centre, else to "
            "the blank; a character that covers none has no frame in it.",
        ),
        scene=True,
    )
