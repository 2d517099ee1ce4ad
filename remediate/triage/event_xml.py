"""Windows events as XML: one after the other, within `Events` or without, as Event Viewer, wevtutil and `ToXml` give.

The same `Event` element is what an .evtx record is turned into. Texts of events are localised, so nothing here reads
them; channel, provider, id and named values are what tells.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from remediate.triage.encoding import shown
from remediate.triage.event_fragments import Part, Tags, all_fragments, attribute, flat, inner, parts
from remediate.triage.needles import Search
from remediate.triage.records import LONGEST_TEXT, Record, SourceRead
from remediate.triage.sources_origin import Item, Origin, Span
from remediate.triage.sources_windows import windows

KIND = "event-xml"
TAGS = Tags((b"<Event>", b"<Event ", b"<Event\n", b"<Event\r", b"<Event\t"), b"</Event>")

# An event with more named values than these is not one of the products'.
_MOST_VALUES = 100
_ID = re.compile(r"<EventID(?:\s[^<>]{0,200})?>\s*(\d{1,9})\s*<")
_LEAF = re.compile(r"<([A-Za-z_][\w.:-]{0,100})(?:\s[^<>]{0,1000})?>([^<]+)</\1\s*>")
_NAME = re.compile(r"\sName\s*=\s*([\"'])(.*?)\1")
# System and EventData as Windows and the evtx library write them; whoever writes them otherwise is read more slowly.
_SYSTEM = re.compile(
    r"<System><Provider Name=(?P<q>[\"'])(?P<provider>[^<>\"']*)(?P=q)[^<>]*>(?:</Provider>)?"
    r"<EventID[^<>]*>(?P<id>\d{1,9})</EventID>(?:<(?!TimeCreated)[^<]*){0,20}"
    r"<TimeCreated SystemTime=(?P=q)(?P<time>[^<>\"']*)(?P=q)/?>(?:</TimeCreated>)?"
    r"<EventRecordID>(?P<number>\d{1,20})</EventRecordID>(?:<(?!Channel)[^<]*){0,20}"
    r"<Channel>(?P<channel>[^<>]*)</Channel><Computer>(?P<host>[^<>]*)</Computer>"
)
_DATA = re.compile(r"<Data(?: Name=([\"'])([^<>&\"']*)\1)?>([^<]*)</Data>")


def scan(chunks: Iterable[bytes], origin: Origin) -> Iterator[Item]:
    """Yield the events that hold a needle or are looked for, and what was read. An export is parsed event by event."""
    scanned, span = 0, Span()
    for part in parts(chunks, TAGS):
        if part.kind in ("piece", "more"):
            yield from _too_long(part, origin)
            continue
        for fragment in all_fragments(part, TAGS):
            event = event_of(shown(fragment.data), origin, kind=KIND, position=fragment.at)
            scanned, span = scanned + 1, span.with_time(event.when)
            if not fragment.closed:
                yield origin.skipped(
                    "an event is cut off; what stands of it was read", position=fragment.at, lost=False
                )
            if origin.search.everything or wanted(event, origin.search):
                yield event
    yield SourceRead(source=origin.source, kind=KIND, scanned=scanned, first=span.first, last=span.last)


def wanted(event: Record, search: Search) -> bool:
    """Whether an event is looked for by its id, or holds a code or a text and is none of those that tell of nothing."""
    if search.is_routine(event.event_id, event.provider, event.channel):
        return False
    if search.wants(event.event_id, event.provider, event.channel) or search.holds(event.text):
        return True
    return any(search.holds(value) for value in event.data.values())


def _too_long(part: Part, origin: Origin) -> Iterator[Item]:
    if part.kind == "piece":
        yield origin.skipped("an event of more than 1 MB: read, but not kept whole", position=part.at, lost=False)
    positions = [position for position in origin.search.positions(part.data) if position < part.until]
    for at, window in windows(part.data, positions):
        yield Record(source=origin.source, kind=KIND, position=part.at + at, text=flat(shown(window)))


def event_of(xml: str, origin: Origin, *, kind: str, position: int, record_id: str = "") -> Record:
    """Return one Event element as a record. What is missing in it stays empty."""
    system = _system(xml)
    when = origin.moment(system.time)
    data = _values(xml)
    message = flat(inner(inner(xml, "RenderingInfo"), "Message")) if "<RenderingInfo" in xml else ""
    return Record(
        source=origin.source,
        kind=kind,
        position=position,
        when=when.when,
        zone=when.zone,
        channel=system.channel,
        provider=system.provider,
        event_id=int(system.event_id or 0),
        record_id=record_id or system.record_id,
        host=system.host,
        text=(message or "; ".join(data.values()))[:LONGEST_TEXT],
        data=data,
    )


class _System(NamedTuple):
    """The properties of an event, as they stand in its System element."""

    provider: str
    event_id: str
    time: str
    record_id: str
    channel: str
    host: str


def _system(xml: str) -> _System:
    found = _SYSTEM.search(xml)
    if found:
        read = flat if "&" in found.group() else str.strip
        return _System(*map(read, found.group("provider", "id", "time", "number", "channel", "host")))
    text = inner(xml, "System")
    number = _ID.search(text)
    return _System(
        attribute(text, "Provider", "Name"),
        number[1] if number else "",
        attribute(text, "TimeCreated", "SystemTime"),
        *(flat(inner(text, element)) for element in ("EventRecordID", "Channel", "Computer")),
    )


def _values(xml: str) -> dict[str, str]:
    """EventData by name, or by number from 1 on as messages count them; else the leaves of UserData."""
    body = inner(xml, "EventData")
    values = _plain_data(body) or dict(_data(body)) if body else {}
    return values or dict(_leaves(inner(xml, "UserData")))


def _plain_data(body: str) -> dict[str, str]:
    """Where every value has a start tag as Windows writes it, no markup, and an end tag; else nothing."""
    found = _DATA.findall(body)
    if len(found) != body.count("<Data") or len(found) > _MOST_VALUES:
        return {}
    return {
        name or str(at): (flat(text) if "&" in text else text.strip())[:LONGEST_TEXT]
        for at, (_, name, text) in enumerate(found, 1)
    }


def _data(body: str) -> Iterator[tuple[str, str]]:
    at = body.find("<Data")
    for number in range(1, _MOST_VALUES + 1):
        if at < 0:
            return
        opened = body.find(">", at) + 1
        stop = body.find("</Data>", opened)
        if not opened:
            return
        named = _NAME.search(body, at, opened)
        empty = body[opened - 2] == "/"
        text = "" if empty else body[opened : stop if stop >= 0 else len(body)]
        yield (flat(named[2]) if named else str(number)), flat(text)[:LONGEST_TEXT]
        at = body.find("<Data", opened + len(text))


def _leaves(body: str) -> Iterator[tuple[str, str]]:
    for _, found in zip(range(_MOST_VALUES), _LEAF.finditer(body[: 4 * LONGEST_TEXT]), strict=False):
        yield found[1], flat(found[2])[:LONGEST_TEXT]
