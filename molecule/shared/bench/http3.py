"""A visitor of a test host who speaks HTTP/3, and stays on one connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, H3Event, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, QuicEvent

from bench.ca import AUTHORITY

ANSWER_SECONDS: Final = 5.0
PORT: Final = 443


@dataclass
class Answer:
    """What came back; header names are in lower case, as HTTP/3 has them."""

    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def status(self) -> int:
        """The answer's status."""
        return int(self.headers[":status"])


class Conversation(QuicConnectionProtocol):
    """One connection; `ended` is set when the other side has closed it."""

    def __init__(self, domain: str, *arguments: Any, **options: Any) -> None:
        """Take up HTTP/3 with a domain, on what aioquic gives."""
        super().__init__(*arguments, **options)
        self.domain = domain
        self.ended = False
        self._http = H3Connection(self._quic)
        self._answers: dict[int, tuple[Answer, asyncio.Future[Answer]]] = {}

    async def get(self, path: str) -> Answer:
        """Read a path; TimeoutError without an answer, ConnectionError when it was cut off."""
        stream = self._quic.get_next_available_stream_id()
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._answers[stream] = (Answer(), answered)
        asked = {":method": "GET", ":scheme": "https", ":authority": self.domain, ":path": path}
        headers = [(name.encode(), value.encode()) for name, value in asked.items()]
        self._http.send_headers(stream, headers, end_stream=True)
        self.transmit()
        return await asyncio.wait_for(answered, ANSWER_SECONDS)

    def quic_event_received(self, event: QuicEvent) -> None:
        """Collect what belongs to an answer."""
        if isinstance(event, ConnectionTerminated):
            self.ended = True
            for _, answered in self._answers.values():
                if not answered.done():
                    answered.set_exception(ConnectionError(event.reason_phrase or "cut off"))
        for each in self._http.handle_event(event):
            self._heard(each)

    def _heard(self, event: H3Event) -> None:
        if not isinstance(event, HeadersReceived | DataReceived):
            return
        answer, answered = self._answers[event.stream_id]
        if isinstance(event, HeadersReceived):
            answer.headers |= {name.decode(): value.decode() for name, value in event.headers}
        else:
            answer.body += event.data
        if event.stream_ended and not answered.done():
            answered.set_result(answer)


@asynccontextmanager
async def talking(
    address: str, domain: str, *, local_port: int = 0, authority: str = str(AUTHORITY)
) -> AsyncIterator[Conversation]:
    """Connect to an address of either family, as a visitor of the domain."""
    settings = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, server_name=domain)
    settings.load_verify_locations(cafile=authority)
    made = partial(Conversation, domain)
    async with connect(
        address, PORT, configuration=settings, create_protocol=made, local_port=local_port
    ) as line:
        assert isinstance(line, Conversation)  # noqa: S101 - for the types
        yield line


def asked(address: str, domain: str, path: str) -> Answer:
    """Read one path on a connection of its own."""

    async def once() -> Answer:
        async with talking(address, domain) as line:
            return await line.get(path)

    return asyncio.run(asyncio.wait_for(once(), 2 * ANSWER_SECONDS))
