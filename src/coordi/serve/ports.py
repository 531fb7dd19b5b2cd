"""What serve asks of an engine, as Protocols, so that routes can be tested without a model."""

from collections.abc import Sequence
from typing import Any, Protocol

from coordi.types import Answer, Box, Facet, Garment, Image, Item, PictureInfo, Query


class CatalogView(Protocol):
    """The catalogue at one commit, for one request; every call may block."""

    @property
    def token(self) -> str:
        """The commit; it changes with every change of the store."""

    def search(self, query: Query) -> Answer:
        """The best items for `query`."""

    def rail(
        self,
        where: str | None = None,
        *,
        limit: int = 40,
        offset: int = 0,
        sort: str | None = None,
        fold: str | None = None,
    ) -> tuple[list[tuple[str, tuple[str, ...]]], int]:
        """A page of the items that pass `where`, each with what is folded into it; how many."""

    def get(self, ids: Sequence[str]) -> list[Item]:
        """Items in the order of `ids`; `NotFoundError` names the first that is missing."""

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
        """The catalogue's fields, counted over what passes, as a page offers them."""

    def image(self, item_id: str, /, number: int = 0) -> tuple[bytes, str]:
        """The stored picture `number` (0 is the main one) and its media type."""

    def thumbnail(self, item_id: str, /, side: int = 320, number: int = 0) -> bytes:
        """A JPEG of it whose longer side is `side` pixels."""

    def picture_info(self, item: Item, /) -> PictureInfo:
        """About an item's main picture, cheap enough for every hit of an answer."""

    def picture_version(self, item: Item, number: int, /) -> str:
        """The version of an item's picture `number`; "" where there is none."""


class SearchEngine(Protocol):
    """The part of `coordi.engine.Engine` that the routes use; every call may block."""

    def view(self) -> CatalogView:
        """The catalogue as it stands now."""

    def state(self) -> tuple[str, str]:
        """A word ("ready", "warming", "gone", "damaged", "unreadable"), and a sentence."""

    def stats(self) -> Any:
        """A dataclass of figures about the store."""

    def decode(
        self, data: bytes, *, box: Box | None = None, max_pixels: int = ..., garments: bool = ...
    ) -> Image:
        """An uploaded picture, cropped to `box`; `ImageError` where it is none.

        With `garments`, large enough to find them.
        """

    def shrink(self, data: bytes, side: int, /, *, max_pixels: int = ...) -> bytes:
        """A JPEG of an uploaded picture, no side longer than `side`, without its metadata."""

    def find(self, image: Image, /) -> tuple[Garment, ...]:
        """The garments of a picture, the largest first."""

    def best(self, garments: Sequence[Garment], /) -> Garment | None:
        """The one of them that the picture is mainly about."""
