"""An application that is nothing like the sample: no Django, no Postgres, no frontend.

Counts visits in a file, takes its time to start, answers on a port and a health path of its own.
"""

from __future__ import annotations

import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PORT = 9000
START_SECONDS = 8
STATE = Path("/state")


class Handler(BaseHTTPRequestHandler):
    """Answers `/alive` and counts everything else."""

    def do_GET(self) -> None:
        """Answer one request."""
        if self.path == "/alive":
            self.answer("yes")
        else:
            visits = STATE / "visits"
            visits.write_text(visits.read_text() + ".")
            self.answer(f"{len(visits.read_text())} visits, token {token()}")

    def answer(self, text: str) -> None:
        """Send a text."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Leave the log to the proxy."""


def token() -> str:
    """Say that the secret arrived, by its length alone."""
    return str(len(Path(os.environ["TOKEN_FILE"]).read_text()))


def main(command: str) -> None:
    """Do what the one argument says."""
    if command == "prepare":
        (STATE / "visits").touch()
    elif command == "announce":
        (STATE / "announced").write_text(os.environ["SLIPWAY_RELEASE"])
    elif command == "work":
        while True:
            (STATE / "worker").write_text(str(time.time()))
            time.sleep(1)
    elif command == "serve":
        time.sleep(START_SECONDS)
        ThreadingHTTPServer(("", PORT), Handler).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
