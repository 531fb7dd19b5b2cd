"""One error shape for every failure: {"error": {"code", "message", "field"}}."""

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response

from coordi import errors

log = logging.getLogger("coordi.serve")

TABLE: dict[type[errors.CoordiError], tuple[int, str, str | None]] = {
    errors.FilterError: (400, "bad_filter", "where"),
    errors.QueryError: (400, "bad_query", None),
    errors.ImageError: (422, "bad_image", "image"),
    errors.UnknownNameError: (400, "unknown_name", None),
    errors.InputError: (400, "bad_input", None),
    errors.NotFoundError: (404, "not_found", None),
    errors.FingerprintError: (409, "encoder_mismatch", None),
    errors.EncoderError: (422, "encoder", None),
    errors.StoreLockedError: (503, "busy", None),
    errors.StoreError: (503, "store", None),
    errors.CoordiError: (500, "internal", None),
}
"""Error → status, code and the field it is about; the nearest base class counts."""

HTTP_CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    503: "not_ready",
}

HTTP_MESSAGES = {
    404: "There is nothing at this address. See /openapi.json for those that there are.",
    405: "This address does not take that method.",
}

INTERNAL = "Something went wrong on the server. Its log says what."


class Refused(HTTPException):
    """A request that the service itself refuses, before any engine sees it."""

    def __init__(self, status: int, code: str, message: str, field: str | None = None) -> None:
        super().__init__(status, message)
        self.code = code
        self.field = field


def error_response(status: int, code: str, message: str, field: str | None = None) -> JSONResponse:
    """The one shape."""
    error = {"code": code, "message": message, "field": field}
    return JSONResponse({"error": error}, status_code=status, headers={"cache-control": "no-store"})


def add_error_handlers(app: FastAPI) -> None:
    """Give every failure of `app` the one shape."""
    app.add_exception_handler(errors.CoordiError, _coordi_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)


def _coordi_error(request: Request, error: Exception) -> Response:
    kind = next(kind for kind in type(error).__mro__ if kind in TABLE)
    status, code, field = TABLE[kind]
    message = str(error)
    if status >= 500:
        # Such messages name files of the server, which is nobody's business outside.
        log.error("%s %s: %s", request.method, request.url.path, error)
        message = INTERNAL if status == 500 else "The catalogue cannot be read just now. Try again."
    response = error_response(status, code, message, field)
    if status == 503:
        response.headers["retry-after"] = "2"
    return response


def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = [str(part) for part in first["loc"] if part not in ("query", "path", "body")]
    field = ".".join(place) or None
    message = str(first["msg"]).removeprefix("Value error, ")
    return error_response(422, "invalid", f"{field}: {message}" if field else message, field)


def _http_error(_: Request, error: Exception) -> Response:
    if isinstance(error, Refused):
        return error_response(error.status_code, error.code, str(error.detail), error.field)
    assert isinstance(error, HTTPException)
    status = error.status_code
    message = HTTP_MESSAGES.get(status) if status in (404, 405) else None
    response = error_response(status, HTTP_CODES.get(status, "http"), message or str(error.detail))
    response.headers.update(error.headers or {})
    return response
