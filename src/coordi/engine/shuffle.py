"""A mixed order of a store's items that does not change while the items stay."""

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xxhash
from numpy.typing import NDArray

if TYPE_CHECKING:
    from coordi.store import Snapshot


@dataclass(frozen=True, slots=True)
class _Order:
    """The order at one commit."""

    token: str
    ids: list[str]
    rows: NDArray[np.intp]  # (len(ids),)


class Shuffle:
    """Pages of a store's items in the order of a hash of their ids."""

    def __init__(self) -> None:
        """Order nothing before the first page."""
        self._lock = threading.Lock()
        self._latest: _Order | None = None

    def page(
        self, at: "Snapshot", where: str | None, limit: int, offset: int
    ) -> tuple[list[str], int]:
        """Ids of a page of the items that pass `where`, and how many pass."""
        order = self._order(at)
        rows = order.rows[at.select(where)[order.rows]] if where else order.rows
        return [order.ids[row] for row in rows[offset : offset + limit]], len(rows)

    def _order(self, at: "Snapshot") -> _Order:
        with self._lock:
            if self._latest is None or self._latest.token != at.token:
                ids = at.ids()
                hashes = [xxhash.xxh3_64_intdigest(id.encode()) for id in ids]
                rows = np.argsort(np.array(hashes, dtype=np.uint64), kind="stable")
                self._latest = _Order(at.token, ids, rows)
            return self._latest
