"""REST on a kept-alive connection beside the same calls in Python, in the same run.

    python benchmarks/rest.py --out build/rest.json
    python benchmarks/rest.py --catalog ../shared/data/mango/products.csv --before ../before

Each source tree (this one, and the one given with `--before`) gets a store and two processes: a
server, asked over one connection that stays open, and a Python that makes the same calls on its
engine. Rounds of `--calls` calls go over all of them in turn, so that other work on the machine
meets all alike. A REST call is timed from the first byte sent to the last byte read; a call in
Python inside its process, which is asked for one at a time as the server is ("python"), and in a
loop without a pause ("python, loop"), where every cache is warm. Then `--clients` connections ask
at once, without pause, and answers are counted.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any
from urllib.parse import quote

HERE = Path(__file__).resolve().parents[1]
KINDS = ("text", "photo", "similar", "item")
WORDS = ("red dress", "striped shirt", "blue jeans", "white sneakers", "a long black coat", "bag")
BOUNDARY = "coordi-rest"


def main() -> None:
    arguments = _arguments()
    if arguments.engine:
        answer_calls(arguments.engine)
        return
    with tempfile.TemporaryDirectory(prefix="coordi-rest-") as scratch:
        folder = Path(scratch)
        catalog = arguments.catalog or draw_catalog(folder / "wardrobe", arguments.items)
        trees = {"now": HERE} | ({"before": arguments.before} if arguments.before else {})
        houses = {
            name: House(tree.resolve(), make_store(folder / name, catalog, tree.resolve()))
            for name, tree in trees.items()
        }
        try:
            report = measure(houses, arguments)
        finally:
            for house in houses.values():
                house.close()
    show(report)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(report, indent=2) + "\n")


def draw_catalog(folder: Path, items: int) -> Path:
    """Draw a wardrobe."""
    from coordi.drawn import write_wardrobe

    return write_wardrobe(folder, count=items)


def make_store(folder: Path, catalog: Path, tree: Path) -> Path:
    """Ingest a catalogue with one tree's code."""
    ingest = "from coordi.cli import main; main()"
    command = [sys.executable, "-c", ingest, "ingest", str(catalog), "--store", str(folder)]
    subprocess.run(command, check=True, env=_environment(tree), capture_output=True)
    return folder


class House:
    """One source tree over the store: its server and its engine."""

    def __init__(self, tree: Path, store: Path) -> None:
        serve = "from coordi.cli import main; main()"
        command = ["-c", serve, "serve", "--store", str(store), "--port", "0", "--json"]
        self.server = _start(command, tree)
        document = ""
        while not document.rstrip().endswith("}"):
            line = self.server.stdout.readline()
            if not line:
                raise SystemExit(f"the server of {tree} did not start")
            document += line
        self.host = json.loads(document)["address"].removeprefix("http://")
        self.engine = _start([str(Path(__file__).resolve()), "--engine", str(store)], tree)
        self.line = Line(self.host)
        self.calls = self._calls()

    def _calls(self) -> dict[str, list[bytes]]:
        page = json.loads(self.line.ask(get("/v1/items?limit=6")))["items"]
        photos = [self.line.ask(get(item["image"])) for item in page if item["image"]]
        ids = [quote(item["id"], safe="") for item in page]
        return {
            "text": [get(f"/v1/search?text={quote(words)}") for words in WORDS],
            "photo": [post(photo) for photo in photos],
            "similar": [get(f"/v1/similar/{id}") for id in ids],
            "item": [get(f"/v1/items/{id}") for id in ids],
        }

    def rest(self, kind: str, count: int) -> list[float]:
        """Seconds of `count` REST calls."""
        calls = self.calls[kind]
        # A server closes what has been idle for a few seconds, as long as another's turn may take.
        self.line.close()
        self.line.ask(calls[0])
        return [_timed(self.line.ask, calls[n % len(calls)]) for n in range(count)]

    def python(self, kind: str, count: int) -> list[float]:
        """Seconds of the same calls on the engine, each asked for when the last has come."""
        return [self._seconds(f"{kind} {n} {n + 1}")[0] for n in range(count)]

    def loop(self, kind: str, count: int) -> list[float]:
        """Seconds of the same calls on the engine, all asked for together."""
        return self._seconds(f"{kind} 0 {count}")

    def _seconds(self, wanted: str) -> list[float]:
        self.engine.stdin.write(wanted + "\n")
        self.engine.stdin.flush()
        seconds: list[float] = json.loads(self.engine.stdout.readline())
        return seconds

    def close(self) -> None:
        """End both processes."""
        self.line.close()
        for process in (self.server, self.engine):
            process.kill()
            process.communicate()


def measure(houses: dict[str, House], arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds by kind, tree and side; answers a second by kind and tree."""
    seconds: dict[str, dict[str, list[float]]] = {}
    for round in range(arguments.rounds + 1):  # the first one only warms
        for kind in KINDS:
            for name, house in houses.items():
                for side in ("rest", "python", "loop"):
                    took = getattr(house, side)(kind, arguments.calls)
                    if round:
                        seconds.setdefault(kind, {}).setdefault(f"{name} {side}", []).extend(took)
    crowds: dict[str, dict[str, list[float]]] = {}
    for _ in range(arguments.rounds):
        for kind in KINDS:
            for name, house in houses.items():
                pace = crowd(house, kind, arguments.clients, arguments.seconds)
                crowds.setdefault(kind, {}).setdefault(name, []).append(pace)
    return {
        "calls": arguments.calls * arguments.rounds,
        "clients": arguments.clients,
        "cores": os.cpu_count(),
        "milliseconds": {
            kind: {side: percentiles(took) for side, took in sides.items()}
            for kind, sides in seconds.items()
        },
        "answers_per_second": {
            kind: {name: sorted(paces)[len(paces) // 2] for name, paces in names.items()}
            for kind, names in crowds.items()
        },
    }


def crowd(house: House, kind: str, clients: int, seconds: float) -> float:
    """Answers a second to `clients` connections that ask without pause."""
    counts = [0] * clients
    end = perf_counter() + seconds

    def ask(number: int) -> None:
        line, calls = Line(house.host), house.calls[kind]
        while perf_counter() < end:
            line.ask(calls[(number + counts[number]) % len(calls)])
            counts[number] += 1
        line.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
    started = perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (perf_counter() - started)


def percentiles(seconds: list[float]) -> dict[str, float]:
    """p50 and p99 in milliseconds."""
    ordered = sorted(seconds)
    at = lambda share: round(1000 * ordered[int(share * (len(ordered) - 1))], 2)  # noqa: E731
    return {"p50": at(0.5), "p99": at(0.99)}


def show(report: dict[str, Any]) -> None:
    """Print the report as a table."""
    print(f"{report['calls']} calls of each kind, {report['cores']} cores\n")
    print("| call | side | p50 ms | p99 ms | answers/s, 16 clients |\n|---|---|---|---|---|")
    for kind, sides in report["milliseconds"].items():
        for side, took in sides.items():
            name, _, where = side.partition(" ")
            pace = report["answers_per_second"][kind][name]
            many = f"{pace:,.0f}" if where == "rest" else ""
            side = side.replace("loop", "python, loop")
            print(f"| {kind} | {side} | {took['p50']} | {took['p99']} | {many} |")


def answer_calls(store: Path) -> None:
    """The Python side: "KIND START END" on stdin, the calls' seconds as JSON on stdout."""
    from coordi.engine import Engine
    from coordi.types import Query

    with Engine.open(store) as engine:
        engine.warm()
        view = getattr(engine, "view", lambda: engine)  # the tree before may have no views
        items, _ = view().browse(limit=6)
        photos = [view().image(item.id)[0] for item in items if item.image]
        calls = {
            "text": [lambda words=words: view().search(Query(text=words)) for words in WORDS],
            "photo": [
                lambda data=data: view().search(Query(image=engine.decode(data))) for data in photos
            ],
            "similar": [lambda id=item.id: view().search(Query(item=id)) for item in items],
            "item": [lambda id=item.id: view().get([id]) for item in items],
        }
        for line in sys.stdin:
            kind, start, end = line.split()
            asked = [calls[kind][n % len(calls[kind])] for n in range(int(start), int(end))]
            print(json.dumps([_timed(call) for call in asked]), flush=True)


def _timed(call: Callable[..., Any], *arguments: Any) -> float:
    started = perf_counter()
    call(*arguments)
    return perf_counter() - started


class Line:
    """A connection that stays open. It reads bytes, since Python's own client spends as long on
    an answer's headers as the server does on all of HTTP."""

    def __init__(self, host: str) -> None:
        self.host, self.socket = host, None

    def ask(self, request: bytes) -> bytes:
        """The body of the answer."""
        if self.socket is None:
            name, _, port = self.host.rpartition(":")
            self.socket = socket.create_connection((name, int(port)))
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(request)
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._more()
        head = data[:end].lower()
        length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
        while len(data) < end + 4 + length:
            data += self._more()
        if not head.startswith(b"http/1.1 200"):
            raise SystemExit(data[:300])
        return data[end + 4 :]

    def _more(self) -> bytes:
        piece = self.socket.recv(1 << 18)
        if not piece:
            raise SystemExit("the server closed the connection")
        return piece

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()
        self.socket = None


def get(address: str) -> bytes:
    """A request."""
    return f"GET {address} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def post(photo: bytes) -> bytes:
    """A search by photo."""
    part = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    body = part.encode() + photo + f"\r\n--{BOUNDARY}--\r\n".encode()
    head = (
        "POST /v1/search HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _start(command: list[str], tree: Path) -> Any:
    return subprocess.Popen(
        [sys.executable, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=_environment(tree),
    )


def _environment(tree: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(tree / "src")}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--catalog", type=Path, help="by default a drawn wardrobe")
    parser.add_argument("--items", type=int, default=400, help="garments to draw")
    parser.add_argument("--before", type=Path, help="another source tree to measure beside")
    parser.add_argument("--calls", type=int, default=50, help="calls of a kind in one round")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each crowd of clients")
    parser.add_argument("--out", type=Path, help="file for the figures as JSON")
    parser.add_argument("--engine", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
