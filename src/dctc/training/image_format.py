"""Size and padding of images: what the net, the data module and the user say of them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from dctc.data.catalogue import DOCUMENTS
from dctc.data.records.images import HEIGHT, WIDTH

if TYPE_CHECKING:  # a configuration names the nets; timm imports wandb, which may be off
    from dctc.models import ImageFormat

_OPTIONS = ("height", "width", "keep_ratio", "fill", "grayscale")


def image_options(net: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a data module is to be given of :data:`_OPTIONS` in place of None.

    A net that was trained elsewhere fixes height, aspect ratio and padding of its images, see
    :class:`~dctc.models.ImageFormat`. Their width is the user's choice; without one it is that of
    the data module at the net's height, and at least the net's own if images are padded.

    Args:
        net: ``class_path`` and ``init_args`` of the net.
        data: The same of the data module.

    Raises:
        ValueError: If an option of the data is not what the net needs; it names both.
    """
    given = dict(data.get("init_args") or {})
    source = given.get("source")
    usual = getattr(_imported(data.get("class_path", "")), "usual_width", WIDTH)
    form = image_format(net)
    if form is None:
        of_source = isinstance(source, str) and source in DOCUMENTS  # it knows its width
        found = {"height": HEIGHT, "width": None if of_source else usual, "keep_ratio": False}
    else:
        if isinstance(source, str) and source in DOCUMENTS:
            usual = DOCUMENTS[source].width
        width = usual * form.height // HEIGHT
        if form.keep_ratio and "keep_ratio" in given:
            width = max(width, form.width)
        found = {**form._asdict(), "width": width, "grayscale": form.channels == 1}
        for name in _OPTIONS:
            value = given.get(name)
            fixed = name != "width" and value != found[name]
            if fixed and value is not None and not (name == "grayscale" and value is False):
                raise ValueError(
                    f"data.init_args.{name} {value}: the net {net['class_path']} needs "
                    f"{found[name]}; leave it out"
                )
    return {k: found[k] for k in _OPTIONS if k in found and given.get(k) in (None, False)}


def image_format(net: Mapping[str, Any]) -> ImageFormat | None:
    """Return the format of the images of a net; None if any will do."""
    find = getattr(_imported(net["class_path"]), "image_format_of", None)
    form: ImageFormat | None = find(net.get("init_args") or {}) if find else None
    return form


def _imported(path: str) -> Any:
    """Return a class by its path; None if there is none."""
    module, _, name = path.rpartition(".")
    try:
        return getattr(import_module(module), name, None) if module else None
    except ModuleNotFoundError:
        return None
