"""One request's view of a catalogue: everything in it was read from one commit of the store."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from coordi.engine.pictures import Pictures
from coordi.engine.shuffle import Shuffle
from coordi.types import Answer, Encoder, Facet, Garment, Image, Item, PictureInfo, Query, Reranker

if TYPE_CHECKING:
    from coordi.store import Snapshot
    from coordi.tasks.floor import Floors
    from coordi.tasks.synonyms import Synonyms


class View:
    """What a request asks of the engine, all of it at one commit. Take one a request."""

    def __init__(
        self,
        at: "Snapshot",
        encoder_at: "Callable[[Snapshot], Encoder]",
        reranker: Callable[[], Reranker | None],
        shuffle: Shuffle,
        pictures: Pictures,
        synonyms: "Callable[[Snapshot], Synonyms | None]" = lambda _: None,
        floors: "Callable[[str], Floors | None]" = lambda _: None,
    ) -> None:
        """Use `Engine.view`; `encoder_at` and `reranker` open what is first asked for.

        `floors` says by an encoder's fingerprint what is far.
        """
        self.at = at
        self._encoder_at, self._reranker = encoder_at, reranker
        self._shuffle, self._pictures, self._synonyms = shuffle, pictures, synonyms
        self._floors = floors
        self._find: Callable[[Image], tuple[Garment, ...]] | None = None

    def finding(self, find: Callable[[Image], tuple[Garment, ...]]) -> Self:
        """This view, with what finds the garments of a query's picture."""
        self._find = find
        return self

    @property
    def token(self) -> str:
        """Names the commit."""
        return self.at.token

    def search(self, query: Query) -> Answer:
        """Answer a query with the engine's encoder, pictures with its street side.

        Raises `FingerprintError` where the store holds vectors of other encoders only, and
        `QueryError` for a garment that nothing is called, or of no picture.
        """
        from coordi.engine.garments import aimed
        from coordi.models.trained import query_side
        from coordi.tasks.search import search

        aim = aimed(query, self._find)
        encoder = query_side(self._encoder_at(self.at))
        answer = search(
            aim.query,
            store=self.at,
            encoder=encoder,
            reranker=self._reranker(),
            synonyms=self._synonyms(self.at),
            floors=self._floors(encoder.fingerprint),
        )
        return aim.said(answer)

    def browse(
        self,
        where: str | None = None,
        *,
        limit: int = 40,
        offset: int = 0,
        sort: str | None = None,
    ) -> tuple[list[Item], int]:
        """A page of the items that pass a filter, in a mixed order that stays; and their number.

        The order follows a hash of the id, so that neighbours in the catalogue (one garment in
        six colours) do not stand side by side; with `sort` it is that of a field's values.
        """
        page, total = self.rail(where, limit=limit, offset=offset, sort=sort)
        return self.get([id for id, _ in page]), total

    def rail(
        self,
        where: str | None = None,
        *,
        limit: int = 40,
        offset: int = 0,
        sort: str | None = None,
        fold: str | None = None,
    ) -> tuple[list[tuple[str, tuple[str, ...]]], int]:
        """As `browse`, but ids, each with the ids that `fold` folds into it; and their number.

        Raises `QueryError` where no item has the field to fold or sort by.
        """
        return self._shuffle.page(self.at, where, limit, offset, sort=sort, fold=fold)

    def get(self, ids: Sequence[str]) -> list[Item]:
        """Items in the order of `ids`; `NotFoundError` names the first that is missing."""
        return self.at.get(ids)

    def facets(
        self,
        where: str | None = None,
        *,
        query: Query | None = None,
        field: str | None = None,
        contains: str | None = None,
        limit: int = 50,
        offset: int = 0,
    ) -> list[Facet]:
        """The fields, counted over the items that pass a filter, as a page offers them.

        A field's own values are counted without the conditions on that field alone, as far as
        the filter joins its conditions by `and`. A `query` with a `min_score` leaves out what
        scores less; its own filter is not read, `where` is. `field` asks for one field only,
        `contains` for values with this text in them, `limit` and `offset` for a page of them.

        Raises `FilterError`, `QueryError` for a field that is not there, and as `search`.
        """
        from coordi.store.facets import Wanted

        within = None if query is None else self._matching(query)
        return self.at.facets(Wanted(where, field, contains, limit, offset), within)

    def _matching(self, query: Query) -> NDArray[np.bool_] | None:
        """Mask over the store's positions of what a query may answer with; None: of everything."""
        from coordi.models.trained import query_side
        from coordi.tasks.search import matching

        encoder = query_side(self._encoder_at(self.at))
        whole, own = replace(query, where=None), self._synonyms(self.at)
        places = matching(whole, store=self.at, encoder=encoder, synonyms=own)
        if places is None:
            return None
        mask = np.zeros(len(self.at.rows.alive), dtype=np.bool_)
        mask[places] = True
        return mask

    def image(self, id: str, number: int = 0) -> tuple[bytes, str]:
        """An item's picture `number` (0 is the main one): its bytes and media type."""
        return self._pictures.image(self.get([id])[0], number)

    def thumbnail(self, id: str, side: int = 320, number: int = 0) -> bytes:
        """An item's picture as a JPEG no wider or higher than `side` pixels."""
        return self._pictures.thumbnail(self.get([id])[0], side, number)

    def picture_info(self, item: Item, number: int = 0) -> PictureInfo:
        """The version and upright size of an item's picture; never raises."""
        return self._pictures.info(item, number)

    def picture_version(self, item: Item, number: int) -> str:
        """A text that changes when the picture does; "" where there is none."""
        return self._pictures.version(item, number)
