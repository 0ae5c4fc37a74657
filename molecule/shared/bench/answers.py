"""HTTP/1.1 answers as they come in, read with as little work as they allow."""

from __future__ import annotations

import re
from typing import Final

END_OF_HEAD: Final = b"\r\n\r\n"
RELEASE: Final = b"\r\nx-slipway-release:"
# What an application says of itself in a JSON body, such as the sample's /version.
OWN_RELEASE: Final = re.compile(rb'"release": ?"([^"]*)"')


class AnswerError(Exception):
    """What came is no answer to one question; the message says why."""


class Answer:
    """One answer: feed it until it is complete."""

    __slots__ = (
        *("_at", "_buffer", "_chunked", "_end", "_head_end"),
        *("closes", "is_page", "release", "status"),
    )

    def __init__(self) -> None:
        """Begin with nothing."""
        self._buffer = bytearray()
        self._head_end = -1
        self._end = -1  # where the body ends, where its length is known
        self._chunked = False
        self._at = 0  # where the next chunk begins
        self.status = 0
        self.closes = False
        self.is_page = False
        self.release: str | None = None

    def feed(self, data: bytes) -> bool:
        """Take what came, and say whether the answer is complete.

        Raises AnswerError for what is not HTTP, more than one release, or more than one answer.
        """
        self._buffer += data
        if self._head_end < 0 and not self._read_head():
            return False
        if self._chunked and self._end < 0:
            self._read_chunks()
        if self._end < 0 or len(self._buffer) < self._end:
            return False
        if len(self._buffer) > self._end:
            raise AnswerError(f"{len(self._buffer) - self._end} bytes beyond the answer's end")
        return True

    @property
    def begun(self) -> bool:
        """Whether anything came."""
        return bool(self._buffer)

    def body(self) -> bytes:
        """Return the body as it came, with the frames of its chunks if it has any."""
        return bytes(self._buffer[self._head_end :])

    def own_release(self) -> str | None:
        """Return the release that the body names, None where it names none."""
        found = OWN_RELEASE.search(self._buffer, self._head_end)
        return found[1].decode() if found else None

    def _read_head(self) -> bool:
        end = self._buffer.find(END_OF_HEAD)
        if end < 0:
            return False
        head = bytes(self._buffer[: end + 2]).lower()
        self._head_end = self._at = end + len(END_OF_HEAD)
        if not head.startswith(b"http/1.1 ") or not head[9:12].isdigit():
            raise AnswerError(f"no HTTP: {head[:40]!r}")
        self.status = int(head[9:12])
        self.closes = b"\r\nconnection: close" in head
        self.is_page = b"\r\ncontent-type: text/html" in head
        if head.count(RELEASE) > 1:
            raise AnswerError("more than one release answers")
        self.release = _value(head, RELEASE)
        if self.status in (204, 304):
            self._end = self._head_end
            return True
        length = _value(head, b"\r\ncontent-length:")
        self._chunked = _value(head, b"\r\ntransfer-encoding:") == "chunked"
        if length is not None:
            self._end = self._head_end + int(length)
        elif not self._chunked:
            raise AnswerError("an answer that does not say where it ends")
        return True

    def _read_chunks(self) -> None:
        """Go from chunk to chunk; the last one is empty."""
        while (line := self._buffer.find(b"\r\n", self._at)) >= 0:
            size = int(self._buffer[self._at : line].partition(b";")[0], 16)
            following = line + 2 + size + 2
            if following > len(self._buffer):
                return
            self._at = following
            if size == 0:
                self._end = following
                return


def _value(head: bytes, name: bytes) -> str | None:
    """Return a header's value from a lower-case head; the name begins with its line's end."""
    at = head.find(name)
    if at < 0:
        return None
    begin = at + len(name)
    return head[begin : head.index(b"\r\n", begin)].strip().decode("latin-1")
