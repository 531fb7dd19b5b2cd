"""The fields of a form, read in memory: a body is held whole by `BodyLimit` already.

Starlette's own reader puts every file above a megabyte on disk and reads it from there again.
"""

from typing import Any
from urllib.parse import parse_qsl

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

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
    reader = _Reader()
    calls = ("on_part_begin", "on_header_field", "on_header_value", "on_header_end",
             "on_part_data", "on_part_end", "on_end")  # fmt: skip
    callbacks: Any = {name: getattr(reader, name) for name in calls}
    try:
        parser = MultipartParser(boundary, callbacks)
        parser.write(body)
        parser.finalize()
    except FormParserError:
        raise Refused(400, "bad_request", "The form cannot be read.") from None
    if not reader.whole:
        raise Refused(400, "bad_request", "The form is cut off.")
    return reader.fields


class _Reader:
    """Gathers what the parser finds."""

    def __init__(self) -> None:
        self.fields: list[tuple[str, str | bytes]] = []
        self.whole = False
        self._name = self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self._parts: list[bytes] = []

    def on_part_begin(self) -> None:
        if len(self.fields) >= MOST_FIELDS:
            raise Refused(400, "bad_request", f"The form has more than {MOST_FIELDS} fields.")
        self._headers, self._parts = {}, []

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._parts.append(data[start:end])

    def on_part_end(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        value = b"".join(self._parts)
        name = options.get(b"name", b"").decode("utf-8", "replace")
        is_file = b"filename" in options
        self.fields.append((name, value if is_file else value.decode("utf-8", "replace")))

    def on_end(self) -> None:
        self.whole = True
