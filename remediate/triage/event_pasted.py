"""Events pasted as text: copied from Event Viewer, or printed by `Get-WinEvent | Format-List`.

What stands before the first event, and what follows an event for too long to be its message, is read as lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from remediate.triage.encoding import shown
from remediate.triage.event_columns import FIRST, PROPERTY, event_from
from remediate.triage.event_xml import wanted
from remediate.triage.records import LONGEST_TEXT, Record, SourceRead
from remediate.triage.sources_lines import lines
from remediate.triage.sources_origin import Item, Origin, Span
from remediate.triage.sources_windows import clipped

KIND = "text"
_LABELLED = re.compile(r"\s{0,8}([^\W\d_][\w -]{1,30}?)\s*:(?:\s+(.*))?$")
# Event Viewer's copy ends with the event once more, as XML.
_XML = re.compile(r"\s*<Event xmlns|\s*<Event>")


def is_pasted(beginning: str) -> bool:
    """Whether an event's first label and the label of its id stand at the beginnings of lines."""
    labels = {found[1].strip().lower() for line in beginning.splitlines() if (found := _LABELLED.match(line))}
    return bool(labels & FIRST) and any(PROPERTY.get(label) == "event_id" for label in labels)


def scan(chunks: Iterable[bytes], origin: Origin) -> Iterator[Item]:
    """Yield the events and lines that hold a needle or are looked for, and what was read."""
    scanned, span = 0, Span()
    for record in _records(chunks, origin):
        scanned, span = scanned + 1, span.with_time(record.when)
        if origin.search.everything or wanted(record, origin.search):
            yield record
    yield SourceRead(source=origin.source, kind=KIND, scanned=scanned, first=span.first, last=span.last)


class _Event:
    """An event whose lines are being read."""

    def __init__(self, position: int) -> None:
        self.position, self.values, self.in_message, self.xml = position, dict[str, str](), False, False
        self._message: list[str] = []
        self.length = 0

    def take(self, line: str) -> None:
        found = None if self.in_message else _LABELLED.match(line)
        key = PROPERTY.get(found[1].strip().lower(), "") if found else ""
        self.xml = self.xml or _XML.match(line) is not None
        self.length += len(line) + 1
        if found and key == "text":
            self.in_message = True
            self._message.append(found[2] or "")
        elif found and key:
            self.values[key] = found[2] or ""
        elif self.in_message and not self.xml:
            self._message.append(line.strip())

    def record(self, origin: Origin) -> Record:
        text = "\n".join(self._message).strip()
        return event_from({**self.values, "text": text}, origin, kind=KIND, position=self.position)


def _records(chunks: Iterable[bytes], origin: Origin) -> Iterator[Record]:
    event: _Event | None = None
    for number, data in lines(chunks):
        line = shown(data)
        if _begins(line):
            if event:
                yield event.record(origin)
            event = _Event(number)
        if event:
            event.take(line)
            if event.length > LONGEST_TEXT:
                yield event.record(origin)
                event = None
        elif line.strip():
            yield from _lines(data, number, origin)
    if event:
        yield event.record(origin)


def _begins(line: str) -> bool:
    found = _LABELLED.match(line)
    return found is not None and found[1].strip().lower() in FIRST


def _lines(data: bytes, number: int, origin: Origin) -> Iterator[Record]:
    """One line; more of one that is too long, so that everything that was found in it is shown."""
    for window in clipped(data, origin.search.positions(data) if len(data) > LONGEST_TEXT else ()):
        text = shown(window).strip()
        when = origin.leading_moment(text)
        yield Record(source=origin.source, kind=KIND, position=number, when=when.when, zone=when.zone, text=text)
