"""What the machines of docs/torture.md share: items whose every part follows from a stamp, the
processes that they start, the places of faults, and the one JSON that each of them prints.
"""

import json
import multiprocessing
import random
import re
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
COORDI = [sys.executable, "-c", "from coordi.cli import main; main()"]
ONE_ROW = "id,title\n1,a red dress\n"
"""A catalogue without pictures, for whatever needs a store but no particular one."""
FINGERPRINT = "5747a34b5747a34b"
DIM = 16
COLORS = ("red", "green", "blue", "black", "white")


def item_of(id: str, stamp: int) -> Any:
    """An item that says in its fields of which stamp it is."""
    from coordi.types import Item

    fields = {"stamp": stamp, "color": COLORS[stamp % 5], "price": float(stamp % 97)}
    return Item(id, title=f"{id} at {stamp}", fields=fields)


@lru_cache(maxsize=65_536)
def vector_of(id: str, stamp: int) -> Any:
    """The unit vector of an item at a stamp: another stamp, quite another vector."""
    import numpy as np

    seed = [int.from_bytes(id.encode(), "big"), stamp]
    row = np.random.default_rng(seed).standard_normal(DIM)
    return (row / np.linalg.norm(row)).astype(np.float32)


def put_stamped(store: Any, ids: Sequence[str], stamp: int) -> None:
    """Fields and vectors of one stamp, in one commit."""
    import numpy as np

    items = [item_of(id, stamp) for id in ids]
    vectors = np.stack([vector_of(id, stamp) for id in ids])
    store.put(items, FINGERPRINT, vectors, [f"h{stamp}"] * len(ids), encoder="given")


class GivenVector:
    """An encoder whose words are "ID STAMP": they mean the vector of that item at that stamp."""

    name = "given"
    fingerprint = FINGERPRINT
    dim = DIM
    modalities = frozenset({"text"})

    def unknown_words(self, text: str) -> tuple[str, ...]:  # noqa: ARG002
        return ()

    def cut_from(self, text: str) -> str:  # noqa: ARG002
        return ""

    def encode_texts(self, texts: Sequence[str]) -> Any:
        import numpy as np

        pairs = (text.split() for text in texts)
        return np.stack([vector_of(id, int(stamp)) for id, stamp in pairs])


def snapshot_of(store: Any) -> Any:
    """One immutable snapshot; the store itself where it has none yet."""
    return store.snapshot() if hasattr(store, "snapshot") else store


def fault_at(error: BaseException) -> str:
    """An error's type, its innermost place in this repository, and the start of its message."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/coordi/" in frame.filename] or list(frames)
    place = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "?"
    line = re.sub(r"[0-9a-f]{8,}|\d+", "N", " ".join(str(error).split()))[:120]
    return f"{type(error).__name__} at {place}: {line}"


def say(report: Mapping[str, Any], out: Path | None = None) -> None:
    """Print the report as JSON, and write it where it was asked for."""
    text = json.dumps(report, indent=1, default=str)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text + "\n", encoding="utf-8")
    print(text)


def finish(report: Mapping[str, Any], faults: int, out: Path | None = None) -> None:
    """Print the report and exit with 1 where there were faults."""
    say({**report, "faults": faults}, out)
    sys.exit(1 if faults else 0)


def told(what: str) -> None:
    """Progress, for people: standard error."""
    print(what, file=sys.stderr, flush=True)


def most_frequent(counts: Counter[str], most: int = 20) -> dict[str, int]:
    """The most frequent entries, most frequent first."""
    return dict(counts.most_common(most))


@contextmanager
def scratch(name: str) -> Iterator[Path]:
    """A folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix=f"coordi-{name}-") as folder:
        yield Path(folder)


def drawn_wardrobe(folder: Path, items: int, seed: int = 0) -> Path:
    """A catalogue of drawn garments with pictures; its CSV file."""
    from coordi.drawn import write_wardrobe

    return write_wardrobe(folder, count=items, seed=seed)


def coordi(*arguments: object, timeout: float = 600) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    command = [*COORDI, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout)


class Child:
    """A process that runs a function in a fresh interpreter that has coordi imported already."""

    def __init__(self, function: Callable[..., None], *arguments: object) -> None:
        """`function` gets the arguments and a pipe for what it has to say."""
        processes = multiprocessing.get_context("forkserver")
        processes.set_forkserver_preload(["coordi.store.lance", "coordi.tasks.search", "lance"])
        self._pipe, theirs = processes.Pipe()
        self._process = processes.Process(target=function, args=(*arguments, theirs))
        self._process.start()
        theirs.close()

    def hear(self, timeout: float | None = None) -> Any:
        """The next thing that the child says; None where it died or `timeout` seconds passed."""
        try:
            return self._pipe.recv() if self._pipe.poll(timeout) else None
        except (EOFError, ConnectionResetError):
            return None

    def say(self, what: object) -> None:
        """Send the child something."""
        self._pipe.send(what)

    def kill(self) -> int:
        """SIGKILL it; its exit code, −9 where it was still running."""
        self._process.kill()
        self._process.join()
        return int(self._process.exitcode or 0)


def verified(folder: Path) -> tuple[bool | None, str]:
    """Whether `coordi verify` finds the store sound, and what it says; None where it is missing."""
    try:
        from coordi.store.verify import verify
    except ImportError:
        return None, "this version of coordi cannot verify a store"
    from coordi.errors import CoordiError

    try:
        report = verify(folder)
    except CoordiError as error:
        return False, str(error)
    return bool(report.sound), "; ".join(map(str, report.faults))


def until(reached: Callable[[], bool], seconds: float, step: float = 0.05) -> bool:
    """Wait until something holds; whether it did in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if reached():
            return True
        time.sleep(step)
    return reached()


def chance(seed: int, *more: object) -> random.Random:
    """Random numbers of a seed and a place, the same in every run."""
    return random.Random(f"{seed} {more}")
