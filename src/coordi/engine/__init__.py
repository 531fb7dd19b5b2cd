"""Opens a store and an encoder together and hands out the ready tasks of a catalogue."""

from coordi.engine.engine import DEFAULT_ENCODER, Engine
from coordi.engine.report import IngestInterrupted, IngestProgress, IngestReport

__all__ = ["DEFAULT_ENCODER", "Engine", "IngestInterrupted", "IngestProgress", "IngestReport"]
