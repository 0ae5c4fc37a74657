"""Answers are read as they come, and what is no single whole answer is refused."""

from __future__ import annotations

import pytest
from bench.answers import Answer, AnswerError

HEAD = b"HTTP/1.1 200 OK\r\nX-Slipway-Release: 20261122-aa\r\n"
BODY = b'{"release": "20261122-aa", "version": "1"}'
WHOLE = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
CHUNKS = b"5\r\n" + BODY[:5] + b"\r\n%x;x=1\r\n" % (len(BODY) - 5) + BODY[5:] + b"\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS + b"0\r\n\r\n"


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
@pytest.mark.parametrize("data", [WHOLE, CHUNKED], ids=["length", "chunked"])
def test_answer_is_complete_with_its_last_byte(data: bytes, step: int) -> None:
    answer = Answer()
    parts = [data[at : at + step] for at in range(0, len(data), step)]
    assert [answer.feed(part) for part in parts] == [False] * (len(parts) - 1) + [True]
    assert (answer.status, answer.release, answer.closes) == (200, "20261122-aa", False)


def test_body_names_its_own_release() -> None:
    answer = Answer()
    assert answer.feed(WHOLE)
    assert answer.own_release() == "20261122-aa"


def test_answer_without_a_body_ends_with_its_head() -> None:
    answer = Answer()
    assert answer.feed(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    assert answer.closes
    assert answer.release is None
    assert answer.own_release() is None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (HEAD + b"X-Slipway-Release: 20261122-bb\r\nContent-Length: 0\r\n\r\n", "more than one"),
        (WHOLE + b"HTTP", "4 bytes beyond"),
        (CHUNKED + b"x", "1 bytes beyond"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "no HTTP"),
        (HEAD + b"\r\n", "does not say where it ends"),
    ],
)
def test_what_is_no_single_answer_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(AnswerError, match=reason):
        Answer().feed(data)
