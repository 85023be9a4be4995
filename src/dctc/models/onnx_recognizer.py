"""A recogniser from an ONNX file: PP-OCR's as RapidOCR ships them, or any other with a CTC head."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any

import torch
from torch import Tensor, nn

from dctc.models.onnx_graph import OnnxGraph, graph_input
from dctc.models.onnx_head import Head, Policy, check_policy, find_head, new_head
from dctc.models.recognizer import ImageFormat, check_images
from dctc.onnx_files import OnnxFile, onnx_characters, read_onnx
from dctc.text import Charset
from dctc.text.characters import shown
from dctc.text.tokenizer import BLANK

# PP-OCR's images (PaddleOCR, rec_image_shape), padded to a width of at least 320. The padding is 0
# in [-1, 1] there; 128 is the next level.
PPOCR = ImageFormat(height=48, width=320, keep_ratio=True, fill=128)
_PROBES = (128, 256, 192)  # widths


class OnnxRecognizer(nn.Module):
    """A CTC recogniser that was exported to ONNX, as a net that can be trained.

    What comes before the last linear layer is the encoder, and stays what the file computes; batch
    normalisation uses its stored statistics in training too. The last layer is a new one, whose
    rows are those of the file by character. A character that the file does not know starts as the
    mean of all that it knows.

    Images are RGB, as everywhere; a net that was trained on BGR, as PP-OCR's are, gets them so. A
    file that does not say otherwise is taken for one of PaddleOCR: BGR in [-1, 1], padded on the
    right, the blank first. Where ``blank`` in its metadata is the last class, as Keras has it, the
    file's order of classes stays when the net is exported. The net fixes height, aspect ratio and
    padding of its images, see :meth:`image_format_of`.

    Args:
        source: ``ppocr_v6_small`` or ``ppocr_v4_mobile``, of the installed packages (extra
            ``pretrained``), or the path of an ONNX file with ``character`` (PaddleOCR) or
            ``charset`` (``dctc export``) in its metadata.
        charset: Characters to read, see :meth:`dctc.text.Charset.load`; None is the file's own.
        charset_policy: What they may be: ``keep``, exactly the file's; ``subset``, some of the
            file's; ``union``, all of the file's and more; ``new``, any.

    Raises:
        ValueError: If the file is no CTC recogniser, has an operator that is not supported, or the
            charset is not what the policy allows. If its blank seems to be last, since that is what
            it reads on an empty image, and its metadata does not say so.
        FileNotFoundError: If there is no such file or package.

    Attributes:
        charset_note: How many characters were kept, added and dropped.
        image_format: See :class:`ImageFormat`.
        reads_padding: Whether the frames of the padding count too, as in PaddleOCR; the end of a
            word may be read there.
        any_width: Whether it reads lines of any width: not if the width is fixed, or if the file is
            an export of a net of this library that was trained at one width.
        is_bgr: Whether the file wants BGR.
        blank_last: Whether the blank is the file's last class; it is the net's first in any case.
        time_first: Whether the file's output is ``(t, n, c)``, not ``(n, t, c)``.
        activation: ``Softmax`` or ``LogSoftmax`` if the file's output has passed one, else empty.
    """

    def __init__(
        self, source: str, charset: str | None = None, charset_policy: Policy = "keep"
    ) -> None:
        super().__init__()
        file = read_onnx(source)
        last = find_head(file)
        own = onnx_characters(file)
        if len(own) + 1 != len(last.bias):
            raise ValueError(
                f"{file.path}: {len(last.bias):,} classes, but the metadata names {len(own):,} "
                f"characters and the blank"
            )
        first, final = str(BLANK), str(len(own))
        blank = file.metadata.get("blank", first)
        if blank not in (first, final):
            raise ValueError(
                f"{file.path}: its metadata says blank {blank}; the first class, {first}, or the "
                f"last, {final}, is expected"
            )
        self.blank_last = blank == final
        if doubled := [c for c, count in Counter(own).items() if count > 1]:
            raise ValueError(f"{file.path}: its metadata names {shown(doubled)} more than once")
        wanted = own if charset is None else Charset.load(charset).characters
        self.charset_note = check_policy(source, own, wanted, charset_policy)
        self.source, self.num_classes = source, len(wanted) + 1
        self.image_format = self.image_format_of({"source": source})
        self.in_chans = self.image_format.channels
        trained = file.metadata.get("any_width", "true") == "true"  # of dctc export
        self.any_width = trained and not self.image_format.fixed_width
        valid = json.loads(file.metadata.get("valid_frames", "[]"))  # by width, of dctc export
        self.reads_padding = self.image_format.fill is not None and len({*valid}) < 2
        self.is_bgr = file.metadata.get("channel_order", "BGR") == "BGR"
        self.graph = OnnxGraph(file, last.features)
        moved = int(self.blank_last)
        self.head = new_head(last.weight.roll(moved, 0), last.bias.roll(moved, 0), own, wanted)
        self.activation = last.activation
        features_first, self.frame_stride, self._more_frames = self._probe(file, last)
        self._features_first, self.time_first = features_first, features_first != last.swapped

    @staticmethod
    def image_format_of(options: Any) -> ImageFormat:
        """Return the format of the images of a net, from its arguments alone."""
        file = read_onnx(options["source"])
        said, sizes = file.metadata, input_sizes(file)
        if "keep_ratio" in said and "height" in said:  # of dctc export
            keep = said["keep_ratio"] == "true"
            fill = int(said["fill"]) if said.get("fill", "").isdigit() else None
            size = int(said["height"]), int(said["width"])
            channels = int(said.get("channels", 3))
            return ImageFormat(*size, keep, fill, channels, sizes[3] == int(said["width"]))
        return PPOCR._replace(
            height=sizes[2] or PPOCR.height,
            width=sizes[3] or PPOCR.width,
            channels=sizes[1] or PPOCR.channels,
            fixed_width=sizes[3] > 0,
        )

    def forward(self, images: Tensor) -> Tensor:
        """Turn images ``(n, ch, h, w)`` in [-1, 1], RGB, into logits ``(t, n, c)``."""
        return self.head(self.features(images))

    def features(self, images: Tensor) -> Tensor:
        """Turn images ``(n, ch, h, w)`` into frame features ``(t, n, d)``."""
        form = self.image_format
        only = form.width if form.fixed_width else None
        check_images(images, self.in_chans, form.height, self.frame_stride, only)
        features = self._encode(images)
        return features if self._features_first else features.transpose(0, 1)

    def _encode(self, images: Tensor) -> Tensor:
        return self.graph(images.flip(1) if self.is_bgr else images)

    def frames(self, width: Any) -> Any:
        """Return the frames that cover ``width`` pixels (an int or an integer tensor)."""
        return (width + self.frame_stride - 1) // self.frame_stride + self._more_frames

    @torch.no_grad()
    def _probe(self, file: OnnxFile, last: Head) -> tuple[bool, int, int]:
        """Return whether frames are the first axis, pixels per frame, and frames beyond these.

        Check on the way that the blank is where it is thought to be: of an empty image a CTC net
        reads little else.
        """
        form = self.image_format
        widths: tuple[int, ...] = (form.width,) if form.fixed_width else _PROBES
        empty = [torch.zeros(2, form.channels, form.height, width) for width in widths]
        features = [self._encode(images) for images in empty]
        shapes = [x.shape for x in features]
        axis = next((k for k in (0, 1) if all(len(s) == 3 and s[k] == 2 for s in shapes)), None)
        if axis is None or shapes[0][2] != self.head.in_features:
            raise ValueError(
                f"{file.path}: features before its last layer have shape {tuple(shapes[0])}; "
                f"(n, t, d) or (t, n, d) is expected of a CTC recogniser"
            )
        read = (features[0] @ last.weight.T + last.bias).argmax(2).flatten().mode().values
        final = len(last.bias) - 1
        if "blank" not in file.metadata and read == final > 0:
            raise ValueError(
                f"{file.path}: on an empty image it reads its last class, which the blank seems to "
                f"be, as in Keras; say so in the file, or blank 0 if the first is: "
                f"m = onnx.load(f); onnx.helper.set_model_props(m, {{p.key: p.value for p in "
                f"m.metadata_props}} | {{'blank': '{final}'}}); onnx.save(m, f)"
            )
        frames = [shape[1 - axis] for shape in shapes]
        if form.fixed_width:  # how many frames lie beyond the image is not known
            whole = form.width % frames[0] == 0
            power = 2 ** max(round(math.log2(form.width / frames[0])), 0)  # as strides mostly are
            stride = form.width // frames[0] if whole else power
        else:
            grown = frames[1] - frames[0]
            stride = (widths[1] - widths[0]) // grown if grown > 0 else 0
        more = frames[0] - -(-widths[0] // stride) if stride else 0
        if not stride or any(
            -(-width // stride) + more != t for width, t in zip(widths, frames, strict=True)
        ):
            raise ValueError(
                f"{file.path}: images {', '.join(map(str, widths))} pixels wide give "
                f"{', '.join(map(str, frames))} frames, not one for every so many pixels"
            )
        return axis == 1, stride, more


def input_sizes(file: OnnxFile) -> list[int]:
    """Return the sizes of the images ``(n, ch, h, w)`` of a graph, 0 for one that is free.

    Raises:
        ValueError: If its input is no image.
    """
    name = graph_input(file)
    (value,) = (v for v in file.model.graph.input if v.name == name)
    sizes = [max(dim.dim_value, 0) for dim in value.type.tensor_type.shape.dim]
    if len(sizes) != 4 or sizes[1] not in (0, 1, 3):
        raise ValueError(
            f"{file.path}: its input {name} has shape {sizes}; images (n, ch, h, w) are expected"
        )
    if sizes[0] > 0:
        raise ValueError(
            f"{file.path}: its batch is fixed at {sizes[0]}; export it with a batch of any size"
        )
    return sizes
