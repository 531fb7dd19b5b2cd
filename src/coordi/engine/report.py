"""What an ingest says while it runs and when it is over."""

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coordi.types import Encoder, Problem

if TYPE_CHECKING:
    from coordi.data.catalog import Catalog


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
    """Rows that were dealt with: added, updated, unchanged and failed together."""
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
        return self.added + self.updated + self.unchanged + self.failed

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
            fetched=fetched,
        )

    def _eta(self, done: int, now: float) -> float | None:
        if self.total is None or self.encoding_since is None or done <= self.unchanged:
            return None
        pace = (done - self.unchanged) / max(now - self.encoding_since, 1e-9)
        return max(0.0, (self.total - done) / pace)

    def report(
        self, catalog: "Catalog", encoder: Encoder, *, interrupted: bool = False
    ) -> IngestReport:
        """The counts as they stand, with what was read and what read it.

        Rows that an interruption found read ahead but not done are not counted.
        """
        seconds = time.monotonic() - self.started
        return IngestReport(
            source=catalog.source,
            kind=catalog.kind,
            mapping=dict(catalog.mapping),
            encoder=encoder.name,
            fingerprint=encoder.fingerprint,
            read=self.done if interrupted else self.read,
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
        )
