"""Folders of weights: what is needed to read with a net, without the run that it comes from.

Such a folder has ``model.safetensors``, ``config.yaml`` (net, tokenizer, protocol and size of
images), ``charset.txt`` unless the charset has a name, and a model card, ``README.md``. Where a
charset begins with that of a pretrained net, the file has what follows. Everything that takes the
folder of a run takes it too, and so does the Hugging Face Hub.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
import yaml
from safetensors.torch import save
from torch import Tensor

import dctc
from dctc.files import write_whole
from dctc.onnx_files import PRETRAINED
from dctc.runs.folder import CHARSET, WEIGHTS
from dctc.runs.net import Loaded, load_net
from dctc.text import Charset, normal_form
from dctc.text.charset import charset_parts
from dctc.training.objective import AttentionNet

Precision = Literal["float16", "float32"]
CARD = "README.md"
FILES = [WEIGHTS, "config.yaml", CHARSET, CARD]
IMAGES = 8  # of noise, on which a folder is compared with the net


def save_weights(
    loaded: Loaded, folder: Path, precision: Precision = "float16", card: str | None = None
) -> float:
    """Write a net into a folder of weights, and read it back.

    Half precision holds what lies within its range; a tensor that does not stays as it is. Nets
    compute in float32 in any case.

    Args:
        loaded: The net.
        folder: Is created.
        precision: Of the weights in the file.
        card: The model card; None is one of the net alone.

    Returns:
        The largest difference of a logit from the net's own, on images of noise.

    Raises:
        ValueError: If the net is that of an ONNX file, which these files would lack.
        OSError: If a file cannot be written.
    """
    charset, net = loaded.tokenizer.charset, loaded.settings["net"]
    tokens = loaded.settings["tokenizer"]
    source = net["init_args"].get("source")  # of an ONNX file
    if source is not None and source not in PRETRAINED:
        raise ValueError(f"{source}: these weights are of no use without this file; export to onnx")
    folder.mkdir(parents=True, exist_ok=True)
    named, more = charset.name, "" if charset.name else charset.characters
    begin = [source] if source else []
    if any(normal_form(c) != c for c in more):  # a file would compose it
        parts = charset_parts(tokens["init_args"]["charset"])
        begin += [part for part in parts if part in PRETRAINED]
    for one in begin:
        if more.startswith(own := Charset.load(one).characters):
            named, more = one, more.removeprefix(own)
            break
    if more:
        write_whole(folder / CHARSET, "\n".join(more).encode())
    follow = ("num_classes", "charset")  # from the tokenizer
    options = {k: v for k, v in net["init_args"].items() if k not in follow}
    settings = {
        "net": {**net, "init_args": options},
        "tokenizer": {
            **tokens,
            "init_args": {
                **tokens["init_args"],
                "charset": "+".join(filter(None, (named, CHARSET if more else ""))),
            },
        },
        "protocol": loaded.protocol,
    }
    channels, height, width = loaded.image
    images = {
        "height": height,
        "width": width,
        "keep_ratio": loaded.keep_ratio,
        "rotate_tall": loaded.rotate_tall,
        "fill": loaded.fill,
        "grayscale": channels == 1,
    }
    config = yaml.safe_dump({"model": settings, "data": {"init_args": images}}, sort_keys=False)
    write_whole(folder / "config.yaml", config.encode())
    weights = {k: _stored(v, precision) for k, v in loaded.net.state_dict().items()}  # type: ignore[attr-defined]
    about = {"charset": charset.characters, "format": "pt", "dctc": dctc.__version__}
    write_whole(folder / WEIGHTS, save(weights, about))
    if card is None:
        from dctc.reading.card import model_card  # here, as only writing needs it

        card = model_card(folder.name, loaded)
    write_whole(folder / CARD, card.encode())
    return _difference(loaded, load_net(folder / "config.yaml", folder / WEIGHTS))


def _stored(weight: Tensor, precision: Precision) -> Tensor:
    weight = weight.detach().cpu().contiguous().clone()
    half = weight.half()
    fits = weight.is_floating_point() and bool(half.isfinite().all())
    return half if precision == "float16" and fits else weight


@torch.inference_mode()
def _difference(a: Loaded, b: Loaded) -> float:
    images = torch.rand(IMAGES, *a.image, generator=torch.Generator().manual_seed(0)) * 2 - 1
    nets: list[Any] = [a.net, b.net]
    scores = []
    for net in nets:
        x = images.to(next(net.parameters()).device)
        if isinstance(net, AttentionNet):  # the first character; others depend on what is read
            first = torch.zeros(IMAGES, 0, dtype=torch.int64)
            scores.append(net.teach(net.features(x), first, None).cpu())  # type: ignore[attr-defined]
        else:
            scores.append(net(x).cpu())
    return float((scores[0] - scores[1]).abs().max())
