"""Writes .evtx files: chunks of binary XML with one template for each set of data names, as Windows lays them out.

There is no writer to borrow and no real log that may be kept with the project; the library that reads them is not told.
Layout: libyal's description of the Windows XML Event Log format.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from zlib import crc32

CHUNK, HEADER = 65_536, 512
NAMESPACE = "http://schemas.microsoft.com/win/2004/08/events/event"
STRING, UINT16, UINT64, FILETIME, HEX64 = 0x01, 0x06, 0x0A, 0x11, 0x15
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Event:
    """What goes into one record."""

    event_id: int
    provider: str = "Microsoft-Intune-CertificateConnectors"
    channel: str = "Microsoft-Intune-CertificateConnectors/Admin"
    computer: str = "conn1.contoso.test"
    when: datetime = datetime(2026, 11, 23, 9, 12, tzinfo=UTC)
    data: tuple[tuple[str, str], ...] = field(default=())


def write(path: Path, events: Iterable[Event]) -> Path:
    """Write a log; returns its path."""
    first_id, chunks = 1, 0
    with path.open("wb") as file:
        file.write(b"\0" * 4096)
        for chunk, count in _chunks(events):
            file.write(chunk)
            chunks, first_id = chunks + 1, first_id + count
        file.seek(0)
        file.write(_file_header(chunks, first_id))
    return path


def _file_header(chunks: int, next_id: int) -> bytes:
    head = struct.pack("<8sQQQIHHHH76x", b"ElfFile\0", 0, max(0, chunks - 1), next_id, 128, 1, 3, 4096, chunks)
    return (head + struct.pack("<II", 0, crc32(head))).ljust(4096, b"\0")


def _chunks(events: Iterable[Event]) -> Iterator[tuple[bytes, int]]:
    chunk = _Chunk(1)
    for event in events:
        if not chunk.take(event):
            yield chunk.finished(), chunk.count
            chunk = _Chunk(chunk.next_id)
            if not chunk.take(event):
                raise ValueError("the event is larger than a chunk")
    if chunk.count:
        yield chunk.finished(), chunk.count


class _Chunk:
    def __init__(self, first_id: int) -> None:
        self.first_id = self.next_id = first_id
        self.body, self.last_at = b"", HEADER
        self.parts: list[bytes] = []
        self.at, self.templates = HEADER, {}  # type: int, dict[tuple[str, ...], int]

    @property
    def count(self) -> int:
        return self.next_id - self.first_id

    def take(self, event: Event) -> bool:
        names = tuple(name for name, _ in event.data)
        known = dict(self.templates)
        record = self._record(event, names)
        if self.at + len(record) > CHUNK:
            self.templates = known
            return False
        self.parts.append(record)
        self.last_at, self.at, self.next_id = self.at, self.at + len(record), self.next_id + 1
        return True

    def _record(self, event: Event, names: tuple[str, ...]) -> bytes:
        start = self.at + 24
        ticks = int((event.when - _EPOCH).total_seconds() * 10_000_000)
        xml = b"\x0f\x01\x01\x00" + self._instance(start + 4, names)
        xml += _values(event, ticks, self.next_id) + b"\0"
        size = 24 + len(xml) + 4
        pad = -size % 8
        size += pad
        return struct.pack("<4sIQQ", b"**\0\0", size, self.next_id, ticks) + xml + b"\0" * pad + struct.pack("<I", size)

    def _instance(self, at: int, names: tuple[str, ...]) -> bytes:
        token = b"\x0c\x01"
        if names in self.templates:
            return token + struct.pack("<II", 7, self.templates[names])
        here = at + 10
        self.templates[names] = here
        body = _template(here + 24, names)
        definition = struct.pack("<I", 0) + uuid.uuid5(uuid.NAMESPACE_DNS, ".".join(names)).bytes_le
        return token + struct.pack("<II", 7, here) + definition + struct.pack("<I", len(body)) + body

    def finished(self) -> bytes:
        body = b"".join(self.parts)
        last = self.next_id - 1
        head = struct.pack("<8sQQQQ", b"ElfChnk\0", self.first_id, last, self.first_id, last)
        head += struct.pack("<IIII64xI", 128, self.last_at, self.at, crc32(body), 0)
        tables = b"\0" * (HEADER - 128)
        head += struct.pack("<I", crc32(head[:120] + tables))
        return (head + tables + body).ljust(CHUNK, b"\0")


def _values(event: Event, ticks: int, number: int) -> bytes:
    values = [
        (STRING, event.provider.encode("utf-16-le")),
        (UINT16, struct.pack("<H", event.event_id)),
        (HEX64, struct.pack("<Q", 0x8080000000000000)),
        (FILETIME, struct.pack("<Q", ticks)),
        (UINT64, struct.pack("<Q", number)),
        (STRING, event.channel.encode("utf-16-le")),
        (STRING, event.computer.encode("utf-16-le")),
        *((STRING, value.encode("utf-16-le")) for _, value in event.data),
    ]
    described = b"".join(struct.pack("<HBB", len(value), kind, 0) for kind, value in values)
    return struct.pack("<I", len(values)) + described + b"".join(value for _, value in values)


def _template(at: int, names: tuple[str, ...]) -> bytes:
    data: list[_Element | bytes] = [
        _Element("Data", [("Name", _text(name))], [_substitution(7 + number, STRING)])
        for number, name in enumerate(names)
    ]
    system: list[_Element | bytes] = [
        _Element("Provider", [("Name", _substitution(0, STRING))]),
        _Element("EventID", [], [_substitution(1, UINT16)]),
        _Element("Keywords", [], [_substitution(2, HEX64)]),
        _Element("TimeCreated", [("SystemTime", _substitution(3, FILETIME))]),
        _Element("EventRecordID", [], [_substitution(4, UINT64)]),
        _Element("Channel", [], [_substitution(5, STRING)]),
        _Element("Computer", [], [_substitution(6, STRING)]),
    ]
    root = _Element(
        "Event", [("xmlns", _text(NAMESPACE))], [_Element("System", [], system), _Element("EventData", [], data)]
    )
    return b"\x0f\x01\x01\x00" + root.encoded(at + 4) + b"\0"


def _text(text: str) -> bytes:
    return b"\x05\x01" + struct.pack("<H", len(text)) + text.encode("utf-16-le")


def _substitution(index: int, kind: int) -> bytes:
    return b"\x0d" + struct.pack("<HB", index, kind)


def _name(text: str, at: int) -> bytes:
    """A name that is written where it is first used: its offset is the next byte."""
    value = 0
    for character in text:
        value = (value * 65_599 + ord(character)) & 0xFFFF
    inline = struct.pack("<IHH", 0, value, len(text)) + text.encode("utf-16-le") + b"\0\0"
    return struct.pack("<I", at + 4) + inline


@dataclass
class _Element:
    name: str
    attributes: list[tuple[str, bytes]]
    content: list[_Element | bytes] = field(default_factory=list)

    def encoded(self, at: int) -> bytes:
        token = b"\x41" if self.attributes else b"\x01"
        rest = _name(self.name, at + 7)
        if self.attributes:
            listed = self._attributes(at + 7 + len(rest) + 4)
            rest += struct.pack("<I", len(listed)) + listed
        rest += b"\x02" if self.content else b"\x03"
        for part in self.content:
            rest += part if isinstance(part, bytes) else part.encoded(at + 7 + len(rest))
        rest += b"\x04" if self.content else b""
        return token + struct.pack("<HI", 0xFFFF, len(rest)) + rest

    def _attributes(self, at: int) -> bytes:
        listed = b""
        for number, (name, value) in enumerate(self.attributes):
            token = b"\x46" if number + 1 < len(self.attributes) else b"\x06"
            listed += token + _name(name, at + len(listed) + 1) + value
        return listed
