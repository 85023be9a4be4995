"""Recognisers: nets from images to CTC logits, and one that reads by attention."""

from dctc.models.attention import AttentionRecognizer
from dctc.models.crnn import CRNN
from dctc.models.onnx_recognizer import OnnxRecognizer
from dctc.models.recognizer import ImageFormat, Recognizer
from dctc.models.svtr import SVTR
from dctc.models.timm_recognizer import TimmRecognizer

__all__ = [
    "CRNN",
    "SVTR",
    "AttentionRecognizer",
    "ImageFormat",
    "OnnxRecognizer",
    "Recognizer",
    "TimmRecognizer",
]
