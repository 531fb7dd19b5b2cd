"""`coordi serve` under attack: does it answer, within its memory, and give nothing away?

    python benchmarks/attack.py
    python benchmarks/attack.py --only bombs loris --schemathesis /path/to/schemathesis

Each attack starts a server of its own over a drawn wardrobe, and stops it whatever happened:

- bombs: pictures that are cheap to send and dear to decode (bombs.py), the last sixty at once,
  while /v1/ready is polled five times a second and the memory of the process tree is sampled.
  Faults: an answer of /v1/ready after more than a second, 2 GB of memory, no answer in `--limit`
- loris: fifty connections that send their headers a byte at a time; all must be closed in 30 s
- upload: a body that comes a byte at a time must be cut off; and SIGTERM meanwhile must end the
  process within 10 s
- origins: a foreign Host or Origin must be refused, our own must not
- store: the store deleted while it is served must show in /v1/ready and raise no 500; a store made
  anew in its place must be the only one that answers
- files: rows that name /etc/passwd, links out of the catalogue, a FIFO, /dev/zero, and a file
  swapped after the ingest: nothing but pictures of the catalogue may come out, and at once
- schemathesis: every route of /openapi.json with drawn requests: no 5xx (needs the command)

No answer of any of them may name a path of the server.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import bombs
import torture
from processes import Server, multipart

GARMENTS = 40
MOST_READY_S = 1.0
MOST_BYTES = 2_000_000_000
LORIS = 50
STOP_S = 10


def main() -> None:
    arguments = _arguments()
    report: dict[str, Any] = {}
    with torture.scratch("attack") as folder:
        shop = Shop(folder)
        for name in arguments.only or ATTACKS:
            torture.told(name)
            found: dict[str, Any] = {"faults": []}
            ATTACKS[name](shop, found, arguments)
            found["faults"] += [f"an answer names {path}" for path in sorted(shop.leaks)]
            shop.leaks.clear()
            report[name] = found
    faults = sum(len(found["faults"]) for found in report.values())
    torture.finish(report, faults, arguments.out)


class Shop:
    """A drawn wardrobe, its store, and servers over copies of it."""

    def __init__(self, folder: Path) -> None:
        """Draw and ingest in `folder`."""
        self.folder = folder
        self.leaks: set[str] = set()
        self.wardrobe = torture.drawn_wardrobe(folder / "wardrobe", GARMENTS).parent
        self.store = folder / "store"
        ingest(self.wardrobe / "catalog.csv", self.store)

    @contextmanager
    def served(self, store: Path | None = None) -> Iterator[Server]:
        """A ready server over a store; its answers are searched for paths of this machine."""
        secrets = [str(self.folder), sys.prefix, str(torture.ROOT), "site-packages", "Traceback"]
        with Server(store or self.store, secrets) as server:
            yield server
        self.leaks |= server.leaks


def ingest(catalog: Path, store: Path) -> dict[str, Any]:
    done = torture.coordi("ingest", catalog, "--store", store, "--json", timeout=120)
    assert done.returncode in (0, 3), done.stdout + done.stderr
    return dict(json.loads(done.stdout))


# Bombs


def drop_bombs(shop: Shop, found: dict[str, Any], arguments: argparse.Namespace) -> None:
    for name, data, times in bombs.all_bombs():
        with shop.served() as server, server.watched() as watch:
            began = time.monotonic()
            with ThreadPoolExecutor(times) as pool:
                limit = arguments.limit
                jobs = [pool.submit(post_picture, server, data, limit) for _ in range(times)]
                answers = Counter(str(job.result()) for job in jobs)
            time.sleep(1)  # what was begun for them is to end as well
        seconds = round(time.monotonic() - began - 1, 1)
        ready, peak = watch.slowest, watch.peak_bytes
        found[name] = {"bytes": len(data), "answers": dict(answers), "seconds": seconds}
        found[name] |= {"slowest_ready_s": round(ready, 2), "peak_mb": round(peak / 1e6)}
        bad = [answer for answer in answers if answer not in ("200", "413", "422", "429", "503")]
        if bad:
            found["faults"].append(f"{name}: answers {bad}")
        if ready > MOST_READY_S:
            found["faults"].append(f"{name}: /ready took {ready:.1f} s")
        if peak > MOST_BYTES:
            found["faults"].append(f"{name}: {peak / 1e9:.1f} GB")


def post_picture(server: Server, data: bytes, limit: float) -> int | str:
    """Search by a picture; the status, or what went wrong."""
    body, kind = multipart({"limit": b"3"}, data)
    return server.ask("POST", "/v1/search", body, {"content-type": kind}, limit).status


# Slow clients


def let_loris_in(shop: Shop, found: dict[str, Any], _: argparse.Namespace) -> None:
    with shop.served() as server:
        connections = [server.connect() for _ in range(LORIS)]
        for connection in connections:
            connection.sendall(b"GET /v1/ready HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        end = time.monotonic() + 30
        closed: set[int] = set()
        while time.monotonic() < end and len(closed) < LORIS:
            time.sleep(1)
            closed |= {at for at, each in enumerate(connections) if not drips(each)}
        found["closed"] = f"{len(closed)} of {LORIS} within 30 s"
        ready = server.ask("GET", "/v1/ready")
        found["ready meanwhile"] = ready.status
        for connection in connections:
            connection.close()
    if len(closed) < LORIS:
        found["faults"].append(f"{LORIS - len(closed)} of {LORIS} connections stay open")
    if ready.status != 200:
        found["faults"].append("not ready beside slow connections")


def drips(connection: socket.socket) -> bool:
    """Send one byte more; whether the other side still listens."""
    try:
        connection.sendall(b"x")
        connection.settimeout(0.001)
        return connection.recv(4096) != b""
    except TimeoutError:
        return True
    except OSError:
        return False


def upload_slowly(shop: Shop, found: dict[str, Any], arguments: argparse.Namespace) -> None:
    with shop.served() as server:
        upload = start_upload(server)
        began = time.monotonic()
        cut_off = torture.until(lambda: not drips(upload), arguments.limit, 0.5)
        found["cut off after s"] = round(time.monotonic() - began, 1) if cut_off else None
        if not cut_off:
            found["faults"].append(f"a slow body is still read after {arguments.limit:g} s")
    with shop.served() as server:
        upload = start_upload(server)
        time.sleep(1)
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)

        def gone() -> bool:
            drips(upload)
            return server.process.poll() is not None

        ended = torture.until(gone, max(arguments.limit, 45), 0.2)
        found["gone after SIGTERM in s"] = round(time.monotonic() - began, 1) if ended else None
        found["exit code"] = server.process.poll()
        if not ended or time.monotonic() - began > STOP_S:
            found["faults"].append(f"still there {STOP_S} s after SIGTERM")


def start_upload(server: Server) -> socket.socket:
    """The beginning of a request that announces five megabytes."""
    body, kind = multipart({}, bytes(5_000_000))
    upload = server.connect()
    upload.sendall(
        f"POST /v1/search HTTP/1.1\r\nHost: {server.host}\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body[:300]
    )
    return upload


# Other origins


def come_from_elsewhere(shop: Shop, found: dict[str, Any], _: argparse.Namespace) -> None:
    """A page of another origin can post, and a name can be made to point here: both are refused."""
    with shop.served() as server:
        port = server.port
        cases = [
            ("GET", {"Host": f"127.0.0.1:{port}"}, True),
            ("GET", {"Host": f"localhost:{port}"}, True),
            ("GET", {"Origin": f"http://127.0.0.1:{port}"}, True),
            ("POST", {"Origin": f"http://127.0.0.1:{port}"}, True),
            ("GET", {"Host": "evil.example"}, False),
            ("GET", {"Host": f"evil.example:{port}"}, False),
            ("GET", {"Host": f"127.0.0.1.evil.example:{port}"}, False),
            ("GET", {"Host": ""}, False),
            ("POST", {"Origin": "https://evil.example"}, False),
            ("POST", {"Origin": "null"}, False),
            ("POST", {"Origin": f"http://127.0.0.1:{port}.evil.example"}, False),
            ("POST", {"Origin": f"https://127.0.0.1:{port + 1}"}, False),
        ]
        for method, headers, welcome in cases:
            status = origin_status(server, method, headers)
            found[f"{method} {headers}"] = status
            if (status == 200) != welcome:
                found["faults"].append(f"{method} with {headers}: {status}")


def origin_status(server: Server, method: str, headers: dict[str, str]) -> int | str:
    if method == "GET":
        return server.ask("GET", "/v1/search?text=red", None, headers).status
    body, kind = multipart({"text": b"red"}, None)
    return server.ask("POST", "/v1/search", body, {**headers, "content-type": kind}).status


# The store goes


def take_store_away(shop: Shop, found: dict[str, Any], _: argparse.Namespace) -> None:
    for name, replace in {"deleted": False, "made anew": True}.items():
        store = shop.folder / f"store {name}"
        shutil.copytree(shop.store, store)
        other = shop.folder / "other"
        other_catalog = torture.drawn_wardrobe(shop.folder / "other wardrobe", GARMENTS, seed=7)
        if replace:
            ingest(other_catalog, other)
        with shop.served(store) as server:
            look_around(server)
            shutil.rmtree(store)
            if replace:
                other.rename(store)
            time.sleep(0.5)
            seen = [look_around(server) for _ in range(4)][-1]
        found[name] = seen["statuses"]
        bad = {path: status for path, status in seen["statuses"].items() if status == 500}
        if bad:
            found["faults"].append(f"{name}: {bad}")
        if not replace and seen["statuses"]["/v1/ready"] == 200:
            found["faults"].append("deleted: /v1/ready says 200")
        if replace:
            old = sum(not id.startswith("d7-") for id in seen["ids"])
            found["ids of the old store after it was made anew"] = f"{old} of {len(seen['ids'])}"
            if old or not seen["ids"]:
                found["faults"].append(f"made anew: {old} of {len(seen['ids'])} are of the old one")


AROUND = (
    "/v1/search?text=red%20dress&limit=20",
    "/v1/items?limit=40",
    "/v1/facets",
    "/v1/stats",
    "/v1/similar/d0-0001",
    "/v1/images/d0-0001",
    "/v1/ready",
)


def look_around(server: Server) -> dict[str, Any]:
    """Ask every kind of route once; statuses, and the ids that came."""
    statuses, ids = {}, []
    for path in AROUND:
        answer = server.ask("GET", path)
        statuses[path] = answer.status
        if answer.status == 200 and path.startswith(("/v1/search", "/v1/items")):
            rows = json.loads(answer.body)
            ids += [hit["item"]["id"] for hit in rows.get("hits", [])]
            ids += [item["id"] for item in rows.get("items", [])]
    return {"statuses": statuses, "ids": ids}


# Files of the server


def ask_for_files(shop: Shop, found: dict[str, Any], _: argparse.Namespace) -> None:
    """Items that name what must not be read: once through an ingest, once put directly."""
    outside = shop.folder / "outside"
    outside.mkdir()
    shutil.copy(next((shop.wardrobe / "images").iterdir()), outside / "secret.webp")
    catalog = hostile_catalog(shop.folder / "hostile", outside)
    done = torture.coordi("ingest", catalog, "--store", shop.folder / "h1", timeout=120)
    found["exit code of the ingest"] = done.returncode
    swap_files(catalog.parent, outside)
    with shop.served(shop.folder / "h1") as server:
        ask_for_pictures(server, "ingested", found)
    shutil.copytree(shop.store, shop.folder / "h2")
    put_hostile_items(shop.folder / "h2", catalog.parent, outside)
    with shop.served(shop.folder / "h2") as server, server.watched() as watch:
        ask_for_pictures(server, "put", found)
    found["slowest_ready_s"] = round(watch.slowest, 2)
    found["peak_mb"] = round(watch.peak_bytes / 1e6)
    if watch.slowest > MOST_READY_S or watch.peak_bytes > MOST_BYTES:
        found["faults"].append(f"/ready {watch.slowest:.1f} s, {watch.peak_bytes / 1e9:.1f} GB")


def hostile_paths(outside: Path) -> dict[str, str]:
    """Id → the path that its row names; "good" is a picture of the catalogue."""
    return {
        "good": "good.webp",
        "passwd": "/etc/passwd",
        "dotdot": "../outside/secret.webp",
        "absolute": str(outside / "secret.webp"),
        "link": "link.webp",
        "linked-folder": "linked/secret.webp",
        "loop": "loop.webp",
        "fifo": "fifo.webp",
        "zero": "/dev/zero",
        "random": "/dev/urandom",
        "memory": "/proc/self/environ",
        "folder": "images",
        "swapped-for-link": "swapped.webp",
        "swapped-for-text": "text.webp",
        "swapped-for-fifo": "pipe.webp",
    }


def hostile_catalog(folder: Path, outside: Path) -> Path:
    """A catalogue whose rows name what must not be read."""
    (folder / "images").mkdir(parents=True)
    for name in ("good.webp", "swapped.webp", "text.webp", "pipe.webp"):
        shutil.copy(outside / "secret.webp", folder / name)
    (folder / "link.webp").symlink_to("/etc/passwd")
    (folder / "linked").symlink_to(outside)
    (folder / "loop.webp").symlink_to("loop.webp")
    os.mkfifo(folder / "fifo.webp")
    lines = [f"{id},{path},a {id}" for id, path in hostile_paths(outside).items()]
    (folder / "rows.csv").write_text("id,image,title\n" + "\n".join(lines) + "\n")
    return folder / "rows.csv"


def swap_files(folder: Path, outside: Path) -> None:
    """Put something else in the place of pictures that were ingested."""
    for name in ("swapped.webp", "text.webp", "pipe.webp"):
        (folder / name).unlink()
    (folder / "swapped.webp").symlink_to(outside / "secret.webp")
    (folder / "text.webp").write_text(f"root:x:0:0:{folder}\n" * 50)
    os.mkfifo(folder / "pipe.webp")


def put_hostile_items(store: Path, folder: Path, outside: Path) -> None:
    """The same items past the ingest, as a store of an older version may hold them."""
    import numpy as np

    from coordi.store import open_store
    from coordi.types import ImageRef, Item

    with open_store(store) as opened:
        entry = opened.encoders()[-1]
        if hasattr(opened, "add_roots"):
            opened.add_roots([folder])
        paths = hostile_paths(outside)
        items = [Item(id, ImageRef(path=folder / path), title=id) for id, path in paths.items()]
        rows = np.full((len(items), entry.dim), entry.dim**-0.5, dtype=np.float32)
        opened.put(items, entry.fingerprint, rows, ["h"] * len(items), encoder=entry.name)


def ask_for_pictures(server: Server, how: str, found: dict[str, Any]) -> None:
    """Every picture and thumbnail; only the good one may come."""
    statuses: dict[str, str] = {}
    for id in hostile_paths(Path()):
        for route in ("images", "thumbnails"):
            began = time.monotonic()
            answer = server.ask("GET", f"/v1/{route}/{quote(id)}", limit=10)
            seconds = time.monotonic() - began
            statuses[f"{route}/{id}"] = f"{answer.status}"
            if answer.status == 200 and id != "good":
                found["faults"].append(f"{how}: {route}/{id}: {len(answer.body)} bytes came out")
            if seconds > 5 or answer.status not in (200, 404):
                found["faults"].append(f"{how}: {route}/{id}: {answer.status}, {seconds:.0f} s")
    listing = server.ask("GET", "/v1/items?limit=100", limit=20)
    statuses["a list with all of them"] = str(listing.status)
    if listing.status != 200:
        found["faults"].append(f"{how}: a list with such items: {listing.status}")
    if statuses["images/good"] != "200":
        found["faults"].append(f"{how}: the good picture does not come")
    found[how] = statuses


# Every route


def draw_requests(shop: Shop, found: dict[str, Any], arguments: argparse.Namespace) -> None:
    command = arguments.schemathesis or shutil.which("schemathesis")
    if command is None:
        found["skipped"] = "schemathesis is not installed; give --schemathesis COMMAND"
        return
    report = shop.folder / "schemathesis.json"
    with shop.served() as server:
        done = subprocess.run(
            [command, "run", f"http://{server.host}/openapi.json", "--checks", "not_a_server_error",
             "--max-examples", str(arguments.examples), "--seed", str(arguments.seed),
             "--workers", "2", "--report", "ndjson", "--report-ndjson-path", str(report)],
            capture_output=True, text=True, check=False, timeout=1800, cwd=shop.folder,
        )  # fmt: skip
        statuses = statuses_of(report)
        alive = server.ask("GET", "/v1/ready").status
    found["statuses"] = dict(sorted(statuses.items()))
    found["summary"] = done.stdout.strip().splitlines()[-12:]
    worst = {status: count for status, count in statuses.items() if status >= 500}
    if worst or done.returncode or alive != 200:
        found["faults"].append(f"exit code {done.returncode}, 5xx {worst}, then /ready {alive}")


def statuses_of(report: Path) -> Counter[int]:
    """How often each status came, from every "status_code" in a report of events."""
    counts: Counter[int] = Counter()

    def walk(part: Any) -> None:
        if isinstance(part, dict):
            if isinstance(part.get("status_code"), int):
                counts[part["status_code"]] += 1
            part = list(part.values())
        if isinstance(part, list):
            for each in part:
                walk(each)

    for line in report.read_text(encoding="utf-8").splitlines():
        walk(json.loads(line))
    return counts


ATTACKS: dict[str, Callable[[Shop, dict[str, Any], argparse.Namespace], None]] = {
    "origins": come_from_elsewhere,
    "loris": let_loris_in,
    "upload": upload_slowly,
    "store": take_store_away,
    "files": ask_for_files,
    "bombs": drop_bombs,
    "schemathesis": draw_requests,
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=sorted(ATTACKS), help="these attacks only")
    parser.add_argument("--limit", type=float, default=40, help="seconds that an answer may take")
    parser.add_argument("--schemathesis", help="its command, where it is not on the PATH")
    parser.add_argument("--examples", type=int, default=100, help="drawn requests of each route")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    return parser.parse_args()


if __name__ == "__main__":
    main()
