"""Events pasted as text, alone or among other text: copied from Event Viewer, or printed by `Format-List`.

An event ends with the blank line (or the fence of a sample) behind its message, and before it grows longer than any
message is. All other text is read as lines, so nothing that is looked for gets lost beside an event.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from remediate.triage.encoding import shown
from remediate.triage.event_columns import FIRST, PROPERTY, event_from
from remediate.triage.event_xml import wanted
from remediate.triage.needles import Search
from remediate.triage.records import LONGEST_TEXT, Record, SourceRead
from remediate.triage.sources_lines import lines
from remediate.triage.sources_origin import Item, Origin, Span
from remediate.triage.sources_windows import clipped

KIND = "text"
_LABELLED = re.compile(r"\s{0,8}([^\W\d_][\w -]{1,30}?)\s*:(?:\s+(.*))?$")
# People who copy an event in parts write its message below the name of Event Viewer's tab.
_LABELS = {**PROPERTY, "details": "text", "detaljer": "text"}
# Event Viewer's copy ends with the event once more, as XML, below a heading in its own language (`Event Xml:`).
_XML_HEADING = re.compile(r"\s{0,8}[^\W\d_][\w -]{0,30}\bxml\s*:\s*$", re.IGNORECASE)
_XML = re.compile(r"\s*<Event[\s>]")
_BLANK = re.compile(r"\s*(?:```.*|~~~.*)?$")


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

    def __init__(self, position: int, search: Search) -> None:
        self.position, self._search = position, search
        self._values: dict[str, str] = {}
        self._message: list[str] = []
        self._in_message = self._gap = False
        self._column = 0
        self._length = 0

    def goes_on(self, line: str) -> bool:
        """Whether the line belongs to the event.

        Behind a blank line its message goes on only where Format-List sets it below its beginning, and before it has a
        message only properties follow.
        """
        if self._length + len(line) > LONGEST_TEXT:
            return False
        if not self._gap or _BLANK.match(line):
            return True
        if any(self._message):
            return self._column > 0 and not line[: self._column].strip()
        return self._in_message or bool(_key(line)) or self._is_label(line)

    def take(self, line: str) -> None:
        """Read a line of the event. One that no property claims is kept where it says something that is looked for."""
        self._length += len(line) + 1
        self._gap = _BLANK.match(line) is not None
        key = "" if self._in_message else _key(line)
        found = _LABELLED.match(line) if key else None
        if found and key == "text":
            self._in_message, self._column = True, max(found.start(2), 0)
            self._message.append(found[2] or "")
        elif found:
            self._values[key] = found[2] or ""
        elif not self._gap and (self._in_message or not self._is_label(line)):
            self._message.append(line.strip())

    def record(self, origin: Origin) -> Record:
        text = "\n".join(self._message).strip()
        return event_from({**self._values, "text": text}, origin, kind=KIND, position=self.position)

    def _is_label(self, line: str) -> bool:
        """Whether it looks like a property of which nothing is asked (`Level: Warning`)."""
        return _LABELLED.match(line) is not None and not self._search.holds(line)


class _Copy:
    """The XML in which Event Viewer writes an event once more: what it says was read already."""

    def __init__(self) -> None:
        self._headed, self._left = False, 0

    def takes(self, line: str) -> bool:
        """Whether the line belongs to such XML, which ends with its end tag, a blank line or after LONGEST_TEXT."""
        starts = self._headed and _XML.match(line) is not None
        self._headed = _XML_HEADING.match(line) is not None or (self._headed and not line.strip())
        self._left = LONGEST_TEXT if starts else self._left
        taken = self._left > 0 and bool(line.strip())
        self._left = self._left - len(line) - 1 if taken and "</Event>" not in line else 0
        return taken or _XML_HEADING.match(line) is not None


def _records(chunks: Iterable[bytes], origin: Origin) -> Iterator[Record]:
    event, copy = None, _Copy()
    for number, data in lines(chunks):
        line = shown(data)
        begins, copied = _begins(line), copy.takes(line)
        if event and (begins or copied or not event.goes_on(line)):
            yield event.record(origin)
            event = None
        event = _Event(number, origin.search) if begins else event
        if event:
            event.take(line)
        elif line.strip() and not copied:
            yield from _lines(data, number, origin)
    if event:
        yield event.record(origin)


def _key(line: str) -> str:
    """The property whose label the line begins with, by its key in PROPERTY; empty where it is none."""
    found = _LABELLED.match(line)
    return _LABELS.get(found[1].strip().lower(), "") if found else ""


def _begins(line: str) -> bool:
    found = _LABELLED.match(line)
    return found is not None and found[1].strip().lower() in FIRST


def _lines(data: bytes, number: int, origin: Origin) -> Iterator[Record]:
    """One line; more of one that is too long, so that everything that was found in it is shown."""
    for window in clipped(data, origin.search.positions(data) if len(data) > LONGEST_TEXT else ()):
        text = shown(window).strip()
        when = origin.leading_moment(text)
        yield Record(source=origin.source, kind=KIND, position=number, when=when.when, zone=when.zone, text=text)
