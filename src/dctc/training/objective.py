"""Training loss and decoding of a batch, for CTC nets and for nets that read by attention.

An objective maps a batch to ``outputs`` of the net, and these to the ``loss`` and to what it has
``read``. It is stateless: net, loss and tokenizer are those of the module, where callbacks may
exchange them. ``unfit`` names its count of labels that the net cannot emit, ``train/<unfit>``, and
``explain`` says why it cannot.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from dctc.ctc import LinearLogits, frames_needed
from dctc.data.records.batch import Batch
from dctc.losses.base import SequenceLoss
from dctc.losses.cross_entropy import CharacterCrossEntropy
from dctc.metrics.alignment import true_alignment
from dctc.results.predictions import Outcome
from dctc.text import CTCTokenizer, Reading, greedy_decode
from dctc.text.decode import read_until_end
from dctc.text.protocol import Protocol as TextProtocol
from dctc.training.needs import check_needs, checked_value, needs


class Parts(Protocol):
    """What an objective works with, such as a RecognizerModule.

    Attributes:
        net: Scores images.
        loss: Is called as its kind of net demands.
        tokenizer: Maps characters to classes.
        teacher: Scores images for a loss that needs a teacher; else None.
        training: Whether the loss is one to train with.
        objective: The objective of net and loss, see :func:`objective_of`.
    """

    net: Any
    loss: Any
    tokenizer: CTCTokenizer
    teacher: Any
    training: bool
    objective: CTCObjective | AttentionObjective


class Loss(NamedTuple):
    """The loss of a batch.

    Attributes:
        value: As the module's loss reduces it.
        unfit: Samples whose label the net cannot emit, whatever its weights.
    """

    value: Tensor
    unfit: int


class CTCObjective:
    """For nets that score each frame; see :class:`dctc.models.Recognizer`.

    The net runs over padded images. Only frames before the limit ``net.frames(batch.width)`` count:
    for the loss, for whether a label fits, and for the reading. For frames of w/t pixels that is
    the authors' ceil(t * valid_ratio); an image narrower than a frame has one.

    What a loss ``needs`` (see :mod:`dctc.losses`) is made here. The net runs over both views at
    once, so that batch statistics are those of both.

    In training on a large charset the loss computes the last layer, see :func:`fuses_head`.
    """

    unfit = "infeasible"

    def outputs(self, parts: Parts, batch: Batch) -> Tensor:
        """Return the logits ``(t, n, c)``; the features they are made of if the loss needs them.

        Where the batch has two views, those of the second follow those of the first: 2 n in all.
        """
        images = batch.image if batch.second is None else torch.cat([batch.image, batch.second])
        return parts.net.features(images) if self._splits(parts) else parts.net(images)

    def _splits(self, parts: Parts) -> bool:
        """Tell whether outputs are features."""
        return "features" in needs(parts.loss) or (parts.training and fuses_head(parts))

    def _logits(self, parts: Parts, outputs: Tensor) -> Tensor:
        logits: Tensor = parts.net.head(outputs) if self._splits(parts) else outputs
        return logits

    def loss(self, parts: Parts, batch: Batch, outputs: Tensor) -> Loss:
        """Call the module's loss as :class:`torch.nn.CTCLoss` is called."""
        targets, lengths = parts.tokenizer.encode(batch.label)
        frames = frame_limits(parts.net, batch).cpu()
        extras: dict[str, Any] = {}
        logits: Any
        if parts.training and fuses_head(parts):
            logits = LinearLogits.of(outputs, parts.net.head.weight, parts.net.head.bias)
        else:
            logits = self._logits(parts, outputs)
        if isinstance(parts.loss, nn.CTCLoss):  # torch's own wants log probabilities
            logits = logits.float().log_softmax(2)
        if batch.second is not None:
            logits, extras["second"] = logits.chunk(2, 1)
        if "features" in needs(parts.loss):
            extras["features"] = outputs
        if "teacher" in needs(parts.loss) and parts.training:
            extras["teacher"] = parts.teacher(batch.image)
        if "alignment" in needs(parts.loss) and batch.extents is not None:
            t, width, blank = len(outputs), batch.image.shape[3], parts.loss.blank
            classes = targets.to(batch.extents.device), lengths.to(batch.extents.device)
            extras["alignment"] = true_alignment(batch.extents, *classes, t, width, blank)
        value = checked_value(parts.loss, parts.loss(logits, targets, frames, lengths, **extras))
        unfit = int((frames_needed(targets, lengths) > frames).sum()) if targets.numel() else 0
        return Loss(value, unfit)

    def read(self, parts: Parts, batch: Batch, outputs: Tensor) -> list[Reading]:
        """Take the best path of the valid frames."""
        return greedy_decode(self._logits(parts, outputs), frame_limits(parts.net, batch))

    def explain(self, parts: Parts) -> str:
        """Return the end of the warning about labels that need more frames."""
        infinite = isinstance(parts.loss, nn.CTCLoss) and not parts.loss.zero_infinity
        effect = "make it infinite: set zero_infinity" if infinite else "add nothing to it"
        if not isinstance(parts.loss, (nn.CTCLoss, SequenceLoss)):
            effect = f"count as {type(parts.loss).__name__} has it"
        if not getattr(parts.loss, "mask_infeasible", True):
            effect = "train each frame of theirs to blank"
        return (
            f"need more frames than their images give, and are logged as train/{self.unfit}; in "
            f"the loss they {effect}"
        )


@runtime_checkable
class AttentionNet(Protocol):
    """A net that reads by attention; see :class:`dctc.models.AttentionRecognizer`."""

    max_length: int

    def teach(self, features: Tensor, targets: Tensor, frames: Tensor | None) -> Tensor:
        """Score the characters of labels."""

    def decode(self, features: Tensor, frames: Tensor | None) -> Tensor:
        """Score the characters of a reading."""


class AttentionObjective:
    """For nets that read character by character; see :class:`dctc.models.AttentionRecognizer`."""

    unfit = "too_long"

    def outputs(self, parts: Parts, batch: Batch) -> Tensor:
        """Return the frame features ``(t, n, d)``."""
        return parts.net.features(batch.image)

    def loss(self, parts: Parts, batch: Batch, outputs: Tensor) -> Loss:
        """Call the module's loss as :class:`CharacterCrossEntropy` is called."""
        targets, lengths = parts.tokenizer.encode(batch.label)
        targets = targets[:, : parts.net.max_length].to(outputs.device)
        logits = parts.net.teach(outputs, targets, frame_limits(parts.net, batch))
        unfit = int((lengths > parts.net.max_length).sum())
        return Loss(parts.loss(logits, targets, lengths), unfit)

    def read(self, parts: Parts, batch: Batch, outputs: Tensor) -> list[Reading]:
        """Take the characters before the end, at most as many as the net can read."""
        logits = parts.net.decode(outputs, frame_limits(parts.net, batch))
        return read_until_end(logits, parts.net.max_length)

    def explain(self, parts: Parts) -> str:
        """Return the end of the warning about labels that are too long."""
        return (
            f"are longer than the {parts.net.max_length} characters that the net can read, and "
            f"are logged as train/{self.unfit}; in the loss they add nothing to it"
        )


# Classes from which on the loss computes the last layer, ours. Layer and DCTC of n 16, t 40, d 120,
# on one CPU core (steps of dctc.bench.loss), relative to logits that are held: at 2,001 classes as
# much memory and 1.2 times as long, at 8,192 0.65 of the memory and 1.2 times as long, at 18,710
# 0.45 and 1.05; there n 64 and t 80 take 0.06 of the memory. The charsets of the paper, of 7,935
# classes at most, stay below, so that its runs are what they were.
FUSED_CLASSES = 8192


def fuses_head(parts: Any) -> bool:
    """Tell whether the loss of a training step computes the last layer too.

    The logits and their gradient, both ``(t, n, c)``, are then never held as a whole; see
    :class:`dctc.ctc.LinearLogits`. This takes at least :data:`FUSED_CLASSES` classes, a net with
    features and a plain linear ``head`` that is not compiled as a whole, and a loss that is
    ``fused``, which classes derived from CTCLoss and DCTCLoss are not.

    Args:
        parts: A module with net and loss.
    """
    net, loss = parts.net, parts.loss
    return (
        getattr(loss, "fused", False)
        and getattr(net, "num_classes", 0) >= FUSED_CLASSES
        and hasattr(net, "features")
        and type(getattr(net, "head", None)) is nn.Linear
        and getattr(net, "_compiled_call_impl", None) is None
    )


def head_note(parts: Any) -> str:
    """Return a line that says that the loss computes the last layer in training, or nothing."""
    if not fuses_head(parts):
        return ""
    return (
        f"{parts.net.num_classes:,} classes: in training the loss computes the last layer too, "
        f"some frames at a time"
    )


def frame_limits(net: Any, batch: Batch) -> Tensor:
    """Return the valid frames of each image, ``(n,)``, at least one.

    A net that was trained on padded images without limits reads the frames of the padding too.
    """
    width = batch.width
    if getattr(net, "reads_padding", False):
        width = torch.full_like(width, batch.image.shape[3])
    return net.frames(width).clamp(min=1)


def read_batch(parts: Parts, protocol: TextProtocol, batch: Batch, outputs: Any) -> list[Outcome]:
    """Decode a batch from its objective's outputs, and pair readings with labels.

    Args:
        parts: The net, and what belongs to it.
        protocol: Applied to readings and labels.
        batch: The images.
        outputs: As the objective returns them.
    """
    readings = parts.objective.read(parts, batch, outputs)
    return [
        Outcome(
            key,
            protocol(label),
            protocol(parts.tokenizer.decode(r.classes)),
            r.confidence,
            r.certainty,
        )
        for key, label, r in zip(batch.key, batch.label, readings, strict=True)
    ]


def objective_of(net: nn.Module, loss: nn.Module) -> CTCObjective | AttentionObjective:
    """Choose the objective of a net, and refuse a loss that does not go with it.

    A loss with a ``blank`` is one for CTC.

    Raises:
        ValueError: If net and loss do not go together, or the loss needs an input that is not
            available.
    """
    net_name, loss_name = type(net).__name__, type(loss).__name__
    check_needs(loss)
    if isinstance(net, AttentionNet):
        if hasattr(loss, "blank"):
            raise ValueError(
                f"net {net_name} reads by attention and loss {loss_name} is one for CTC; give the "
                f"net dctc.losses.cross_entropy.CharacterCrossEntropy"
            )
        if getattr(loss, "end", 0) != 0:  # see read_until_end
            raise ValueError(f"loss {loss_name}: end {loss.end}: net {net_name} ends with class 0")
        return AttentionObjective()
    if isinstance(loss, CharacterCrossEntropy):
        raise ValueError(
            f"net {net_name} emits frames and loss {loss_name} is one for nets that read by "
            f"attention; give the net a loss for CTC, such as dctc.losses.CTCLoss"
        )
    if "features" in needs(loss) and not hasattr(net, "head"):
        raise ValueError(
            f"loss {loss_name} needs the features of frames, and net {net_name} has none apart "
            f"from its logits; give it a net with features and a head, see dctc.models.Recognizer"
        )
    return CTCObjective()
