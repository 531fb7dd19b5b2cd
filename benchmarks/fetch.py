"""A feed of a shop with pictures by address, fetched and ingested: time, failures, kill -9.

    python benchmarks/fetch.py --pictures ../shared/data/mango --count 1000

Serves pictures of a folder on this machine, each with the delay of a real server (--delay), and
ingests a feed in Google's XML (RSS, `g:` elements; garments in sizes and colours, prices with
currency, further pictures). Three parts:

1. fetch and ingest, and the same command again;
2. each failure alone in a feed of 40 items: what the row's problem says and the time lost; and all
   together in the whole feed: time and exit code;
3. one host that trickles beside one that does not, every second row each: when the good host's
   pictures have come. And what is said without --fetch-private.

kill -9 is benchmarks/fetch_kill.py.
"""

import argparse
import json
import socket
import struct
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
from xml.sax.saxutils import escape

COMMAND = [sys.executable, "-c", "from coordi.cli import main; main()"]
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
FAILURES = {
    name: "{url}/fail/" + name
    for name in (
        *(
            "404",
            "500-heals",
            "429-heals",
            "429-hour",
            "500",
            "slow",
            "redirect",
            "loop",
            "endless",
        ),
        *("html", "reset", "cut", "shorter", "empty"),
    )
} | {
    "data": "data:image/png;base64,iVBORw0KGgo=",
    "ftp": "ftp://127.0.0.1/a.jpg",
    "blanks": "{url}/0.jpg?v=red dress été",
    "no-name": "http://pictures.invalid/0.jpg",
}
"""Name → address. Those that heal, and the one with blanks, come."""
SIZES = ("S", "M", "L")


class Shop(ThreadingHTTPServer):
    """Pictures by number; /fail/KIND answers as the kind says."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, pictures: list[Path], delay: float) -> None:
        super().__init__(("0.0.0.0", 0), Answer)
        self.pictures, self.delay = pictures, delay
        self.asked: Counter[str] = Counter()
        self.asked_at: dict[str, float] = {}
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
        self.server.asked_at[self.path] = time.monotonic()
        time.sleep(self.server.delay / 2)
        part = self.path.strip("/").split("/")
        if part[0] != "fail":
            self.send(200, self.server.pictures[int(part[0].partition(".")[0])].read_bytes())
        else:
            self.fail(part[1].partition("?")[0], self.server.pictures[0].read_bytes())

    def fail(self, kind: str, picture: bytes) -> None:
        status, _, how = kind.partition("-")
        if how == "heals" and self.server.asked[self.path] > 2:
            self.send(200, picture)
        elif status.isdigit():
            wait = {"429-heals": {"Retry-After": "1"}, "429-hour": {"Retry-After": "3600"}}
            self.send(int(status), b"no", wait.get(kind, {}))
        elif kind in ("redirect", "loop"):
            there = "http://127.0.0.1:1/0.jpg" if kind == "redirect" else self.path
            self.send(302, b"", {"Location": there})
        elif kind in ("html", "empty"):
            self.send(200, b"<!DOCTYPE html><html>Log in</html>" if kind == "html" else b"")
        elif kind == "reset":  # no last words: the other side sees ECONNRESET
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
        elif kind in ("cut", "shorter"):
            self.close_connection = kind == "cut"
            half = picture[: len(picture) // 2]
            said = len(picture) if kind == "cut" else len(half)
            self.send(200, half if kind == "cut" else picture, {"Content-Length": str(said)})
        else:
            self.endless(0.5 if kind == "slow" else 0.0)

    def send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2])
        time.sleep(self.server.delay / 2)
        self.wfile.write(body[len(body) // 2 :])

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
    parser.add_argument("--encoder", default="coordi-mini")
    arguments = parser.parse_args()
    files = sorted(p for p in arguments.pictures.rglob("*") if p.suffix.lower() in SUFFIXES)
    pictures = files[: arguments.count]
    with Shop(pictures, arguments.delay) as shop, tempfile.TemporaryDirectory() as folder:
        scratch, options = Path(folder), ["--encoder", arguments.encoder]
        plain = write_feed(scratch / "feed.xml", shop, len(pictures))
        print(f"{len(pictures)} pictures, {sum(p.stat().st_size for p in pictures):,} bytes")
        for what in ("fetch and ingest", "again"):
            shop.asked.clear()
            seconds, report, code = ingest(plain, scratch / "whole", options)
            print(
                f"{what}: {seconds:.1f} s, {counts(report)}, {shop.asked.total()} requests, "
                f"{shop.asked.total() / seconds:.0f} pictures/s, exit code {code}"
            )
        each_failure(shop, scratch, options)
        all_failures(shop, scratch, len(pictures), options)
        beside_a_slow_host(shop, scratch, options)


def each_failure(shop: Shop, scratch: Path, options: list[str]) -> None:
    """Each failure alone, in this process: what is lost is not hidden by a process's start."""
    seconds, _ = within(shop, scratch / "none", {}, options)
    print(f"40 items: {seconds:.1f} s")
    for name, address in FAILURES.items():
        took, report = within(shop, scratch / name, {name: address}, options)
        said = "; ".join(problem.reason for problem in report.problems) or "it came"
        print(f"  {name}: {took - seconds:+.1f} s, {report.added} added: {said}")


def within(
    shop: Shop, folder: Path, failures: dict[str, str], options: list[str]
) -> tuple[float, Any]:
    from coordi.engine import Engine

    folder.mkdir()
    shop.asked.clear()
    feed = write_feed(folder / "feed.xml", shop, 40, failures)
    with (
        Engine.open(folder / "store", encoder=options[1], create=True) as engine,
        engine.fetcher(private=True) as fetcher,
    ):
        since = time.monotonic()
        report = engine.ingest(feed, fetch=fetcher)
        return time.monotonic() - since, report


def all_failures(shop: Shop, scratch: Path, count: int, options: list[str]) -> None:
    seconds, report, code = run_with(shop, scratch / "all", count, FAILURES, options)
    print(f"{count} items and all failures: {seconds:.1f} s, {counts(report)}, exit code {code}")
    _, report, code = run_with(shop, scratch / "public", 1, {}, options, "--fetch")
    print(f"  without --fetch-private: exit code {code}: {report['problems'][0]['reason']}")


def beside_a_slow_host(shop: Shop, scratch: Path, options: list[str]) -> None:
    """Every second row's picture trickles from another host, 127.0.0.2."""
    slow = {f"slow{n}": f"http://127.0.0.2:{shop.server_port}/fail/slow?{n}" for n in range(100)}
    seconds, report, code = run_with(shop, scratch / "beside", 100, slow, options)
    good = max(at for path, at in shop.asked_at.items() if "fail" not in path)
    first = min(shop.asked_at.values())
    print(
        f"100 items, and 100 of a host that trickles: {seconds:.1f} s, {counts(report)}, exit code "
        f"{code}; the good host's last picture was asked for after {good - first:.1f} s; requests "
        f"to the other: {sum(n for path, n in shop.asked.items() if 'fail' in path)}"
    )


def run_with(
    shop: Shop,
    folder: Path,
    count: int,
    failures: dict[str, str],
    options: list[str],
    fetch: str = "--fetch-private",
) -> tuple[float, dict[str, Any], int]:
    folder.mkdir()
    shop.asked.clear()
    shop.asked_at.clear()
    feed = write_feed(folder / "feed.xml", shop, count, failures)
    return ingest(feed, folder / "store", options, fetch)


def write_feed(path: Path, shop: Shop, count: int, failures: dict[str, str] | None = None) -> Path:
    """Google's feed of garments: four items each, two colours in two sizes of one picture."""
    url = f"http://127.0.0.1:{shop.server_port}"
    addresses = [(f"{n}", f"{url}/{n}.jpg", f"{url}/{(n + 1) % count}.jpg") for n in range(count)]
    for number, (kind, address) in enumerate((failures or {}).items()):
        place = (number + 1) * (count + len(failures or {})) // (len(failures or {}) + 1)
        addresses.insert(place, (f"fail-{kind}", address.format(url=url), ""))
    items = "".join(
        f"<item><g:id>{id_}</g:id><g:title>Thing {id_}</g:title><g:link>{url}/p/{id_}</g:link>"
        f"<g:image_link>{escape(address)}</g:image_link>"
        f"<g:additional_image_link>{more}</g:additional_image_link>"
        f"<g:price>{19 + number % 50}.90 EUR</g:price><g:availability>in stock</g:availability>"
        f"<g:color>{'red' if number % 2 else 'blue'}</g:color><g:size>{SIZES[number % 3]}</g:size>"
        f"<g:item_group_id>G{number // 4}</g:item_group_id></item>"
        for number, (id_, address, more) in enumerate(addresses)
    )
    path.write_text(
        '<?xml version="1.0"?><rss xmlns:g="http://base.google.com/ns/1.0" version="2.0"><channel>'
        f"<title>Shop</title>{items}</channel></rss>",
        encoding="utf-8",
    )
    return path


def command(
    feed: Path, store: Path, options: list[str], fetch: str = "--fetch-private"
) -> list[str]:
    return [*COMMAND, "ingest", str(feed), "--store", str(store), fetch, *options]


def ingest(
    feed: Path, store: Path, options: list[str], fetch: str = "--fetch-private"
) -> tuple[float, dict[str, Any], int]:
    """Run the command line → seconds, its report, its exit code."""
    since = time.monotonic()
    done = subprocess.run(
        [*command(feed, store, options, fetch), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 3):
        raise SystemExit(done.stdout + done.stderr)
    return time.monotonic() - since, json.loads(done.stdout), done.returncode


def counts(report: dict[str, Any]) -> str:
    names = ("added", "updated", "unchanged", "failed")
    return ", ".join(f"{report[name]} {name}" for name in names if report[name])


if __name__ == "__main__":
    main()
