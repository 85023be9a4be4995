"""Text: charsets, evaluation protocols, the CTC tokenizer and decoding."""

from dctc.text.characters import normal_form
from dctc.text.charset import Charset
from dctc.text.decode import Reading, greedy_decode
from dctc.text.protocol import PROTOCOLS, get_protocol, usual_protocol
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
