"""Run pebble, whose certificate names this container's address, and its name server.

HOST is the address that every domain leads to; DAYS says how long certificates live.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

SECONDS_A_DAY = 86400
address = socket.gethostbyname(socket.gethostname())
subprocess.run(
    [
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"),
        *("-keyout", "/key.pem", "-out", "/certificate.pem", "-subj", "/CN=pebble"),
        *("-addext", f"subjectAltName=IP:{address}"),
    ],
    check=True,
)
settings = {
    "listenAddress": "0.0.0.0:14000",
    "managementListenAddress": "0.0.0.0:15000",
    "certificate": "/certificate.pem",
    "privateKey": "/key.pem",
    "httpPort": 80,
    "tlsPort": 443,
    "certificateValidityPeriod": int(os.environ["DAYS"]) * SECONDS_A_DAY,
}
Path("/pebble.json").write_text(json.dumps({"pebble": settings}))
with subprocess.Popen(
    [
        *("pebble-challtestsrv", "-defaultIPv4", os.environ["HOST"], "-defaultIPv6", ""),
        *("-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "", "-management", ""),
    ]
):
    subprocess.run(
        ["pebble", "-config", "/pebble.json", "-dnsserver", "127.0.0.1:8053", "-strict"],
        env={**os.environ, "PEBBLE_VA_NOSLEEP": "1"},
        check=True,
    )
