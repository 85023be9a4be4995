"""Text: charsets, evaluation protocols, the CTC tokenizer and decoding."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dctc.text.characters import normal_form
from dctc.text.charset import Charset
from dctc.text.protocol import PROTOCOLS, get_protocol, usual_protocol

if TYPE_CHECKING:
    from dctc.text.decode import Reading, greedy_decode
    from dctc.text.tokenizer import CTCTokenizer

__all__ = [
    "PROTOCOLS",
    "CTCTokenizer",
    "Charset",
    "Reading",
    "get_protocol",
    "greedy_decode",
    "normal_form",
    "usual_protocol",
]


def __getattr__(name: str) -> Any:
    """Import what needs torch when it is asked for: the help of a command does not."""
    if name in __all__:
        home = "tokenizer" if name == "CTCTokenizer" else "decode"
        return getattr(import_module(f"dctc.text.{home}"), name)
    raise AttributeError(f"module 'dctc.text' has no attribute {name!r}")
