"""One question to the public entry point, with an exact account of what came of it.

The host asks itself here, so the certificate is not looked at: what is measured is loss.
"""

from __future__ import annotations

import http.client
import select
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any

RELEASE_HEADER = "X-Slipway-Release"
PROBE_HEADER = "X-Slipway-Probe"
ANSWER_SECONDS = 15.0
# Well below the entry point's idleTimeout of 60 s: no question meets a connection being closed.
REUSE_SECONDS = 10.0
CHUNK_BYTES = 65536


@dataclass(frozen=True)
class Entrance:
    """Where visitors come in: an address and port, the host they ask for, the prober's token."""

    address: str
    port: int
    host: str
    token: str


@dataclass(frozen=True)
class Question:
    """A path that a service answers, at a host of its own if it has one."""

    service: str
    path: str
    host: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """Return what the question has to say beside its path."""
        return {"Host": self.host} if self.host else {}


@dataclass(frozen=True)
class Answer:
    """What came of a question: `error` is empty when a whole answer came.

    `status` is 0 when there was none at all; `release` is empty when no release signed it.
    """

    status: int
    release: str
    seconds: float
    error: str = ""


class _Socket(ssl.SSLSocket):
    """TLS whose every read is bound by one moment: an answer that drips in does not escape it."""

    deadline = 0.0

    def recv_into(self, *arguments: Any, **options: Any) -> int:
        self.settimeout(_remaining(self.deadline))
        return super().recv_into(*arguments, **options)


class Connection(http.client.HTTPConnection):
    """A connection to an entrance; it is opened by the first question."""

    def __init__(self, entrance: Entrance) -> None:
        """Open nothing yet."""
        super().__init__(entrance.address, entrance.port)
        self.entrance = entrance
        self.deadline = 0.0
        self.used = 0.0

    def connect(self) -> None:
        """Open it before the deadline."""
        address = (self.entrance.address, self.entrance.port)
        bare = socket.create_connection(address, _remaining(self.deadline))
        try:
            bare.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            bare.settimeout(_remaining(self.deadline))
            # A body that ends with the connection is whole only after TLS' own farewell.
            self.sock = _CONTEXT.wrap_socket(
                bare, server_hostname=self.entrance.host, suppress_ragged_eofs=False
            )
        except OSError:
            bare.close()
            raise
        self.bound(self.deadline)

    def bound(self, deadline: float) -> None:
        """Have everything that follows end by a moment of `time.monotonic`."""
        self.deadline = deadline
        if isinstance(self.sock, _Socket):
            self.sock.deadline = deadline
            self.sock.settimeout(_remaining(deadline))

    def usable(self) -> bool:
        """Tell whether a question may go this way; bytes before it are the server's farewell."""
        if not isinstance(self.sock, _Socket) or time.monotonic() - self.used > REUSE_SECONDS:
            return False
        look = select.poll()  # select() refuses descriptors above 1023
        look.register(self.sock, select.POLLIN)
        return not self.sock.pending() and not look.poll(0)


def ask(
    entrance: Entrance,
    path: str,
    *,
    headers: dict[str, str] | None = None,
    timeout: float = ANSWER_SECONDS,
    connection: Connection | None = None,
) -> Answer:
    """Ask once and read the answer to its end, within `timeout` seconds altogether.

    Without a connection the question has one of its own. A given one is opened if need be, and is
    `usable` afterwards if the server keeps it.
    """
    begun = time.monotonic()
    way = connection or Connection(entrance)
    status, release, error = 0, "", ""
    try:
        way.bound(begun + timeout)
        way.request(
            "GET",
            path,
            headers={
                "Host": entrance.host,
                "User-Agent": "slipway-probe",
                PROBE_HEADER: entrance.token,
                "Connection": "keep-alive" if connection else "close",
                **(headers or {}),
            },
        )
        answer = way.getresponse()
        status, release = answer.status, answer.headers.get(RELEASE_HEADER, "")
        while answer.read(CHUNK_BYTES):
            pass
    except TimeoutError:
        error = f"no answer within {timeout:g} s"
    except (OSError, http.client.HTTPException, ValueError) as problem:
        error = f"{'a cut' if status else 'no'} answer ({problem or type(problem).__name__})"
    if error or connection is None:
        way.close()
    way.used = time.monotonic()
    return Answer(status, release, way.used - begun, error)


def _remaining(deadline: float) -> float:
    """Return the seconds until then; never 0, which would mean not to wait for anything."""
    return max(deadline - time.monotonic(), 0.001)


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.sslsocket_class = _Socket
    return context


_CONTEXT = _context()
