"""One error shape for every failure: {"error": {"code", "message", "field"}}.

Messages of the engine name files, folders and encoders of the server, so none of them leaves it,
but for those that only quote the request itself (`SAID`). All others have a sentence of their own.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response

from coordi import errors

log = logging.getLogger("coordi.serve")

BUSY = "Too much is asked at once. Try again in a moment."
STORE = "The catalogue cannot be read just now. Try again in a moment."
INTERNAL = "Something went wrong on the server. Its log says what."


class NoPictureError(errors.NotFoundError):
    """An item has no such picture, or none that can be read; or there is no such item."""


TABLE: dict[type[Exception], tuple[int, str, str | None, str]] = {
    errors.FilterError: (400, "bad_filter", "where", ""),
    errors.QueryError: (400, "bad_query", None, ""),
    errors.ImageError: (422, "bad_image", "image", "This is no picture that can be read."),
    errors.InputError: (400, "bad_input", None, "Something in the request cannot be used."),
    NoPictureError: (404, "not_found", None, "There is no readable picture of such an item."),
    errors.NotFoundError: (404, "not_found", None, "There is no such item in the catalogue."),
    errors.FingerprintError: (
        409,
        "encoder_mismatch",
        None,
        "The catalogue was embedded with another encoder than the service was started with.",
    ),
    errors.EncoderError: (
        422,
        "encoder",
        None,
        "The encoder of this catalogue cannot take such a query: it may know pictures only, or "
        "words only.",
    ),
    errors.BusyError: (503, "busy", None, BUSY),
    errors.StoreLockedError: (503, "busy", None, STORE),
    errors.StoreError: (503, "store", None, STORE),
    errors.CoordiError: (500, "internal", None, INTERNAL),
    OSError: (503, "store", None, STORE),
    MemoryError: (503, "busy", None, BUSY),
}
"""Error → status, code, the field it is about, and what is said; the nearest base class counts."""

SAID = (errors.FilterError, errors.QueryError)
"""Errors about the request's own words, raised before any file is touched: they go out as is."""

HTTP_CODES = {
    400: "bad_request",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "timeout",
    410: "gone",
    413: "too_large",
    415: "unsupported_media_type",
    421: "wrong_host",
    503: "not_ready",
}

HTTP_MESSAGES = {
    404: "There is nothing at this address. See /openapi.json for those that there are.",
    405: "This address does not take that method.",
}

RETRY_SECONDS = "2"

Broken = Callable[[], Awaitable[bool]]
"""Whether the store itself is gone or damaged, looked at anew."""


class Refused(HTTPException):
    """A request that the service itself refuses, before any engine sees it."""

    def __init__(self, status: int, code: str, message: str, field: str | None = None) -> None:
        super().__init__(status, message)
        self.code = code
        self.field = field


def error_body(code: str, message: str, field: str | None = None) -> dict[str, Any]:
    """The one shape."""
    return {"error": {"code": code, "message": message, "field": field}}


def error_response(status: int, code: str, message: str, field: str | None = None) -> JSONResponse:
    """An answer in the one shape; with 503 it says when to come again."""
    headers = {"cache-control": "no-store"}
    if status == 503:
        headers["retry-after"] = RETRY_SECONDS
    return JSONResponse(error_body(code, message, field), status, headers)


def add_error_handlers(app: FastAPI, broken: Broken) -> None:
    """Give every failure of `app` the one shape."""

    async def failed(request: Request, error: Exception) -> Response:
        asked = f"{request.method} {request.url.path}"
        return await failure_response(error, asked, broken, _item_of(request))

    for kind in (errors.CoordiError, OSError, MemoryError):
        app.add_exception_handler(kind, failed)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)


def _item_of(request: Request) -> str | None:
    """The id that a request names, wherever it stands in the address."""
    query = request.query_params
    return request.path_params.get("item_id") or query.get("id") or query.get("item")


async def failure_response(
    error: Exception, request: str, broken: Broken, item: str | None = None
) -> Response:
    """What a failed engine call is to the outside; the log has the whole of it from 500 on.

    Anything that is no fault of the request is first held against the state of the store, whose
    libraries raise all sorts of errors where a file is missing.
    """
    near = next((kind for kind in type(error).__mro__ if kind in TABLE), errors.CoordiError)
    status, code, field, said = TABLE[near]
    if isinstance(error, SAID):
        return error_response(status, code, str(error), field)
    if code in ("not_found", "internal") and await broken():
        status, code, said = 503, "store", STORE
    elif type(error) is errors.NotFoundError and item:
        said = f"There is no item {item[:200]!r} in the catalogue."
    if code == "internal":
        log.error("%s failed", request, exc_info=error)
    elif status >= 500:
        log.error("%s: %s", request, error)
    return error_response(status, code, said, field)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where, *rest = first["loc"]
    # Where it stands goes first; a parameter may have the same name.
    place = rest if where in ("query", "path", "body") else [where, *rest]
    field = ".".join(part for part in place if isinstance(part, str))[:100] or None
    message = str(first["msg"]).removeprefix("Value error, ")
    return error_response(422, "invalid", f"{field}: {message}" if field else message, field)


async def _http_error(_: Request, error: Exception) -> Response:
    if isinstance(error, Refused):
        return error_response(error.status_code, error.code, str(error.detail), error.field)
    assert isinstance(error, HTTPException)
    status = error.status_code
    message = HTTP_MESSAGES.get(status) or str(error.detail)
    response = error_response(status, HTTP_CODES.get(status, "http"), message)
    response.headers.update(error.headers or {})
    return response
