"""A store as it stood at one commit: rows, fields, vectors and index, all of that commit."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from coordi.errors import FingerprintError, NotFoundError
from coordi.store import automatic, table
from coordi.store import columns as cols
from coordi.store.checks import Checks
from coordi.store.facets import Wanted
from coordi.store.fields import FieldTable, Filters
from coordi.store.index import VectorIndex
from coordi.store.keys import Keys
from coordi.store.lexical import WordIndex
from coordi.store.rows import Rows
from coordi.store.seal import EncoderColumn, Seal
from coordi.types import Facet, Item, Vectors

_CHUNK = 8192
_CACHED_ITEMS = 16_384  # about 1 KB each

MakeIndex = Callable[["Snapshot", EncoderColumn], VectorIndex]
MakeWords = Callable[["Snapshot"], tuple[WordIndex, Callable[[], bool]]]
"""Makes the index of words, and what tells whether its files are untouched."""


class ItemCache:
    """Items read lately, by the `seq` of their row; a row never changes."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._items: OrderedDict[int, Item] = OrderedDict()
        self._lock = threading.Lock()

    def known(self, seqs: Sequence[int]) -> dict[int, Item]:
        """Those of the rows that are here."""
        with self._lock:
            return {seq: self._items[seq] for seq in seqs if seq in self._items}

    def keep(self, items: dict[int, Item]) -> None:
        """Take items in, and let go of the oldest."""
        with self._lock:
            self._items.update(items)
            while len(self._items) > _CACHED_ITEMS:
                self._items.popitem(last=False)


class Snapshot:
    """Implements `coordi.types.Snapshot`. Immutable: whatever is written later, it answers as at
    its commit. Safe to use from several threads.
    """

    def __init__(
        self, seal: Seal, rows: Rows, dataset: Any, items: ItemCache, checks: Checks,
        make_index: MakeIndex, make_words: MakeWords, earlier: FieldTable | None = None,
    ) -> None:  # fmt: skip
        """Use `LanceStore.snapshot`. `items` belongs to rows of this lineage and these columns."""
        self.seal, self.rows, self.dataset = seal, rows, dataset
        self.filters = Filters(rows, dataset, earlier)
        there = set(rows.columns)
        self.items = items
        self._checks, self._make_index, self._make_words = checks, make_index, make_words
        self._indexes: dict[str, VectorIndex] = {}
        self._words: tuple[WordIndex, Callable[[], bool]] | None = None
        self._files: dict[int, list[str]] = {}
        self._empty: frozenset[str] | None = None
        self._count = rows.count
        self._encoders = [e for e in seal.encoders if cols.vector_column(e.fingerprint) in there]
        own = [e for e in seal.encoders if e.fingerprint == seal.encoder]
        self.encoder = own[0] if own else None
        """The encoder that the store is searched with unless told otherwise."""
        self._lock = threading.Lock()

    def followed_by(self, seal: Seal, rows: Rows, dataset: Any) -> Self:
        """The snapshot of a commit that follows from this one, with what both can share."""
        wider = rows.columns != self.rows.columns  # a field may then read as another kind
        items = ItemCache() if wider else self.items
        earlier = self.filters.known
        make = self._make_index, self._make_words
        return type(self)(seal, rows, dataset, items, self._checks, *make, earlier)

    @property
    def token(self) -> str:
        """Names the commit."""
        return self.seal.token

    @property
    def version(self) -> int:
        """Grows with every commit."""
        return self.seal.number

    def count(self) -> int:
        """Items in the store."""
        return self._count

    def ids(self) -> list[str]:
        """Ids of all items, in store order."""
        return [self.rows.ids[position] for position in np.flatnonzero(self.rows.alive)]

    def has(self, id: str) -> bool:
        """Whether there is such an item."""
        return self.rows.position(id) is not None

    def get(self, ids: Sequence[str]) -> list[Item]:
        """Items in the order of `ids`; `NotFoundError` names the first that is missing."""
        if not ids:
            return []
        positions = self._positions(ids)
        seqs = self.rows.seqs[positions].tolist()
        found = self.items.known(seqs)
        if len(found) < len(seqs):  # or some were asked for twice
            missing = {s: p for s, p in zip(seqs, positions, strict=True) if s not in found}
            found |= self._read(missing) if missing else {}
        return [found[seq] for seq in seqs]

    def select(self, where: str | None) -> NDArray[np.bool_]:
        """Which items pass a filter: a mask over `ids()`; `FilterError` where it does not fit."""
        mask = self.rows.alive if where is None else self.filters.mask(where)
        return mask[self.rows.alive]

    def facets(
        self, wanted: Wanted | None = None, within: NDArray[np.bool_] | None = None
    ) -> list[Facet]:
        """The fields as a page offers them for filtering; `within` is a mask over positions."""
        return self.filters.facets(wanted or Wanted(), within)

    def keys(self, field: str) -> Keys:
        """A field's values at all positions; `QueryError` where no item has such a field."""
        return self.filters.keys(field)

    def keys_of_items(self, field: str) -> Keys:
        """A field's values over `ids()`; raises as `keys`."""
        found, alive = self.filters.keys(field), self.rows.alive
        return Keys(found.codes[alive], found.ranks[alive], found.values)

    def fields(self) -> dict[str, str]:
        """Field → kind ("text", "integer", "number" or "boolean"), by name."""
        found = cols.field_columns(self.rows.columns)
        return {name: cols.kind_of(parts) for name, parts in sorted(found.items())}

    def encoders(self) -> list[EncoderColumn]:
        """Encoders whose vectors the store holds, the oldest first."""
        return list(self._encoders)

    @property
    def roots(self) -> tuple[Path, ...]:
        """Folders that pictures may be read from, as the ingests declared them."""
        return tuple(Path(root) for root in self.seal.roots)

    def index(self, fingerprint: str) -> VectorIndex:
        """One encoder's vectors, ready to be searched.

        Raises `FingerprintError` where the store has no vectors of this encoder.
        """
        with self._lock:
            found = self._indexes.get(fingerprint)
        if found is None or not found.untouched():
            found = self._make_index(self, self._column(fingerprint))
            with self._lock:
                self._indexes[fingerprint] = found
        return found

    def words(self) -> WordIndex:
        """The items' words, ready to be searched."""
        with self._lock:
            found = self._words
        if found is None or not found[1]():
            found = self._make_words(self)
            with self._lock:
                self._words = found
        return found[0]

    def vectors(self, fingerprint: str) -> Iterator[tuple[list[str], Vectors]]:
        """All ids and vectors of one encoder, in store order, in chunks."""
        index = self.index(fingerprint)
        live = index.live_rows()
        for start in range(0, len(live), _CHUNK):
            chunk = live[start : start + _CHUNK]
            yield index.ids(chunk), index.vectors(chunk)

    def vectors_of(self, ids: Sequence[str], fingerprint: str) -> Vectors:
        """Vectors of items in the order of `ids`; `NotFoundError` where an item has none."""
        index = self.index(fingerprint)
        return index.vectors(np.array([index.row(id) for id in ids], dtype=np.int64))

    def further_of(self, ids: Sequence[str], fingerprint: str) -> list[Vectors]:
        """Vectors of items' further pictures, (m, dim) each, in the pictures' order.

        Raises `NotFoundError` where an item has no vector of this encoder.
        """
        index = self.index(fingerprint)
        return [index.further(id) for id in ids]

    def viewed(self, fingerprint: str) -> set[str]:
        """Ids of the items whose further pictures an encoder has seen, if they have any."""
        column = cols.further_column(fingerprint)
        if column not in self.rows.columns:
            return set()
        found = table.read(self.dataset, ["id"], filter=f"{column} is not null")
        return set(found["id"].to_pylist())

    def told(self) -> dict[str, str]:
        """Id → who told its automatic fields, of the items that were told any or none."""
        if automatic.MARK not in self.rows.columns:
            return {}
        filled = f"{automatic.MARK} is not null"
        found = table.read(self.dataset, ["id", automatic.MARK], filter=filled)
        return dict(zip(found["id"].to_pylist(), found[automatic.MARK].to_pylist(), strict=True))

    def vector_count(self, fingerprint: str) -> int:
        """Items that have a vector of an encoder."""
        column = cols.vector_column(fingerprint)
        if column not in self.rows.columns:
            return 0
        with table.translated("cannot read the store's table"):
            return int(self.dataset.count_rows(filter=f"{column} is not null"))

    def signatures(self, fingerprint: str) -> dict[str, str]:
        """Id → content hash of every item that has a vector of this encoder."""
        column = cols.vector_column(fingerprint)
        if column not in self.rows.columns:
            return {}
        found = table.read(self.dataset, ["id", "hash"], filter=f"{column} is not null")
        return dict(zip(found["id"].to_pylist(), found["hash"].to_pylist(), strict=True))

    def _positions(self, ids: Sequence[str]) -> list[int]:
        found = [self.rows.position(id) for id in ids]
        if None in found:
            raise NotFoundError(f"there is no item {ids[found.index(None)]!r} in the store")
        return found  # type: ignore[return-value]

    def _read(self, missing: dict[int, int]) -> dict[int, Item]:
        """Items of some rows, given as `seq` → position, from the table."""
        fields = cols.field_columns(self.rows.columns)
        own = [name for name in cols.ITEM_COLUMNS if name not in self._unfilled()]
        wanted = [*own, *(name for parts in fields.values() for name in parts)]
        addresses = [int(self.rows.addresses[position]) for position in missing.values()]
        self.check(addresses)
        found = cols.items_of(table.take(self.dataset, addresses, wanted), fields)
        items = dict(zip(missing, found, strict=True))
        self.items.keep(items)
        return items

    def _unfilled(self) -> frozenset[str]:
        """Item columns that are costly to read and that no row fills."""
        if self._empty is None:
            with table.translated("cannot read the store's table"):
                self._empty = frozenset(
                    name
                    for name in cols.RARE_COLUMNS
                    if not self.dataset.count_rows(filter=f"{name} is not null")
                )
        return self._empty

    def check(self, addresses: Sequence[int]) -> None:
        """Raise `StoreDamagedError` where a file behind these rows is not as it was written."""
        for fragment in {address >> 32 for address in addresses}:
            files = self._files.get(fragment)
            if files is None:
                parts = self.dataset.get_fragment(fragment).data_files()
                files = self._files[fragment] = [f"data/{part.path}" for part in parts]
            self._checks.still(files, self.seal.files)

    def check_files(self) -> None:
        """Raise `StoreDamagedError` where any of the commit's files is not as it was written."""
        self._checks.still(self.seal.files, self.seal.files)

    def _column(self, fingerprint: str) -> EncoderColumn:
        known = self.encoders()
        for entry in known:
            if entry.fingerprint == fingerprint:
                return entry
        names = ", ".join(f"{entry.name} ({entry.fingerprint})" for entry in known) or "none"
        raise FingerprintError(
            f"the store has no vectors of the encoder {fingerprint}; it has: {names}. "
            "Ingest the catalogue with this encoder, or search with one that is there."
        )
