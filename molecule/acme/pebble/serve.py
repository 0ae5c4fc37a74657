"""Run pebble, whose certificate names this container's address, its name server and a DNS provider.

HOST is the address that every domain leads to, PASSWORD what the provider wants to hear. One CA
issues certificates that live long, another one certificates that are to be renewed at once: Traefik
renews what lives less than a day 20 minutes before its end.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import urllib.request
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

# By the port of the CA's directory, in seconds.
LIVES = {14000: 90 * 86400, 14001: 20 * 60 + 10}
MANAGEMENT = 8055
PROVIDER = 8056
WORD = base64.b64encode(f"slipway:{os.environ['PASSWORD']}".encode()).decode()


class Provider(BaseHTTPRequestHandler):
    """What lego's httpreq asks: a record comes with /present and goes with /cleanup."""

    protocol_version = "HTTP/1.1"
    tasks: ClassVar[dict[str, str]] = {"/present": "set-txt", "/cleanup": "clear-txt"}

    def do_GET(self) -> None:
        """Say that somebody is here."""
        self.answer(200, b"here\n")

    def do_POST(self) -> None:
        """Pass a record on to the name server."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["Authorization"] != f"Basic {WORD}":
            self.answer(401, b"who are you?\n")
            return
        content = json.dumps({"host": asked["fqdn"], "value": asked["value"]}).encode()
        address = f"http://127.0.0.1:{MANAGEMENT}/{self.tasks[self.path]}"
        urllib.request.urlopen(address, content, timeout=5).close()
        print(self.path, asked["fqdn"], flush=True)
        self.answer(200, b"")

    def answer(self, status: int, content: bytes) -> None:
        """Send an answer, after which the line stays open."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def pebble(port: int, seconds: int) -> list[str]:
    """Write a CA's settings; return the command that runs it."""
    settings = {
        "listenAddress": f"0.0.0.0:{port}",
        "managementListenAddress": f"0.0.0.0:{port + 1000}",
        "certificate": "/certificate.pem",
        "privateKey": "/key.pem",
        "httpPort": 80,
        "tlsPort": 443,
        "certificateValidityPeriod": seconds,
    }
    path = Path(f"/pebble-{port}.json")
    path.write_text(json.dumps({"pebble": settings}))
    return ["pebble", "-config", str(path), "-dnsserver", "127.0.0.1:8053", "-strict"]


def main() -> None:
    """Run it all until the container ends."""
    address = socket.gethostbyname(socket.gethostname())
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"),
            *("-keyout", "/key.pem", "-out", "/certificate.pem", "-subj", "/CN=pebble"),
            *("-addext", f"subjectAltName=IP:{address}"),
        ],
        check=True,
    )
    names = [
        *("pebble-challtestsrv", "-defaultIPv4", os.environ["HOST"], "-defaultIPv6", ""),
        *("-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", ""),
        *("-management", f"127.0.0.1:{MANAGEMENT}"),
    ]
    # Nothing that was proved before counts: each certificate takes a challenge.
    settings = {**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_AUTHZREUSE": "0"}
    with ExitStack() as ends:
        for command in [names, *(pebble(port, life) for port, life in LIVES.items())]:
            ends.enter_context(subprocess.Popen(command, env=settings))
        ThreadingHTTPServer(("", PROVIDER), Provider).serve_forever()


if __name__ == "__main__":
    main()
