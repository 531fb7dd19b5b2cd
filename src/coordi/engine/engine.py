"""The engine: a store and an encoder, opened together, as the ready tasks of one catalogue."""

import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from coordi.data import decoding
from coordi.data.images import MAX_PIXELS, thumbnail
from coordi.engine.floors import StoreFloors
from coordi.engine.pictures import Pictures
from coordi.engine.shuffle import Shuffle
from coordi.engine.synonyms import ShopSynonyms
from coordi.engine.view import View
from coordi.errors import FingerprintError, StoreDamagedError, StoreError
from coordi.types import (
    Answer,
    Box,
    Encoder,
    Facet,
    Garment,
    Image,
    Item,
    PictureInfo,
    Query,
    Reranker,
)

if TYPE_CHECKING:
    from coordi.data.catalog import Catalog
    from coordi.data.fetching import Fetcher
    from coordi.engine.ingest import MayPrune, OnProgress
    from coordi.engine.report import IngestReport
    from coordi.engine.tagging import OnTag, TagReport
    from coordi.models.finder.opening import Finder
    from coordi.store import EncoderColumn, LanceStore, Snapshot, Stats

DEFAULT_ENCODER = "coordi-mini"

GARMENTS_SIDE = 320
"""Pixels of the shorter side of a picture in which garments are looked for."""

FETCHED = "fetched"
"""Folder in a store's own where pictures are kept that were fetched by address."""


class Engine:
    """Everything that the command line, the service and the page ask of one store.

    Safe to use from several threads. The encoder is opened when something is first encoded, so
    that looking into a store costs no model. A context manager that closes itself.
    """

    def __init__(
        self,
        store: "LanceStore",
        encoder: Encoder | str,
        dim: int | None = None,
        reranker: Reranker | str | None = None,
        *,
        follows: bool = False,
        synonyms: Path | None = None,
    ) -> None:
        """Use `open`, unless store and encoder are open already.

        `follows` says that the encoder is the store's own, and changes with it.
        """
        self.store = store
        self._reranker = reranker
        self._encoder = None if isinstance(encoder, str) else encoder
        self._name = encoder if isinstance(encoder, str) else encoder.name
        self._dim = dim
        self._follows = follows
        self._opening = threading.Lock()
        self._finder: Finder | None = None
        self._warm = False
        self._synonyms = ShopSynonyms(store.path, synonyms)
        self._floors = StoreFloors(store.path)
        self.pictures = Pictures(store.roots)
        self.shuffle = Shuffle()

    @classmethod
    def open(
        cls,
        path: Path | str,
        *,
        encoder: Encoder | str | None = None,
        dim: int | None = None,
        reranker: Reranker | Path | str | None = None,
        create: bool = False,
        synonyms: Path | str | None = None,
    ) -> Self:
        """Open the store in folder `path`, or make it where `create` is set.

        `encoder` is a name, a folder or an open encoder; by default the store's own (the one it
        was made with, until somebody changes it), else coordi-mini. `dim` is how many of its
        columns to keep; by default as many as the store has. `reranker` is the folder of a
        trained re-ranker, or an open one, that orders the first hits of a search. `synonyms` is
        a file of the shop's own synonyms; by default the store's (`keep_synonyms`). Raises
        `NotFoundError` where no store is, `InputError` for synonyms that cannot be read.
        """
        from coordi.store.lance import open_store

        store = open_store(path, create=create)
        at = store.snapshot()
        known = at.encoders()
        follows = encoder is None and dim is None
        if isinstance(encoder, str):
            encoder = lasting(encoder)
            known = [entry for entry in known if entry.name == encoder]
        elif encoder is None:
            known = [at.encoder] if at.encoder else []
            encoder = known[-1].name if known else DEFAULT_ENCODER
        if isinstance(reranker, Path):
            reranker = str(reranker)
        dim = dim or (known[-1].dim if known else None)
        given = Path(synonyms) if synonyms is not None else None
        return cls(store, encoder, dim, reranker, follows=follows, synonyms=given)

    @property
    def encoder_name(self) -> str:
        """The name by which the encoder is opened, also by whoever opens the store later."""
        return self._name

    @property
    def encoder(self) -> Encoder:
        """The encoder, opened at first use."""
        with self._opening:
            if self._encoder is None:
                from coordi.models.opening import open_encoder

                self._encoder = open_encoder(self._name, dim=self._dim)
            return self._encoder

    def encoder_at(self, at: "Snapshot") -> Encoder:
        """The encoder that searches a snapshot: the store's own where none was named.

        Raises `FingerprintError` where the snapshot holds vectors of other encoders only.
        """
        own = at.encoder
        if self._follows and own is not None and own.name != self._name:
            with self._opening:
                self._encoder, self._name, self._dim = None, own.name, own.dim
        encoder = self.encoder
        known, mine = at.encoders(), encoder.fingerprint
        if known and all(entry.fingerprint != mine for entry in known):
            raise FingerprintError(_mismatch(known, self.encoder_name, encoder))
        return encoder

    @property
    def reranker(self) -> Reranker | None:
        """The re-ranker, opened at first use; None where the engine was opened without one."""
        with self._opening:
            if isinstance(self._reranker, str):
                from coordi.models.reranking import open_reranker

                self._reranker = open_reranker(self._reranker)
            return self._reranker

    @property
    def finder(self) -> "Finder":
        """What finds garments in photos, opened at first use."""
        with self._opening:
            if self._finder is None:
                from coordi.models.finder.opening import open_finder

                self._finder = open_finder(threads=1)
            return self._finder

    def find(self, image: Image) -> tuple[Garment, ...]:
        """The garments of a picture (H, W, 3), the largest first; see `coordi.models.finder`.

        Decode it with `garments=True`: what `decode` makes for an encoder alone is too small.
        """
        return self.finder.find(image)

    def best(self, garments: Sequence[Garment]) -> Garment | None:
        """Of the garments of a picture the one that it is mainly about; None of none."""
        from coordi.models.finder.choice import best

        return best(garments)

    def ingest(
        self,
        source: "str | Path | Catalog",
        *,
        mapping: Mapping[str, str] | None = None,
        images: Path | None = None,
        roots: Sequence[Path] = (),
        fetch: "bool | Fetcher" = False,
        prune: bool = False,
        may_prune: "MayPrune | None" = None,
        views: str | None = None,
        on_progress: "OnProgress | None" = None,
    ) -> "IngestReport":
        """Bring the store up to date with a catalogue; see `coordi.engine.ingest.ingest`.

        `source` is what `coordi.engine.ingest.open_absolute` takes, or a catalogue that it
        opened. `mapping` is role → column where the guess is wrong, `images` the folder that
        image paths are relative to, `roots` further folders that pictures may be read from.
        With `views` "all" an item scores by the best of its pictures. `fetch` has pictures fetched
        that are named by address, by a `Fetcher` or by `fetcher()`.
        """
        from coordi.engine.ingest import ingest, open_absolute

        with ExitStack() as stack:
            fetcher = stack.enter_context(self.fetcher()) if fetch is True else fetch or None
            catalog = source
            if isinstance(catalog, str | Path):
                catalog = open_absolute(catalog, mapping=mapping, images=images, fetch=fetcher)
            report = ingest(
                catalog,
                self.store,
                self.encoder,
                encoder_name=self.encoder_name,
                roots=roots,
                prune=prune,
                may_prune=may_prune,
                views=views,
                on_progress=on_progress,
            )
        told = self._tag_new()
        self.store.words()  # made now, so that the first query does not wait for it
        self._measure_floors()
        notes = (*report.notes, *told, *self._beside())
        return replace(report, notes=notes, token=self.store.snapshot().token)

    def tag(
        self,
        *,
        learn: Sequence[str] = (),
        tagger: Path | None = None,
        on_progress: "OnTag | None" = None,
    ) -> "TagReport":
        """Write tags of all items as automatic fields; see `coordi.engine.tagging`.

        `tagger` is a tagger's file; by default the store's own, else the one that comes with the
        encoder. `learn` are fields to learn from the items that have them. Raises `InputError`
        for a field that cannot be learned, `FingerprintError` for another encoder's tagger.
        """
        from coordi.engine.tagging import default_tagger, tag
        from coordi.engine.tagging import learn as learned
        from coordi.models.tagger.tagger import load

        encoder = self.encoder_at(self.store.snapshot())
        if tagger is None:
            chosen = default_tagger(self.store, encoder)
        else:
            chosen = replace(load(tagger), origin=tagger.name)
        if learn:
            probes = learned(self.store, encoder, learn)
            chosen = replace(chosen.joined(probes, "learned"), encoder=encoder.fingerprint)
        report = tag(self.store, encoder, chosen, on_progress=on_progress)
        self.store.words()  # as after an ingest
        return report

    def untag(self) -> int:
        """Take all automatic fields away → how many items had been tagged."""
        from coordi.engine.tagging import untag

        return untag(self.store)

    def _tag_new(self) -> list[str]:
        """Tag what an ingest brought, where the store has tags; what to say of it."""
        from coordi.engine.tagging import kept, tag

        tagger = kept(self.store.path)
        if tagger is None:
            return []
        if tagger.encoder not in ("", self.encoder.fingerprint):
            return ["the tags are of another encoder; bring them up to date: coordi tag"]
        report = tag(self.store, self.encoder, tagger)
        return [f"{report.items:,} items were tagged"] if report.items else []

    def fetcher(self, *, private: bool = False, cache: Path | None = None) -> "Fetcher":
        """What fetches pictures by address, a context manager; close it when all is ingested.

        They are kept in the folder `cache`, by default beside the store's own files, and reached
        only in the open internet unless `private`.
        """
        from coordi.data.fetching import Fetcher

        return Fetcher(cache or self.store.path / FETCHED, private=private)

    def _measure_floors(self) -> None:
        """Say what is far from everything in the store as it is now."""
        from coordi.models.trained import query_side

        at, encoder = self.store.snapshot(), self.encoder
        if at.vector_count(encoder.fingerprint):
            self._floors.measure(at, query_side(encoder))

    def _beside(self) -> list[str]:
        """What to say of vectors that are not of the store's own encoder.

        A newer edition of that encoder takes over once it has a vector of every item.
        """
        at, mine = self.store.snapshot(), self.encoder.fingerprint
        own, name, total = at.encoder, self.encoder_name, at.count()
        if own is None or own.fingerprint == mine:
            return []
        there = at.vector_count(mine)
        if own.name == name and there == total:
            self.store.use_encoder(mine)
            return [f"searches use this edition of {name} from now on"]
        return [
            f"{there:,} of {total:,} items have a vector of {name}; searches use {own.name}. "
            f"Change that: coordi encoders use {name}"
        ]

    def view(self) -> View:
        """The catalogue as it stands now, for one request."""
        at = self.store.snapshot()
        own = self._synonyms.at
        return View(
            at, self.encoder_at, lambda: self.reranker, self.shuffle, self.pictures, own,
            self._floors.at,
        ).finding(self.find)  # fmt: skip

    def keep_synonyms(self, file: Path) -> int:
        """Let the store's searches use a file of synonyms from now on → entries in it.

        Raises `InputError` with the file's first line that cannot be used.
        """
        return self._synonyms.keep(file, self.store.snapshot())

    def state(self) -> tuple[str, str]:
        """Whether searches can be answered: a word, and a sentence for people.

        The word is "ready", "warming", "gone" (the store is not there any more), "damaged" or
        "unreadable".
        """
        try:
            self.store.snapshot().check_files()
        except StoreDamagedError:
            return "damaged", "The store's files are not what was written: coordi verify tells."
        except StoreError:
            gone = not self.store.path.exists()
            return ("gone" if gone else "unreadable"), "The store cannot be read."
        return ("ready", "Ready.") if self._warm else ("warming", "Not ready to search yet.")

    def search(self, query: Query) -> Answer:
        """Answer a query at the newest commit; see `View.search`."""
        return self.view().search(query)

    def warm(self) -> None:
        """Load models and index, so that the first query is as fast as the next.

        Raises `FingerprintError` for a re-ranker that belongs to another encoder.
        """
        from coordi.tasks.rerank import check_origin

        at = self.store.snapshot()
        encoder = self.encoder_at(at)
        if self.reranker is not None:
            check_origin(self.reranker, encoder)
        if at.encoders():
            at.index(encoder.fingerprint)
        at.words().vocabulary()
        self._synonyms.at(at)
        self._warm = True

    def ready(self) -> bool:
        """Whether `warm` is done and the store is there: queries are answered at full speed."""
        return self.state()[0] == "ready"

    def get(self, ids: Sequence[str]) -> list[Item]:
        """Items in the order of `ids`; `NotFoundError` names the first that is missing."""
        return self.view().get(ids)

    def browse(
        self, where: str | None = None, *, limit: int = 40, offset: int = 0
    ) -> tuple[list[Item], int]:
        """A page of the items at the newest commit; see `View.browse`."""
        return self.view().browse(where, limit=limit, offset=offset)

    def delete(self, ids: Sequence[str]) -> int:
        """Remove items; how many were there."""
        return self.store.delete(ids)

    def facets(self) -> list[Facet]:
        """The catalogue's fields as a page offers them for filtering."""
        return self.view().facets()

    def stats(self) -> "Stats":
        """What the store holds and how large it is."""
        return self.store.stats()

    def image(self, id: str, number: int = 0) -> tuple[bytes, str]:
        """An item's picture `number` (0 is the main one) as it was ingested: bytes, media type.

        Raises `ImageError` where it is not a picture any more, or outside of the roots.
        """
        return self.pictures.image(self.get([id])[0], number)

    def thumbnail(self, id: str, side: int = 320, number: int = 0) -> bytes:
        """An item's picture as a JPEG no wider or higher than `side` pixels; raises as `image`."""
        return self.pictures.thumbnail(self.get([id])[0], side, number)

    def picture_info(self, item: Item, number: int = 0) -> PictureInfo:
        """The version and upright size of an item's picture; never raises."""
        return self.pictures.info(item, number)

    def decode(
        self,
        data: bytes,
        *,
        box: Box | None = None,
        max_pixels: int = MAX_PIXELS,
        garments: bool = False,
    ) -> Image:
        """Make an uploaded picture, cropped to `box`, into a query's `image`.

        Decodes as for training, no larger than the encoder gains from; with `garments`, large
        enough to find them and to look at one alone. Raises `ImageError`, and `BusyError` where
        too much is decoded at once.
        """
        target = self.encoder.image_size
        if garments:
            target = max(GARMENTS_SIDE, 2 * target)
        return decoding.shared().decode(data, target=target, box=box, max_pixels=max_pixels)

    def shrink(self, data: bytes, side: int, *, max_pixels: int = MAX_PIXELS) -> bytes:
        """A JPEG of an uploaded picture, upright, no side longer than `side` pixels.

        It holds the pixels alone: no place, camera or date. Raises as `decode`.
        """
        image = decoding.shared().decode(data, target=side, max_pixels=max_pixels)
        return thumbnail(image, side, quality=95)  # it is searched with, not only shown

    def close(self) -> None:
        """Let go of the store."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def lasting(name: str) -> str:
    """The encoder's name as it still holds in another working directory."""
    if name == DEFAULT_ENCODER:
        return name
    folder, at, condition = name.rpartition("@")
    for path, rest in ((Path(name), ""), (Path(folder), at + condition)):
        if str(path) != "." and path.expanduser().exists():
            return f"{path.expanduser().absolute()}{rest}"
    return name


def _mismatch(known: "Sequence[EncoderColumn]", name: str, encoder: Encoder) -> str:
    """What the store has, what was asked for, and both ways out."""
    there = ", ".join(_described(e.name, e.dim, e.fingerprint) for e in known)
    mine = _described(name, encoder.dim, encoder.fingerprint)
    ingest = f"give every item a vector of it too: coordi ingest CATALOG --encoder {name}"
    last = known[-1]
    if last.name != name:
        ways = f"Either search with --encoder {last.name}, or {ingest}"
    elif last.dim != encoder.dim:
        ways = f"Either search with --dim {last.dim}, or {ingest} --dim {encoder.dim}"
    else:
        ways = f"The encoder has changed since: {ingest}"
    return f"the store holds vectors of {there}, not of {mine}. {ways}"


def _described(name: str, dim: int, fingerprint: str) -> str:
    return f"{name} ({dim} dimensions, {fingerprint})"
