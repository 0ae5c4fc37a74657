"""A public entry point of our own: HTTPS on 127.0.0.1 that does as a test tells it."""

from __future__ import annotations

import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.entrance import Entrance

OLD = "20261122-101500-4f3a9c1e"
NEW = "20261122-183000-b81d02aa"


@dataclass
class Site:
    """What the entry point does, and what it was asked (path and connection of each request).

    `behave` takes the path and returns (status, release or "", seconds to wait, body or None for a
    connection cut without an answer).
    """

    entrance: Entrance
    behave: Callable[[str], tuple[int, str, float, bytes | None]] = lambda _: (200, OLD, 0, b"ok")
    asked: list[tuple[str, int]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    ways: list[tuple[str, int, str]] = field(default_factory=list)  # and the Connection header
    connections: int = 0
    idle_timeout: float = 30
    closing: bool = False  # says `Connection: close` as a proxy does that wants to end


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    site: Site
    context: ssl.SSLContext

    def get_request(self) -> tuple[Any, Any]:
        self.site.connections += 1
        return super().get_request()

    def finish_request(self, request: Any, client_address: Any) -> None:
        with self.context.wrap_socket(request, server_side=True) as sock:
            sock.settimeout(self.site.idle_timeout)
            _Handler(sock, client_address, self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self) -> None:
        site: Site = self.server.site  # type: ignore[attr-defined]
        site.asked.append((self.path, self.client_address[1]))
        site.headers.append(dict(self.headers))
        site.ways.append((self.path, self.client_address[1], self.headers["Connection"]))
        status, release, seconds, body = site.behave(self.path)
        time.sleep(seconds)
        if body is None:
            self.close_connection = True
            return
        self.send_response(status)
        if release:
            self.send_header("X-Slipway-Release", release)
        if site.closing:
            self.send_header("Connection", "close")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        pass


def certificate(directory: Path) -> ssl.SSLContext:
    """Make a self-signed certificate that nobody can trust."""
    key, chain = directory / "site.key", directory / "site.crt"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1"
    subprocess.run(
        [*command.split(), "-subj", "/CN=nobody", "-keyout", str(key), "-out", str(chain)],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    return context


@contextmanager
def serving(context: ssl.SSLContext) -> Iterator[Site]:
    """Serve a site until the block ends."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.context = context
    server.site = Site(Entrance("127.0.0.1", server.server_address[1], "shop.example.com", "tok"))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server.site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
