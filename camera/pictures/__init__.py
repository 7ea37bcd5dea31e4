"""Picture files: what a file says about itself, checked, and its pixels."""

from camera.pictures.decoding import Limits, decode
from camera.pictures.header import UnreadablePicture

__all__ = ["Limits", "UnreadablePicture", "decode"]
