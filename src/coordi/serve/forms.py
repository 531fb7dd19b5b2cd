"""The fields of a form, read in memory: a body is held whole by `BodyLimit` already.

Starlette's own reader puts every file above a megabyte on disk and reads it from there again.
"""

from urllib.parse import parse_qsl

from fastapi import Request
from python_multipart.multipart import parse_options_header

from coordi.serve.errors import Refused

FORM = "multipart/form-data"
URL_ENCODED = "application/x-www-form-urlencoded"

MOST_FIELDS = 100


async def form_fields(request: Request) -> list[tuple[str, str | bytes]]:
    """The fields of a request's form in order: text, or bytes of files. Raises `Refused`."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    body = await request.body()
    if kind == FORM.encode():
        return _multipart(body, options.get(b"boundary", b""))
    if kind == URL_ENCODED.encode():
        try:
            return list(parse_qsl(body.decode(), keep_blank_values=True, errors="strict",
                                  max_num_fields=MOST_FIELDS))  # fmt: skip
        except ValueError:
            raise Refused(400, "bad_request", "The form cannot be read.") from None
    raise Refused(415, "unsupported_media_type", f"Send a form ({FORM}).")


def _multipart(body: bytes, boundary: bytes) -> list[tuple[str, str | bytes]]:
    """The fields of a body that is held whole (RFC 7578): cut at its delimiters, nothing copied
    byte by byte."""
    if not boundary:
        raise Refused(400, "bad_request", "The form cannot be read.")
    _, *parts = (b"\r\n" + body).split(b"\r\n--" + boundary)
    end = next((n for n, part in enumerate(parts) if part.startswith(b"--")), None)
    if end is None:
        raise Refused(400, "bad_request", "The form is cut off.")
    if end > MOST_FIELDS:
        raise Refused(400, "bad_request", f"The form has more than {MOST_FIELDS} fields.")
    return [_field(part) for part in parts[:end]]


def _field(part: bytes) -> tuple[str, str | bytes]:
    """Name and value of one part: its headers, an empty line, its value."""
    head, apart, value = part.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    headers = {
        name.strip().lower(): text for name, _, text in (line.partition(b":") for line in lines[1:])
    }
    if not apart or lines[0].strip():  # blanks may stand behind a delimiter, nothing else
        raise Refused(400, "bad_request", "The form cannot be read.")
    _, options = parse_options_header(headers.get(b"content-disposition", b"").strip())
    name = options.get(b"name", b"").decode("utf-8", "replace")
    return name, value if b"filename" in options else value.decode("utf-8", "replace")
