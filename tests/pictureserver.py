"""A web server of pictures in a thread, each of whose paths behaves in its own way."""

import io
import threading
import time
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from PIL import Image as Pillow


def jpeg(color: str = "red", side: int = 40) -> bytes:
    out = io.BytesIO()
    Pillow.new("RGB", (side, side), color).save(out, "JPEG")
    return out.getvalue()


def bomb(size: int) -> bytes:
    """A small gzip file that begins as a picture and unpacks to `size` bytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    return packer.compress(jpeg() + bytes(size)) + packer.flush()


class PictureServer(ThreadingHTTPServer):
    """Counts what it is asked for; each answer begins `pause` seconds later."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.asked: Counter[str] = Counter()
        self.asked_at: defaultdict[str, list[float]] = defaultdict(list)
        self.headers: dict[str, str] = {}
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.pause = 0.0
        self.halt = 0.0  # seconds in the middle of each body

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address) -> None:
        """Clients that go away are what is tested."""


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are written apart
    server: PictureServer

    def log_message(self, *_) -> None:
        pass

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.asked[self.path] += 1
            self.server.asked_at[self.path].append(time.monotonic())
            self.server.at_once += 1
            self.server.most_at_once = max(self.server.most_at_once, self.server.at_once)
            self.server.headers = dict(self.headers)
            asked = self.server.asked[self.path]
        try:
            self.server.stopping.wait(self.server.pause)
            self._answer(unquote(urlsplit(self.path).path).strip("/").split("/"), asked)
        finally:
            with self.server.lock:
                self.server.at_once -= 1

    def _answer(self, path: list[str], asked: int) -> None:
        match path[0]:
            case "status":  # /status/500/2: so often, then the picture
                if asked <= int(path[2]):
                    self._send(b"no", status=int(path[1]), **{"Retry-After": "0"})
                else:
                    self._send(jpeg())
            case "wait":
                self._send(b"no", status=429, **{"Retry-After": path[1]})
            case "rest":  # /rest/1: a pause of so many seconds, then the picture
                if asked == 1:
                    self._send(b"no", status=429, **{"Retry-After": path[1]})
                else:
                    self._send(jpeg())
            case "where":
                self._send(b"", status=302, Location=urlsplit(self.path).query)
            case "html":
                self._send(b"\n<!DOCTYPE html><html><body>please log in</body></html>" * 50)
            case "svg":
                self._send(b'<svg xmlns="http://www.w3.org/2000/svg"/>')
            case "empty":
                self._send(b"")
            case "again":  # /again/3: so many redirects, then the picture
                left = int(path[1])
                self._send(b"", status=302, Location=f"/again/{left - 1}" if left else "/a.jpg")
            case "to":
                self._send(b"", status=302, Location="http://" + "/".join(path[1:]))
            case "file":
                self._send(b"", status=302, Location="file:///etc/passwd")
            case "endless":
                self._endless(jpeg(), 0.0)
            case "slow":
                self._endless(jpeg()[:30], 0.02)
            case "cut":  # /cut/1: so often, then whole
                self._send(jpeg(), cut=asked <= int(path[1]))
            case "bomb":
                self._send(bomb(4 << 20), **{"Content-Encoding": "gzip"})
            case "packed":
                packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
                packed = packer.compress(jpeg()) + packer.flush()
                self._send(packed, **{"Content-Encoding": "gzip"})
            case _:
                self._send(jpeg())

    def _send(self, body: bytes, status: int = 200, cut: bool = False, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        half = len(body) // 2
        self.wfile.write(body[:half])
        self.server.stopping.wait(self.server.halt)
        self.wfile.write(b"" if cut else body[half:])
        self.close_connection = cut

    def _endless(self, start: bytes, pause: float) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        piece = start
        while not self.server.stopping.wait(pause):
            self.wfile.write(piece)
            piece = b"x" if pause else bytes(1 << 16)


@contextmanager
def serving() -> Iterator[PictureServer]:
    with PictureServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.stopping.set()
            server.shutdown()
            thread.join()
