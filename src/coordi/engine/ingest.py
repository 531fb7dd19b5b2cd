"""Catalogue → store: decode in threads, encode in batches, store in atomic steps.

Whatever was stored stays stored: a run that is stopped, killed or out of power leaves complete
items only, and the next run finds them unchanged and goes on behind them.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coordi.data.loading import decoded
from coordi.engine.report import IngestInterrupted, IngestProgress, IngestReport, Tally
from coordi.engine.signature import signature
from coordi.errors import ImageError
from coordi.types import Encoder, ImageRef, Item, Origin, Problem, Vectors

if TYPE_CHECKING:
    from coordi.data import Catalog
    from coordi.store import LanceStore

OnProgress = Callable[[IngestProgress], None]

BATCH = 64
"""Pictures per call of the encoder."""

AHEAD = 2 * BATCH
"""Pictures that may wait, decoded, for the encoder."""

STEP_ITEMS = 512
"""Items per atomic write …"""

STEP_SECONDS = 5.0
"""… or what has gathered after this time: the most work that a kill can cost."""

PROGRESS_SECONDS = 0.1


def ingest(
    catalog: "Catalog",
    store: "LanceStore",
    encoder: Encoder,
    *,
    prune: bool = False,
    on_progress: OnProgress | None = None,
) -> IngestReport:
    """Bring `store` up to date with `catalog` and say what was done.

    A row goes in under the vector of its picture, or of its words where it has no picture.
    Rows whose signature is stored are skipped. `prune` removes items that an earlier ingest of
    the same catalogue stored and that it no longer lists. Ctrl-C stores what is encoded and
    raises `IngestInterrupted` with the report so far.
    """
    run = _Run(catalog, store, encoder, on_progress)
    try:
        run.all_rows()
        if prune:
            run.prune()
    except KeyboardInterrupt:
        run.write()
        raise IngestInterrupted(run.report()) from None
    return run.report()


@dataclass(frozen=True, slots=True)
class _Row:
    """A row that is to be stored."""

    item: Item
    signature: str


class _Run:
    """One ingest: what is encoded and waits for the next write, and the counts."""

    def __init__(
        self,
        catalog: "Catalog",
        store: "LanceStore",
        encoder: Encoder,
        on_progress: OnProgress | None,
    ) -> None:
        self.catalog, self.store, self.encoder = catalog, store, encoder
        self.on_progress = on_progress
        self.tally = Tally(total=catalog.count)
        self.known = store.signatures(encoder.fingerprint)
        self.present = set(store.ids())
        self.listed: set[str] = set()
        self.worded: list[_Row] = []
        self.pending: list[tuple[_Row, NDArray[np.float32]]] = []
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
            self._encode_words()
            self._write_when_due()
            self._show()
        self._encode_words()
        self.write()
        self._show(now=True)

    def _pictured(self) -> Iterator[tuple[_Row, ImageRef]]:
        """Rows whose picture is to be encoded; those that have words only are put aside."""
        for row in self._changed():
            if row.item.image is not None and "image" in self.encoder.modalities:
                yield row, row.item.image
            else:
                self.worded.append(row)
                if len(self.worded) >= STEP_ITEMS:  # a catalogue without any picture
                    self._encode_words()
                    self._write_when_due()

    def _changed(self) -> Iterator[_Row]:
        """Rows that are new, or not as they are stored."""
        for row in self.catalog.rows():
            self.tally.read += 1
            self._show()
            if row.id is not None:
                self.listed.add(row.id)  # a row with a problem is still listed: never pruned
            if isinstance(row, Problem):
                self.tally.problems.append(row)
                continue
            try:
                self._check_usable(row)
                now = signature(row)
            except (ImageError, OSError) as error:
                self._fail(row, error)
                continue
            if self.known.get(row.id) == now:
                self.tally.unchanged += 1
            else:
                yield _Row(row, now)

    def _check_usable(self, item: Item) -> None:
        takes = self.encoder.modalities
        if (item.image and "image" in takes) or (words_of(item) and "text" in takes):
            return
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

    def _encode_words(self) -> None:
        if self.worded:
            words = [words_of(row.item) for row in self.worded]
            self._keep(self.worded, self.encoder.encode_texts(words))
            self.tally.text_only += len(words)
            self.worded = []

    def _keep(self, rows: list[_Row], vectors: Vectors) -> None:
        if self.tally.encoding_since is None:
            self.tally.encoding_since = time.monotonic()
        self.pending.extend(zip(rows, vectors, strict=True))

    def _write_when_due(self) -> None:
        late = time.monotonic() > self.last_write + STEP_SECONDS
        if late or len(self.pending) >= STEP_ITEMS:
            self.write()

    def write(self) -> None:
        """Store what is encoded, in one atomic step."""
        if self.pending:
            rows = [row for row, _ in self.pending]
            self.store.put(
                [row.item for row in rows],
                self.encoder.fingerprint,
                np.stack([vector for _, vector in self.pending]),
                [row.signature for row in rows],
            )
            updated = sum(row.item.id in self.present for row in rows)
            self.tally.updated += updated
            self.tally.added += len(rows) - updated
            self.pending.clear()
        self.last_write = time.monotonic()

    def prune(self) -> None:
        """Remove what an earlier ingest of this catalogue stored and it no longer lists."""
        gone = [id for id in self.store.ids_from(self.catalog.source) if id not in self.listed]
        self.tally.pruned = self.store.delete(gone) if gone else 0

    def _show(self, *, now: bool = False) -> None:
        due = time.monotonic() > self.last_progress + PROGRESS_SECONDS
        if self.on_progress and (due or now):
            self.last_progress = time.monotonic()
            self.on_progress(self.tally.progress())

    def report(self) -> IngestReport:
        """The counts as they stand."""
        return self.tally.report(self.catalog, self.encoder)


def words_of(item: Item) -> str:
    """What stands for an item that has no picture: its title, else its description."""
    return item.title or item.description


def _listed(modalities: frozenset[str]) -> str:
    return " and ".join({"image": "pictures", "text": "words"}[name] for name in sorted(modalities))


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
