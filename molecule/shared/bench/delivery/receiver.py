"""Stands where Slack and GitHub's API are: keeps what is posted, answers how runs before ended.

    python3 receiver.py <port> <folder>

What is posted becomes a line of <folder>/posted.jsonl; the runs before are in <folder>/runs.json.
Runs on the runner, so it needs nothing but Python.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def serve(port: int, folder: Path) -> None:
    """Answer until somebody ends the process."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            line = json.dumps({"path": self.path, "body": json.loads(body)})
            with (folder / "posted.jsonl").open("a") as file:
                file.write(f"{line}\n")
            self._answer({})

        def do_GET(self) -> None:
            known = "/runs?" in self.path
            self._answer(json.loads((folder / "runs.json").read_text()) if known else {})

        def _answer(self, body: object) -> None:
            content = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]))
