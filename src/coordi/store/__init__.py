"""The store: vectors and fields on disk, an index in memory."""

from coordi.store.lance import EncoderColumn, LanceStore, Stats, open_store

__all__ = ["EncoderColumn", "LanceStore", "Stats", "open_store"]
