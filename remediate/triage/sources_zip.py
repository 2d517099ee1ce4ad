"""Zips: each member streamed, never extracted; what grows without measure is left at that.

A bomb is told by what a member becomes, not by what it says of itself.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import BinaryIO, cast

from remediate.triage.records import Skipped
from remediate.triage.sources_origin import Found

MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
DEEPEST = 3
# Logs pack well, but no log becomes more than 300 times its size: deflate's own limit is 1032.
_MOST_TIMES, _FREE = 300, 64 << 20
_MOST_BYTES = 32 << 30
_MOST_MEMBERS = 50_000
_LARGEST_DIRECTORY = 16 << 20

FAILURES = (OSError, EOFError, zlib.error, zipfile.BadZipFile, zipfile.LargeZipFile, RuntimeError, ValueError)

ReadMember = Callable[[BinaryIO, str, float], Iterator[Found]]


class TooMuch(ValueError):
    """A member that becomes larger than any log does."""


class _Measured:
    """A member's bytes, up to what a log may become."""

    def __init__(self, content: BinaryIO, packed: int) -> None:
        self._content, self._packed, self._size = content, packed, 0

    def read(self, count: int = -1) -> bytes:
        data = self._content.read(count)
        self._size += len(data)
        if self._size > _MOST_BYTES or (self._size > _FREE and self._size > self._packed * _MOST_TIMES):
            raise TooMuch(f"it grows to more than {_MOST_TIMES} times its size, like a zip bomb")
        return data

    def seekable(self) -> bool:
        return False


def scan(content: BinaryIO, name: str, read_member: ReadMember) -> Iterator[Found]:
    """Yield the items of all members. `content` must be seekable."""
    try:
        if _directory_size(content) > _LARGEST_DIRECTORY:
            raise TooMuch("its list of members is larger than 16 MB")
        archive = zipfile.ZipFile(content)
    except FAILURES as error:
        yield Skipped(source=name, what=f"no zip that can be read: {error}")
        return
    with archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        wrong = _wrong(members, content)
        if wrong:
            yield Skipped(source=name, what=wrong)
            return
        for member in members:
            yield from _member(archive, member, f"{name}/{_printable(member.filename)}", read_member)


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str, read_member: ReadMember) -> Iterator[Found]:
    if member.flag_bits & 0x1:
        yield Skipped(source=name, what="it is encrypted")
        return
    try:
        with archive.open(member) as content:
            measured = cast(BinaryIO, _Measured(cast(BinaryIO, content), max(1, member.compress_size)))
            yield from read_member(measured, name, _modified(member))
    except FAILURES as error:
        yield Skipped(source=name, what=f"cannot be read: {error}")


def _wrong(members: list[zipfile.ZipInfo], content: BinaryIO) -> str:
    if len(members) > _MOST_MEMBERS:
        return f"it has more than {_MOST_MEMBERS} members"
    if sum(member.compress_size for member in members) > content.seek(0, 2):
        return "its members overlap, like those of a zip bomb"
    return ""


def _directory_size(content: BinaryIO) -> int:
    """The size of the list of members, before it is loaded (APPNOTE 4.3.14 and 4.3.16); 0 where there is none."""
    size = content.seek(0, 2)
    start = content.seek(max(0, size - 65_557 - 20))
    tail = content.read(65_557 + 20)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 20:
        return 0
    listed = cast(int, struct.unpack_from("<I", tail, at + 12)[0])
    if listed != 0xFFFFFFFF or tail[max(0, at - 20) : at][:4] != b"PK\x06\x07":
        return listed if listed != 0xFFFFFFFF else start
    content.seek(min(size, struct.unpack_from("<Q", tail, at - 12)[0]))
    record = content.read(56)
    return cast(int, struct.unpack_from("<Q", record, 40)[0]) if record[:4] == b"PK\x06\x06" else 0


def _modified(member: zipfile.ZipInfo) -> float:
    """A zip's times have no zone; they are taken as UTC."""
    try:
        return datetime(*member.date_time, tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0


def _printable(name: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in name)
