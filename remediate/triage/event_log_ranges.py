"""Ranges of an event log, for processes side by side: each is a log of its own behind a header that is made for it."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import BinaryIO

from remediate.triage.event_log_chunks import CHUNK, HEADER, header_of, layout_of


class RangeOfChunks(io.RawIOBase):
    """Some chunks of a log as a log of their own, behind a header that is made for them. `start` and `stop` are as
    `in_ranges` gives them; `before` is how many chunks stand before these."""

    def __init__(self, content: BinaryIO, start: int, stop: int) -> None:
        super().__init__()
        start = max(start, HEADER)
        self.before = (start - HEADER) // CHUNK
        self._content, self._shift = content, start - HEADER
        self._header, self._length, self._at = header_of((stop - start) // CHUNK), stop - self._shift, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length}[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Return some bytes, fewer at the end of the header: the library asks by this name, and no copy is made."""
        size = max(0, self._length - self._at if size < 0 else min(size, self._length - self._at))
        if self._at < HEADER:
            data = self._header[self._at : self._at + size]
        else:
            self._content.seek(self._shift + self._at)
            data = self._content.read(size)
        self._at += len(data)
        return data

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def in_ranges(content: BinaryIO, size: int, length: int) -> list[tuple[int, int]]:
    """Return where ranges of about `length` bytes begin and end, on the edges of chunks: the first one with the header
    of the log. Where its headers are not sound, or chunks stand empty at its end, it is one range. Raises OSError."""
    layout = layout_of(content)
    count = len(layout.claims)
    if not layout.is_sound or layout.used < count or layout.named > count or size != HEADER + count * CHUNK:
        return [(0, size)]
    each = max(1, length // CHUNK)
    edges = [HEADER + CHUNK * number for number in range(each, count, each)]
    return list(pairwise((0, *edges, size)))
