"""A mixed order of a store's items that does not change while the items stay."""

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xxhash
from numpy.typing import NDArray

from coordi.tasks.order import heads_of, places, sorted_by

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
        self,
        at: "Snapshot",
        where: str | None,
        limit: int,
        offset: int,
        *,
        sort: str | None = None,
        fold: str | None = None,
    ) -> tuple[list[tuple[str, tuple[str, ...]]], int]:
        """Ids of a page of the items that pass `where`, each with those folded into it by the
        field `fold`; and how many there are in all. `sort` orders by a field instead.
        """
        order = self._order(at)
        rows = order.rows[at.select(where)[order.rows]] if where else order.rows
        if sort:
            field, down = sorted_by(sort)
            rows = rows[
                np.argsort(places(at.keys_of_items(field).ranks[rows], down), kind="stable")
            ]
        end = offset + limit
        if fold is None:
            return [(order.ids[row], ()) for row in rows[offset:end]], len(rows)
        codes = at.keys_of_items(fold).codes[rows]
        heads = heads_of(codes)
        return [
            (order.ids[rows[head]], tuple(order.ids[row] for row in rows[_others(codes, head)]))
            for head in heads[offset:end]
        ], len(heads)

    def _order(self, at: "Snapshot") -> _Order:
        with self._lock:
            if self._latest is None or self._latest.token != at.token:
                ids = at.ids()
                hashes = [xxhash.xxh3_64_intdigest(id.encode()) for id in ids]
                rows = np.argsort(np.array(hashes, dtype=np.uint64), kind="stable")
                self._latest = _Order(at.token, ids, rows)
            return self._latest


def _others(codes: NDArray[np.int64], head: np.intp) -> NDArray[np.intp]:
    """Places with the same code as `head`, after it; none where it stands alone."""
    return np.flatnonzero(codes == codes[head])[1:] if codes[head] >= 0 else np.empty(0, np.intp)
