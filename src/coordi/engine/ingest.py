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
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from coordi.data.catalog import Catalog, open_catalog
from coordi.data.files import Fence, outside, read_within
from coordi.data.images import begins_like_picture
from coordi.data.loading import decoded
from coordi.engine.report import IngestInterrupted, IngestProgress, IngestReport, Tally
from coordi.engine.signature import (
    further_of,
    picture_key,
    same_source,
    signature,
    with_further,
)
from coordi.errors import EncoderError, ImageError, InputError, NotFoundError
from coordi.types import Encoder, ImageRef, Item, Origin, Problem, Vectors

if TYPE_CHECKING:
    from coordi.data.fetching import Fetcher
    from coordi.store.lance import LanceStore

OnProgress = Callable[[IngestProgress], None]
MayPrune = Callable[[int, int], bool]
"""Asked before many items are removed: (how many, of how many of this catalogue) → go on."""

X = TypeVar("X")

VIEWS = ("main", "all")
"""Which pictures of an item are embedded."""

BATCH = 64
"""Pictures per call of the encoder."""

AHEAD = 2 * BATCH
"""Pictures that may wait, decoded, for the encoder."""

STEP_ITEMS = 512
"""Items per atomic write …"""

STEP_SECONDS = 5.0
"""… or what has gathered after this time: the most work that a kill can cost."""

FEW_PRUNED = 5
"""Items that are removed without asking, however few the catalogue has left."""

MANY_WRITES = 8
"""Writes after which joining their pieces is worth it."""

PROGRESS_SECONDS = 0.1
_HEAD = 16  # bytes that tell what a file is


def open_absolute(
    source: str | Path,
    *,
    mapping: Mapping[str, str] | None = None,
    images: Path | None = None,
    fetch: "Fetcher | None" = None,
    encoding: str | None = None,
) -> Catalog:
    """Open a catalogue by absolute paths, as the store needs them: it outlives this process.

    Takes and raises what `coordi.data.catalog.open_catalog` does.
    """
    if Path(source).expanduser().exists() or glob.has_magic(str(source)):
        source = _absolute(Path(source))
    folder = images and _absolute(images)
    return open_catalog(source, mapping=mapping, images=folder, fetch=fetch, encoding=encoding)


def _absolute(path: Path) -> Path:
    path = path.expanduser().absolute()
    return path.resolve() if ".." in path.parts else path


def ingest(
    catalog: Catalog,
    store: "LanceStore",
    encoder: Encoder,
    *,
    encoder_name: str,
    roots: Sequence[Path] = (),
    prune: bool = False,
    may_prune: MayPrune | None = None,
    views: str | None = None,
    on_progress: OnProgress | None = None,
) -> IngestReport:
    """Bring `store` up to date with `catalog` and say what was done.

    Pictures are read from the catalogue's folder, from the one given for its pictures and from
    `roots`; the store remembers these folders, and pictures are served from nowhere else.

    A row goes in under the vector of its picture, or of its words where it has no picture.
    Rows whose signature is stored are skipped. `encoder_name` is what opens the encoder again.
    `prune` removes items that an earlier ingest of the same catalogue stored and that it no
    longer lists. Where that is more than a tenth of them, `may_prune` is asked first with how
    many of how many; without it nobody is asked. `views` "all" embeds the further pictures of an
    item too, so that it scores by its best one, and "main" the first alone; by default it stays
    as it is for this encoder, which is "main" at first. Ctrl-C stores what is encoded and raises
    `IngestInterrupted` with the report so far.
    """
    views = views or store.views(encoder.fingerprint)
    _check_views(views, encoder)
    with store.writing():
        store.use_views(encoder.fingerprint, views)
        store.add_roots(picture_roots(catalog, roots))
        run = _Run(catalog, store, encoder, encoder_name, views, on_progress)
        try:
            run.all_rows()
            if prune:
                run.prune(may_prune)
            run.tidy()
        except KeyboardInterrupt:
            run.write()
            raise IngestInterrupted(run.report(interrupted=True)) from None
    return run.report()


def _check_views(views: str, encoder: Encoder) -> None:
    if views not in VIEWS:
        raise InputError(f"views is {views!r}; it must be one of {', '.join(VIEWS)}")
    if views == "all" and "image" not in encoder.modalities:
        raise EncoderError(
            f"the encoder {encoder.name} takes no pictures, so there are no views to embed; leave "
            "out --views all, or take another encoder"
        )


def picture_roots(catalog: Catalog, more: Sequence[Path] = ()) -> list[Path]:
    """Folders that a catalogue's pictures may be read from: its own, that of its pictures, `more`.

    Absolute, links resolved. Raises `NotFoundError` where one of `more` is no folder.
    """
    for folder in more:
        if not folder.expanduser().is_dir():
            raise NotFoundError(f"{folder} is not a folder; give the folder of the pictures")
    # A dataset of the hub lies in a cache that is nobody's catalogue folder; it holds bytes.
    own = [] if catalog.kind == "huggingface" else [table.folder for table in catalog.tables]
    finder = catalog.finder
    given = [] if finder.folder is None else [finder.folder]
    fetched = [] if finder.fetcher is None else [finder.fetcher.folder]
    return list(
        dict.fromkeys(path.expanduser().resolve() for path in (*own, *given, *fetched, *more))
    )


@dataclass(slots=True)
class _Row:
    """A row that is to be stored, as its vectors come in."""

    item: Item
    signature: str
    by_picture: bool
    vectors: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    """0 → the main one; n → that of the n-th further picture, where those are embedded."""
    waiting: int = 0
    """Pictures that are still to be encoded."""
    lost: set[int] = field(default_factory=set)
    """Further pictures that have no vector."""
    failed: bool = False

    def further(self) -> Vectors | None:
        """The further vectors in the pictures' order; None where there are none."""
        found = [self.vectors[number] for number in sorted(self.vectors) if number > 0]
        return np.stack(found) if found else None


_View = tuple[_Row, int]
"""One of a row's pictures: 0 is the main one, or the words in its place."""


class _Run:
    """One ingest: what is encoded and waits for the next write, and the counts."""

    def __init__(
        self,
        catalog: Catalog,
        store: "LanceStore",
        encoder: Encoder,
        encoder_name: str,
        views: str,
        on_progress: OnProgress | None,
    ) -> None:
        self.views = views
        self.catalog, self.store, self.encoder = catalog, store, encoder
        self.encoder_name, self.on_progress = encoder_name, on_progress
        self.roots = store.roots()
        self.fence = Fence(self.roots)
        self.tally = Tally(total=catalog.count)
        self.known = store.signatures(encoder.fingerprint)
        self.viewed = store.viewed(encoder.fingerprint)
        self.present = set(store.ids())
        self.listed: set[str] = set()
        self.sources = {catalog.source}
        self.worded: list[_Row] = []  # to be encoded by their words
        self.relabelled: list[_Row] = []  # their main vector stays, something else changed
        self.pending: list[_Row] = []
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
            roots=self.roots,
        )
        with closing(pictures):  # at once: an interruption must not wait for a slow picture
            while batch := list(islice(pictures, BATCH)):
                self._encode_pictures(batch)
                self._write_when_due()
                self._show()
        self._encode_aside()
        self.write()
        self._show(now=True)

    def _pictured(self) -> Iterator[tuple[_View, ImageRef]]:
        """Pictures that are to be encoded; rows that have none are put aside."""
        for row in self._changed():
            views = self._to_encode(row)
            row.waiting = len(views)
            yield from views
            if not views:
                same = same_source(self.known.get(row.item.id, ""), row.signature)
                (self.relabelled if same else self.worded).append(row)
            if len(self.worded) + len(self.relabelled) >= STEP_ITEMS:
                self._encode_aside()
                self._write_when_due()

    def _to_encode(self, row: _Row) -> list[tuple[_View, ImageRef]]:
        """Those of a row's pictures that have no vector yet; the row gets the vectors it has."""
        known, item = self.known.get(row.item.id, ""), row.item
        views: list[tuple[_View, ImageRef]] = []
        if row.by_picture and item.image is not None and not same_source(known, row.signature):
            views.append(((row, 0), item.image))
        if self._all_views(item, by_picture=row.by_picture):
            stored = self._stored_further(item.id, known)
            keys = further_of(row.signature)
            for number, (ref, key) in enumerate(zip(item.more, keys, strict=True), start=1):
                if key in stored:
                    row.vectors[number] = stored[key]
                else:
                    views.append(((row, number), ref))
        return views

    def _stored_further(self, id: str, known: str) -> dict[str, NDArray[np.float32]]:
        """The vectors of an item's further pictures as they are stored, by the pictures' keys."""
        if id not in self.viewed:
            return {}
        [vectors] = self.store.further_of([id], self.encoder.fingerprint)
        return dict(zip(further_of(known), vectors, strict=True))

    def _all_views(self, item: Item, *, by_picture: bool) -> bool:
        """Whether an item's further pictures are to have vectors."""
        return self.views == "all" and by_picture and bool(item.more)

    def _stored_so(self, item: Item, now: str, *, by_picture: bool) -> bool:
        """Whether an item of this signature is stored as it is, with the vectors it should have."""
        viewed = self._all_views(item, by_picture=by_picture)
        return self.known.get(item.id) == now and (item.id in self.viewed) == viewed

    def _changed(self) -> Iterator[_Row]:
        """Rows that are new, or not as they are stored."""
        for row in self.catalog.rows():
            self.tally.read += row.rows if isinstance(row, Problem) else 1
            self.tally.folded = self.catalog.seen.folded
            self._show()
            self._note_listed(row)
            if isinstance(row, Problem):
                self.tally.fail(row)
                continue
            try:
                changed = self._change(row)
            except ImageError as error:
                self._fail(row, error)
                continue
            if changed is None:
                self.tally.unchanged += 1
            else:
                yield changed

    def _change(self, item: Item) -> _Row | None:
        """What is to be stored of an item, None where it is stored so; its files are looked at.

        Raises `ImageError` where its main picture may not be read, or its words not be embedded.
        """
        self._fenced(item.image)
        by_picture = self._by_picture(item)
        item = self._without(item, self._there)
        now = signature(item, by_picture=by_picture)
        if self._stored_so(item, now, by_picture=by_picture):
            return None
        if not by_picture:
            self._begun(item.image)  # what is not decoded is at least seen
        item = self._without(item, self._begun)
        now = signature(item, by_picture=by_picture)
        stored = self._stored_so(item, now, by_picture=by_picture)
        return None if stored else _Row(item, now, by_picture)

    def _without(self, item: Item, check: Callable[[ImageRef], None]) -> Item:
        """The item without the further pictures that `check` refuses; they are reported."""
        kept = []
        for ref in item.more:
            try:
                check(ref)
            except ImageError as error:
                self._left_out(item, error)
            else:
                kept.append(ref)
        return item if len(kept) == len(item.more) else replace(item, more=tuple(kept))

    def _left_out(self, item: Item, reason: object) -> None:
        left = f"{reason}; the item is stored without this further picture"
        self.tally.fail(replace(self._problem(item, left), rows=0))

    def _fenced(self, ref: ImageRef | None) -> None:
        """Refuse a picture that is not within the roots."""
        if ref is None or ref.path is None:
            return
        if place := self.fence.place(ref.path):
            where = f" (really {place})" if place != ref.path else ""
            raise ImageError(
                f"{outside(str(ref.path))}{where}; if that is meant: --root {place.parent}"
            )

    def _there(self, ref: ImageRef) -> None:
        """Refuse a picture that is not there, or not within the roots."""
        self._fenced(ref)
        picture_key(ref)

    def _begun(self, ref: ImageRef | None) -> None:
        """Refuse a file that does not even begin like a picture, or is none that can be read."""
        if ref is None:
            return
        head = ref.data or b""
        if ref.path is not None:
            head = read_within(ref.path, self.roots, head=_HEAD)
        if not begins_like_picture(head):
            what = ref.path or "the cell"
            raise ImageError(f"{what} is not an image (starts with {head!r})")

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

    def _fail(self, item: Item, reason: object) -> None:
        self.tally.fail(self._problem(item, str(reason)))

    def _problem(self, item: Item, reason: str) -> Problem:
        origin = item.origin or Origin(self.catalog.source)
        return Problem(origin, reason, id=item.id, column=self.catalog.mapping.get("image"))

    def _encode_pictures(
        self, batch: Sequence[tuple[_View, NDArray[Any] | ImageError, str]]
    ) -> None:
        views, pixels = [], []
        for view, picture, _ in batch:
            if isinstance(picture, ImageError):
                self._forget(view)
                self._lose(view, str(picture))
            else:
                views.append(view)
                pixels.append(picture)
        self.tally.images += self._encode(
            views, pixels, lambda some: self.encoder.encode_prepared(np.stack(some))
        )

    def _forget(self, view: _View) -> None:
        """Do not keep a fetched picture that cannot be used: it may come whole another time."""
        fetcher, (row, number) = self.catalog.finder.fetcher, view
        ref = (row.item.image, *row.item.more)[number]
        if fetcher is not None and ref is not None and ref.path is not None:
            fetcher.discard(ref.path)

    def _encode_aside(self) -> None:
        """Find vectors for the rows that were put aside: of their words, or the ones they have."""
        rows, self.worded = self.worded, []
        for row in rows:
            row.waiting = 1
        words = [words_of(row.item) for row in rows]
        views = [(row, 0) for row in rows]
        self.tally.text_only += self._encode(views, words, self.encoder.encode_texts)
        rows, self.relabelled = self.relabelled, []
        if rows:
            ids = [row.item.id for row in rows]
            vectors = self.store.vectors_of(ids, self.encoder.fingerprint)
            for row, vector in zip(rows, vectors, strict=True):
                row.vectors[0] = vector
                self.pending.append(row)

    def _encode(
        self, views: list[_View], inputs: list[X], encode: Callable[[list[X]], Vectors]
    ) -> int:
        """Encode pictures or words → how many have a vector; the others are reported.

        Where the encoder refuses a batch for what one item gives, halves of it are tried, so that
        the report names the item.
        """
        if not views:
            return 0
        try:
            vectors = encode(inputs)
        except InputError as error:
            if len(views) == 1:
                self._lose(views[0], self._blind(str(error)))
                return 0
            half = len(views) // 2
            parts = (slice(half), slice(half, None))
            return sum(self._encode(views[part], inputs[part], encode) for part in parts)
        return self._keep(views, vectors)

    def _keep(self, views: list[_View], vectors: Vectors) -> int:
        """Give rows their vectors → how many; others are reported."""
        if self.tally.encoding_since is None:
            self.tally.encoding_since = time.monotonic()
        good = np.isfinite(vectors).all(axis=1) & (vectors != 0).any(axis=1)
        for (row, number), vector, usable in zip(views, vectors, good, strict=True):
            if usable:
                row.vectors[number] = vector
                self._one_less(row)
            else:
                zero = np.isfinite(vector).all()
                what = "only zeros" if zero else "values that are not finite"
                self._lose((row, number), self._blind(what))
        return int(np.count_nonzero(good))

    def _lose(self, view: _View, reason: str) -> None:
        """Report a picture without a vector: the item goes without it, unless it is the main."""
        row, number = view
        if number > 0 and not row.failed:
            row.lost.add(number)
            self._left_out(row.item, reason)
        elif number == 0:
            row.failed = True
            self._fail(row.item, reason)
        self._one_less(row)

    def _one_less(self, row: _Row) -> None:
        """Put a row aside for the next write once all of its pictures are encoded."""
        row.waiting -= 1
        if row.waiting or row.failed:
            return
        if row.lost:
            kept = [place for place in range(len(row.item.more)) if place + 1 not in row.lost]
            row.item = replace(row.item, more=tuple(row.item.more[place] for place in kept))
            row.signature = with_further(row.signature, kept)
            if self._stored_so(row.item, row.signature, by_picture=row.by_picture):
                self.tally.unchanged += 1
                return
        (self.pending if 0 in row.vectors else self.relabelled).append(row)

    def _blind(self, what: str) -> str:
        return (
            f"the encoder {self.encoder.name} makes no vector of it that could be found ({what}); "
            "leave the item out, or take another encoder"
        )

    def _write_when_due(self) -> None:
        late = time.monotonic() > self.last_write + STEP_SECONDS
        if late or len(self.pending) >= STEP_ITEMS:
            self.write()

    def write(self) -> None:
        """Store what is encoded, in one atomic step that Ctrl-C waits for."""
        with uninterrupted():
            self._put_pending()
        self.last_write = time.monotonic()

    def _put_pending(self) -> None:
        if self.pending:
            rows = self.pending
            self.store.put(
                [row.item for row in rows],
                self.encoder.fingerprint,
                np.stack([row.vectors[0] for row in rows]),
                [row.signature for row in rows],
                encoder=self.encoder_name,
                further=[row.further() for row in rows],
            )
            updated = sum(row.item.id in self.present for row in rows)
            self.tally.updated += updated
            self.tally.added += len(rows) - updated
            self.pending = []
            self.writes += 1

    def prune(self, may: MayPrune | None) -> None:
        """Remove what an earlier ingest of this catalogue stored and it no longer lists.

        Nothing goes where the catalogue lists nothing, or where rows could not be read: what they
        list is not known.
        """
        if unknown := self.catalog.unknown(self.listed):
            self.tally.fail(Problem(Origin(self.catalog.source), unknown, rows=0))
            return
        stored = {id for source in self.sources for id in self.store.ids_from(source)}
        gone = stored - self.listed
        many = len(gone) > FEW_PRUNED and 10 * len(gone) > len(stored)
        if may is not None and many and not may(len(gone), len(stored)):
            self.tally.prune_refused = len(gone), len(stored)
            return
        self.tally.pruned = self.store.delete(sorted(gone))

    def tidy(self) -> None:
        """Join the pieces that the writes left, where there were many."""
        if self.writes > MANY_WRITES:
            self.store.compact()

    def _show(self, *, now: bool = False) -> None:
        due = time.monotonic() > self.last_progress + PROGRESS_SECONDS
        if self.on_progress and (due or now):
            self.last_progress = time.monotonic()
            fetcher = self.catalog.finder.fetcher
            self.on_progress(self.tally.progress(0 if fetcher is None else fetcher.fetched))

    def report(self, *, interrupted: bool = False) -> IngestReport:
        """The counts as they stand."""
        at = self.store.snapshot()
        report = self.tally.report(self.catalog, self.encoder, at, interrupted=interrupted)
        return replace(report, views=self.views)


@contextmanager
def uninterrupted() -> Iterator[None]:
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
