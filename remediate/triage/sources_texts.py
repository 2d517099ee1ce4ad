"""What kind of text a source is, told by its content, and the reader that knows it."""

from __future__ import annotations

from collections.abc import Iterator

from remediate.triage import (
    event_csv,
    event_pasted,
    event_xml,
    plain,
    request_files,
    sources_facts,
    sources_unread,
    svclog,
)
from remediate.triage.encoding import as_utf8, encoding_of, shown
from remediate.triage.sources_open import Reading
from remediate.triage.sources_origin import Ends, Item, Origin
from remediate.triage.sources_zip import MAGIC as ZIP

_EVENT_NAMESPACE = b"http://schemas.microsoft.com/win/2004/08/events/event"


def kind_of(beginning: bytes, name: str) -> str:
    """Return the kind of what is no event log and does not begin as a zip does."""
    if request_files.is_certain(name):
        return request_files.KIND
    if sources_unread.known_as(beginning):
        return sources_unread.KIND
    encoding, mark = encoding_of(beginning)
    text = b"".join(as_utf8((beginning[mark:],), encoding))
    kind = sources_facts.KIND if sources_facts.is_export(name, text) else _kind_of_text(text)
    if kind == plain.TEXT and request_files.part_of(name):
        return request_files.KIND
    if kind != plain.TEXT or encoding != "bytes":
        return kind
    # Programs that unpack themselves are zips as well.
    return "zip" if ZIP[0] in beginning else sources_unread.KIND if sources_unread.is_no_text(text) else kind


def _kind_of_text(text: bytes) -> str:
    if b"<E2ETraceEvent" in text or b"</E2ETraceEvent>" in text:
        return svclog.KIND
    if sources_facts.is_document(text):
        return sources_facts.KIND
    start = shown(text[:65_536])
    if event_pasted.is_pasted(start):
        return "pasted"
    if event_csv.delimiter_of(start):
        return event_csv.KIND
    if _EVENT_NAMESPACE in text and any(tag in text for tag in event_xml.TAGS.starts):
        return event_xml.KIND
    return plain.kind_of(text)


def items(kind: str, reading: Reading, origin: Origin, *, start: int, modified: str) -> Iterator[Item | Ends]:
    """Yield what comes of a source of that kind. `start` is where in its file it begins, `modified` when that file was
    changed last, in UTC."""
    beginning = reading.beginning()
    if kind == sources_unread.KIND:
        # Whatever is looked for may stand among it all the same.
        yield origin.skipped(sources_unread.what_it_is(beginning))
        if sources_unread.known_as(beginning):
            return
    yield from _found(kind, reading, origin, start=start, modified=modified)


def _found(kind: str, reading: Reading, origin: Origin, *, start: int, modified: str) -> Iterator[Item | Ends]:
    encoding, mark = encoding_of(reading.beginning())
    chunks = as_utf8(reading.chunks(skip=mark), encoding)
    if kind == svclog.KIND:
        return svclog.scan(chunks, origin, start=start + mark)
    if kind == request_files.KIND:
        return request_files.scan(chunks, origin, modified=modified)
    if kind == sources_facts.KIND:
        return sources_facts.scan(chunks, origin)
    if kind == "pasted":
        return event_pasted.scan(chunks, origin)
    if kind == event_csv.KIND:
        header = shown(b"".join(as_utf8((reading.beginning()[mark:],), encoding)))
        return event_csv.scan(chunks, origin, delimiter=event_csv.delimiter_of(header))
    if kind == event_xml.KIND:
        return event_xml.scan(chunks, origin)
    return plain.scan(chunks, origin, kind=plain.TEXT if kind == sources_unread.KIND else kind)
