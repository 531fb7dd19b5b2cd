"""The store: vectors and fields on disk, an index in memory."""

from coordi.store.creation import discard
from coordi.store.lance import LanceStore, Stats, open_store
from coordi.store.seal import EncoderColumn
from coordi.store.snapshot import Snapshot

__all__ = ["EncoderColumn", "LanceStore", "Snapshot", "Stats", "discard", "open_store"]
