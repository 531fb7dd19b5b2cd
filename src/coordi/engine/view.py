"""One request's view of a catalogue: everything in it was read from one commit of the store."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from coordi.types import Answer, Facet, Item, Query

if TYPE_CHECKING:
    from coordi.engine.engine import Engine


class View:
    """What a request asks of the engine, all of it at one commit. Take one a request."""

    def __init__(self, engine: "Engine") -> None:
        """Use `Engine.view`."""
        self._engine = engine
        self.token = str(engine.store.version)

    def search(self, query: Query) -> Answer:
        """Answer a query with the engine's encoder, pictures with its street side.

        Raises `FingerprintError` where the store holds vectors of other encoders only.
        """
        return self._engine.search(query)

    def browse(
        self, where: str | None = None, *, limit: int = 40, offset: int = 0
    ) -> tuple[list[Item], int]:
        """A page of the items that pass a filter, in a mixed order that stays; and their number."""
        return self._engine.browse(where, limit=limit, offset=offset)

    def get(self, ids: Sequence[str]) -> list[Item]:
        """Items in the order of `ids`; `NotFoundError` names the first that is missing."""
        return self._engine.get(ids)

    def facets(self) -> list[Facet]:
        """The catalogue's fields as a page offers them for filtering."""
        return self._engine.facets()

    def image(self, id: str, number: int = 0) -> tuple[bytes, str]:
        """An item's picture `number` (0 is the main one): its bytes and media type."""
        return self._engine.pictures.image(self.get([id])[0], number)

    def thumbnail(self, id: str, side: int = 320, number: int = 0) -> bytes:
        """An item's picture as a JPEG no wider or higher than `side` pixels."""
        return self._engine.pictures.thumbnail(self.get([id])[0], side, number)

    def pixel_size(self, item: Item, number: int = 0) -> tuple[int, int] | None:
        """Width and height of an item's upright picture; None where it cannot be read."""
        return self._engine.pictures.pixel_size(item, number)
