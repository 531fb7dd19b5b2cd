"""SIGTERM ends a command in good order, as Ctrl-C does, and has an exit code of its own.

Both arrive in the code as KeyboardInterrupt, so that what is written for one (an ingest that
stores what it has, a training that keeps its step) holds for the other.
"""

import os
import signal
from types import FrameType

INTERRUPTED, TERMINATED = 130, 143
"""Exit codes: stopped by Ctrl-C; stopped by SIGTERM."""

_received: list[int] = []
"""Termination signals that came so far."""


def catch_sigterm() -> None:
    """Let SIGTERM raise KeyboardInterrupt in this process from now on; not in its children."""
    process = os.getpid()

    def stop(number: int, _: FrameType | None) -> None:
        if os.getpid() != process:  # forked: whoever ends a worker wants it gone, not heard
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        _received.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)


def stop_code() -> int:
    """The exit code of a command that was stopped."""
    return TERMINATED if _received else INTERRUPTED


def stop_name() -> str:
    """What people call the signal that stopped the command."""
    return "SIGTERM" if _received else "Ctrl-C"
