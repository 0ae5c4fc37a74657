"""The engine of a load: an open loop that asks at a set rate, and notes what came of it."""

from __future__ import annotations

import asyncio
import gc
import http.client
import json
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http.cookies import SimpleCookie
from typing import Final, NamedTuple

from bench.answers import Answer
from bench.ca import AUTHORITY
from bench.lines import Line
from bench.questions import BOARDS, MIXES, PAGES, Kind, Pass, draw, head, write
from bench.shell import BenchError

ANSWER_SECONDS: Final = 15
LIMIT_SECONDS: Final = 3600
KEPT: Final = 24  # kept-alive connections that take turns
SWEEP_SECONDS: Final = 0.25
OK: Final = 200


@dataclass(frozen=True)
class Settings:
    """What to ask, of whom, how often, and when to end."""

    port: int
    domain: str
    address: str = "127.0.0.1"
    rate: float = 300
    seconds: float = LIMIT_SECONDS
    requests: int = 0  # 0: as many as fit into the seconds
    seed: int = 1
    mix: str = "full"
    author: str = "load"
    releases: bool = True  # every answer must name its release


class Record(NamedTuple):
    """One question. Times are the wall clock's; `seconds` count from when it was due."""

    due: float
    begun: float
    seconds: float
    kind: str
    connection: str  # new or kept
    status: int
    release: str
    lost: str  # why it counts as lost; empty: a good answer


@dataclass(slots=True)
class Asked:
    """A question that waits for its answer, until `bound` on the monotonic clock."""

    kind: Kind
    due: float
    begun: float
    bound: float
    fresh: bool
    line: Line
    done: bool = False


class Asker:
    """Asks; `noted` gets a record for each question as it ends."""

    def __init__(self, settings: Settings, noted: Callable[[Record], None]) -> None:
        """Prepare all that can be prepared: bytes, the trust in the authority."""
        self.settings, self.noted = settings, noted
        self.context = ssl.create_default_context(cafile=str(AUTHORITY))
        self.mix = MIXES[settings.mix]
        entrance = self._enter()
        self.heads = {kind: head(kind, settings.domain, entrance) for kind in self.mix}
        self.address = (settings.address, settings.port)
        self.waiting: deque[Asked] = deque()
        self.idle: deque[Line] = deque()
        self.kept = 0
        self.ending = asyncio.Event()
        self.under_way = 0
        self.quiet = asyncio.Event()  # nothing is under way
        self.quiet.set()

    async def run(self) -> None:
        """Ask until the count, the time or `end`; then wait for what is under way."""
        gc.collect()
        gc.disable()  # its pauses would be counted as the servers'
        # The wall clock at the monotonic clock's zero.
        self.zero = time.time() - time.monotonic()
        sweeper = asyncio.create_task(self._sweep())
        try:
            await self._ask_in_time()
            await self.quiet.wait()
        finally:
            sweeper.cancel()
            for line in self.idle:
                line.close()
            gc.enable()

    def end(self) -> None:
        """Ask nothing more."""
        self.ending.set()

    async def _ask_in_time(self) -> None:
        settings = self.settings
        begun = time.monotonic()
        kinds = draw(self.mix, settings.seed)
        count = settings.requests or int(settings.seconds * settings.rate)
        number = 0
        while not self.ending.is_set():
            passed = time.monotonic() - begun
            if passed > settings.seconds:
                return
            while number <= passed * settings.rate:
                if number == count:
                    return
                self._ask(number, next(kinds), begun + number / settings.rate)
                number += 1
            await asyncio.sleep(begun + number / settings.rate - time.monotonic())

    def _ask(self, number: int, kind: Kind, due: float) -> None:
        # Half on new connections, whatever their kind.
        fresh = number % 2 == 0
        line = self._new() if fresh else self._kept()
        begun = time.monotonic()
        asked = Asked(kind, due, begun, begun + ANSWER_SECONDS, fresh, line)
        self.waiting.append(asked)
        self.under_way += 1
        self.quiet.clear()
        question = self.heads[kind]
        if kind.method == "POST":
            question = write(question, self.settings.author, number)
        line.ask(question, self.address, partial(self._told, asked))

    def _new(self) -> Line:
        return Line(self.context, self.settings.domain, self._left)

    def _kept(self) -> Line:
        """Take the connection that rested longest; one that the server closed meanwhile is none."""
        while self.idle and self.kept >= KEPT:
            line = self.idle.popleft()
            if line.is_alive():
                return line
            line.close()
            self.kept -= 1
        self.kept += 1
        return self._new()

    def _left(self, line: Line) -> None:
        """Forget an idle connection that the server closed."""
        if line in self.idle:
            self.idle.remove(line)
            self.kept -= 1

    def _told(self, asked: Asked, told: Answer | str) -> None:
        if asked.done:
            return
        asked.done = True
        self.under_way -= 1
        if not self.under_way:
            self.quiet.set()
        seconds = time.monotonic() - asked.due
        lost = told if isinstance(told, str) else self._fault(asked.kind, told)
        status, release = (0, "") if isinstance(told, str) else (told.status, told.release or "")
        if isinstance(told, str) or told.closes or asked.fresh:
            asked.line.close()
            self.kept -= not asked.fresh
        else:
            self.idle.append(asked.line)
        connection = "new" if asked.fresh else "kept"
        due, begun = self.zero + asked.due, self.zero + asked.begun
        self.noted(Record(due, begun, seconds, asked.kind.name, connection, status, release, lost))

    def _fault(self, kind: Kind, answer: Answer) -> str:
        """Return what is wrong with an answer, "" where nothing is."""
        if answer.status != kind.status:
            return f"status {answer.status}"
        # A frontend answers whatever path it is asked for with its page.
        if answer.is_page and kind.name not in PAGES:
            return "a page in place of the API's answer"
        if not self.settings.releases:
            return ""
        if not answer.release:
            return "the answer names no release"
        own = answer.own_release()
        if own is not None and own != answer.release:
            return f"{own} answers in the name of {answer.release}"
        return ""

    async def _sweep(self) -> None:
        """Give up what has no answer in time; all wait equally long, so the oldest comes first."""
        while True:
            now = time.monotonic()
            while self.waiting and (self.waiting[0].done or self.waiting[0].bound <= now):
                self._told(self.waiting.popleft(), f"no answer in {ANSWER_SECONDS} s")
            await asyncio.sleep(SWEEP_SECONDS)

    def _enter(self) -> Pass:
        """Fetch what writes need, before the clock runs."""
        if all(kind.method != "POST" for kind in self.mix):
            return Pass()
        settings = self.settings
        raw = socket.create_connection((settings.address, settings.port), ANSWER_SECONDS)
        with self.context.wrap_socket(raw, server_hostname=settings.domain) as line:
            connection = http.client.HTTPConnection(settings.domain)
            connection.sock = line
            connection.request("GET", BOARDS)
            answer = connection.getresponse()
            text = answer.read()
        if answer.status != OK:
            raise BenchError(f"{BOARDS} of {settings.domain} answers {answer.status}")
        token = SimpleCookie(answer.getheader("Set-Cookie", "")).get("csrftoken")
        return Pass(token.value if token else "", json.loads(text)["boards"][0]["id"])
