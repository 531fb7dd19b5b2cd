"""Caching of pictures: an ETag by content, 304 where the client has it, versions in addresses."""

import hashlib

from fastapi import Request
from fastapi.responses import Response

FOREVER = "public, max-age=31536000, immutable"
SHORTLY = "public, max-age=60"


def picture_response(
    request: Request, data: bytes, media_type: str, *, versioned: bool
) -> Response:
    """The picture, or 304 where the client named its ETag.

    An address that holds a version may be kept for ever; another one is asked for again soon.
    """
    etag = f'"{hashlib.blake2b(data, digest_size=8).hexdigest()}"'
    headers = {"etag": etag, "cache-control": FOREVER if versioned else SHORTLY}
    known = request.headers.get("if-none-match", "")
    if known.strip() == "*" or etag in [one.strip().removeprefix("W/") for one in known.split(",")]:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=media_type, headers=headers)
