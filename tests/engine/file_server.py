"""A local HTTP server that serves bytes as badly as a test asks it to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answering = Callable[["Exchange"], None]


class Exchange(BaseHTTPRequestHandler):
    """One request; what it asks for is in `path` and `headers`, and `reply` and `send` answer it."""

    protocol_version = "HTTP/1.1"
    server: FileServer

    def do_GET(self) -> None:
        self.close_connection = True
        asked = {name: self.headers[name] for name in ("Range", "If-Range") if name in self.headers}
        with self.server.lock:
            self.server.asked.append((self.path, asked))
            answering = self.server.script.pop(0) if self.server.script else self.server.otherwise
        answering(self)

    @property
    def start(self) -> int:
        """First byte asked for."""
        return int(self.headers.get("Range", "bytes=0-")[6:].partition("-")[0])

    def reply(self, status: int, **headers: str | int) -> None:
        """Status and headers; underscores in names become dashes."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.send_header("Connection", "close")
        self.end_headers()

    def send(self, content: bytes) -> None:
        self.wfile.write(content)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        pass


class FileServer(ThreadingHTTPServer):
    """Answers requests by `script` in order, then by `otherwise`; `asked` lists (path, range headers)."""

    daemon_threads = True

    def __init__(self, otherwise: Answering) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.otherwise = otherwise
        self.script: list[Answering] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.lock = threading.Lock()
        self.hold = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is no news."""


@contextmanager
def serving(otherwise: Answering) -> Iterator[FileServer]:
    """A server in a thread of its own until the block ends; answers that wait on `hold` are let go then."""
    server = FileServer(otherwise)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()


def well(content: bytes, etag: str = '"one"') -> Answering:
    """Answers as a good server does: ranges, and If-Range against `etag`."""

    def answer(exchange: Exchange) -> None:
        start = exchange.start
        if exchange.headers.get("If-Range", etag) != etag:
            start = 0
        if start and start >= len(content):
            exchange.reply(416, Content_Range=f"bytes */{len(content)}", Content_Length=0)
            return
        rest = content[start:]
        if start:
            span = f"bytes {start}-{len(content) - 1}/{len(content)}"
            exchange.reply(206, Content_Length=len(rest), Content_Range=span, ETag=etag)
        else:
            exchange.reply(200, Content_Length=len(rest), ETag=etag)
        exchange.send(rest)

    return answer


def cut(content: bytes, at: int, etag: str = '"one"') -> Answering:
    """Promises everything and hangs up after byte `at`."""

    def answer(exchange: Exchange) -> None:
        start = exchange.start
        if start:
            span = f"bytes {start}-{len(content) - 1}/{len(content)}"
            exchange.reply(206, Content_Length=len(content) - start, Content_Range=span, ETag=etag)
        else:
            exchange.reply(200, Content_Length=len(content), ETag=etag)
        exchange.send(content[start:at])

    return answer


def status(code: int, **headers: str | int) -> Answering:
    """Nothing but a status."""
    return lambda exchange: exchange.reply(code, Content_Length=0, **headers)
