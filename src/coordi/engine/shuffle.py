"""A mixed order of a store's items that does not change while the items stay."""

import threading
from typing import TYPE_CHECKING

import numpy as np
import xxhash
from numpy.typing import NDArray

if TYPE_CHECKING:
    from coordi.store.lance import LanceStore


class Shuffle:
    """Pages of a store's items in the order of a hash of their ids."""

    def __init__(self, store: "LanceStore") -> None:
        """Follow `store`; nothing is read before the first page."""
        self._store = store
        self._lock = threading.Lock()
        self._version = -1
        self._ids: list[str] = []
        self._order: NDArray[np.intp] = np.empty(0, dtype=np.intp)

    def page(self, where: str | None, limit: int, offset: int) -> tuple[list[str], int]:
        """Ids of a page of the items that pass `where`, and how many pass."""
        with self._lock:
            self._refresh()
            order = self._order
            if where:
                order = order[self._store.select(where)[order]]
            return [self._ids[row] for row in order[offset : offset + limit]], len(order)

    def _refresh(self) -> None:
        version = self._store.version
        if version != self._version:
            self._ids = self._store.ids()
            hashes = [xxhash.xxh3_64_intdigest(id.encode()) for id in self._ids]
            self._order = np.argsort(np.array(hashes, dtype=np.uint64), kind="stable")
            self._version = version
