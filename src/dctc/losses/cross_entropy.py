"""Cross-entropy character by character, for recognisers that read by attention."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from dctc.losses.base import CLASS, Range, check_option

BELOW_1 = Range(0.0, math.nextafter(1.0, 0.0), "a share of at least 0, below 1,")


class CharacterCrossEntropy(nn.Module):
    """L = -sum_k log p(y_k | y_1..y_k-1, x) over the characters of the label and its end.

    In nats per sample, as the CTC losses here: summed over characters, then the mean over samples.
    So the gradient of several processes is that of one, however long their labels are.

    Args:
        label_smoothing: Share of the target that is spread evenly over all classes (Szegedy et
            al., CVPR 2016), as in :class:`torch.nn.CrossEntropyLoss`.
        end: Class of the end of a label.

    Raises:
        ValueError: If the share is outside [0, 1).

    Example:
        >>> logits = torch.zeros(3, 1, 4)  # two characters and the end, 1 sample, 4 classes
        >>> round(CharacterCrossEntropy()(logits, torch.tensor([[1, 2]]), [2]).item(), 4)  # 3 log 4
        4.1589
    """

    def __init__(self, *, label_smoothing: float = 0.0, end: int = 0) -> None:
        super().__init__()
        check_option("label_smoothing", label_smoothing, BELOW_1)
        check_option("end", end, CLASS)
        self.label_smoothing = label_smoothing
        self.end = end

    def forward(self, logits: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
        """Return the loss, a scalar in nats per sample.

        Args:
            logits: ``(s + 1, n, c)``, position k for character k of the label, the one after the
                last character for its end; later ones are ignored.
            targets: ``(n, s)`` labels, padded with anything.
            target_lengths: ``(n,)`` label lengths. A sample whose label is longer than s, since the
                net cannot read that many characters, is 0 and stays in the mean.
        """
        positions, n, _ = logits.shape
        lengths = torch.as_tensor(target_lengths, device=logits.device)
        position = torch.arange(positions, device=logits.device)[:, None]  # (s + 1, 1)
        ends = torch.full((n, 1), self.end, device=logits.device)
        expected = torch.cat([targets.to(logits.device), ends], 1).T  # (s + 1, n)
        expected = expected.where(position < lengths, self.end)
        counts = (position <= lengths) & (lengths < positions)
        logits = logits.float().where(counts[..., None], 0.0)  # before: 0 times NaN is NaN
        per_character = nn.functional.cross_entropy(
            logits.flatten(0, 1),
            expected.flatten(),
            reduction="none",
            label_smoothing=self.label_smoothing,
        ).view(positions, n)
        return per_character.where(counts, 0.0).sum() / n

    def extra_repr(self) -> str:
        """Show the options in ``print(loss)``."""
        return f"label_smoothing={self.label_smoothing}, end={self.end}"
