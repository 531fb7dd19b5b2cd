"""kill -9 while a feed is fetched, encoded and committed: same items, and nothing fetched twice.

    python benchmarks/fetch_kill.py --pictures ../shared/data/mango --count 300

Serves pictures on this machine, counts what is asked for, and ingests a feed of them by the command
line in a process that is killed (SIGKILL) five times in a row, over one store, at moments of the
work: when a sixth and half of the pictures have come, at the first commit, when all have come and
are being encoded, and at a later commit. Then the command runs to its end, and once more. Without
--pictures garments are drawn. The whole is done twice: a picture a row; and three a row, all
embedded (--views all).

Good is: items and vectors of an undisturbed run; no picture asked for again that was kept when the
process died, so that a kill costs at most the pictures under way (four of a host); no part of a
picture left over; the last run asks for nothing. Exit code 1 if not so.
"""

import argparse
import csv
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from coordi.data.fetchcache import FetchCache
from coordi.store.lance import open_store
from fetch import SUFFIXES, Shop, command, counts, ingest

COLUMNS = ("id", "title", "link", "image_link", "price", "item_group_id")
PER_HOST = 4
ROUNDING = 1e-4
Contents = dict[str, tuple[object, np.ndarray]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, help="folder of pictures; default: drawn ones")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--delay", type=float, default=0.1, help="seconds before each answer")
    parser.add_argument("--encoder", default="coordi-mini")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        pictures = pictures_of(arguments.pictures or drawn(scratch, arguments.count))
        pictures = pictures[: arguments.count]
        good = True
        for each, views in ((1, "main"), (3, "all")):
            with Shop(pictures, arguments.delay) as shop:
                options = ["--encoder", arguments.encoder, "--views", views]
                trial = Trial(shop, scratch / views, each, options)
                good &= trial.run()
    sys.exit(0 if good else 1)


def drawn(scratch: Path, count: int) -> Path:
    from coordi.drawn import write_wardrobe

    write_wardrobe(scratch / "wardrobe", count=count)
    return scratch / "wardrobe"


def pictures_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


class Trial:
    """One feed, an undisturbed run, and one that is killed."""

    def __init__(self, shop: Shop, scratch: Path, each: int, options: list[str]) -> None:
        scratch.mkdir()
        self.shop, self.scratch, self.options = shop, scratch, options
        self.store = scratch / "killed"
        self.urls = [
            f"http://127.0.0.1:{shop.server_port}/{n}.jpg" for n in range(len(shop.pictures))
        ]
        self.feed = self.write_feed(each)
        self.again: Counter[str] = Counter()
        self.faults: list[str] = []

    def run(self) -> bool:
        whole = self.scratch / "whole"
        seconds, report, _ = ingest(self.feed, whole, self.options)
        print(
            f"{self.options[-1]}: undisturbed {seconds:.1f} s, {counts(report)}, "
            f"{self.shop.asked.total()} requests for {len(self.urls)} pictures"
        )
        self.shop.asked.clear()
        for name, reached in self.moments():
            self.kill(name, reached)
        seconds, report, _ = ingest(self.feed, self.store, self.options)
        print(f"  run to its end: {seconds:.1f} s, {counts(report)}")
        before = self.shop.asked.copy()
        seconds, report, _ = ingest(self.feed, self.store, self.options)
        asked = self.shop.asked.total() - before.total()
        print(f"  once more: {seconds:.1f} s, {counts(report)}, {asked} requests")
        self.check(asked, contents(whole), contents(self.store))
        return not self.faults

    def moments(self) -> Iterator[tuple[str, Callable[[], bool]]]:
        """Names of moments and whether they are reached; each is begun after the one before."""
        count = len(self.urls)
        yield "fetching, a sixth", lambda: len(self.kept()) >= count // 6
        yield "fetching, half", lambda: len(self.kept()) >= count // 2
        yield "first commit", self.new_data()
        yield "encoding, all fetched", self.encoding(count)
        yield "last commit", self.new_data()

    def begun(self, process: subprocess.Popen[bytes]) -> bool:
        """Whether the process ingests: it has signed the store's lock."""
        try:
            signed = json.loads((self.store / "writer.json").read_text(encoding="utf-8"))["pid"]
        except (OSError, ValueError):
            return False
        return bool(signed == process.pid)

    def encoding(self, count: int) -> Callable[[], bool]:
        """Whether the process has ingested for a second with all pictures there: it encodes."""
        since: list[float] = []

        def reached() -> bool:
            if len(self.kept()) == count:
                since.append(time.monotonic())
            return bool(since) and time.monotonic() > since[0] + 1

        return reached

    def new_data(self) -> Callable[[], bool]:
        """Whether the store has files of items or vectors that it has not now: a commit is begun"""
        before = self.data()
        return lambda: bool(self.data() - before)

    def data(self) -> set[Path]:
        return set(self.store.rglob("data/*.lance"))

    def kept(self) -> set[str]:
        cache = FetchCache(self.store / "fetched")
        return {url for url in self.urls if cache.has(url)}

    def kill(self, name: str, reached: Callable[[], bool]) -> None:
        process = subprocess.Popen(
            command(self.feed, self.store, self.options),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while not (self.begun(process) and reached()) and process.poll() is None:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        if process.wait() != -signal.SIGKILL:
            self.faults.append(f"{name}: the process ended before")
        time.sleep(2 * self.shop.delay)  # requests that had left
        kept = self.kept()
        lost = {url for url in self.urls if self.asked(url) > self.again[url]} - kept
        for url in lost:
            self.again[url] = self.asked(url)
        print(
            f"  killed at {name}: {len(kept)} kept, {len(lost)} under way, "
            f"{len(self.parts())} parts left, {stored(self.store)} items stored"
        )
        if len(lost) > PER_HOST:
            self.faults.append(f"{name}: {len(lost)} pictures were under way")

    def asked(self, url: str) -> int:
        return self.shop.asked["/" + url.rpartition("/")[2]]

    def parts(self) -> list[Path]:
        folder = self.store / "fetched"
        inside = (path for path in folder.rglob("*") if path.is_file())
        return [path for path in inside if "parts" in path.parts or path.suffix == ".part"]

    def check(self, asked: int, expected: Contents, found: Contents) -> None:
        """Print what was asked for twice, and whether all is as it should be."""
        twice = {url: self.asked(url) for url in self.urls if self.asked(url) != 1}
        wrong = [url for url in self.urls if self.asked(url) != self.again[url] + 1]
        largest = max((away(expected[id], found[id]) for id in expected.keys() & found), default=0)
        same = {id: item for id, (item, _) in expected.items()} == {
            id: item for id, (item, _) in found.items()
        }
        print(
            f"  asked for more than once: {len(twice)}, of them kept before: {len(wrong)}; "
            f"requests {self.shop.asked.total()} for {len(self.urls)} pictures"
        )
        print(
            f"  same items: {'yes' if same else 'NO'}, vectors differ by {largest:.0e} at most; "
            f"parts left: {len(self.parts())}"
        )
        problems = {
            "pictures that were kept were asked for again": bool(wrong),
            "the last run asked for pictures": bool(asked),
            "other items or vectors": not same or largest > ROUNDING,
            "parts of pictures are left": bool(self.parts()),
        }
        self.faults += [what for what, so in problems.items() if so]
        for fault in self.faults:
            print(f"  FAULT: {fault}")

    def write_feed(self, each: int) -> Path:
        path = self.scratch / "feed.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow((*COLUMNS, "additional_image_link"))
            for number in range(0, len(self.urls), each):
                main, *more = self.urls[number : number + each]
                id_ = str(number)
                row = (id_, f"Thing {id_}", f"https://shop.example/{id_}", main, "19.90 EUR")
                writer.writerow((*row, f"G{id_}", ",".join(more)))
        return path


def stored(folder: Path) -> int:
    if not (folder / "store.json").exists():
        return 0
    with open_store(folder) as store:
        return store.count()


def contents(folder: Path) -> Contents:
    """Items, their pictures by their place within the store, and all vectors of each."""
    with open_store(folder) as store:
        ids = store.ids()
        fingerprint = store.encoders()[-1].fingerprint
        main = store.vectors_of(ids, fingerprint)
        further = store.further_of(ids, fingerprint)
        return {
            item.id: (
                (item.title, dict(item.fields), places(item, folder)),
                np.concatenate([vector[None], np.reshape(rest, (-1, len(vector)))]),
            )
            for item, vector, rest in zip(store.get(ids), main, further, strict=True)
        }


def places(item: object, folder: Path) -> list[str]:
    refs = (item.image, *item.more)
    return [str(ref.path.relative_to(folder)) for ref in refs if ref is not None]


def away(one: tuple[object, np.ndarray], other: tuple[object, np.ndarray]) -> float:
    if one[1].shape != other[1].shape:
        return float("inf")
    return float(np.abs(one[1] - other[1]).max())


if __name__ == "__main__":
    main()
