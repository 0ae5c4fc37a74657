"""The questions have the shares that are wanted, and a seed brings the same ones again."""

from __future__ import annotations

import json
from collections import Counter
from itertools import islice

from bench.questions import FULL, PAGES, Kind, Pass, draw, head, write

DRAWN = 100_000


def test_shares_of_the_full_mix() -> None:
    counts = Counter(kind.name for kind in islice(draw(FULL, seed=7), DRAWN))
    share = {name: count / DRAWN for name, count in counts.items()}
    assert 1 - sum(share[name] for name in PAGES) >= 0.4
    assert 0.045 < share["write"] < 0.055
    assert 0.004 < share["slow"] < 0.006


def test_seed_brings_the_same_questions_again() -> None:
    first, again, other = (
        [kind.name for kind in islice(draw(FULL, seed=seed), 50)] for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_read_is_one_whole_request() -> None:
    question = head(Kind("page", 1, "/"), "demo.test", Pass())
    assert question.startswith(b"GET / HTTP/1.1\r\nHost: demo.test\r\n")
    assert question.endswith(b"\r\n\r\n")


def test_write_carries_its_token_and_a_text_of_its_own() -> None:
    kind = next(kind for kind in FULL if kind.method == "POST")
    begin = head(kind, "demo.test", Pass("a-token", 3))
    lines, _, body = write(begin, "soak", 12).partition(b"\r\n\r\n")
    assert lines.startswith(b"POST /api/boards/3/notes/ HTTP/1.1\r\n")
    assert b"Cookie: csrftoken=a-token\r\nX-CSRFToken: a-token\r\n" in lines
    assert lines.endswith(b"Content-Length: %d" % len(body))
    assert json.loads(body) == {"author": "soak", "text": "soak 12"}
