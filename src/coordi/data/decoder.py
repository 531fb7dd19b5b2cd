"""The process that decodes pictures for `coordi.data.decoding`: `python -m coordi.data.decoder`.

It speaks over the socket that is its standard input, one request after the other, and ends with
it. Whatever a picture does to it (hours, gigabytes, a crash in a codec) stays in here: memory is
bounded, processor time by a timer that even C code cannot ignore, and the parent may kill it at any
moment.
"""

import json
import os
import signal
import socket
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PIL import AvifImagePlugin
from PIL import Image as Pillow

from coordi.data import images
from coordi.errors import ImageError

MEMORY = 1 << 30
"""Bytes of address space that decoding may add to the process."""

_HEAD = struct.Struct("!IQ")  # lengths of what follows: a JSON object, and bytes

Message = tuple[dict[str, Any], bytearray]
Answer = tuple[Mapping[str, Any], Any]
Waiting = Callable[[], None]


def main() -> None:
    """Answer requests until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which stops this
    with socket.socket(fileno=os.dup(0)) as stream:
        images.load_codecs()
        _bound()
        send(stream, {"ready": os.getpid()})
        while (request := receive(stream)) is not None:
            header, data = request
            # SIGPROF ends the process. Its own time counts, not the clock's: on a busy machine
            # a picture must not become bad. It also holds when no parent is left.
            signal.setitimer(signal.ITIMER_PROF, header["seconds"])
            answer = _answer(header, bytes(data))
            signal.setitimer(signal.ITIMER_PROF, 0)
            del request, data
            send(stream, *answer)


def send(
    stream: socket.socket,
    header: Mapping[str, Any],
    data: Any = b"",
    waiting: Waiting = lambda: None,
) -> None:
    """Send a JSON object and bytes; `waiting` is called whenever the other side keeps us so."""
    view, text = memoryview(data).cast("B"), json.dumps(header).encode()
    for part in (memoryview(_HEAD.pack(len(text), len(view)) + text), view):
        left = part
        while left:
            try:
                left = left[stream.send(left) :]
            except TimeoutError:
                waiting()


def receive(stream: socket.socket, waiting: Waiting = lambda: None) -> Message | None:
    """Take what `send` sent; None where the other side has closed or died."""
    if (head := _exactly(stream, _HEAD.size, waiting)) is None:
        return None
    length, size = _HEAD.unpack(head)
    text = _exactly(stream, length, waiting)
    data = _exactly(stream, size, waiting)
    return None if text is None or data is None else (json.loads(text), data)


def _exactly(stream: socket.socket, size: int, waiting: Waiting) -> bytearray | None:
    buffer = bytearray(size)
    left = memoryview(buffer)
    while left:
        try:
            taken = stream.recv_into(left)
        except TimeoutError:
            waiting()
            continue
        if not taken:
            return None
        left = left[taken:]
    return buffer


def _bound() -> None:
    """Limit memory to what the process has now and `MEMORY`, where the system can tell and do it.

    A decoder of its own for every core would count as memory too, so codecs get one thread.
    """
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    except (ImportError, OSError, ValueError):
        return


def work(request: Mapping[str, Any], data: bytes, *, light: bool = False) -> Answer | None:
    """Do what a request asks of a picture → facts, and bytes; with `light` only if it is light.

    A header alone is always light. Raises `ImageError`.
    """
    kind = request["work"]
    with images.opened(data, max_pixels=request["max_pixels"]) as picture:
        if light and kind != "measure" and not images.is_light(picture, data):
            return None
        return _WORK[kind](request, picture)


def _answer(request: Mapping[str, Any], data: bytes) -> Answer:
    try:
        return work(request, data) or ({}, b"")
    except ImageError as error:
        return {"error": str(error)}, b""
    except MemoryError:
        return {"error": "the picture needs more memory than is free; scale it down"}, b""


def _decode(request: Mapping[str, Any], picture: Pillow.Image) -> Answer:
    box = request["box"] and tuple(request["box"])
    image = images.cropped(picture, box, request["target"])
    return {"shape": image.shape}, image


def _thumbnail(request: Mapping[str, Any], picture: Pillow.Image) -> Answer:
    side = request["side"]
    return {}, images.thumbnail(images.pixels(picture, side), side)


def _verify(request: Mapping[str, Any], picture: Pillow.Image) -> Answer:  # noqa: ARG001
    images.pixels(picture, 1)
    return {"type": images.MEDIA_TYPES[str(picture.format)]}, b""


def _measure(request: Mapping[str, Any], picture: Pillow.Image) -> Answer:  # noqa: ARG001
    return {"size": images.upright_size(picture)}, b""


_WORK = {"decode": _decode, "thumbnail": _thumbnail, "verify": _verify, "measure": _measure}

if __name__ == "__main__":
    main()
