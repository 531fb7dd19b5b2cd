"""Decode pictures in a few processes that can be killed: a picture may cost its own process only.

A picture file says little about what decoding it costs, and codecs written in C can neither be
interrupted nor be trusted with every file. So each picture that is not surely light, by its header,
is decoded in a process of its own for that time: over the limit it ends, the picture is an
`ImageError`, and the next one gets a new process. A light one costs less than the way to a process
and back, and is decoded in the caller's thread. Few are decoded at a time, so that fifty large ones
cost the memory of four; and few may wait, so that a service says "busy" instead of hanging.
"""

import atexit
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from coordi.data import images
from coordi.data.decoder import Answer, receive, send, work
from coordi.errors import BusyError, ImageError
from coordi.types import Box, Image

SECONDS = 10.0
"""Processor time that decoding one picture may take."""

_CLOCK = 3
"""How many times as long it may take by the clock, on a machine that has others to serve."""

PROCESSES = 4
"""Most pictures that are decoded at a time; no more than there are cores."""

IN_FLIGHT = 24
"""Pictures that may be decoded or wait for it, of all callers that rather hear "busy": fewer than
the threads of a service, so that it goes on answering everything else."""

PATIENCE = 5.0
"""Seconds that such a caller waits for its turn."""

_SLICE = 0.1  # seconds between two looks at the clock and at who wants to stop
_START_SECONDS = 60.0
_BUFFER = 1 << 20
_ADVICE = "; save it again as a usual JPEG"
_ROOT = str(Path(__file__).parents[2])  # where `coordi` itself was imported from


class Decoder:
    """Decodes pictures for many threads, in processes that start when they are needed."""

    def __init__(
        self,
        processes: int | None = None,
        *,
        seconds: float | None = None,
        in_flight: int | None = None,
    ) -> None:
        """By default `shared`'s numbers: up to `PROCESSES`, `SECONDS`, `IN_FLIGHT`."""
        self.processes = processes or min(PROCESSES, os.cpu_count() or 1)
        self.seconds = SECONDS if seconds is None else seconds
        self.in_flight = in_flight or IN_FLIGHT
        self._turns = threading.BoundedSemaphore(self.processes)
        self._lock = threading.Lock()
        self._idle: list[_Process] = []
        self._busy: set[_Process] = set()
        self._asked = 0

    def decode(
        self,
        data: bytes,
        *,
        target: int | None,
        box: Box | None = None,
        max_pixels: int = images.MAX_PIXELS,
        patient: bool = False,
        stop: threading.Event | None = None,
    ) -> Image:
        """Decode what lies in `box`; see `images.decode_crop`. Without a target in full size.

        Raises `ImageError` also where it takes too long or crashes the process, and, unless
        `patient`, `BusyError` where too many are asked for at once.
        """
        request = {"target": target, "box": box, "max_pixels": max_pixels}
        answer, pixels = self._ask("decode", request, data, patient, stop)
        return np.frombuffer(pixels, np.uint8).reshape(answer["shape"])

    def thumbnail(self, data: bytes, side: int) -> bytes:
        """A JPEG of the picture no wider or higher than `side`; raises as `decode`."""
        return bytes(self._ask("thumbnail", {"side": side}, data)[1])

    def verify(self, data: bytes) -> str:
        """Decode once to see that it can be → the media type; raises as `decode`."""
        return str(self._ask("verify", {}, data)[0]["type"])

    def measure(self, data: bytes) -> tuple[int, int]:
        """Upright width and height, from the header alone; raises as `decode`."""
        width, height = self._ask("measure", {}, data)[0]["size"]
        return width, height

    def close(self) -> None:
        """End the processes, also those at work, whose pictures are then errors."""
        with self._lock:
            idle, self._idle = self._idle, []
            for process in self._busy:
                process.kill()
        for process in idle:
            process.end()

    def _ask(
        self,
        kind: str,
        more: dict[str, Any],
        data: bytes,
        patient: bool = False,
        stop: threading.Event | None = None,
    ) -> Answer:
        request = {"work": kind, "max_pixels": images.MAX_PIXELS, "seconds": self.seconds, **more}
        # Who is patient has as many threads as are good for it, and decodes light ones in each.
        if patient and (answer := _here(request, data)):
            return answer
        with self._counted(patient), self._turn(patient, stop):
            return (not patient and _here(request, data)) or self._there(request, data, stop)

    def _there(self, request: dict[str, Any], data: bytes, stop: threading.Event | None) -> Answer:
        process = self._take()
        try:
            answer = process.ask(request, data, stop)
        except BaseException:
            self._drop(process)
            raise
        self._put(process)
        if "error" in answer[0]:
            raise ImageError(answer[0]["error"])
        return answer

    @contextmanager
    def _counted(self, patient: bool) -> Iterator[None]:
        if patient:
            yield
            return
        with self._lock:
            if self._asked >= self.in_flight:
                raise BusyError(f"{self._asked} pictures are being decoded; try again in a moment")
            self._asked += 1
        try:
            yield
        finally:
            with self._lock:
                self._asked -= 1

    @contextmanager
    def _turn(self, patient: bool, stop: threading.Event | None) -> Iterator[None]:
        deadline = None if patient else time.monotonic() + PATIENCE
        while not self._turns.acquire(timeout=_SLICE):
            _check(stop)
            if deadline is not None and time.monotonic() > deadline:
                raise BusyError("pictures before this one take long; try again in a moment")
        try:
            yield
        finally:
            self._turns.release()

    def _take(self) -> "_Process":
        with self._lock:
            while self._idle:
                process = self._idle.pop()
                if process.alive():
                    break
                process.end()  # killed by others while it had nothing to do
            else:
                process = _started()
            self._busy.add(process)
            return process

    def _put(self, process: "_Process") -> None:
        with self._lock:
            self._busy.remove(process)
            self._idle.append(process)

    def _drop(self, process: "_Process") -> None:
        process.end()
        with self._lock:
            self._busy.remove(process)


def _here(request: dict[str, Any], data: bytes) -> Answer | None:
    """Do it in this thread, if that is light."""
    return work(request, data, light=True) if len(data) <= images.LIGHT_BYTES else None


def _started() -> "_Process":
    try:
        return _Process()
    except OSError as error:  # no more memory, files or processes: not the picture's fault
        raise BusyError(f"no process can be started to decode it: {error.strerror}") from error


class _Process:
    """A decoding process and the socket to it."""

    def __init__(self) -> None:
        self._stream, theirs = socket.socketpair()
        self._stream.settimeout(_SLICE)
        for end in (self._stream, theirs):  # a whole picture at a time, as far as the system lets
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        self._ready = False
        path = os.pathsep.join(filter(None, (_ROOT, os.environ.get("PYTHONPATH"))))
        try:
            # A program of its own: a fork of a process with threads may hang. In a group of its
            # own, so that Ctrl-C in a terminal reaches the parent alone. -P: not what lies in the
            # working directory. One thread for numpy's library, whose memory counts.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "coordi.data.decoder"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
                process_group=0,
            )
        except OSError:
            self._stream.close()
            raise
        finally:
            theirs.close()

    def alive(self) -> bool:
        """Whether the process waits for work; it may have been killed meanwhile."""
        return self._process.poll() is None

    def ask(self, request: dict[str, Any], data: bytes, stop: threading.Event | None) -> Answer:
        """Send one request and take its answer; after an error the process is of no more use."""
        self._start(stop)
        seconds = request["seconds"]
        late = f"the picture took longer than {seconds:g} s to decode"
        waiting = _Deadline(_CLOCK * seconds, ImageError(late + _ADVICE), stop)
        try:
            send(self._stream, request, data, waiting)
            answer = receive(self._stream, waiting)
        except OSError:  # it died while we wrote
            answer = None
        if answer is None:
            code = self._process.wait(_START_SECONDS)
            died = f"decoding the picture ended its process ({_how(code)})"
            raise ImageError((late if code == -signal.SIGPROF else died) + _ADVICE)
        return answer

    def _start(self, stop: threading.Event | None) -> None:
        if self._ready:
            return
        fault = (
            "a decoding process does not start; see why: python -m coordi.data.decoder </dev/null"
        )
        if receive(self._stream, _Deadline(_START_SECONDS, RuntimeError(fault), stop)) is None:
            raise RuntimeError(fault)
        self._ready = True

    def kill(self) -> None:
        """End the process, whatever it does; whoever waits for its answer notices."""
        self._process.kill()

    def end(self) -> None:
        """Kill the process and let go of it."""
        self._stream.close()
        self._process.kill()
        self._process.wait()


class _Deadline:
    """Called while waiting: raises when the time is over or somebody wants to stop."""

    def __init__(self, seconds: float, error: Exception, stop: threading.Event | None) -> None:
        self._until, self._error, self._stop = time.monotonic() + seconds, error, stop

    def __call__(self) -> None:
        _check(self._stop)
        if time.monotonic() > self._until:
            raise self._error


def _how(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit {code}"


def _check(stop: threading.Event | None) -> None:
    if stop is not None and stop.is_set():
        raise ImageError("decoding was stopped")


_guard = threading.Lock()
_pool: Decoder | None = None


def shared() -> Decoder:
    """The one pool of this process, so that its bounds hold for all who decode in it."""
    global _pool
    with _guard:
        if _pool is None:
            _pool = Decoder()
            atexit.register(_pool.close)
        return _pool


def _forget() -> None:
    """In a forked child: the processes are the parent's."""
    global _pool, _guard
    _pool, _guard = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
