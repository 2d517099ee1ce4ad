"""Service trace files of .NET's XmlWriterTraceListener: E2ETraceEvent records without a root, the last one cut off.

Only the text of ApplicationData is searched, and a record is parsed only when something was found in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from remediate.triage.encoding import shown
from remediate.triage.event_fragments import (
    OVERLAP,
    Fragment,
    Part,
    Tags,
    all_fragments,
    attribute,
    flat,
    fragment_at,
    inner,
    parts,
    unescaped,
)
from remediate.triage.records import Record, Skipped, SourceRead
from remediate.triage.sources_origin import Ends, Item, Origin
from remediate.triage.sources_times import NO_MOMENT, Moment
from remediate.triage.sources_windows import clipped, windows

KIND = "svclog"
TAGS = Tags((b"<E2ETraceEvent",), b"</E2ETraceEvent>")

# What a message is: everything up to the end of its element, or of the record where that is missing.
_MESSAGE = re.compile(rb"<ApplicationData[ >]([^<]*(?:<(?!/ApplicationData>|/?E2ETraceEvent)[^<]*)*)")
_TIME = re.compile(rb"<TimeCreated\s+SystemTime\s*=\s*[\"']([^\"'<>]{1,64})")
# The properties in the order in which .NET writes them; whoever writes them otherwise is read more slowly.
_AS_WRITTEN = re.compile(
    r'<EventID>(\d{1,9})</EventID>[^\0]{1,400}?<TimeCreated SystemTime="([^"<>]{1,64})"[^\0]{1,40}?'
    r'<Source Name="([^"<>]{0,400})"[^\0]{1,200}?<Execution ProcessName="([^"<>]{0,400})" ProcessID="(\d{1,10})"'
    r'[^\0<>]{1,40}?ThreadID="(\d{1,10})"[^\0]{1,100}?<Computer>([^<>]{0,400})</Computer>'
)
# A record's System element ends within so many bytes; a part's last record begins within so many of its end.
_HEAD, _TAIL = 4096, 65_536
LONGEST_END = 65_536


def scan(chunks: Iterable[bytes], origin: Origin, *, start: int = 0) -> Iterator[Item | Ends]:
    """Yield the records with needles, then the ends, then what was read. `start` is the offset of the first byte."""
    state = _Scan(origin, start)
    for part in parts(chunks, TAGS):
        yield from state.items(part._replace(at=part.at + start))
    yield Ends(origin.source, start, state.head, state.tail, state.tail_at, state.begins_within, state.ends_within)
    yield SourceRead(source=origin.source, kind=KIND, scanned=state.scanned, first=state.first, last=state.last)


class _Scan:
    """How far a file was scanned, and what is known of it so far."""

    def __init__(self, origin: Origin, start: int) -> None:
        self._origin, self._start, self._giant = origin, start, b""
        self.scanned, self.first, self._latest = 0, "", b""
        self.head, self.tail, self.tail_at = b"", b"", start
        self.begins_within = self.ends_within = False

    def items(self, part: Part) -> Iterator[Item]:
        self.ends_within = part.kind in ("piece", "more")
        if part.kind == "rest":
            self.tail, self.tail_at = part.data[:LONGEST_END], part.at
            yield from self._beyond(part.data, origin_at=part.at)
            return
        if part.at == self._start and part.kind == "whole":
            cut = TAGS.first_start(part.data, 0, len(part.data))
            cut = cut if cut >= 0 else len(part.data)
            self.head = part.data[:cut][:LONGEST_END]
            yield from self._beyond(part.data[:cut], origin_at=part.at)
            part = Part(part.at + cut, part.data[cut:], part.kind, part.until - cut)
        self._note_times(part)
        if part.kind == "whole":
            messages = _MESSAGE.findall(part.data)
            self.scanned += len(messages)
            yield from _found(part, messages, self._origin)
        else:
            yield from self._giant_items(part)

    def _beyond(self, end: bytes, *, origin_at: int) -> Iterator[Item]:
        """Of what belongs to no whole record only so much is kept aside; what is longer is searched at once."""
        if len(end) > LONGEST_END:
            beyond = end[LONGEST_END - OVERLAP :]
            for at, window in windows(beyond, self._origin.search.positions(beyond)):
                yield _record(end[:_HEAD], window, self._origin, at=origin_at + LONGEST_END - OVERLAP + at)

    @property
    def last(self) -> str:
        """The time of the last record: they stand in the order of time."""
        times = [match[1] for match in _TIME.finditer(self._latest, max(0, len(self._latest) - _TAIL))][-1:]
        return _time(times[0], self._origin).when if times else ""

    def _note_times(self, part: Part) -> None:
        found = None if self.first else _TIME.search(part.data)
        if found:
            self.first = _time(found[1], self._origin).when
        if part.kind == "whole":
            self._latest = part.data

    def _giant_items(self, part: Part) -> Iterator[Item]:
        begins = TAGS.last_start(part.data, 0, len(part.data))
        if part.kind == "piece" and self._start and part.at == self._start and begins < 0:
            self.begins_within = True
        elif part.kind == "piece":
            self.scanned += 1
            self._giant = part.data[max(0, begins) : max(0, begins) + _HEAD]
            yield too_long(self._origin, at=part.at)
        for at, window in windows(part.data, _before(self._origin.search.positions(part.data), part.until)):
            yield _record(self._giant, window, self._origin, at=part.at + at)


def too_long(origin: Origin, *, at: int) -> Skipped:
    """Return what is said of a record that is too long to be kept."""
    return origin.skipped("a record of more than 1 MB: read, but not kept whole", position=at, lost=False)


def _before(positions: Iterable[int], until: int) -> list[int]:
    return [position for position in positions if position < until]


def fragment_records(data: bytes, origin: Origin, *, at: int) -> Iterator[Record]:
    """The records in bytes that hold no more than one or two, of which one may be cut off at either side."""
    part = Part(at, data, "rest", len(data))
    done = 0
    for position in (0,) if origin.search.everything else origin.search.positions(data):
        if position >= done:
            fragment = fragment_at(part, TAGS, position, done=done)
            yield from records_of(fragment, origin)
            done = fragment.at - at + len(fragment.data)


def _found(part: Part, messages: Sequence[bytes], origin: Origin) -> Iterator[Record]:
    if origin.search.everything:
        for fragment in all_fragments(part, TAGS):
            yield from records_of(fragment, origin)
        return
    done = 0
    for number in origin.search.numbers_of(messages):
        message = messages[number]
        position = part.data.find(message, done)
        fragment = fragment_at(part, TAGS, position, done=done)
        yield from records_of(fragment, origin)
        done = fragment.at - part.at + len(fragment.data)


def records_of(fragment: Fragment, origin: Origin) -> Iterator[Record]:
    """One record; more of one whose text is too long, so that everything that was found in it is shown."""
    message = _MESSAGE.search(fragment.data)
    text = message[1] if message else fragment.data
    if message and fragment.data[message.start(1) - 1 : message.start(1)] != b">":
        text = text.partition(b">")[2]
    for window in clipped(text, origin.search.positions(text) if len(text) > _HEAD else ()):
        yield _record(fragment.data[:_HEAD], window, origin, at=fragment.at)


class _System(NamedTuple):
    """The properties of a record, as they stand in its System element."""

    event_id: str = ""
    time: str = ""
    provider: str = ""
    process_name: str = ""
    process_id: str = ""
    thread_id: str = ""
    host: str = ""


def _record(head: bytes, message: bytes, origin: Origin, *, at: int) -> Record:
    system = _system(head)
    when = origin.moment(system.time) if system.time else NO_MOMENT
    process = {"ProcessName": system.process_name, "ProcessID": system.process_id, "ThreadID": system.thread_id}
    return Record(
        source=origin.source,
        kind=KIND,
        position=at,
        when=when.when,
        zone=when.zone,
        provider=system.provider,
        event_id=int(system.event_id) if system.event_id.isdecimal() and len(system.event_id) < 10 else 0,
        host=system.host,
        text=flat(shown(message)),
        data={name: value for name, value in process.items() if value},
    )


def _system(head: bytes) -> _System:
    text = shown(head.partition(b"<ApplicationData")[0])
    found = _AS_WRITTEN.search(text)
    if found:
        return _System(*map(unescaped, found.groups()))
    return _System(
        inner(text, "EventID").strip(),
        attribute(text, "TimeCreated", "SystemTime"),
        attribute(text, "Source", "Name"),
        attribute(text, "Execution", "ProcessName"),
        attribute(text, "Execution", "ProcessID"),
        attribute(text, "Execution", "ThreadID"),
        flat(inner(text, "Computer")),
    )


def _time(text: bytes, origin: Origin) -> Moment:
    return origin.moment(shown(text))
