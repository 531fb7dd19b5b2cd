"""Encoders: pictures and words → unit rows of one space."""

from coordi.models.encoders.names import EncoderInfo, list_encoders
from coordi.models.encoders.opening import open_encoder

__all__ = ["EncoderInfo", "list_encoders", "open_encoder"]
