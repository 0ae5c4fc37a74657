"""Answers every question with 503 and the page of a stack, `/<stack>?after=<seconds>`.

    python3 page.py <directory with a file <stack>.html for each stack>

Traefik asks here when a stack is in maintenance or none of its containers answers. It needs no
container, no engine and no release: systemd starts it when somebody asks, and hands it the socket.
"""

from __future__ import annotations

import json
import re
import socket
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

# The first descriptor that systemd hands over, see sd_listen_fds(3).
LISTENING = 3
IDLE_SECONDS = 10
RETRY_SECONDS = 10
STACK = re.compile(r"[a-z][a-z0-9-]*")
# For a stack that has no page of its own.
PLAIN = "<!doctype html><meta charset=utf-8><title>Back soon</title><p>We will be back soon.\n"
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'none'"


def seconds_of(query: str) -> int:
    """Return after how many seconds to try again."""
    given = parse_qs(query).get("after", [""])[0]
    return int(given) if re.fullmatch("[0-9]{1,6}", given, re.ASCII) else RETRY_SECONDS


def page_of(pages: Path, path: str) -> str:
    """Return the page of a stack."""
    stack = path.strip("/")
    if not STACK.fullmatch(stack):
        return PLAIN
    try:
        return (pages / f"{stack}.html").read_text()
    except (OSError, ValueError):
        return PLAIN


def answer_to(pages: Path, target: str, accept: str) -> tuple[str, str, int]:
    """Return body, type, and after how many seconds to try again; programs get JSON."""
    asked = urlsplit(target)
    seconds = seconds_of(asked.query)
    if "json" in accept and "html" not in accept:
        body = json.dumps({"error": "unavailable", "retry_after": seconds}) + "\n"
        return body, "application/json", seconds
    return page_of(pages, asked.path), "text/html; charset=utf-8", seconds


class Page(BaseHTTPRequestHandler):
    """Answers one connection's questions."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    pages = Path()

    def do_GET(self) -> None:
        """Answer with the page, which nobody is to keep."""
        text, kind, seconds = answer_to(self.pages, self.path, self.headers.get("Accept", ""))
        body = text.encode()
        self.send_response(HTTPStatus.SERVICE_UNAVAILABLE)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Retry-After", str(seconds))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - the name that the library looks for

    def version_string(self) -> str:
        """Say nothing about the program."""
        return "slipway"

    def log_message(self, *_: object) -> None:
        """Leave the log to the proxy."""


class Server(ThreadingHTTPServer):
    """Serves on a socket that listens already."""

    daemon_threads = True

    def __init__(self, listening: socket.socket, pages: Path) -> None:
        """Take the socket over."""
        handler = type("Page", (Page,), {"pages": pages})
        super().__init__(listening.getsockname()[:2], handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening


if __name__ == "__main__":
    Server(socket.socket(fileno=LISTENING), Path(sys.argv[1])).serve_forever()
