"""A text recogniser on a timm backbone."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from dctc.models.recognizer import check_images
from dctc.models.timm_encoder import FRAME_STRIDE, SMALL_RESNET, create_encoder, probe


class TimmRecognizer(nn.Module):
    """A timm encoder, the mean over height, an optional BiLSTM neck and a linear CTC head.

    Args:
        num_classes: Classes including the blank.
        encoder: A timm model name, or ``small_resnet`` (0.6 M parameters).
        pretrained: Load timm's ImageNet weights into the encoder.
        in_chans: Channels of the images, 3 or 1.
        neck_size: Hidden units per direction of the BiLSTM; 0 for none.
        neck_layers: Layers of the BiLSTM.
        encoder_options: Further arguments of :func:`timm.create_model`.

    Raises:
        ValueError: If the encoder cannot give t = w/4 frames, or an image does not fit it.

    Example:
        >>> import torch
        >>> net = TimmRecognizer(num_classes=37)
        >>> net(torch.zeros(2, 3, 32, 128)).shape
        torch.Size([32, 2, 37])
    """

    def __init__(
        self,
        num_classes: int,
        encoder: str = SMALL_RESNET,
        pretrained: bool = False,
        in_chans: int = 3,
        neck_size: int = 0,
        neck_layers: int = 1,
        encoder_options: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.in_chans = in_chans
        self.encoder = create_encoder(encoder, in_chans, pretrained, encoder_options or {})
        size = probe(self.encoder, in_chans).shape[1]
        self.neck = nn.LSTM(size, neck_size, neck_layers, bidirectional=True) if neck_size else None
        self.head = nn.Linear(2 * neck_size if neck_size else size, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Turn images ``(n, ch, h, w)`` in [-1, 1] into logits ``(t, n, c)``."""
        return self.head(self.features(images))

    def features(self, images: Tensor) -> Tensor:
        """Turn images ``(n, ch, h, w)`` into frame features ``(t, n, d)``, t = w/4."""
        check_images(images, self.in_chans, width_multiple=FRAME_STRIDE)
        feature_map = self.encoder(images)  # (n, d, h', t)
        features = feature_map.mean(2).permute(2, 0, 1)  # (t, n, d)
        return features if self.neck is None else self.neck(features)[0]

    def frames(self, width: Any) -> Any:
        """Return the frames that cover ``width`` pixels (an int or an integer tensor)."""
        return (width + FRAME_STRIDE - 1) // FRAME_STRIDE
