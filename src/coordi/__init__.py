"""coordi: fashion metric learning from one catalogue."""

__version__ = "0.1.0"
