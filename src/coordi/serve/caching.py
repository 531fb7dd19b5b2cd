"""Caching of pictures: an ETag by content, 304 where the client has it, versions in addresses."""

import hashlib
import os

from fastapi import Request
from fastapi.responses import Response

from coordi.types import ImageRef

FOREVER = "public, max-age=31536000, immutable"
SHORTLY = "public, max-age=60"


def image_version(image: ImageRef) -> str:
    """A token that changes when the picture does, cheap enough for every hit of an answer.

    Files are told apart by time and size; "" where the file is gone.
    """
    if image.data is not None:
        return _digest(image.data)
    assert image.path is not None
    try:
        stat = os.stat(image.path)  # noqa: PTH116 - twice as fast, and asked for every hit
    except (OSError, ValueError):  # a name that no file can have
        return ""
    return _digest(f"{image.path}\0{stat.st_mtime_ns}\0{stat.st_size}".encode())


def picture_response(
    request: Request, data: bytes, media_type: str, *, versioned: bool
) -> Response:
    """The picture, or 304 where the client named its ETag.

    An address that holds a version may be kept for ever; another one is asked for again soon.
    """
    etag = f'"{_digest(data)}"'
    headers = {
        "etag": etag,
        "cache-control": FOREVER if versioned else SHORTLY,
    }
    known = request.headers.get("if-none-match", "")
    if known.strip() == "*" or etag in [one.strip().removeprefix("W/") for one in known.split(",")]:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=media_type, headers=headers)


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()
