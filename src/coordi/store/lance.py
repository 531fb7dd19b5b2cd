"""The store: items, their fields and vectors in one Lance table, served from memory.

A store is a folder: `items.lance` (the table), `store.json` (its format, its encoders), `derived/`
(index files that can be made again), and the writer's lock. Every `put` and `delete` is one
commit of the table: a process killed at any moment leaves the old version or the new one.
"""

import json
import threading
import uuid
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from coordi.errors import FingerprintError, NotFoundError, StoreError
from coordi.store import columns as cols
from coordi.store import facets, filters, rows, table
from coordi.store.fields import FieldTable
from coordi.store.index import VectorIndex
from coordi.store.lock import WriterLock, write_atomically
from coordi.store.space import EXACT_FLOATS, Space
from coordi.types import Facet, Item, Vectors

FORMAT = 1
"""Version of the folder's layout."""

_CHUNK = 8192
_SEQ_BITS = 24  # rows of one step < 2**24
_CACHED_ITEMS = 16_384  # about 1 KB each
_CACHED_MASKS = 64
_KEEP = timedelta(minutes=10)
"""How long a version stays readable after newer ones: longer than any reader holds one."""


@dataclass(frozen=True, slots=True)
class EncoderColumn:
    """An encoder whose vectors the store holds."""

    fingerprint: str
    name: str
    dim: int
    created: str
    """Time of its first vector, ISO 8601."""


@dataclass(frozen=True, slots=True)
class Stats:
    """What a store holds and how large it is."""

    items: int
    bytes: int
    """On disk, with derived files and versions that are kept for readers."""
    version: int
    fields: Mapping[str, str]
    """Field → "text", "integer", "number" or "boolean"."""
    encoders: tuple[EncoderColumn, ...]
    vectors: Mapping[str, int]
    """Fingerprint → items that have a vector of that encoder."""


def open_store(
    path: Path | str, *, create: bool = False, exact_floats: int = EXACT_FLOATS
) -> "LanceStore":
    """Open the store in folder `path`; with `create`, make it where there is none.

    `exact_floats` is the size, rows times dimensions, up to which search is exact.
    Raises `NotFoundError` where no store is, `StoreError` where it cannot be read.
    """
    folder = Path(path).expanduser().absolute()
    if not (folder / "store.json").exists():
        if not create:
            raise NotFoundError(f"there is no store at {folder}. Make one: coordi ingest CATALOG")
        _create(folder)
    return LanceStore(folder, exact_floats)


def _create(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make a store at {folder}: {error.strerror}") from error
    with WriterLock(folder).held():
        if (folder / "store.json").exists():  # another process was faster
            return
        if not (folder / "items.lance").exists():
            table.create(folder / "items.lance", cols.base_schema())
        settings = {"format": FORMAT, "store": uuid.uuid4().hex, "encoders": []}
        write_atomically(folder / "store.json", json.dumps(settings, indent=1))


class LanceStore:
    """Implements `coordi.types.SearchStore`; safe to use from several threads and processes.

    One process writes at a time. Readers notice its commits at their next call and read only
    what is new.
    """

    def __init__(self, folder: Path, exact_floats: int = EXACT_FLOATS) -> None:
        """Use `open_store`."""
        self.path = folder
        self._exact_floats = exact_floats
        self._writer = WriterLock(folder)
        self._stamp = table.Stamp(folder / "items.lance")
        self._lock = threading.RLock()
        self._settings = self._read_settings()
        seen = self._stamp.read()
        self._dataset = table.open_table(folder / "items.lance")
        self._rows = rows.load(self._dataset)
        self._stamp.mark(seen)
        self._fields = FieldTable()
        self._masks: OrderedDict[str, NDArray[np.bool_]] = OrderedDict()
        self._facets: list[Facet] | None = None
        self._items: OrderedDict[int, Item] = OrderedDict()
        self._spaces: dict[str, Space] = {}

    # Reading

    @property
    def version(self) -> int:
        """Grows with every change, also when another process made it; costs microseconds."""
        return self._current().version

    def count(self) -> int:
        """Items in the store."""
        return self._current().count

    def ids(self) -> list[str]:
        """Ids of all items, in store order."""
        now = self._current()
        return [now.ids[position] for position in np.flatnonzero(now.alive)]

    def ids_from(self, source: str) -> list[str]:
        """Ids of the items that came from a file, from under a folder, or from a glob's files."""
        with self._lock:
            self._current()
            found = self._dataset.to_table(columns=["seq", "id", "file"]).sort_by("seq")
        inside = source.rstrip("/") + "/"
        pairs = zip(found["id"].to_pylist(), found["file"].to_pylist(), strict=True)
        return [
            id
            for id, file in pairs
            if file and (file == source or file.startswith(inside) or fnmatch(file, source))
        ]

    def get(self, ids: Sequence[str]) -> list[Item]:
        """Items in the order of `ids`; `NotFoundError` names the first that is missing."""
        with self._lock:
            now = self._current()
            positions = [self._position(now, id) for id in ids]
            seqs = [int(now.seqs[position]) for position in positions]
            missing = [place for place, seq in enumerate(seqs) if seq not in self._items]
            if missing:
                self._read_items([positions[place] for place in missing], now)
            found = [self._items[seq] for seq in seqs]
            while len(self._items) > _CACHED_ITEMS:
                self._items.popitem(last=False)
            return found

    def select(self, where: str | None) -> NDArray[np.bool_]:
        """Which items pass a filter: a mask over `ids()`; `FilterError` where it does not fit."""
        with self._lock:
            now = self._current()
            mask = now.alive if where is None else self._mask(where, now)
            return mask[now.alive]

    def signatures(self, fingerprint: str) -> dict[str, str]:
        """Id → content hash of every item that has a vector of this encoder."""
        with self._lock:
            now = self._current()
            column = cols.vector_column(fingerprint)
            if column not in now.columns:
                return {}
            found = self._dataset.to_table(columns=["id", "hash"], filter=f"{column} is not null")
        return dict(zip(found["id"].to_pylist(), found["hash"].to_pylist(), strict=True))

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

    def index(self, fingerprint: str) -> VectorIndex:
        """The vectors of one encoder as they stand now, ready to be searched.

        Raises `FingerprintError` where the store has no vectors of this encoder.
        """
        now = self._current()
        space = self._spaces.get(fingerprint)
        if (
            space is not None
            and (index := space.index) is not None
            and index.version == now.version
        ):
            return index
        with self._lock:
            now = self._current()
            if space is None:
                entry = self._encoder(fingerprint)
                space = Space(
                    fingerprint,
                    entry.dim,
                    self.path / "derived",
                    self._identity,
                    exact_floats=self._exact_floats,
                )
                self._spaces[fingerprint] = space
            return space.at(now, self._dataset, self._mask)

    def encoders(self) -> list[EncoderColumn]:
        """Encoders whose vectors the store holds, the one ingested with last at the end."""
        self._current()
        return [EncoderColumn(**entry) for entry in self._settings["encoders"]]

    def roots(self) -> tuple[Path, ...]:
        """Folders that pictures may be read from, as the ingests declared them."""
        self._current()
        return tuple(Path(root) for root in self._settings.get("roots", ()))

    def facets(self) -> list[Facet]:
        """The catalogue's fields as a page offers them for filtering."""
        with self._lock:
            now = self._current()
            if self._facets is None:
                fields = self._fields.at(now, self._dataset)
                self._facets = facets.of(fields.filter(now.alive), self._fields.kinds)
            return list(self._facets)

    def stats(self) -> Stats:
        """What the store holds and how large it is."""
        with self._lock:
            now = self._current()
            fields = cols.field_columns(now.columns)
            names = [entry.fingerprint for entry in self.encoders()]
            return Stats(
                items=now.count,
                bytes=table.folder_bytes(self.path),
                version=now.version,
                fields={name: cols.kind_of(parts) for name, parts in sorted(fields.items())},
                encoders=tuple(self.encoders()),
                vectors={name: self._count_vectors(name) for name in names},
            )

    # Writing

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the writer's lock over several calls; `StoreLockedError` says who has it."""
        with self._writer.held(), self._lock:
            yield

    def put(
        self,
        items: Sequence[Item],
        fingerprint: str,
        vectors: Vectors,
        hashes: Sequence[str],
        *,
        encoder: str | None = None,
    ) -> None:
        """Add items, or replace those whose id is there, in one atomic step.

        `vectors` is (len(items), dim); a row with a NaN says that the item has no vector.
        `hashes` are of the items' content; the part before "-" is what vectors are made from. An
        item that comes again with another such part loses its vectors of other encoders, which
        are no longer true. `encoder` is the name to remember the fingerprint by.
        """
        if not len(items) == len(vectors) == len(hashes):
            raise StoreError(f"{len(items)} items, {len(vectors)} vectors, {len(hashes)} hashes")
        if not items:
            return
        with self.writing():
            self._current()
            self._register(fingerprint, encoder, vectors.shape[1])
            self._widen(items, fingerprint, vectors.shape[1])
            batch = self._batch(items, fingerprint, vectors, hashes)
            self._commit(batch, [item.id for item in items])

    def add_roots(self, roots: Sequence[Path]) -> None:
        """Let pictures be read from these folders too."""
        with self.writing():
            known = [*self._settings.get("roots", ())]
            missing = [str(root) for root in roots if str(root) not in known]
            if missing:
                self._settings = {**self._settings, "roots": [*known, *missing]}
                write_atomically(self.path / "store.json", json.dumps(self._settings, indent=1))

    def delete(self, ids: Sequence[str]) -> int:
        """Remove items; how many were there."""
        with self.writing():
            now = self._current()
            there = {id for id in ids if now.position(id) is not None}
            if there:
                self._commit(None, sorted(there))
            return len(there)

    def compact(self) -> None:
        """Join small fragments and drop old versions; worth it at the end of an ingest."""
        with self.writing():
            self._current()
            table.compact(self._dataset, keep=_KEEP)
            self._current(force=True)

    def close(self) -> None:
        """Let go of memory; the store on disk is always complete."""
        with self._lock:
            self._spaces.clear()
            self._items.clear()
            self._masks.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # Inside

    def _current(self, *, force: bool = False) -> rows.Rows:
        if not force and not self._stamp.changed():
            return self._rows
        with self._lock:
            seen = self._stamp.read()
            dataset = table.open_table(self.path / "items.lance")
            if dataset.version != self._rows.version:
                self._follow(dataset)
            self._stamp.mark(seen)
            return self._rows

    def _follow(self, dataset: Any) -> None:
        newer = rows.advance(self._rows, dataset)
        if newer.columns != self._rows.columns:
            self._items.clear()  # a field may have become wider
            self._settings = self._read_settings()
        elif dataset.version > self._rows.version + 1:
            self._settings = self._read_settings()
        self._dataset, self._rows, self._facets = dataset, newer, None
        self._masks.clear()

    def _position(self, now: rows.Rows, id: str) -> int:
        position = now.position(id)
        if position is None:
            raise NotFoundError(f"there is no item {id!r} in the store")
        return position

    def _read_items(self, positions: Sequence[int], now: rows.Rows) -> None:
        fields = cols.field_columns(now.columns)
        wanted = [*cols.ITEM_COLUMNS, *(name for parts in fields.values() for name in parts)]
        addresses = [int(now.addresses[position]) for position in positions]
        found = cols.items_of(table.take(self._dataset, addresses, wanted), fields)
        for position, item in zip(positions, found, strict=True):
            self._items[int(now.seqs[position])] = item

    def _mask(self, where: str, now: rows.Rows) -> NDArray[np.bool_]:
        """Which positions of `now` are alive and pass a filter."""
        with self._lock:
            found = self._masks.get(where) if now is self._rows else None
            if found is None:
                parsed = filters.parse(where)
                found = self._fields.mask(parsed, where, now, self._dataset) & now.alive
                if now is self._rows:
                    self._masks[where] = found
                while len(self._masks) > _CACHED_MASKS:
                    self._masks.popitem(last=False)
            return found

    def _count_vectors(self, fingerprint: str) -> int:
        column = cols.vector_column(fingerprint)
        if column not in self._rows.columns:
            return 0
        return int(self._dataset.count_rows(filter=f"{column} is not null"))

    def _encoder(self, fingerprint: str) -> EncoderColumn:
        known = self.encoders()
        for entry in known:
            if entry.fingerprint == fingerprint:
                return entry
        names = ", ".join(f"{entry.name} ({entry.fingerprint})" for entry in known) or "none"
        raise FingerprintError(
            f"the store has no vectors of the encoder {fingerprint}; it has: {names}. "
            "Ingest the catalogue with this encoder, or search with one that is there."
        )

    @property
    def _identity(self) -> str:
        return str(self._settings["store"])

    def _read_settings(self) -> dict[str, Any]:
        path = self.path / "store.json"
        try:
            settings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            written = int(settings["format"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"cannot read {path}: {error}") from error
        if written != FORMAT:
            raise StoreError(f"{path} has format {written}; this version of coordi reads {FORMAT}")
        return settings

    def _register(self, fingerprint: str, name: str | None, dim: int) -> None:
        """Make this encoder the last in store.json."""
        known = self._settings["encoders"]
        old = next((entry for entry in known if entry["fingerprint"] == fingerprint), None)
        if old is not None and old["dim"] != dim:
            raise StoreError(f"vectors of {fingerprint} have {old['dim']} dimensions, not {dim}")
        if old is not None and old is known[-1] and name in (None, old["name"]):
            return
        now = datetime.now(UTC).isoformat(timespec="seconds")
        entry = old or asdict(EncoderColumn(fingerprint, name or fingerprint, dim, now))
        entry = {**entry, "name": name or entry["name"]}
        others = [other for other in known if other is not old]
        self._settings = {**self._settings, "encoders": [*others, entry]}
        write_atomically(self.path / "store.json", json.dumps(self._settings, indent=1))

    def _widen(self, items: Sequence[Item], fingerprint: str, dim: int) -> None:
        """Add the columns that these items need."""
        import pyarrow as pa

        schema = cols.new_columns(items, self._rows.columns)
        column = cols.vector_column(fingerprint)
        if column not in self._rows.columns:
            schema = schema.append(pa.field(column, pa.list_(pa.float32(), dim)))
        if len(schema):
            self._dataset.add_columns(schema)
            self._current(force=True)

    def _batch(
        self, items: Sequence[Item], fingerprint: str, vectors: Vectors, hashes: Sequence[str]
    ) -> Any:
        """The rows to append, with the schema of the table."""
        import pyarrow as pa

        if len({item.id for item in items}) < len(items):
            raise StoreError("the same id stands twice in one step")
        schema = self._dataset.schema
        cells = cols.item_columns(items, schema)
        # Versions only rise, so a number made from one is never used again, deletions or not.
        start = (self._dataset.version + 1) << _SEQ_BITS
        cells["seq"] = pa.array(range(start, start + len(items)), pa.int64())
        cells["hash"] = pa.array(hashes, pa.string())
        cells |= self._carried(items, fingerprint, hashes)
        cells[cols.vector_column(fingerprint)] = cols.vector_array(vectors, vectors.shape[1])
        empty = {name: pa.nulls(len(items), schema.field(name).type) for name in schema.names}
        return pa.table({**empty, **cells}, schema=schema)

    def _carried(
        self, items: Sequence[Item], fingerprint: str, hashes: Sequence[str]
    ) -> dict[str, Any]:
        """Vectors of other encoders that are still true.

        They are where the part of the hash before "-", what vectors are made from, is the same.
        """
        import pyarrow as pa

        own = cols.vector_column(fingerprint)
        others = [name for name in self._rows.columns if name[:2] == "v_" and name != own]
        places = [(row, self._rows.position(item.id)) for row, item in enumerate(items)]
        known = [(row, position) for row, position in places if position is not None]
        if not others or not known:
            return {}
        addresses = [int(self._rows.addresses[position]) for _, position in known]
        old = table.take(self._dataset, addresses, ["hash", *others])
        same = zip(known, old["hash"].to_pylist(), range(len(known)), strict=True)
        kept = {
            row: at
            for (row, _), before, at in same
            if before.partition("-")[0] == hashes[row].partition("-")[0]
        }
        indices = pa.array([kept.get(row) for row in range(len(items))], pa.int64())
        return {name: old[name].take(indices) for name in others}

    def _commit(self, batch: Any | None, ids: Sequence[str]) -> None:
        """Append a batch and remove the rows that `ids` have now, in one step."""
        now = self._rows
        doomed: dict[int, list[int]] = {}
        for id in ids:
            position = now.position(id)
            if position is not None:
                fragment = int(now.addresses[position]) >> 32
                doomed.setdefault(fragment, []).append(int(now.seqs[position]))
        try:
            table.commit(self._dataset, batch, doomed)
        except OSError as error:
            raise StoreError(f"cannot write to {self.path}: {error}") from error
        self._current(force=True)
