"""Whether the store can be searched now, asked of the engine at most once a second."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from coordi.serve.ports import SearchEngine
from coordi.serve.wire import shown_name

FRESH_SECONDS = 1.0
PATIENCE_SECONDS = 0.5
"""How long `/ready` waits for the store before it says what it saw last."""
STALE_SECONDS = 15.0

UNKNOWN = ("unreadable", "The store has not answered yet.")

SENTENCES = {
    "ready": "Ready.",
    "warming": "Models and index are being loaded. Try again in a moment.",
    "gone": "The store is not there any more.",
    "damaged": "The store's files are damaged: `coordi verify` says which.",
    "unreadable": "The store cannot be read.",
}
"""What goes out for each word of `SearchEngine.state`, whose own sentences may name folders."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of the store, and when."""

    word: str = UNKNOWN[0]
    sentence: str = UNKNOWN[1]
    token: str = ""
    without_vector: Mapping[str, int] = field(default_factory=dict)
    """Encoder → items that have no vector of it."""
    at: float = float("-inf")


class Readiness:
    """The store's state, looked at in a thread of its own so that no request waits for it long."""

    def __init__(self, engine: SearchEngine) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="coordi-ready")
        self._seen = Seen()
        self._looking: asyncio.Future[Seen] | None = None

    async def now(self, fresh_seconds: float = FRESH_SECONDS) -> Seen:
        """What was seen not longer ago than that, or last; bad news are looked at anew."""
        if self._seen.word == "ready" and monotonic() - self._seen.at < fresh_seconds:
            return self._seen
        loop = asyncio.get_running_loop()
        if self._looking is None or self._looking.done() or self._looking.get_loop() is not loop:
            self._looking = loop.run_in_executor(self._thread, self._look)
        await asyncio.wait({self._looking}, timeout=PATIENCE_SECONDS)
        if monotonic() - self._seen.at > STALE_SECONDS:
            return Seen(*UNKNOWN)
        return self._seen

    async def broken(self) -> bool:
        """Whether the store cannot be read, looked at anew."""
        return (await self.now(fresh_seconds=0)).word not in ("ready", "warming")

    def _look(self) -> Seen:
        try:
            self._seen = self._look_closely()
        except Exception:  # whatever it is, the store cannot be searched
            self._seen = Seen("unreadable", SENTENCES["unreadable"], at=monotonic())
        return self._seen

    def _look_closely(self) -> Seen:
        word, _ = self._engine.state()
        sentence = SENTENCES.get(word, SENTENCES["unreadable"])
        if word != "ready":
            return Seen(word, sentence, at=monotonic())
        view = self._engine.view()
        same = view.token == self._seen.token and self._seen.word == "ready"
        missing = self._seen.without_vector if same else _missing(self._engine.stats())
        return Seen(word, sentence, view.token, missing, monotonic())


def _missing(stats: Any) -> dict[str, int]:
    return {
        shown_name(entry.name): stats.items - stats.vectors[entry.fingerprint]
        for entry in stats.encoders
    }
