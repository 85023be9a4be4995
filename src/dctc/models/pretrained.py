"""Check that the pretrained weights of a timm model exist and can be downloaded."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import timm
from huggingface_hub import constants, try_to_load_from_cache

_PATIENCE = 5.0  # seconds; timm itself tries again and again for a minute
_FILES = ("model.safetensors", "pytorch_model.bin")  # names of weights on the hub


def check_weights(name: str, pretrained: bool, options: dict[str, Any]) -> None:
    """Refuse weights that do not exist or cannot be downloaded.

    Args:
        name: A timm model name.
        pretrained: Whether timm's own are to be loaded.
        options: Further arguments of :func:`timm.create_model`.

    Raises:
        ValueError: If there are none, or they are not in the hub's cache and the hub does not
            answer.
        FileNotFoundError: If the options name a file that is not there.
    """
    overlay = (options.get("pretrained_cfg_overlay") or {}) if pretrained else {}
    for file in (overlay.get("file"), options.get("checkpoint_path")):
        if file and not Path(file).is_file():
            raise FileNotFoundError(f"encoder {name!r}: no file {file}")
    if not pretrained or overlay.get("file"):
        return
    try:
        found = timm.models.get_pretrained_cfg(name)
    except RuntimeError as error:  # a tag that does not exist
        raise ValueError(f"encoder {name!r}: {error}") from error
    weights = {**(found.to_dict() if found else {}), **overlay}
    repository, _, revision = (weights.get("hf_hub_id") or "").partition("@")
    if not repository and not weights.get("url"):
        raise ValueError(f"encoder {name!r}: there are no pretrained weights for it")
    named = weights.get("hf_hub_filename")
    cached = (
        try_to_load_from_cache(repository, file, revision=revision or None)
        for file in ([named] if named else _FILES)
    )
    if repository and not any(isinstance(file, str) for file in cached) and not _hub_answers():
        raise ValueError(
            f"encoder {name!r}: its pretrained weights are not on this machine and the hub cannot "
            f"be reached; download them elsewhere and give the file as encoder_options: "
            f"{{pretrained_cfg_overlay: {{file: FILE}}}}, or set pretrained: false"
        )


def _hub_answers() -> bool:
    if constants.HF_HUB_OFFLINE:
        return False
    try:
        request = urllib.request.Request(constants.ENDPOINT, method="HEAD")
        urllib.request.urlopen(request, timeout=_PATIENCE).close()
    except urllib.error.HTTPError:
        return True  # an answer all the same
    except OSError as error:
        # a certificate that only the hub's own library may know is an answer too
        return isinstance(getattr(error, "reason", None), ssl.SSLError)
    return True
