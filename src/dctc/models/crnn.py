"""CRNN: seven convolutions and two BiLSTMs (Shi, Bai and Yao, TPAMI 2017, arXiv 1507.05717)."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from torch import Tensor, nn

from dctc.models.recognizer import check_images

CHANNELS = (64, 128, 256, 256, 512, 512, 512)  # Table 1, and the DCTC authors' code
HIDDEN = 256  # units of a BiLSTM per direction; same sources
HEIGHT = 32
STRIDE = 4  # the first two poolings; the others keep the width


class _Variant(NamedTuple):
    """What differs between the CRNNs. Convolutions are numbered from 1."""

    normalized: tuple[int, ...]  # convolutions with batch normalisation
    early_stride: tuple[int, int]  # of the 2x2 poolings after convolutions 1 and 2
    early_padding: tuple[int, int]
    last_kernel: int  # of convolution 7
    last_padding: int
    more_frames: int  # beyond w/4
    init_std: float | None  # of the convolutions' weights; None leaves torch's own
    channels: tuple[int, ...] = CHANNELS
    hidden: int = HIDDEN


VARIANTS = {
    # Table 1 of the CRNN paper, which says nothing on initialisation. Its authors' own code
    # normalises convolutions 3, 5 and 7 instead.
    "original": _Variant((5, 6), (2, 2), (0, 0), 2, 0, 1, None),
    # The DCTC authors' code: the rows are averaged, where the original has one left.
    "chinese": _Variant((3, 5, 7), (1, 2), (1, 0), 3, 1, 2, 0.02),
    # Ours, for a CPU; normalised where the CRNN authors' own code is.
    "micro": _Variant(
        (3, 5, 7), (2, 2), (0, 0), 2, 0, 1, None, (16, 32, 64, 64, 96, 96, 96), hidden=48
    ),
}


class CRNN(nn.Module):
    """Seven convolutions, two BiLSTMs with a linear map between them, and a linear CTC head.

    Args:
        num_classes: Classes including the blank.
        variant: ``original``, of the CRNN paper: t = w/4 + 1, 8.3 M parameters at 37 classes.
            ``chinese``, of the DCTC authors' Chinese experiment: t = w/4 + 2, 13.695 M at 7,935.
            ``micro``, ours, the original with less of everything: 0.34 M at 37.
        in_chans: Channels of the images: 1, as in the CRNN paper, or 3, as in the DCTC authors'
            code.

    Raises:
        ValueError: If there is no such variant, or images are not 32 high or not a multiple of 4
            wide.

    Example:
        >>> import torch
        >>> net = CRNN(num_classes=37, in_chans=1)
        >>> net(torch.zeros(2, 1, 32, 100)).shape
        torch.Size([26, 2, 37])
    """

    def __init__(
        self,
        num_classes: int,
        variant: Literal["original", "chinese", "micro"] = "original",
        in_chans: int = 3,
    ) -> None:
        super().__init__()
        if variant not in VARIANTS:
            raise ValueError(f"variant {variant!r}: it is one of {', '.join(VARIANTS)}")
        self.num_classes = num_classes
        self.in_chans = in_chans
        self._layers = VARIANTS[variant]
        hidden = self._layers.hidden
        self.encoder = _convolutions(self._layers, in_chans)
        self.lower = nn.LSTM(self._layers.channels[-1], hidden, bidirectional=True)
        self.between = nn.Linear(2 * hidden, hidden)
        self.upper = nn.LSTM(hidden, hidden, bidirectional=True)
        self.head = nn.Linear(2 * hidden, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Turn images ``(n, ch, 32, w)`` in [-1, 1] into logits ``(t, n, c)``."""
        return self.head(self.features(images))

    def features(self, images: Tensor) -> Tensor:
        """Turn images ``(n, ch, 32, w)`` into frame features ``(t, n, d)``, d = 512 or 96."""
        check_images(images, self.in_chans, HEIGHT, STRIDE)
        feature_map = self.encoder(images)  # (n, 512 or 96, 1 or 8, t)
        columns = feature_map.mean(2).permute(2, 0, 1)  # (t, n, 512 or 96)
        return self.upper(self.between(self.lower(columns)[0]))[0]

    def frames(self, width: Any) -> Any:
        """Return the frames that cover ``width`` pixels (an int or an integer tensor)."""
        return (width + STRIDE - 1) // STRIDE + self._layers.more_frames


def _convolutions(variant: _Variant, in_chans: int) -> nn.Sequential:
    early = nn.MaxPool2d(2, variant.early_stride, variant.early_padding)
    late = nn.MaxPool2d(2, (2, 1), (0, 1))
    pools = {1: early, 2: early, 4: late, 6: late}
    layers: list[nn.Module] = []
    for number, (inputs, outputs) in enumerate(
        zip((in_chans, *variant.channels[:-1]), variant.channels, strict=True), start=1
    ):
        last = number == len(variant.channels)
        kernel, padding = (variant.last_kernel, variant.last_padding) if last else (3, 1)
        convolution = nn.Conv2d(inputs, outputs, kernel, padding=padding)
        if variant.init_std is not None:
            nn.init.normal_(convolution.weight, std=variant.init_std)
        layers.append(convolution)
        if number in variant.normalized:
            layers.append(nn.BatchNorm2d(outputs))
        layers.append(nn.ReLU(inplace=True))
        if number in pools:
            layers.append(pools[number])
    return nn.Sequential(*layers)
