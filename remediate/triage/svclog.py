"""Service trace files of .NET's XmlWriterTraceListener: E2ETraceEvent records without a root, the last one cut off.

Only the text of ApplicationData is searched, and a record is parsed only when something was found in it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from remediate.triage.encoding import shown
from remediate.triage.event_fragments import (
    Fragment,
    Part,
    Tags,
    all_fragments,
    attribute,
    flat,
    fragment_at,
    inner,
    parts,
)
from remediate.triage.records import Record, SourceRead
from remediate.triage.sources_origin import Ends, Item, Origin
from remediate.triage.sources_times import NO_MOMENT, Moment
from remediate.triage.sources_windows import clipped, windows

KIND = "svclog"
TAGS = Tags((b"<E2ETraceEvent",), b"</E2ETraceEvent>")

# What a message is: everything up to the end of its element, or of the record where that is missing.
_MESSAGE = re.compile(rb"<ApplicationData[ >]([^<]*(?:<(?!/ApplicationData>|/?E2ETraceEvent)[^<]*)*)")
_TIME = re.compile(rb"<TimeCreated\s+SystemTime\s*=\s*[\"']([^\"'<>]{1,64})")
# A record's System element ends within so many bytes; a part's last record begins within so many of its end.
_HEAD, _TAIL = 4096, 65_536
_LONGEST_END = 65_536


def scan(chunks: Iterable[bytes], origin: Origin, *, start: int = 0) -> Iterator[Item | Ends]:
    """Yield the records with needles, then the ends, then what was read. `start` is the offset of the first byte."""
    state = _Scan(origin, start)
    for part in parts(chunks, TAGS):
        yield from state.items(part._replace(at=part.at + start))
    yield Ends(origin.source, start, state.head, state.tail, state.tail_at)
    yield SourceRead(source=origin.source, kind=KIND, scanned=state.scanned, first=state.first, last=state.last)


class _Scan:
    """How far a file was scanned, and what is known of it so far."""

    def __init__(self, origin: Origin, start: int) -> None:
        self._origin, self._start, self._giant = origin, start, b""
        self.scanned, self.first, self.last = 0, "", ""
        self.head, self.tail, self.tail_at = b"", b"", start

    def items(self, part: Part) -> Iterator[Item]:
        if part.kind == "rest":
            self.tail, self.tail_at = part.data[:_LONGEST_END], part.at
            yield from self._long_rest(part)
            return
        if part.at == self._start and part.kind == "whole":
            part = self._beheaded(part)
        self._note_times(part)
        if part.kind == "whole":
            messages = _MESSAGE.findall(part.data)
            self.scanned += len(messages)
            yield from _found(part, messages, self._origin)
        else:
            yield from self._giant_items(part)

    def _long_rest(self, part: Part) -> Iterator[Item]:
        """An end is kept only so far; what lies beyond is read at once."""
        beyond = part.data[_LONGEST_END:]
        if beyond:
            for _, window in windows(beyond, self._origin.search.positions(beyond)):
                yield _record(part.data[:_HEAD], window, self._origin, at=part.at)

    def _beheaded(self, part: Part) -> Part:
        """Take what stands before the first record aside, unless it is too long for an end."""
        at = TAGS.first_start(part.data, 0, len(part.data))
        cut = at if at >= 0 else len(part.data)
        if cut > _LONGEST_END:
            return part
        self.head = part.data[:cut]
        return Part(part.at + cut, part.data[cut:], part.kind, part.until - cut)

    def _note_times(self, part: Part) -> None:
        """Records stand in the order of time: the first and the last tell the span."""
        found = None if self.first else _TIME.search(part.data)
        if found:
            self.first = _time(found[1], self._origin).when
        last = [match[1] for match in _TIME.finditer(part.data, max(0, len(part.data) - _TAIL))][-1:]
        if last:
            self.last = _time(last[0], self._origin).when

    def _giant_items(self, part: Part) -> Iterator[Item]:
        if part.kind == "piece":
            self.scanned += 1
            begins = max(0, TAGS.last_start(part.data, 0, len(part.data)))
            self._giant = part.data[begins : begins + _HEAD]
            yield self._origin.skipped("a record of more than 1 MB: read, but not kept whole", position=part.at)
        for at, window in windows(part.data, _before(self._origin.search.positions(part.data), part.until)):
            yield _record(self._giant, window, self._origin, at=part.at + at)


def _before(positions: Iterable[int], until: int) -> list[int]:
    return [position for position in positions if position < until]


def _found(part: Part, messages: Sequence[bytes], origin: Origin) -> Iterator[Record]:
    if origin.search.everything:
        for fragment in all_fragments(part, TAGS):
            yield from records_of(fragment, origin)
        return
    done = 0
    for message in _with_needles(messages, origin):
        position = part.data.find(message, done)
        fragment = fragment_at(part, TAGS, position, done=done)
        yield from records_of(fragment, origin)
        done = fragment.at - part.at + len(fragment.data)


def _with_needles(messages: Sequence[bytes], origin: Origin) -> Iterator[bytes]:
    """All messages are searched as one text. No needle can lie across two: none holds a NUL."""
    positions = origin.search.positions(b"\0".join(messages))
    ends = list(accumulate(len(message) + 1 for message in messages)) if positions else []
    last = -1
    for position in positions:
        number = bisect_right(ends, position)
        if number != last:
            yield messages[number]
        last = number


def records_of(fragment: Fragment, origin: Origin) -> Iterator[Record]:
    """One record; more of one whose text is too long, so that everything that was found in it is shown."""
    message = _MESSAGE.search(fragment.data)
    text = message[1] if message else fragment.data
    if message and fragment.data[message.start(1) - 1 : message.start(1)] != b">":
        text = text.partition(b">")[2]
    for window in clipped(text, origin.search.positions(text) if len(text) > _HEAD else ()):
        yield _record(fragment.data[:_HEAD], window, origin, at=fragment.at)


def _record(head: bytes, message: bytes, origin: Origin, *, at: int) -> Record:
    system = shown(head.partition(b"<ApplicationData")[0])
    time = attribute(system, "TimeCreated", "SystemTime")
    when = origin.moment(time) if time else NO_MOMENT
    number = inner(system, "EventID").strip()
    return Record(
        source=origin.source,
        kind=KIND,
        position=at,
        when=when.when,
        zone=when.zone,
        provider=attribute(system, "Source", "Name"),
        event_id=int(number) if number.isdecimal() and len(number) < 10 else 0,
        host=flat(inner(system, "Computer")),
        text=flat(shown(message)),
        data=_process(system),
    )


def _process(system: str) -> dict[str, str]:
    named = {name: attribute(system, "Execution", name) for name in ("ProcessName", "ProcessID")}
    return {name: value for name, value in named.items() if value}


def _time(text: bytes, origin: Origin) -> Moment:
    return origin.moment(shown(text))
