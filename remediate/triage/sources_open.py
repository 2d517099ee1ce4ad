"""Inputs opened for reading: a file as long as it was when it was opened, a part of one, or the bytes of a stream."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

# Chunks that fit into the second-level cache are searched many times at its speed.
CHUNK = 128 << 10
# So much of a source is looked at to tell what it is.
BEGINNING = 256 << 10


class Stream(NamedTuple):
    """An open binary stream (standard input, text from a host) and the name that its records shall bear."""

    name: str
    content: BinaryIO


class Replaced(OSError):
    """Where a range of a file should be lies another file."""


class Cut(NamedTuple):
    """Which file was cut into ranges, how long it was and of which kind, which not every range shows."""

    device: int
    inode: int
    size: int
    kind: str

    def is_of(self, state: os.stat_result) -> bool:
        """Whether that is still the same file, as far as its file system tells: some know no inodes."""
        return not self.inode or (self.device, self.inode) == (state.st_dev, state.st_ino)


class Span(NamedTuple):
    """A file, or the pieces of one that was split, from `start` up to `stop` (None: to its end).

    `cut` is what a range is of.
    """

    paths: tuple[Path, ...]
    start: int = 0
    stop: int | None = None
    cut: Cut | None = None

    @property
    def name(self) -> str:
        return str(self.paths[0])


class Reading:
    """Chunks of one source, and how many bytes of it were read.

    `limit` is where it ends, None where it says so itself; with `in_range` there is more of it on purpose.
    """

    def __init__(self, content: BinaryIO, *, limit: int | None = None, in_range: bool = False) -> None:
        self.content, self.limit, self.size, self._in_range = content, limit, 0, in_range
        self._beginning = b""

    def beginning(self) -> bytes:
        """Return the first bytes; they come again with `chunks`."""
        while len(self._beginning) < BEGINNING:
            more = self._read(BEGINNING - len(self._beginning))
            if not more:
                break
            self._beginning += more
        return self._beginning

    def chunks(self, *, skip: int = 0) -> Iterator[bytes]:
        """Yield everything, without the first `skip` bytes, which lie in the beginning."""
        for at in range(skip, len(self._beginning), CHUNK):
            yield self._beginning[at : at + CHUNK]
        self._beginning = b""
        while chunk := self._read(CHUNK):
            yield chunk

    def has_grown(self) -> bool:
        """Whether there is more than there was when it was opened."""
        if self._in_range or self.limit is None:
            return False
        return self.size >= self.limit and bool(self.content.read(1))

    def has_shrunk(self) -> bool:
        """Whether its end came before it was due."""
        return self.limit is not None and self.size < self.limit and not self.content.read(1)

    def leave(self, start: int) -> None:
        """Go to where reading would have ended, from `start` of the file on, after somebody else read in it."""
        end = self.content.seek(0, os.SEEK_END)
        stop = end if self.limit is None else min(end, start + self.limit)
        self.size = max(0, self.content.seek(stop) - start)

    def _read(self, count: int) -> bytes:
        if self.limit is not None:
            count = min(count, self.limit - self.size)
        data = self.content.read(count) if count > 0 else b""
        self.size += len(data)
        return data


class Joined:
    """Files read one after the other as if they were one. It cannot be searched back in."""

    def __init__(self, files: Sequence[BinaryIO]) -> None:
        self._files = list(files)

    def read(self, count: int = -1) -> bytes:
        while self._files:
            data = self._files[0].read(count)
            if data:
                return data
            self._files.pop(0)
        return b""

    def seekable(self) -> bool:
        return False


def opened(span: Span, stack: ExitStack) -> tuple[Reading, float]:
    """Open a span; returns how to read it, and when the file was changed last. Raises Replaced, OSError."""
    files = [cast(BinaryIO, stack.enter_context(path.open("rb", buffering=0))) for path in span.paths]
    states = [os.fstat(file.fileno()) for file in files]
    stop = sum(state.st_size for state in states) if span.stop is None else span.stop
    if span.cut and not span.cut.is_of(states[0]):
        raise Replaced("it was replaced while it was read")
    if len(files) > 1:
        return Reading(cast(BinaryIO, Joined(files)), limit=stop), states[-1].st_mtime
    if span.start:
        files[0].seek(span.start)
    in_range = span.cut is not None and stop < span.cut.size
    return Reading(files[0], limit=stop - span.start, in_range=in_range), states[0].st_mtime
