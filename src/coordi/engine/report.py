"""What an ingest says while it runs and when it is over."""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coordi.data.readers.folder import FolderTable
from coordi.data.readers.table import Table
from coordi.types import Encoder, Problem

if TYPE_CHECKING:
    from coordi.data.catalog import Catalog
    from coordi.store.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class IngestProgress:
    """Where a running ingest stands."""

    read: int
    """Rows read so far."""
    total: int | None
    """Rows of the catalogue, where the reader knows."""
    stored: int
    """Items added or updated and safe on disk."""
    unchanged: int
    failed: int
    images_per_second: float
    """Pictures encoded per second since the first one was needed."""
    eta_seconds: float | None
    """Seconds left at the present pace; None while nobody can know."""
    folded: int = 0
    """Rows that went into the item of another row."""
    fetched: int = 0
    """Pictures that were fetched by their address in this run."""


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What an ingest did."""

    source: str
    kind: str
    """"csv", "jsonl", "parquet", "huggingface" or "folder"."""
    mapping: dict[str, str]
    """Role → column, as guessed or given."""
    encoder: str
    fingerprint: str
    read: int
    """Rows that were dealt with: added, updated, unchanged, failed and folded together."""
    added: int
    updated: int
    unchanged: int
    failed: int
    """Rows that did not go in; `problems` says why, and which further pictures others lack."""
    pruned: int
    """Items removed because the catalogue no longer lists them."""
    text_only: int
    """Items that went in under the vector of their words, having no picture."""
    problems: tuple[Problem, ...]
    seconds: float
    images_per_second: float
    """Pictures encoded per second of the whole run; 0 where none was."""
    known_by: dict[str, str] = field(default_factory=dict)
    """Role → what its column was recognised by: "by its name", "by its values" or "given"."""
    notes: tuple[str, ...] = ()
    """What was guessed, converted or left aside, in sentences."""
    folded: int = 0
    """Rows that went into the item of another row, as the sizes of one picture do."""
    images: int = 0
    """Pictures encoded."""
    further: int = 0
    """Pictures kept beside the main ones."""
    fields: dict[str, str] = field(default_factory=dict)
    """Field → the column it comes from."""
    field_types: dict[str, str] = field(default_factory=dict)
    """Field → "text", "integer", "number" or "boolean"."""
    left_aside: dict[str, int] = field(default_factory=dict)
    """Suffix → files of a folder of pictures that are none."""
    roots: tuple[str, ...] = ()
    """Folders that pictures may be read from."""
    views: str = "main"
    """Pictures of an item that have vectors: "main" or "all"."""
    token: str = ""
    """The commit that the store is at now."""
    prune_refused: tuple[int, int] | None = None
    """(items that `prune` would have removed and nobody agreed to, items it looked at)."""


class IngestInterrupted(KeyboardInterrupt):
    """Ctrl-C during an ingest; what was finished is in the store and `report` counts it."""

    def __init__(self, report: IngestReport) -> None:
        """Carry the report of the part that was done."""
        super().__init__("Run the same command again to go on from there.")
        self.report = report


@dataclass(slots=True)
class Tally:
    """The counters of a running ingest."""

    total: int | None
    started: float = field(default_factory=time.monotonic)
    read: int = 0
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    failed: int = 0
    pruned: int = 0
    text_only: int = 0
    folded: int = 0
    prune_refused: tuple[int, int] | None = None
    images: int = 0
    """Pictures encoded."""
    encoding_since: float | None = None
    problems: list[Problem] = field(default_factory=list)

    def fail(self, problem: Problem) -> None:
        """Count the rows that do not go in by a problem."""
        self.failed += problem.rows
        self.problems.append(problem)

    @property
    def done(self) -> int:
        """Rows that need nothing more."""
        return self.added + self.updated + self.unchanged + self.failed + self.folded

    def progress(self, fetched: int = 0) -> IngestProgress:
        """A snapshot for the progress callback."""
        now = time.monotonic()
        pace = self.images / max(now - (self.encoding_since or now), 1e-9) if self.images else 0.0
        return IngestProgress(
            read=self.read,
            total=self.total,
            stored=self.added + self.updated,
            unchanged=self.unchanged,
            failed=self.failed,
            images_per_second=pace,
            eta_seconds=self._eta(self.done, now),
            folded=self.folded,
            fetched=fetched,
        )

    def _eta(self, done: int, now: float) -> float | None:
        if self.total is None or self.encoding_since is None or done <= self.unchanged:
            return None
        pace = (done - self.unchanged) / max(now - self.encoding_since, 1e-9)
        return max(0.0, (self.total - done) / pace)

    def report(
        self, catalog: "Catalog", encoder: Encoder, at: "Snapshot", *, interrupted: bool = False
    ) -> IngestReport:
        """The counts as they stand, with what was read, what read it, and where it went.

        Rows that an interruption found read ahead but not done are not counted.
        """
        seconds = time.monotonic() - self.started
        return IngestReport(
            source=catalog.source,
            kind=catalog.kind,
            mapping=dict(catalog.mapping),
            encoder=encoder.name,
            fingerprint=encoder.fingerprint,
            read=self.done if interrupted else self.read + self.folded,
            added=self.added,
            updated=self.updated,
            unchanged=self.unchanged,
            failed=self.failed,
            pruned=self.pruned,
            text_only=self.text_only,
            problems=tuple(self.problems),
            seconds=seconds,
            images_per_second=self.images / seconds if self.images else 0.0,
            known_by=dict(catalog.known_by),
            notes=(*catalog.notes, *catalog.remarks()),
            folded=self.folded,
            images=self.images,
            further=catalog.seen.further,
            fields=dict(catalog.fields),
            field_types=dict(catalog.field_types),
            left_aside=left_aside(catalog.tables),
            roots=tuple(map(str, at.roots)),
            token=at.token,
            prune_refused=self.prune_refused,
        )


def left_aside(tables: Iterable[Table]) -> dict[str, int]:
    """Suffix → files that lie in folders of pictures and are none."""
    counts: Counter[str] = Counter()
    for table in tables:
        if isinstance(table, FolderTable):
            counts.update(table.aside)
    return dict(sorted(counts.items()))
