"""The other side of before_after.py: answers timed queries with the coordi of its PYTHONPATH.

One JSON document a line comes in and goes out: {"do": "about" | "fill" | "ask", …}.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import search

QUERIES = 200
K = 20


class Given:
    """An encoder that costs nothing: words and the first pixel say the number of a vector."""

    name = "coordi-mini"
    modalities = frozenset({"image", "text"})
    image_size = 224

    def __init__(self, vectors: Any, fingerprint: str) -> None:
        self.vectors, self.fingerprint, self.dim = vectors, fingerprint, vectors.shape[1]

    def unknown_words(self, text: str) -> tuple[str, ...]:  # noqa: ARG002
        return ()

    def cut_from(self, text: str) -> str:  # noqa: ARG002
        return ""

    def encode_texts(self, texts: list[str]) -> Any:
        row = int(texts[0])
        return self.vectors[row : row + 1]

    def encode_images(self, images: list[Any]) -> Any:
        row = int(images[0][0, 0, 0])
        return self.vectors[row : row + 1]


class Worker:
    """Stores of several sizes, and queries against them."""

    def __init__(self, folder: Path) -> None:
        """Stores are made in `folder`."""
        from coordi.models.opening import open_encoder

        self.folder = folder
        self.mini = open_encoder("coordi-mini")
        self.engines: dict[int, tuple[Any, Any]] = {}
        self.picture = picture()

    def about(self) -> str:
        """Where the code comes from."""
        import coordi

        return str(coordi.__file__)

    def fill(self, size: int, seed: int) -> dict[str, float]:
        """Make a store, open it anew and warm it up."""
        from coordi.engine.engine import Engine
        from coordi.store import open_store

        mixture = search.Mixture(self.mini.dim, seed)
        store, seconds = search.fill(self.folder / str(size), size, mixture, self.mini.fingerprint)
        queries, _ = mixture.draw(QUERIES)
        began = perf_counter()
        store.index(self.mini.fingerprint)
        indexed = perf_counter() - began
        store.close()
        store = open_store(self.folder / str(size))
        given = Engine(store, Given(queries, self.mini.fingerprint))
        real = Engine(store, self.mini)
        for engine in (given, real):
            engine.warm()
        self.engines[size] = given, real
        return {"store_s": seconds, "index_s": indexed}

    def ask(self, size: int, kind: str, where: str | None, start: int, count: int) -> list[float]:
        """Seconds of each of `count` queries; one before them is not timed."""
        call = self._call(size, kind, where)
        call(start)
        times = []
        for number in range(start, start + count):
            began = perf_counter()
            call(number)
            times.append(perf_counter() - began)
        return times

    def _call(self, size: int, kind: str, where: str | None) -> Callable[[int], Any]:
        import numpy as np

        from coordi.types import Query

        given, real = self.engines[size]
        if kind == "photo, decoded and encoded":
            return lambda _: real.search(
                Query(image=real.decode(self.picture), where=where, limit=K)
            )
        if kind == "words, encoded":
            return lambda number: real.search(
                Query(text=f"a red dress {number}", where=where, limit=K)
            )
        parts: dict[str, Callable[[int], dict[str, Any]]] = {
            "words": lambda number: {"text": str(number % QUERIES)},
            "photo": lambda number: {"image": np.full((2, 2, 3), number % QUERIES, np.uint8)},
            "item": lambda number: {"item": f"item-{number * 37 % size}"},
        }
        part = parts[kind]
        return lambda number: given.search(Query(**part(number), where=where, limit=K))


def picture() -> bytes:
    """A JPEG of 800 × 600, as a phone may send it."""
    import io

    import numpy as np
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (75, 100, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize((800, 600), Image.Resampling.BICUBIC).save(buffer, "JPEG")
    return buffer.getvalue()


def main() -> None:
    worker = Worker(Path(sys.argv[1]))
    for line in sys.stdin:
        order = json.loads(line)
        answer = getattr(worker, order.pop("do"))(**order)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
