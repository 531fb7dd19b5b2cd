"""Encoders: pictures and words → unit rows of one space. `coordi.models.opening` opens them."""

from coordi.models.encoders.names import EncoderInfo, list_encoders

__all__ = ["EncoderInfo", "list_encoders"]
