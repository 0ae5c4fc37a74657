"""A process on the controller that keeps a host's lock while a playbook runs, and no longer.

A lock cannot span Ansible's tasks, each of which is a process of its own, and `rescue` does not run
when ansible-playbook is killed. So this one watches ansible-playbook, and keeps the session open in
which module_utils/kernel_lock.py holds the lock on the host: the session's end frees it, whoever or
whatever ends it. SIGTERM lets go. It is run as a program, so it imports only the standard library.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

# Seconds for the host's first word, and beyond its own wait for its last one.
PATIENCE = 60.0
# Seconds that a session which was told to end may take.
FAREWELL = 3.0
OUTPUT = 4096
ANSWER = b'{"state":'


@dataclass(frozen=True)
class Order:
    """What to do: run `command`, send it `code` and `request`, then a sign of life each `beat`.

    With `success` the command first becomes another user: it writes that marker when it has, and
    may ask for the `password` with `prompt` before.
    """

    command: list[str]
    code: str
    request: dict[str, Any]
    beat: float
    prompt: str = ""
    password: str = ""
    success: str = ""

    def dump(self) -> bytes:
        """Return the order as a keeper reads it."""
        return json.dumps(asdict(self)).encode() + b"\n"


class SessionError(Exception):
    """The session ended, or did not answer in time; the message is what it said last."""


class Session:
    """The session on the host. Standard error is part of what it says."""

    def __init__(self, order: Order) -> None:
        """Start it."""
        self.order = order
        self.process = subprocess.Popen(
            order.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
        )
        assert self.process.stdin  # noqa: S101 - opened above
        assert self.process.stdout  # noqa: S101 - opened above
        self.input, self.output = self.process.stdin, self.process.stdout
        self.said = b""
        self.asked = self.sent = False

    def write(self, data: bytes) -> None:
        """Send something to the host; that nobody listens any more shows in what it said."""
        with suppress(BrokenPipeError):
            self.input.write(data)

    def advance(self) -> None:
        """Give the password if it is asked for; send the program once the right user listens."""
        order = self.order
        if order.password and not self.asked and order.prompt.strip().encode() in self.said:
            self.asked = True
            self.write(order.password.encode() + b"\n")
        if not self.sent and order.success.encode() in self.said:
            self.sent = True
            code = order.code.encode()
            self.write(b"%d\n%s%s\n" % (len(code), code, json.dumps(order.request).encode()))

    def read(self) -> list[dict[str, Any]]:
        """Take what the host says now and return its answers; SessionError at the end."""
        data = os.read(self.output.fileno(), OUTPUT)
        if not data:
            raise SessionError(self.last_words)
        self.said += data
        self.advance()
        *lines, rest = self.said.split(b"\n")
        answers = [line for line in lines if line.startswith(ANSWER)]
        if answers:
            self.said = rest
        return [json.loads(line) for line in answers]

    @property
    def last_words(self) -> str:
        """Return what was said that was no answer, without what becoming another user added."""
        text = self.said[-OUTPUT:].decode(errors="replace")
        for noise in filter(None, (self.order.success, self.order.prompt)):
            text = text.replace(noise, "")
        return text.strip()

    def end(self) -> None:
        """Close the session; its end lets the lock go."""
        with suppress(OSError):
            self.input.close()
        try:
            self.process.wait(FAREWELL)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def keep(session: Session, playbook: int) -> None:
    """Follow the session until the playbook ends (its pidfd) or the host says no.

    SessionError when the session ends or falls silent before.
    """
    poll = select.poll()
    poll.register(playbook, select.POLLIN)
    poll.register(session.output, select.POLLIN)
    session.advance()
    deadline: float | None = time.monotonic() + PATIENCE
    while True:
        ready = [descriptor for descriptor, _ in poll.poll(session.order.beat * 1000)]
        if playbook in ready:
            return
        for answer in session.read() if ready else ():
            say(answer)
            if answer["state"] == "held":
                deadline = None
                detach()
            elif answer["state"] == "waiting":
                deadline = time.monotonic() + session.order.request["wait"] + PATIENCE
            else:
                return
        if session.sent and not ready:
            session.write(b".")
        if deadline is not None and time.monotonic() > deadline:
            raise SessionError(session.last_words or "the host does not answer")


def say(answer: dict[str, Any]) -> None:
    """Pass an answer on to the task that started this process, if it still listens."""
    with suppress(BrokenPipeError):
        os.write(1, json.dumps(answer).encode() + b"\n")


def detach() -> None:
    """Close standard output: the task that reads it is to go on."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


def main() -> int:
    """Read an order and follow it; the argument is the descriptor of the playbook's pidfd."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    session = Session(Order(**json.loads(sys.stdin.readline())))
    try:
        keep(session, int(sys.argv[1]))
    except SessionError as error:
        say({"state": "lost", "text": str(error)})
        return 1
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        session.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
