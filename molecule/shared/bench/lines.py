"""One TLS connection of a load: non-blocking, one question at a time, never asks twice.

Drives OpenSSL's own sockets from asyncio's poll: asyncio's streams copy every byte through memory
once more, which costs a third of what two cores can ask.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Final

from bench.answers import Answer, AnswerError

CHUNK: Final = 65536
MUST_WAIT: Final = (ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Line:
    """A connection; `told` gets the answer, or a text that says how the question was lost.

    `ended` is called when the server closes the connection while nothing is asked.
    """

    __slots__ = (
        "_answer",
        "_context",
        "_domain",
        "_ended",
        "_loop",
        "_open",
        "_question",
        "_socket",
        "_told",
    )

    def __init__(self, context: ssl.SSLContext, domain: str, ended: Callable[[Line], None]) -> None:
        """Make a line that is not connected yet."""
        self._loop = asyncio.get_running_loop()
        self._context, self._domain, self._ended = context, domain, ended
        self._socket: socket.socket | ssl.SSLSocket | None = None
        self._open = False  # whether the handshake is done
        self._question: bytes | None = None
        self._answer: Answer | None = None
        self._told: Callable[[Answer | str], None] | None = None

    def ask(
        self, question: bytes, address: tuple[str, int], told: Callable[[Answer | str], None]
    ) -> None:
        """Send a question, over a new connection where there is none yet."""
        self._question, self._told, self._answer = question, told, Answer()
        try:
            if self._open:
                self._send()
            else:
                self._connect(address)
        except OSError as error:
            self._lose(str(error))

    def is_alive(self) -> bool:
        """Say whether the server still wants questions here; an idle line has nothing to read."""
        try:
            assert isinstance(self._socket, ssl.SSLSocket)  # noqa: S101 - for the types
            self._socket.recv(1)
        except MUST_WAIT:
            return True
        except OSError:
            return False
        return False

    def close(self) -> None:
        """Leave, without a word; nothing is told any more."""
        self._told = None
        self._open = False
        if self._socket is not None and self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())  # a number: asyncio finds it faster
            self._socket.close()

    def _connect(self, address: tuple[str, int]) -> None:
        self._socket = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        self._socket.settimeout(0)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self._socket.connect(address)
        except BlockingIOError:
            self._loop.add_writer(self._socket.fileno(), self._connected)
        else:
            self._connected()

    def _connected(self) -> None:
        assert self._socket is not None  # noqa: S101 - for the types
        self._loop.remove_writer(self._socket.fileno())
        try:
            self._socket = self._context.wrap_socket(
                self._socket, server_hostname=self._domain, do_handshake_on_connect=False
            )
            self._loop.add_reader(self._socket.fileno(), self._readable)
            self._shake()
        except OSError as error:
            self._lose(f"connect: {error}")

    def _shake(self) -> None:
        assert isinstance(self._socket, ssl.SSLSocket)  # noqa: S101 - for the types
        try:
            self._socket.do_handshake()
        except ssl.SSLWantReadError:
            return
        self._open = True
        self._send()

    def _send(self) -> None:
        assert self._socket is not None  # noqa: S101 - for the types
        assert self._question is not None  # noqa: S101 - for the types
        # A question is far smaller than the buffer of a connection with nothing under way.
        if self._socket.send(self._question) < len(self._question):
            self._lose("the question did not fit into the connection")

    def _readable(self) -> None:
        try:
            if not self._open:
                self._shake()
            else:
                self._receive()
        except MUST_WAIT:
            return
        except (AnswerError, OSError, ValueError) as error:
            self._lose(f"{type(error).__name__}: {error}")

    def _receive(self) -> None:
        assert isinstance(self._socket, ssl.SSLSocket)  # noqa: S101 - for the types
        while data := self._socket.recv(CHUNK):
            if self._answer is None:
                self._lose("an answer that nobody asked for")
                return
            if self._answer.feed(data):
                told, answer = self._told, self._answer
                self._told = self._answer = None
                if told is not None:
                    told(answer)
                return
        begun = self._answer is not None and self._answer.begun
        self._lose("closed in the middle of the answer" if begun else "closed without an answer")

    def _lose(self, reason: str) -> None:
        told = self._told
        self.close()
        if told is None:
            self._ended(self)
        else:
            told(reason)
