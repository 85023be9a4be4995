"""A recogniser from an ONNX file: PP-OCR's as RapidOCR ships them, or any other with a CTC head."""

from __future__ import annotations

import json
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from dctc.models.onnx_graph import OnnxGraph, attributes, constants, graph_input
from dctc.models.recognizer import ImageFormat, check_images
from dctc.onnx_files import OnnxFile, onnx_characters, read_onnx
from dctc.text import Charset
from dctc.text.characters import shown
from dctc.text.tokenizer import BLANK

Policy = Literal["keep", "subset", "union", "new"]
POLICY = "charset_policy"  # the option of a net
# PP-OCR's images (PaddleOCR, rec_image_shape): what is padded is 0 in [-1, 1], here the level next
# to it, to a width of at least 320.
PPOCR = ImageFormat(height=48, width=320, keep_ratio=True, fill=128)
_PROBES = (128, 256, 192)  # widths
_LOOPS = ("Loop", "If", "Scan")


class OnnxRecognizer(nn.Module):
    """A CTC recogniser that was exported to ONNX, as a net that can be trained.

    What comes before the last linear layer is the encoder, and stays what the file computes; batch
    normalisation uses its stored statistics in training too. The last layer is a new one, whose
    rows are those of the file by character. A character that the file does not know starts as the
    mean of all that it knows.

    Images are RGB, as everywhere; a net that was trained on BGR, as PP-OCR's are, gets them so. The
    net fixes height, aspect ratio and padding of its images: :meth:`image_format_of`.

    Args:
        source: ``ppocr_v6_small`` or ``ppocr_v4_mobile``, of the installed packages (extra
            ``pretrained``), or the path of an ONNX file with ``character`` (PaddleOCR) or
            ``charset`` (``dctc export``) in its metadata.
        charset: Characters to read, see :meth:`dctc.text.Charset.load`; None is the file's own.
        charset_policy: What they may be: ``keep``, exactly the file's; ``subset``, some of the
            file's; ``union``, all of the file's and more; ``new``, any.

    Raises:
        ValueError: If the file is no CTC recogniser, has an operator that is not supported, or the
            charset is not what the policy allows.
        FileNotFoundError: If there is no such file or package.

    Attributes:
        charset_note: How many characters were kept, added and dropped.
        image_format: See :class:`ImageFormat`.
        reads_padding: Whether the frames of the padding count too, as in PaddleOCR; the end of a
            word may be read there.
        is_bgr: Whether the file wants BGR.
        time_first: Whether the file's output is ``(t, n, c)``, not ``(n, t, c)``.
        gives_probabilities: Whether its output has passed a softmax.
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
        wanted = own if charset is None else Charset.load(charset).characters
        self.charset_note = check_policy(source, own, wanted, charset_policy)
        self.source, self.num_classes = source, len(wanted) + 1
        self.image_format = self.image_format_of({"source": source})
        self.in_chans = self.image_format.channels
        valid = json.loads(file.metadata.get("valid_frames", "[]"))  # by width, of dctc export
        self.reads_padding = self.image_format.fill is not None and len({*valid}) < 2
        self.is_bgr = file.metadata.get("channel_order", "BGR") == "BGR"
        self.graph = OnnxGraph(file, last.features)
        self.head = new_head(last, own, wanted)
        self.gives_probabilities = last.softmax
        self.time_first, self.frame_stride, self._more_frames = self._probe(file)

    @staticmethod
    def image_format_of(options: Any) -> ImageFormat:
        """Return the format of the images of a net, from its arguments alone."""
        file = read_onnx(options["source"])
        said = file.metadata
        if "keep_ratio" in said and "height" in said:  # of dctc export
            keep = said["keep_ratio"] == "true"
            fill = int(said["fill"]) if said.get("fill", "").isdigit() else None
            size = int(said["height"]), int(said["width"])
            return ImageFormat(*size, keep, fill, int(said.get("channels", 3)))
        sizes = input_sizes(file)
        return PPOCR._replace(
            height=sizes[2] or PPOCR.height,
            width=sizes[3] or PPOCR.width,
            channels=sizes[1] or PPOCR.channels,
        )

    def forward(self, images: Tensor) -> Tensor:
        """Turn images ``(n, ch, h, w)`` in [-1, 1], RGB, into logits ``(t, n, c)``."""
        return self.head(self.features(images))

    def features(self, images: Tensor) -> Tensor:
        """Turn images ``(n, ch, h, w)`` into frame features ``(t, n, d)``."""
        check_images(images, self.in_chans, self.image_format.height, self.frame_stride)
        features = self._encode(images)
        return features if self.time_first else features.transpose(0, 1)

    def _encode(self, images: Tensor) -> Tensor:
        return self.graph(images.flip(1) if self.is_bgr else images)

    def frames(self, width: Any) -> Any:
        """Return the frames that cover ``width`` pixels (an int or an integer tensor)."""
        return (width + self.frame_stride - 1) // self.frame_stride + self._more_frames

    @torch.no_grad()
    def _probe(self, file: OnnxFile) -> tuple[bool, int, int]:
        """Return whether frames are the first axis, pixels per frame, and frames beyond these."""
        form = self.image_format
        fixed = input_sizes(file)[3]
        widths: tuple[int, ...] = (fixed,) if fixed else _PROBES
        shapes = [
            self._encode(torch.zeros(2, form.channels, form.height, width)).shape
            for width in widths
        ]
        axis = next((k for k in (0, 1) if all(len(s) == 3 and s[k] == 2 for s in shapes)), None)
        if axis is None or shapes[0][2] != self.head.in_features:
            raise ValueError(
                f"{file.path}: features before its last layer have shape {tuple(shapes[0])}; "
                f"(n, t, d) or (t, n, d) is expected of a CTC recogniser"
            )
        frames = [shape[1 - axis] for shape in shapes]
        wide, grown = widths[0], frames[0]
        if not fixed:
            wide, grown = widths[1] - widths[0], frames[1] - frames[0]
        stride = round(wide / grown) if grown > 0 else 0
        more = frames[0] - widths[0] // stride if stride else 0
        if not stride or any(
            width // stride + more != t for width, t in zip(widths, frames, strict=True)
        ):
            raise ValueError(
                f"{file.path}: images {widths} wide give {frames} frames, not one for every so "
                f"many pixels"
            )
        return axis == 1, stride, more


def input_sizes(file: OnnxFile) -> list[int]:
    """Return the sizes of the images ``(n, ch, h, w)`` of a graph, 0 for one that is free.

    Raises:
        ValueError: If its input is no image.
    """
    name = graph_input(file)
    (value,) = (v for v in file.model.graph.input if v.name == name)
    sizes = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    if len(sizes) != 4 or sizes[1] not in (0, 1, 3):
        raise ValueError(
            f"{file.path}: its input {name} has shape {sizes}; images (n, ch, h, w) are expected"
        )
    return sizes


class Head(NamedTuple):
    """The last layer of a CTC recogniser in an ONNX graph.

    Attributes:
        features: Name of its input.
        weight: ``(c, d)``.
        bias: ``(c,)``.
        names: Names of weight and bias in the file.
        transposed: Whether the file has the weight as ``(d, c)``.
        softmax: Whether a softmax follows.
    """

    features: str
    weight: Tensor
    bias: Tensor
    names: tuple[str, str]
    transposed: bool
    softmax: bool


def find_head(file: OnnxFile) -> Head:
    """Find the linear layer that scores the classes: the last product, and what is added to it.

    Raises:
        ValueError: If a graph ends otherwise, as one for detection does, or reads step by step.
    """
    graph = file.model.graph
    steps = {name: node for node in graph.node for name in node.output}
    stored = constants(file)
    if loop := next((node for node in graph.node if node.op_type in _LOOPS), None):
        raise ValueError(
            f"{file.path}: node {loop.name!r} is a {loop.op_type}, so it reads step by step, by "
            f"attention; a CTC recogniser is expected"
        )

    def before(name: str, *passed: str) -> Any:
        node = steps.get(name)
        while node is not None and node.op_type in passed:
            node = steps.get(node.input[0])
        return node

    end = before(graph.output[0].name, "Identity")
    softmax = end is not None and end.op_type == "Softmax"
    last = before(end.input[0], "Identity") if softmax else end
    if last is not None and last.op_type == "Gemm" and len(last.input) == 3:
        product, bias = last, last.input[2]
        transposed = not attributes(last, file).get("transB", 0)
    elif last is not None and last.op_type == "Add":
        bias = next((name for name in last.input if name in stored), "")
        product = before(next((n for n in last.input if n != bias), ""), "Identity")
        transposed = True
    else:
        product, bias, transposed = None, "", True
    weight = product.input[1] if product is not None and len(product.input) > 1 else ""
    if (
        product is None
        or product.op_type not in ("MatMul", "Gemm")
        or weight not in stored
        or stored[weight].ndim != 2
        or bias not in stored
    ):
        ends = last.op_type if last is not None else "nothing"
        raise ValueError(
            f"{file.path}: it ends with {ends}, not with a linear layer over characters; it may be "
            f"a detector or a classifier; a CTC recogniser is expected"
        )
    rows = stored[weight].T if transposed else stored[weight]
    bias_row = stored[bias].flatten()
    return Head(product.input[0], rows, bias_row, (weight, bias), transposed, softmax)


def check_policy(source: str, own: str, wanted: str, policy: Policy, option: str = POLICY) -> str:
    """Check that the characters asked for are what a policy allows.

    Args:
        source: Begins the error.
        own: Characters of the file.
        wanted: Characters asked for.
        policy: See :class:`OnnxRecognizer`.
        option: What sets the policy.

    Returns:
        A line that says how many are kept, added and dropped.

    Raises:
        ValueError: If they are not; it names characters and the policy that would take them.
    """
    known, asked = set(own), set(wanted)
    added, dropped = [c for c in wanted if c not in known], [c for c in own if c not in asked]
    allowed = {
        "keep": wanted == own,
        "subset": not added,
        "union": not dropped,
        "new": True,
    }
    if policy not in allowed:
        raise ValueError(f"{option} {policy!r}: it is one of {', '.join(allowed)}")
    if not allowed[policy]:
        more = "+FILE, which adds to its own" if policy == "union" else ""
        named = f", or give the charset {source}{more}" if option == POLICY else ""
        fits = next(name for name in ("subset", "union", "new") if allowed[name])
        differ = " and ".join(
            f"{what} {len(characters):,} of its {len(own):,} characters"
            if what == "lacks"
            else f"has {len(characters):,} that it does not know ({shown(characters[:5])})"
            for what, characters in (("lacks", dropped), ("has", added))
            if characters
        )
        raise ValueError(
            f"{source}: {option} {policy} does not allow this charset, which "
            f"{differ or 'has another order'}; {option} {fits} does{named}"
        )
    return (
        f"{source}: {len(wanted) - len(added):,} of {len(own):,} characters kept, "
        f"{len(added):,} added, {len(dropped):,} dropped"
    )


@torch.no_grad()
def new_head(old: Head | nn.Linear, own: str, wanted: str) -> nn.Linear:
    """Return a linear layer over other characters, with the rows of those that are known.

    Args:
        old: The layer over ``own``, with the blank as its first row.
        own: Characters of the old layer.
        wanted: Characters of the new one; one that is not known starts as the mean of the others'
            rows (ours).
    """
    assert old.bias is not None
    weight, bias = old.weight.detach(), old.bias.detach()
    at = {c: k for k, c in enumerate(own, BLANK + 1)}
    mean = len(weight)
    weight = torch.cat([weight, weight[BLANK + 1 :].mean(0, keepdim=True)])
    bias = torch.cat([bias, bias[BLANK + 1 :].mean(0, keepdim=True)])
    rows = torch.tensor([BLANK, *(at.get(c, mean) for c in wanted)])
    head = nn.Linear(weight.shape[1], len(rows))
    head.weight.copy_(weight[rows])
    head.bias.copy_(bias[rows])
    return head
