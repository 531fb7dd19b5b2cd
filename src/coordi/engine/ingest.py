"""Catalogue → store: decode in threads, encode in batches, store in atomic steps.

Whatever was stored stays stored: a run that is stopped, killed or out of power leaves complete
items only, and the next run finds them unchanged and goes on behind them.
"""

import glob
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coordi.data.catalog import Catalog, open_catalog
from coordi.data.loading import decoded
from coordi.engine.report import IngestInterrupted, IngestProgress, IngestReport, Tally
from coordi.engine.signature import same_source, signature
from coordi.errors import ImageError
from coordi.types import Encoder, ImageRef, Item, Origin, Problem, Vectors

if TYPE_CHECKING:
    from coordi.store.lance import LanceStore

OnProgress = Callable[[IngestProgress], None]

BATCH = 64
"""Pictures per call of the encoder."""

AHEAD = 2 * BATCH
"""Pictures that may wait, decoded, for the encoder."""

STEP_ITEMS = 512
"""Items per atomic write …"""

STEP_SECONDS = 5.0
"""… or what has gathered after this time: the most work that a kill can cost."""

MANY_WRITES = 8
"""Writes after which joining their pieces is worth it."""

PROGRESS_SECONDS = 0.1


def open_absolute(
    source: str | Path, *, mapping: Mapping[str, str] | None = None, images: Path | None = None
) -> Catalog:
    """Open a catalogue by absolute paths, as the store needs them: it outlives this process.

    Takes and raises what `coordi.data.catalog.open_catalog` does.
    """
    if Path(source).expanduser().exists() or glob.has_magic(str(source)):
        source = _absolute(Path(source))
    return open_catalog(source, mapping=mapping, images=images and _absolute(images))


def _absolute(path: Path) -> Path:
    path = path.expanduser().absolute()
    return path.resolve() if ".." in path.parts else path


def ingest(
    catalog: Catalog,
    store: "LanceStore",
    encoder: Encoder,
    *,
    encoder_name: str,
    prune: bool = False,
    on_progress: OnProgress | None = None,
) -> IngestReport:
    """Bring `store` up to date with `catalog` and say what was done.

    A row goes in under the vector of its picture, or of its words where it has no picture.
    Rows whose signature is stored are skipped. `encoder_name` is what opens the encoder again.
    `prune` removes items that an earlier ingest of the same catalogue stored and that it no
    longer lists. Ctrl-C stores what is encoded and raises `IngestInterrupted` with the report
    so far.
    """
    with store.writing():
        run = _Run(catalog, store, encoder, encoder_name, on_progress)
        try:
            run.all_rows()
            if prune:
                run.prune()
            run.tidy()
        except KeyboardInterrupt:
            run.write()
            raise IngestInterrupted(run.report()) from None
    return run.report()


@dataclass(frozen=True, slots=True)
class _Row:
    """A row that is to be stored."""

    item: Item
    signature: str
    by_picture: bool


class _Run:
    """One ingest: what is encoded and waits for the next write, and the counts."""

    def __init__(
        self,
        catalog: Catalog,
        store: "LanceStore",
        encoder: Encoder,
        encoder_name: str,
        on_progress: OnProgress | None,
    ) -> None:
        self.catalog, self.store, self.encoder = catalog, store, encoder
        self.encoder_name, self.on_progress = encoder_name, on_progress
        self.tally = Tally(total=catalog.count)
        self.known = store.signatures(encoder.fingerprint)
        self.present = set(store.ids())
        self.listed: set[str] = set()
        self.sources = {catalog.source}
        self.worded: list[_Row] = []  # to be encoded by their words
        self.relabelled: list[_Row] = []  # their vector stays, their words or fields changed
        self.pending: list[tuple[_Row, NDArray[np.float32]]] = []
        self.writes = 0
        self.last_write = self.last_progress = time.monotonic()

    def all_rows(self) -> None:
        """Read, encode and store every row that is not stored as it is."""
        pictures = decoded(
            self._pictured(),
            self.encoder.prepare,
            target=self.encoder.image_size,
            workers=cores(),
            ahead=AHEAD,
        )
        while batch := list(islice(pictures, BATCH)):
            self._encode_pictures(batch)
            self._write_when_due()
            self._show()
        self._encode_aside()
        self.write()
        self._show(now=True)

    def _pictured(self) -> Iterator[tuple[_Row, ImageRef]]:
        """Rows whose picture is to be encoded; the others are put aside and need no decoding."""
        for row in self._changed():
            if same_source(self.known.get(row.item.id, ""), row.signature):
                self.relabelled.append(row)
            elif row.by_picture and row.item.image is not None:
                yield row, row.item.image
            else:
                self.worded.append(row)
            if len(self.worded) + len(self.relabelled) >= STEP_ITEMS:
                self._encode_aside()
                self._write_when_due()

    def _changed(self) -> Iterator[_Row]:
        """Rows that are new, or not as they are stored."""
        for row in self.catalog.rows():
            self.tally.read += 1
            self._show()
            self._note_listed(row)
            if isinstance(row, Problem):
                self.tally.problems.append(row)
                continue
            try:
                by_picture = self._by_picture(row)
                now = signature(row, by_picture=by_picture)
            except ImageError as error:
                self._fail(row, error)
                continue
            if self.known.get(row.id) == now:
                self.tally.unchanged += 1
            else:
                yield _Row(row, now, by_picture)

    def _note_listed(self, row: Item | Problem) -> None:
        """Remember what the catalogue lists, also where it has a problem: never pruned."""
        if row.id is not None:
            self.listed.add(row.id)
        if row.origin is not None and self.catalog.kind != "folder":
            self.sources.add(row.origin.file)

    def _by_picture(self, item: Item) -> bool:
        """Whether the item's vector comes from its picture or from its words."""
        takes = self.encoder.modalities
        if item.image is not None and "image" in takes:
            return True
        if words_of(item) and "text" in takes:
            return False
        has = "only words" if words_of(item) else "only a picture" if item.image else "no picture"
        raise ImageError(f"has {has}; the encoder {self.encoder.name} takes {_listed(takes)}")

    def _fail(self, item: Item, error: Exception) -> None:
        origin = item.origin or Origin(self.catalog.source)
        column = self.catalog.mapping.get("image")
        self.tally.problems.append(Problem(origin, str(error), id=item.id, column=column))

    def _encode_pictures(
        self, batch: Sequence[tuple[_Row, NDArray[Any] | ImageError, str]]
    ) -> None:
        rows, pixels = [], []
        for row, picture, _ in batch:
            if isinstance(picture, ImageError):
                self._fail(row.item, picture)
            else:
                rows.append(row)
                pixels.append(picture)
        if rows:
            self._keep(rows, self.encoder.encode_prepared(np.stack(pixels)))
            self.tally.images += len(rows)

    def _encode_aside(self) -> None:
        """Find vectors for the rows that were put aside: of their words, or the ones they have."""
        if self.worded:
            words = [words_of(row.item) for row in self.worded]
            self._keep(self.worded, self.encoder.encode_texts(words))
            self.tally.text_only += len(words)
            self.worded = []
        if self.relabelled:
            ids = [row.item.id for row in self.relabelled]
            self._keep(self.relabelled, self.store.vectors_of(ids, self.encoder.fingerprint))
            self.relabelled = []

    def _keep(self, rows: list[_Row], vectors: Vectors) -> None:
        if self.tally.encoding_since is None:
            self.tally.encoding_since = time.monotonic()
        self.pending.extend(zip(rows, vectors, strict=True))

    def _write_when_due(self) -> None:
        late = time.monotonic() > self.last_write + STEP_SECONDS
        if late or len(self.pending) >= STEP_ITEMS:
            self.write()

    def write(self) -> None:
        """Store what is encoded, in one atomic step that Ctrl-C waits for."""
        with _uninterrupted():
            self._put_pending()
        self.last_write = time.monotonic()

    def _put_pending(self) -> None:
        if self.pending:
            rows = [row for row, _ in self.pending]
            self.store.put(
                [row.item for row in rows],
                self.encoder.fingerprint,
                np.stack([vector for _, vector in self.pending]),
                [row.signature for row in rows],
                encoder=self.encoder_name,
            )
            updated = sum(row.item.id in self.present for row in rows)
            self.tally.updated += updated
            self.tally.added += len(rows) - updated
            self.pending.clear()
            self.writes += 1

    def prune(self) -> None:
        """Remove what an earlier ingest of this catalogue stored and it no longer lists."""
        stored = {id for source in self.sources for id in self.store.ids_from(source)}
        self.tally.pruned = self.store.delete(sorted(stored - self.listed))

    def tidy(self) -> None:
        """Join the pieces that the writes left, where there were many."""
        if self.writes > MANY_WRITES:
            self.store.compact()

    def _show(self, *, now: bool = False) -> None:
        due = time.monotonic() > self.last_progress + PROGRESS_SECONDS
        if self.on_progress and (due or now):
            self.last_progress = time.monotonic()
            self.on_progress(self.tally.progress())

    def report(self) -> IngestReport:
        """The counts as they stand."""
        return self.tally.report(self.catalog, self.encoder)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C and SIGTERM back until the block is done: half a write has no count to report."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: held.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if held:
        signal.raise_signal(held[0])


def words_of(item: Item) -> str:
    """What stands for an item that has no picture: its title, else its description."""
    return item.title or item.description


def _listed(modalities: frozenset[str]) -> str:
    return " and ".join({"image": "pictures", "text": "words"}[name] for name in sorted(modalities))


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
