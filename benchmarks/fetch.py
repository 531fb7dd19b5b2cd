"""A feed of a shop with pictures by address, fetched and ingested: time, failures, kill -9.

    python benchmarks/fetch.py --pictures ../shared/data/kaggle224 --count 1000 --kills 5

Serves pictures of a folder on this machine, each with the delay of a real server (--delay), and
ingests a feed in the columns of Google's merchant exports. Three parts:

1. fetch and ingest, and the same command again;
2. the same feed with failures in it (404, 429, 500, a slow one, a redirect to where nobody answers,
   a stream of 10 GB, a web page): what each says; and what is said without --fetch-private;
3. the ingest killed with SIGKILL --kills times and then finished: same items, same vectors, and how
   many pictures that had arrived were asked for again.
"""

import argparse
import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

COMMAND = [sys.executable, "-c", "from coordi.cli import main; main()"]
COLUMNS = ("id", "title", "link", "image_link", "price", "item_group_id")
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
FAILURES = ("404", "429", "500", "slow", "redirect", "endless", "html")


class Shop(ThreadingHTTPServer):
    """Pictures by number; /fail/KIND answers as the kind says."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, pictures: list[Path], delay: float) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.pictures, self.delay = pictures, delay
        self.asked: Counter[str] = Counter()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_: Any) -> None:
        pass


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are written apart
    server: Shop

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.server.asked[self.path] += 1
        time.sleep(self.server.delay)
        part = self.path.strip("/").split("/")
        if part[0] != "fail":
            self.send(200, self.server.pictures[int(part[0].partition(".")[0])].read_bytes())
        elif part[1].isdigit():
            self.send(int(part[1]), b"no", {"Retry-After": "1"} if part[1] == "429" else {})
        elif part[1] == "redirect":
            self.send(302, b"", {"Location": "http://127.0.0.1:1/0.jpg"})
        elif part[1] == "html":
            self.send(200, b"<!DOCTYPE html><html>Please log in</html>")
        else:
            self.endless(0.5 if part[1] == "slow" else 0.0)

    def send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def endless(self, pause: float) -> None:
        self.close_connection = True
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.pictures[0].read_bytes()[:2048])
        with suppress(OSError):
            for _ in range((10 << 30) >> 16):  # 10 GB
                self.wfile.write(b"x" if pause else bytes(1 << 16))
                time.sleep(pause)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--delay", type=float, default=0.05, help="seconds before each answer")
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--encoder", default="coordi-mini")
    arguments = parser.parse_args()
    files = sorted(p for p in arguments.pictures.rglob("*") if p.suffix.lower() in SUFFIXES)
    pictures = files[: arguments.count]
    with Shop(pictures, arguments.delay) as shop, tempfile.TemporaryDirectory() as folder:
        scratch, options = Path(folder), ["--encoder", arguments.encoder]
        plain = write_feed(scratch / "feed.csv", shop, len(pictures))
        print(f"{len(pictures)} pictures, {sum(p.stat().st_size for p in pictures):,} bytes")
        for what in ("fetch and ingest", "again"):
            shop.asked.clear()
            seconds, report = ingest(plain, scratch / "whole", options)
            print(f"{what}: {seconds:.1f} s, {counts(report)}, {shop.asked.total()} requests")
        with_failures(shop, scratch, len(pictures), options)
        shop.asked.clear()
        killed(shop, scratch, plain, options, arguments.kills)


def with_failures(shop: Shop, scratch: Path, count: int, options: list[str]) -> None:
    feed = write_feed(scratch / "failing.csv", shop, count, FAILURES)
    seconds, report = ingest(feed, scratch / "failing", options)
    print(f"with failures: {seconds:.1f} s, {counts(report)}")
    for problem in report["problems"]:
        print(f"  {problem['id']}: {problem['reason']}")
    single = write_feed(scratch / "single.csv", shop, 1)
    _, report = ingest(single, scratch / "refused", options, "--fetch")
    print(f"  without --fetch-private: {report['problems'][0]['reason']}")


def killed(shop: Shop, scratch: Path, feed: Path, options: list[str], kills: int) -> None:
    store = scratch / "killed"
    seconds = 0.0
    arrived: Counter[str] = Counter()
    for number in range(kills):
        process = subprocess.Popen(
            command(feed, store, options), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wanted = len(shop.pictures) * (number + 1) // (kills + 1)
        while kept(store) < wanted and process.poll() is None:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        time.sleep(0.5)  # answers that were under way
        arrived[f"{kept(store)} kept"] = shop.asked.total()
    seconds, report = ingest(feed, store, options)
    print(f"after {kills} kills: {seconds:.1f} s, {counts(report)}")
    print(f"  kept and asked for by each kill: {dict(arrived)}")
    lost = shop.asked.total() - len(shop.pictures)
    print(f"  asked for twice: {lost} (under way when killed: at most {4 * kills})")
    print(f"  same items: {items(store) == items(scratch / 'whole')}")


def kept(store: Path) -> int:
    return sum(1 for path in (store / "fetched").glob("??/*") if path.is_file())


def items(store: Path) -> dict[str, Any]:
    from coordi.engine import Engine

    with Engine.open(store) as engine:
        found = {
            item.id: (item.title, dict(item.fields)) for item in engine.get(engine.store.ids())
        }
        vectors = {}
        for ids, rows in engine.store.vectors(engine.encoder.fingerprint):
            vectors |= {id_: row.tobytes() for id_, row in zip(ids, rows, strict=True)}
    return {id_: (*found[id_], vectors[id_]) for id_ in found}


def write_feed(path: Path, shop: Shop, count: int, failures: tuple[str, ...] = ()) -> Path:
    url = f"http://127.0.0.1:{shop.server_port}"
    addresses = [(str(n), f"{url}/{n}.jpg") for n in range(count)]
    for number, kind in enumerate(failures):
        addresses.insert(number * count // len(failures), (kind, f"{url}/fail/{kind}"))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for id_, address in addresses:
            row = (id_, f"Thing {id_}", f"{url}/p/{id_}", address, "19.90 EUR", f"G{id_}")
            writer.writerow(row)
    return path


def command(
    feed: Path, store: Path, options: list[str], fetch: str = "--fetch-private"
) -> list[str]:
    return [*COMMAND, "ingest", str(feed), "--store", str(store), fetch, *options]


def ingest(
    feed: Path, store: Path, options: list[str], fetch: str = "--fetch-private"
) -> tuple[float, dict[str, Any]]:
    since = time.monotonic()
    done = subprocess.run(
        [*command(feed, store, options, fetch), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 3):
        raise SystemExit(done.stdout + done.stderr)
    return time.monotonic() - since, json.loads(done.stdout)


def counts(report: dict[str, Any]) -> str:
    names = ("added", "updated", "unchanged", "failed")
    return ", ".join(f"{report[name]} {name}" for name in names if report[name])


if __name__ == "__main__":
    main()
