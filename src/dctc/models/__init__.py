"""Recognisers: nets from images to CTC logits."""

from dctc.models.recognizer import Recognizer
from dctc.models.timm_recognizer import TimmRecognizer

__all__ = ["Recognizer", "TimmRecognizer"]
