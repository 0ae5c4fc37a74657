"""What a load asks, and in which shares; a seed makes it the same questions again."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

SLOW_SECONDS: Final = 5


@dataclass(frozen=True)
class Kind:
    """One kind of question: `share` of all of them, and what a good answer's status is."""

    name: str
    share: float
    path: str
    status: int = 200
    method: str = "GET"


BOARDS: Final = "/api/boards/"
# Reads of the sample application as it is.
READS: Final = (
    Kind("page", 1, "/"),
    Kind("boards", 1, BOARDS),
    Kind("version", 1, "/version"),
)
# Half pages, half API, of which a tenth writes.
SAMPLE: Final = (
    Kind("page", 44, "/"),
    Kind("deep-link", 6, "/boards/1"),
    Kind("version", 26.5, "/version"),
    Kind("boards", 18, BOARDS),
    Kind("write", 5, "/api/boards/{board}/notes/", status=201, method="POST"),
)
# One in two hundred takes five seconds. Wants the overlay molecule/shared/overlays/load.
FULL: Final = (
    *SAMPLE,
    Kind("slow", 0.5, f"/api/bench/slow?seconds={SLOW_SECONDS}"),
)
MIXES: Final = {"reads": READS, "sample": SAMPLE, "full": FULL}
PAGES: Final = frozenset({"page", "deep-link"})


@dataclass(frozen=True)
class Pass:
    """What a write to the sample application needs: Django's token, and a board's number."""

    token: str = ""
    board: int = 0


def head(kind: Kind, domain: str, entrance: Pass) -> bytes:
    """Return a question's bytes; a write's end before its length, see `write`."""
    lines = [
        f"{kind.method} {kind.path.format(board=entrance.board)} HTTP/1.1",
        f"Host: {domain}",
        "User-Agent: slipway-bench",
        "Accept: */*",
    ]
    if kind.method != "POST":
        return "\r\n".join([*lines, "", ""]).encode()
    lines += [
        f"Origin: https://{domain}",
        f"Referer: https://{domain}/",
        f"Cookie: csrftoken={entrance.token}",
        f"X-CSRFToken: {entrance.token}",
        "Content-Type: application/json",
        "Content-Length: ",
    ]
    return "\r\n".join(lines).encode()


def write(begin: bytes, author: str, number: int) -> bytes:
    """Return a write of a note that no other question writes."""
    body = json.dumps({"author": author, "text": f"{author} {number}"}).encode()
    return begin + b"%d\r\n\r\n" % len(body) + body


def draw(mix: tuple[Kind, ...], seed: int) -> Iterator[Kind]:
    """Draw kinds by their shares, for ever."""
    source = random.Random(seed)  # noqa: S311 - nobody guards a secret with it
    shares = [kind.share for kind in mix]
    while True:
        yield from source.choices(mix, shares, k=1000)
