"""Photo searches that can be shared: a photo kept for a while in memory, under an id of its own.

Nothing of it is written to disk. What is kept is not the upload but a small JPEG made anew from it,
which holds no place, camera or date. Whoever has the id can search with the photo and see it, so
ids cannot be guessed.
"""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic_core import to_json

from coordi.errors import QueryError
from coordi.serve.answering import DirectRoute
from coordi.serve.asking import KeepForm, Kept, asked_in_form, described_form
from coordi.serve.errors import Refused
from coordi.serve.lanes import Lanes
from coordi.serve.limits import Limits
from coordi.serve.ports import SearchEngine
from coordi.serve.uploads import check_size, reading
from coordi.serve.wire import KeptOut

SIDE = 1024
"""Pixels of the longer side of what is kept: enough to look at one garment of it alone."""

ID_BYTES = 16

HEADERS = {"cache-control": "no-store"}


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo that is kept, and what of it is searched."""

    data: bytes
    """A JPEG."""
    box: str | None
    garment: str | None
    until: float
    """When it goes, by the shelf's clock."""


class Shelf:
    """The photos that are kept: so many, so many bytes, for so long; the longest unused go first.

    Safe to use from several threads.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self.held = 0
        """Bytes of all photos."""
        self._clock = clock
        self._photos: OrderedDict[str, Photo] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._photos)

    def keep(self, data: bytes, box: str | None, garment: str | None) -> str:
        """Keep a photo → its id."""
        id = secrets.token_urlsafe(ID_BYTES)
        with self._lock:
            now = self._clock()
            for old in [id for id, photo in self._photos.items() if photo.until <= now]:
                self._drop(old)
            self._photos[id] = Photo(data, box, garment, now + self.limits.kept_seconds)
            self.held += len(data)
            while len(self._photos) > self.limits.kept or self.held > self.limits.kept_bytes:
                self._drop(next(iter(self._photos)))
        return id

    def get(self, id: str) -> Photo:
        """The photo of an id. Raises `Refused` (410) where there is none, or none any more."""
        with self._lock:
            photo = self._photos.get(id)
            if photo is not None and photo.until > self._clock():
                self._photos.move_to_end(id)
                return photo
            if photo is not None:
                self._drop(id)
        minutes = max(1, round(self.limits.kept_seconds / 60))
        raise Refused(
            410,
            "gone",
            "This photo search has ended: photos are kept for "
            f"{minutes} minute{'' if minutes == 1 else 's'} at most. Send the photo again.",
            "query",
        )

    def _drop(self, id: str) -> None:
        self.held -= len(self._photos.pop(id).data)


def query_routes(engine: SearchEngine, limits: Limits, lanes: Lanes, shelf: Shelf) -> APIRouter:
    """Routes that keep a photo on `shelf`, and show it."""
    routes = APIRouter(tags=["search"], route_class=DirectRoute)

    @routes.post(
        "/queries", status_code=201, response_model=KeptOut, openapi_extra=described_form(KeepForm)
    )
    async def keep(request: Request) -> Response:
        """Keep a photo for a while, to search with it by an id that can be shared."""
        form = await asked_in_form(request, KeepForm)
        if form.image is None:
            raise QueryError("Give a picture (image).")
        check_size(form, limits)
        image, most = form.image, limits.upload_pixels

        def make() -> Response:
            with reading():
                small = engine.shrink(image, SIDE, max_pixels=most)
            id = shelf.keep(small, form.box, form.garment)
            until = datetime.now(UTC) + timedelta(seconds=limits.kept_seconds)
            out: KeptOut = {"id": id, "expires": until.isoformat(timespec="seconds")}
            return Response(to_json(out), 201, HEADERS, media_type="application/json")

        return await lanes.photos.run(make)

    @routes.get(
        "/queries/{query_id}/image",
        response_class=Response,
        responses={200: {"content": {"image/jpeg": {}}}},
    )
    async def image(request: Request, query_id: str) -> Response:  # noqa: ARG001
        """The photo, as it is kept: a small JPEG."""
        return Response(shelf.get(query_id).data, headers=HEADERS, media_type="image/jpeg")

    return routes


def kept_form(asked: Kept, shelf: Shelf) -> KeepForm | None:
    """The photo that a search in the address names, as if it had been sent with it.

    What the address says of box or garment goes before what was kept. Raises `Refused`.
    """
    if asked.query is None:
        return None
    photo = shelf.get(asked.query)
    box, garment = asked.box, asked.garment
    if box is None and garment is None:
        box, garment = photo.box, photo.garment
    return KeepForm(image=photo.data, box=box, garment=garment)
