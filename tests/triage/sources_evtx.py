"""Writes .evtx files: chunks of binary XML with templates for System and for each set of data names, as Windows does.

There is no writer to borrow and no real log that may be kept with the project; the library that reads them is not told.
Layout: libyal's description of the Windows XML Event Log format.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from zlib import crc32

CHUNK, HEADER = 65_536, 512
NAMESPACE = "http://schemas.microsoft.com/win/2004/08/events/event"
NULL, STRING, UINT8, UINT16, UINT32, UINT64 = 0x00, 0x01, 0x04, 0x06, 0x08, 0x0A
GUID, FILETIME, SID, HEX64, XML = 0x0F, 0x11, 0x13, 0x15, 0x21
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_FRAGMENT = b"\x0f\x01\x01\x00"

Value = tuple[int, bytes]


@dataclass(frozen=True)
class Event:
    """What goes into one record. A `bare` one has but the elements of System that somebody reads, and no nested XML."""

    event_id: int
    provider: str = "Microsoft-Intune-CertificateConnectors"
    channel: str = "Microsoft-Intune-CertificateConnectors/Admin"
    computer: str = "conn1.contoso.test"
    when: datetime = datetime(2026, 11, 23, 9, 12, tzinfo=UTC)
    data: tuple[tuple[str, str], ...] = field(default=())
    bare: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.data)

    @property
    def strings(self) -> list[Value]:
        return [_string(value) for _, value in self.data]


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
        self.last_at, self.at = HEADER, HEADER
        self.parts: list[bytes] = []
        self.templates: dict[str, int] = {}

    @property
    def count(self) -> int:
        return self.next_id - self.first_id

    def take(self, event: Event) -> bool:
        known = dict(self.templates)
        record = self._record(event)
        if self.at + len(record) > CHUNK:
            self.templates = known
            return False
        self.parts.append(record)
        self.last_at, self.at, self.next_id = self.at, self.at + len(record), self.next_id + 1
        return True

    def _record(self, event: Event) -> bytes:
        ticks = int((event.when - _EPOCH).total_seconds() * 10_000_000)
        number = self.next_id
        xml = (self._bare if event.bare else self._nested)(event, ticks, number)
        size = 24 + len(xml) + 4
        pad = -size % 8
        size += pad
        return struct.pack("<4sIQQ", b"**\0\0", size, number, ticks) + xml + b"\0" * pad + struct.pack("<I", size)

    def _bare(self, event: Event, ticks: int, number: int) -> bytes:
        begun = self._instance(self.at + 24, f"bare {event.names}", lambda: _bare_event(event.names))
        return begun + _values(_bare_values(event, ticks, number) + event.strings) + b"\0"

    def _nested(self, event: Event, ticks: int, number: int) -> bytes:
        """System with the values of its own, and EventData as XML of another template in the last of them."""
        begun = self._instance(self.at + 24, f"system {event.provider}", lambda: _whole_event(event.provider))
        system = _system_values(event, ticks, number)
        inside = self.at + 24 + len(begun) + 4 + 4 * (len(system) + 1) + sum(len(value) for _, value in system)
        data = self._instance(inside, f"data {event.names}", lambda: _event_data(event.names, first=0))
        return begun + _values([*system, (XML, data + _values(event.strings) + b"\0")]) + b"\0"

    def _instance(self, at: int, name: str, root: Callable[[], _Element]) -> bytes:
        """What refers to a template, and the template itself where it comes for the first time."""
        begun = _FRAGMENT + b"\x0c\x01"
        if name in self.templates:
            return begun + struct.pack("<II", 7, self.templates[name])
        here = at + len(begun) + 8
        self.templates[name] = here
        body = _FRAGMENT + root().encoded(here + 28) + b"\0"
        definition = struct.pack("<I", 0) + uuid.uuid5(uuid.NAMESPACE_DNS, name).bytes_le
        return begun + struct.pack("<II", 7, here) + definition + struct.pack("<I", len(body)) + body

    def finished(self) -> bytes:
        body = b"".join(self.parts)
        last = self.next_id - 1
        head = struct.pack("<8sQQQQ", b"ElfChnk\0", self.first_id, last, self.first_id, last)
        head += struct.pack("<IIII64xI", 128, self.last_at, self.at, crc32(body), 0)
        tables = b"\0" * (HEADER - 128)
        head += struct.pack("<I", crc32(head[:120] + tables))
        return (head + tables + body).ljust(CHUNK, b"\0")


def _values(values: Sequence[Value]) -> bytes:
    described = b"".join(struct.pack("<HBB", len(value), kind, 0) for kind, value in values)
    return struct.pack("<I", len(values)) + described + b"".join(value for _, value in values)


def _string(text: str) -> Value:
    return STRING, text.encode("utf-16-le")


def _bare_values(event: Event, ticks: int, number: int) -> list[Value]:
    return [
        _string(event.provider),
        (UINT16, struct.pack("<H", event.event_id)),
        (HEX64, struct.pack("<Q", 0x8080000000000000)),
        (FILETIME, struct.pack("<Q", ticks)),
        (UINT64, struct.pack("<Q", number)),
        _string(event.channel),
        _string(event.computer),
    ]


def _system_values(event: Event, ticks: int, number: int) -> list[Value]:
    """In the order of `_whole_event`: level to SID of the user, then channel and computer."""
    return [
        (UINT8, b"\x04"),
        (UINT8, b"\x00"),
        (UINT16, b"\x00\x00"),
        (UINT16, struct.pack("<H", event.event_id)),
        (NULL, b""),
        (HEX64, struct.pack("<Q", 0x4000000000000000)),
        (FILETIME, struct.pack("<Q", ticks)),
        (GUID, uuid.UUID(int=0x5D3F << 112 | number).bytes_le),
        (UINT32, struct.pack("<I", 4776)),
        (UINT32, struct.pack("<I", 17)),
        (UINT64, struct.pack("<Q", number)),
        (UINT8, b"\x00"),
        (SID, b"\x01\x01\0\0\0\0\0\x05" + struct.pack("<I", 18)),
        _string(event.channel),
        _string(event.computer),
    ]


def _bare_event(names: tuple[str, ...]) -> _Element:
    system: list[_Element | bytes] = [
        _Element("Provider", [("Name", _substitution(0, STRING))]),
        _Element("EventID", [], [_substitution(1, UINT16)]),
        _Element("Keywords", [], [_substitution(2, HEX64)]),
        _Element("TimeCreated", [("SystemTime", _substitution(3, FILETIME))]),
        _Element("EventRecordID", [], [_substitution(4, UINT64)]),
        _Element("Channel", [], [_substitution(5, STRING)]),
        _Element("Computer", [], [_substitution(6, STRING)]),
    ]
    return _Element("Event", [("xmlns", _text(NAMESPACE))], [_Element("System", [], system), _event_data(names, 7)])


def _whole_event(provider: str) -> _Element:
    """System as Windows writes it for providers with a manifest; the provider's name and GUID stand in the template."""
    guid = f"{{{uuid.uuid5(uuid.NAMESPACE_DNS, provider)}}}"
    system: list[_Element | bytes] = [
        _Element("Provider", [("Name", _text(provider)), ("Guid", _text(guid))]),
        _Element("EventID", [("Qualifiers", _optional(4, UINT16))], [_substitution(3, UINT16)]),
        _Element("Version", [], [_substitution(11, UINT8)]),
        _Element("Level", [], [_substitution(0, UINT8)]),
        _Element("Task", [], [_substitution(2, UINT16)]),
        _Element("Opcode", [], [_substitution(1, UINT8)]),
        _Element("Keywords", [], [_substitution(5, HEX64)]),
        _Element("TimeCreated", [("SystemTime", _substitution(6, FILETIME))]),
        _Element("EventRecordID", [], [_substitution(10, UINT64)]),
        _Element("Correlation", [("ActivityID", _optional(7, GUID))]),
        _Element("Execution", [("ProcessID", _substitution(8, UINT32)), ("ThreadID", _substitution(9, UINT32))]),
        _Element("Channel", [], [_substitution(13, STRING)]),
        _Element("Computer", [], [_substitution(14, STRING)]),
        _Element("Security", [("UserID", _optional(12, SID))]),
    ]
    return _Element("Event", [("xmlns", _text(NAMESPACE))], [_Element("System", [], system), _optional(15, XML)])


def _event_data(names: tuple[str, ...], first: int) -> _Element:
    return _Element(
        "EventData",
        [],
        [
            _Element("Data", [("Name", _text(name))], [_substitution(first + number, STRING)])
            for number, name in enumerate(names)
        ],
    )


def _text(text: str) -> bytes:
    return b"\x05\x01" + struct.pack("<H", len(text)) + text.encode("utf-16-le")


def _substitution(index: int, kind: int) -> bytes:
    return b"\x0d" + struct.pack("<HB", index, kind)


def _optional(index: int, kind: int) -> bytes:
    """Nothing, not even its attribute, where the value is NULL."""
    return b"\x0e" + struct.pack("<HB", index, kind)


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
    content: Sequence[_Element | bytes] = field(default_factory=list)

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
