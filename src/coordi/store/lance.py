"""The store: items, their fields and vectors in one Lance table, served from memory.

A store is a folder: `items.lance` (the table, and in it the seals, one a commit), `store.json`
(its format and id), `derived/` (files that can be made again), and the writer's lock. Every `put`
and `delete` is one commit: a process killed at any moment leaves the old one or the new one.
"""

import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from functools import partial, wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import pyarrow as pa

from coordi.errors import FingerprintError, NotFoundError, StoreDamagedError, StoreError
from coordi.store import automatic, creation, derived, rows, seal, table
from coordi.store import columns as cols
from coordi.store.checks import Checks
from coordi.store.index import VectorIndex
from coordi.store.lexical import WordIndex
from coordi.store.lexicalspace import WordSpace
from coordi.store.lock import WriterLock
from coordi.store.seal import EncoderColumn, Seal
from coordi.store.snapshot import ItemCache, Snapshot
from coordi.store.space import EXACT_FLOATS, Space
from coordi.store.watch import Watch
from coordi.types import FieldValue, Item, Vectors

_SEQ_BITS = 24  # rows of one step < 2**24
_KEEP = timedelta(minutes=10)
"""How long a version stays readable after newer ones: longer than any reader holds one."""

_TRIES = 5
"""Times that a reader looks for the newest commit while a writer makes newer ones."""


@dataclass(frozen=True, slots=True)
class Stats:
    """What a store holds and how large it is."""

    items: int
    bytes: int
    """On disk, with derived files and versions that are kept for readers."""
    version: int
    token: str
    """Names the commit that all of this is read from."""
    fields: Mapping[str, str]
    """Field → "text", "integer", "number" or "boolean"."""
    encoders: tuple[EncoderColumn, ...]
    encoder: str
    """Fingerprint of the encoder that the store is searched with; "" while it has none."""
    vectors: Mapping[str, int]
    """Fingerprint → items that have a vector of that encoder."""
    roots: tuple[str, ...]
    """Folders that pictures may be read from."""


def open_store(
    path: Path | str, *, create: bool = False, exact_floats: int = EXACT_FLOATS
) -> "LanceStore":
    """Open the store in folder `path`; with `create`, make it where there is none.

    `exact_floats` is the size, rows times dimensions, up to which search is exact. A store of an
    earlier version of coordi is brought up to date.
    Raises `NotFoundError` where no store is, `StoreError` where it cannot be read.
    """
    folder = Path(path).expanduser().absolute()
    there = (folder / creation.SETTINGS).exists()
    if not there and not create:
        raise NotFoundError(f"there is no store at {folder}. Make one: coordi ingest CATALOG")
    if not there or (create and creation.is_empty(folder)):
        creation.make(folder)
    elif creation.read_settings(folder)["format"] < creation.FORMAT:
        creation.upgrade(folder)
    if not (folder / creation.TABLE / seal.FOLDER).is_dir():
        raise StoreDamagedError(
            f"{folder} is only half of a store: {creation.TABLE} is not there, or was never "
            "finished. Put it back, or make the store anew: coordi ingest CATALOG"
        )
    return LanceStore(folder, exact_floats)


_Asked = ParamSpec("_Asked")
_Answer = TypeVar("_Answer")


def _newest(
    method: Callable[Concatenate[Snapshot, _Asked], _Answer],
) -> Callable[Concatenate["LanceStore", _Asked], _Answer]:
    """A method of snapshots as one of the store, which asks its newest."""

    @wraps(method)
    def of_newest(self: "LanceStore", /, *given: _Asked.args, **named: _Asked.kwargs) -> _Answer:
        return method(self.snapshot(), *given, **named)

    return of_newest


class LanceStore:
    """Safe to use from several threads and processes.

    One process writes at a time. Reading is done on a `snapshot`, which never changes; the
    reading methods here are those of the newest one.
    """

    def __init__(self, folder: Path, exact_floats: int = EXACT_FLOATS) -> None:
        """Use `open_store`."""
        self.path = folder
        self._table = folder / creation.TABLE
        self._exact_floats = exact_floats
        self._writer = WriterLock(folder)
        self._watch = Watch(self._table)
        self._checks = Checks(self._table, folder / creation.DERIVED / derived.MARKS)
        self._lock = threading.RLock()
        self._now: Snapshot | None = None
        self.snapshot()

    # Reading

    def snapshot(self) -> Snapshot:
        """The store as it stands now; costs microseconds while nothing is written.

        Raises `StoreError` where the store is gone, `StoreDamagedError` where its files are not
        what was written.
        """
        now = self._now
        if now is not None and not self._watch.changed():
            return now
        with self._lock:
            return self._follow()

    @property
    def version(self) -> int:
        """Grows with every commit, also when another process made it; costs microseconds."""
        return self.snapshot().version

    # As `Snapshot` has them, at the newest commit.
    count = _newest(Snapshot.count)
    ids = _newest(Snapshot.ids)
    get = _newest(Snapshot.get)
    select = _newest(Snapshot.select)
    signatures = _newest(Snapshot.signatures)
    vectors = _newest(Snapshot.vectors)
    vectors_of = _newest(Snapshot.vectors_of)
    further_of = _newest(Snapshot.further_of)
    viewed = _newest(Snapshot.viewed)
    told = _newest(Snapshot.told)
    index = _newest(Snapshot.index)
    words = _newest(Snapshot.words)
    encoders = _newest(Snapshot.encoders)
    facets = _newest(Snapshot.facets)

    def ids_from(self, source: str) -> list[str]:
        """Ids of the items that came from a file, from under a folder, or from a glob's files."""
        found = table.read(self.snapshot().dataset, ["seq", "id", "file"]).sort_by("seq")
        inside = source.rstrip("/") + "/"
        pairs = zip(found["id"].to_pylist(), found["file"].to_pylist(), strict=True)
        return [
            id
            for id, file in pairs
            if file and (file == source or file.startswith(inside) or fnmatch(file, source))
        ]

    def views(self, fingerprint: str) -> str:
        """Which pictures of an item an encoder's vectors are of: "main" or "all"."""
        known = {entry.fingerprint: entry.views for entry in self.encoders()}
        return known.get(fingerprint, "main")

    def roots(self) -> tuple[Path, ...]:
        """Folders that pictures may be read from, as the ingests declared them."""
        return self.snapshot().roots

    def stats(self) -> Stats:
        """What the store holds and how large it is."""
        now = self.snapshot()
        return Stats(
            items=now.count(),
            bytes=table.folder_bytes(self.path),
            version=now.version,
            token=now.token,
            fields=now.fields(),
            encoders=tuple(now.encoders()),
            encoder=now.seal.encoder,
            vectors={e.fingerprint: now.vector_count(e.fingerprint) for e in now.encoders()},
            roots=now.seal.roots,
        )

    # Writing

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the writer's lock over several calls; `StoreLockedError` says who has it."""
        self.snapshot()  # taking the lock of a store that is gone would make its folder
        with self._writer.held():
            yield

    def put(
        self,
        items: Sequence[Item],
        fingerprint: str,
        vectors: Vectors,
        hashes: Sequence[str],
        *,
        encoder: str | None = None,
        further: Sequence[Vectors | None] | None = None,
    ) -> None:
        """Add items, or replace those whose id is there, in one atomic step.

        `vectors` is (len(items), dim); a row with a NaN says that the item has no vector.
        `hashes` are of the items' content; the part before "-" is what vectors are made from. An
        item that comes again with another such part loses its vectors of other encoders, which
        are no longer true. `encoder` is the name to remember the fingerprint by. The first
        encoder of a store becomes its own.

        `further` are the vectors of the items' further pictures, (m, dim) each, None where the
        encoder has not seen them; with it the encoder is one whose items score by any of their
        pictures. The part of a hash behind a second "-" is what they are made from.
        """
        further = [None] * len(items) if further is None else further
        if not len(items) == len(vectors) == len(hashes) == len(further):
            raise StoreError(f"{len(items)} items, {len(vectors)} vectors, {len(hashes)} hashes")
        if not items:
            return
        with self._changing() as (now, dataset):
            dim = vectors.shape[1]
            seen = any(rows is not None for rows in further)
            known = _registered(now.seal.encoders, fingerprint, encoder, dim, seen)
            dataset = _widened(dataset, items, fingerprint, dim, seen)
            batch = _batch(now, dataset, items, fingerprint, vectors, hashes, further)
            dataset = table.commit(dataset, batch, _doomed(now, [item.id for item in items]))
            self._seal(dataset, encoders=known, encoder=now.seal.encoder or fingerprint)

    def delete(self, ids: Sequence[str]) -> int:
        """Remove items; how many were there."""
        with self._changing() as (now, dataset):
            there = sorted({id for id in ids if now.has(id)})
            if there:
                self._seal(table.commit(dataset, None, _doomed(now, there)))
            return len(there)

    def tell(self, fields: Mapping[str, Mapping[str, FieldValue]], mark: str | None) -> int:
        """Give items automatic fields in place of those they have, in one atomic step → how many.

        `fields` is id → name → value, names as `coordi.store.automatic` has them; ids that are
        not there are passed over. `mark` says who tells (`Snapshot.told`). Vectors, hashes and
        all that the catalogue says stay. Raises `StoreError` where a catalogue's own fields have
        such names.
        """
        with self._changing() as (now, dataset):
            automatic.check_names(now.rows.columns)
            ids = [id for id in fields if now.has(id)]
            if not ids:
                return 0
            items = [automatic.told(item, fields[item.id]) for item in now.get(ids)]
            positions = [now.rows.position(id) for id in ids]
            addresses = [int(now.rows.addresses[at]) for at in positions if at is not None]
            now.check(addresses)
            dataset = automatic.widened(dataset, items)
            first = (dataset.version + 1) << _SEQ_BITS
            batch = automatic.batch(dataset, items, addresses, mark, first)
            self._seal(table.commit(dataset, batch, _doomed(now, ids)))
            return len(ids)

    def untell(self) -> None:
        """Drop the columns of automatic fields, which no item may have any more."""
        with self._changing() as (now, dataset):
            names = automatic.automatic_columns(now.rows.columns)
            if names:
                self._seal(table.drop_columns(dataset, names))

    def use_encoder(self, fingerprint: str) -> None:
        """Search with this encoder from now on; `FingerprintError` where it has no vectors."""
        with self._changing() as (now, dataset):
            if fingerprint not in {entry.fingerprint for entry in now.encoders()}:
                raise FingerprintError(f"the store has no vectors of the encoder {fingerprint}")
            self._seal(dataset, encoder=fingerprint)

    def use_views(self, fingerprint: str, views: str) -> None:
        """Remember which pictures of an item an encoder's vectors are of: "main" or "all"."""
        with self._changing() as (now, dataset):
            known = tuple(
                replace(entry, views=views) if entry.fingerprint == fingerprint else entry
                for entry in now.seal.encoders
            )
            if known != now.seal.encoders:
                self._seal(dataset, encoders=known)

    def add_roots(self, roots: Sequence[Path]) -> None:
        """Let pictures be read from these folders too."""
        with self._changing() as (now, dataset):
            known = tuple(dict.fromkeys([*now.seal.roots, *map(str, roots)]))
            if known != now.seal.roots:
                self._seal(dataset, roots=known)

    def compact(self) -> None:
        """Join small fragments and drop old versions; worth it at the end of an ingest."""
        with self._changing() as (now, dataset):
            dataset = table.join_fragments(dataset)
            if dataset.version != now.seal.version:
                self._seal(dataset)
            self._forget(dataset)

    def close(self) -> None:
        """Let go of memory; the store on disk is always complete."""
        with self._lock:
            self._now = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # Following other processes' commits

    def _follow(self) -> Snapshot:
        """Reach the newest commit, which a writer may replace while it is opened."""
        for attempt in range(_TRIES):
            seen = self._watch.read()
            try:
                now = self._reach()
            except (FileNotFoundError, StoreDamagedError):
                if attempt + 1 == _TRIES or self._watch.read() == seen:
                    raise
                continue
            self._watch.mark(seen)
            self._now = now
            return now
        raise AssertionError("unreachable")

    def _reach(self) -> Snapshot:
        head = self._head()
        now = self._now
        if now is not None and head.token == now.token:
            return now
        self._checks.ensure(head.files)
        dataset = table.open_version(self._table, head.version)
        if now is None or not self._descends(head, now.seal):
            spaces: dict[str, Space] = {}
            make = partial(self._index, spaces), partial(self._words, [])
            return Snapshot(head, rows.load(dataset), dataset, ItemCache(), self._checks, *make)
        return now.followed_by(head, rows.advance(now.rows, dataset), dataset)

    def _head(self) -> Seal:
        """The newest commit."""
        noted = seal.noted(self._table) or 0  # before the seals, which a writer adds to
        found = seal.numbers(self._table)
        if not found:
            raise StoreDamagedError(f"the store has no commit at all. {seal.VERIFY}")
        if noted > found[-1]:
            raise StoreDamagedError(f"the seal of the newest commit is missing. {seal.VERIFY}")
        head = seal.load(self._table, found[-1])
        if self._now is None and head.store != creation.read_settings(self.path)["store"]:
            raise StoreDamagedError(
                f"{creation.TABLE} belongs to another store than {creation.SETTINGS}. Put the "
                "folder back as a whole, or make it anew: coordi ingest CATALOG"
            )
        return head

    def _descends(self, head: Seal, known: Seal) -> bool:
        """Whether a commit follows from a known one: not in a store that was made anew in its
        place, or put back to an earlier state. Where seals between are gone, nobody can tell.
        """
        if head.store != known.store or head.number <= known.number:
            return False
        parent = head.parent
        for number in range(head.number - 1, known.number, -1):
            try:
                between = seal.load(self._table, number)
            except FileNotFoundError:
                return False
            if between.token != parent:
                return False
            parent = between.parent
        return parent == known.token

    def _index(self, spaces: dict[str, Space], at: Snapshot, entry: EncoderColumn) -> VectorIndex:
        """The index of a snapshot; `spaces` belong to the commits that follow from one another."""
        with self._lock:
            space = spaces.get(entry.fingerprint)
            if space is None or not space.untouched():
                space = spaces[entry.fingerprint] = self._space(at, entry)
            if space.version > at.rows.version:  # it has followed a newer commit meanwhile
                space = self._space(at, entry)
            return space.at(at.rows, at.dataset, at.filters.mask, at.token)

    def _words(self, spaces: list[WordSpace], at: Snapshot) -> tuple[WordIndex, Callable[[], bool]]:
        """The index of a snapshot's words; `spaces` holds the one of its lineage."""
        with self._lock:
            space = spaces[0] if spaces and spaces[0].untouched() else self._word_space(at)
            spaces[:] = [space]
            if space.version > at.rows.version:  # it has followed a newer commit meanwhile
                space = self._word_space(at)
            return space.at(at.rows, at.dataset, at.filters.mask, at.token), space.untouched

    def _word_space(self, at: Snapshot) -> WordSpace:
        return WordSpace(self.path / creation.DERIVED, at.seal.store)

    def _space(self, at: Snapshot, entry: EncoderColumn) -> Space:
        return Space(
            entry.fingerprint,
            entry.dim,
            self.path / creation.DERIVED,
            at.seal.store,
            exact_floats=self._exact_floats,
        )

    # Committing

    @contextmanager
    def _changing(self) -> Iterator[tuple[Snapshot, Any]]:
        """Hold the writer's lock; yields the newest commit, and the table at it, to be changed.

        A snapshot's own handle of the table is left alone: Lance moves a handle that is written
        through on to the new version.
        """
        with self.writing():
            now = self.snapshot()
            dataset = table.open_version(self._table, now.seal.version)
            if dataset.latest_version != now.seal.version:
                # A writer was killed, or ran out of disk, before it had sealed its commit.
                self._seal(table.restore(dataset))
                now = self.snapshot()
                dataset = table.open_version(self._table, now.seal.version)
            yield now, dataset

    def _seal(self, dataset: Any, **changed: Any) -> None:
        """Make a version of the table the store's newest commit."""
        assert self._now is not None
        head = self._now.seal
        with table.translated("cannot write to the store"):
            dataset = table.open_version(self._table, dataset.version)
            names = table.files_of(dataset)
            table.check_written(dataset, names.keys() - head.files.keys())
            files = {name: head.files.get(name) or self._checks.learn(name) for name in names}
            aside = creation.sums(self._table, table.aside_of(dataset, head.version))
            made = head.next(version=dataset.version, files=files, aside=aside, **changed)
            seal.write(self._table, made)
        with self._lock:
            self._follow()

    def _forget(self, dataset: Any) -> None:
        """Drop old versions, their seals first: a seal without its version would look damaged."""
        gone = set(table.forgettable(dataset, _KEEP))
        for number in seal.numbers(self._table)[:-1]:
            try:
                if seal.load(self._table, number).version in gone:
                    seal.place(self._table, number).unlink()
            except StoreDamagedError:
                continue  # `verify` tells
        table.forget(dataset, gone)


def _registered(
    known: tuple[EncoderColumn, ...], fingerprint: str, name: str | None, dim: int, seen: bool
) -> tuple[EncoderColumn, ...]:
    """The known encoders and this one, under its newest name; `seen` with further pictures."""
    old = next((entry for entry in known if entry.fingerprint == fingerprint), None)
    if old is None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        views = "all" if seen else "main"
        return (*known, EncoderColumn(fingerprint, name or fingerprint, dim, now, views))
    if old.dim != dim:
        raise StoreError(f"vectors of {fingerprint} have {old.dim} dimensions, not {dim}")
    named = replace(old, name=name or old.name, views="all" if seen else old.views)
    return tuple(named if entry is old else entry for entry in known)


def _widened(dataset: Any, items: Sequence[Item], fingerprint: str, dim: int, seen: bool) -> Any:
    """The table with the columns that these items need."""
    known = dataset.schema.names
    schema = cols.new_columns(items, known)
    column = cols.vector_column(fingerprint)
    if column not in known:
        schema = schema.append(pa.field(column, pa.list_(pa.float32(), dim)))
    column = cols.further_column(fingerprint)
    if seen and column not in known:
        schema = schema.append(pa.field(column, cols.FURTHER_TYPE))
    return table.add_columns(dataset, schema) if len(schema) else dataset


def _batch(
    now: Snapshot, dataset: Any, items: Sequence[Item], fingerprint: str, vectors: Vectors,
    hashes: Sequence[str], further: Sequence[Vectors | None],
) -> Any:  # fmt: skip
    """The rows to append, with the schema of the table."""
    if len({item.id for item in items}) < len(items):
        raise StoreError("the same id stands twice in one step")
    schema, count = dataset.schema, len(items)
    cells = cols.item_columns(items, schema)
    # Versions only rise, so a number made from one is never used again, deletions or not.
    start = (dataset.version + 1) << _SEQ_BITS
    cells["seq"] = pa.array(range(start, start + count), pa.int64())
    cells["commit"] = pa.array([secrets.randbits(63)] * count, pa.int64())
    cells["hash"] = pa.array(hashes, pa.string())
    cells |= _carried(now, items, fingerprint, hashes)
    cells[cols.vector_column(fingerprint)] = cols.vector_array(vectors, vectors.shape[1])
    column = cols.further_column(fingerprint)
    if column in schema.names:
        cells[column] = cols.further_array(further, vectors.shape[1])
    empty = {name: pa.nulls(count, schema.field(name).type) for name in schema.names}
    return pa.table({**empty, **cells}, schema=schema)


def _carried(
    now: Snapshot, items: Sequence[Item], fingerprint: str, hashes: Sequence[str]
) -> dict[str, Any]:
    """Vectors of other encoders that are still true.

    They are where the part of the hash before "-", what vectors are made from, is the same; those
    of further pictures where their part is the same too.
    """
    own = {cols.vector_column(fingerprint), cols.further_column(fingerprint)}
    others = [name for name in now.rows.columns if name[:2] in ("v_", "w_") and name not in own]
    places = [(row, now.rows.position(item.id)) for row, item in enumerate(items)]
    known = [(row, position) for row, position in places if position is not None]
    if not others or not known:
        return {}
    addresses = [int(now.rows.addresses[position]) for _, position in known]
    now.check(addresses)
    old = table.take(now.dataset, addresses, ["hash", *others])
    kept: dict[str, dict[int, int]] = {"v_": {}, "w_": {}}
    for at, ((row, _), before) in enumerate(zip(known, old["hash"].to_pylist(), strict=True)):
        was, is_now = _parts(before), _parts(hashes[row])
        if was[0] == is_now[0]:
            kept["v_"][row] = at
            if was[1] == is_now[1]:
                kept["w_"][row] = at
    indices = {
        kind: pa.array([rows.get(row) for row in range(len(items))], pa.int64())
        for kind, rows in kept.items()
    }
    return {name: old[name].take(indices[name[:2]]) for name in others}


def _parts(hash: str) -> tuple[str, str]:
    """What the main vector is made from, and what the further ones are, by an item's hash."""
    source, _, rest = hash.partition("-")
    return source, rest.partition("-")[2]


def _doomed(now: Snapshot, ids: Sequence[str]) -> dict[int, list[int]]:
    """Fragment → `seq` of the rows that these ids have now."""
    doomed: dict[int, list[int]] = {}
    for id in ids:
        position = now.rows.position(id)
        if position is not None:
            fragment = int(now.rows.addresses[position]) >> 32
            doomed.setdefault(fragment, []).append(int(now.rows.seqs[position]))
    return doomed
