"""What a source is, told by its content, and the reader that knows it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from remediate.triage import (
    event_csv,
    event_log,
    event_pasted,
    event_xml,
    plain,
    request_files,
    sources_facts,
    sources_unread,
    svclog,
)
from remediate.triage import sources_zip as zips
from remediate.triage.encoding import Encoding, as_utf8, encoding_of, shown
from remediate.triage.records import SourceRead
from remediate.triage.sources_open import Reading
from remediate.triage.sources_origin import Ends, Item, Origin
from remediate.triage.sources_times import instant

# What must be read out of order is laid down on disk when it comes out of a zip or a pipe, up to this.
_LARGEST_SPOOLED = 8 << 30
_IN_MEMORY = 8 << 20
_EVENT_NAMESPACE = b"http://schemas.microsoft.com/win/2004/08/events/event"


class Place(NamedTuple):
    """Where a source lies: its path where the file system has it, how deep in zips, where a range of it starts."""

    path: Path | None = None
    modified: float = 0.0
    depth: int = 0
    start: int = 0
    threads: int = 0


def kind_of(beginning: bytes, name: str) -> str:
    """Return the kind of a source. Only request files and the exports of Intune in a bundle are told by their place."""
    if event_log.is_event_log(beginning):
        return event_log.KIND
    if beginning.startswith(zips.MAGIC):
        return "zip"
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
    return "zip" if zips.MAGIC[0] in beginning else sources_unread.KIND if sources_unread.is_no_text(text) else kind


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


def items(reading: Reading, origin: Origin, place: Place) -> Iterator[Item | Ends]:
    """Yield everything that comes of one source. Raises what opening, reading or unpacking it raises."""
    beginning = reading.beginning()
    kind = kind_of(beginning, origin.source)
    if kind == "zip":
        yield from _zip(reading, origin, place)
    elif kind == event_log.KIND:
        yield from _event_log(reading, origin, place)
    elif sources_unread.known_as(beginning) and kind == sources_unread.KIND:
        yield origin.skipped(sources_unread.what_it_is(beginning))
    else:
        encoding, mark = encoding_of(beginning)
        yield from _text(kind, beginning, reading, origin, place, encoding, mark)
        if reading.has_grown():
            yield origin.skipped(
                "it grew while it was read; what came later was not read", position=reading.size, lost=False
            )


def _text(
    kind: str, beginning: bytes, reading: Reading, origin: Origin, place: Place, encoding: Encoding, mark: int
) -> Iterator[Item | Ends]:
    chunks = as_utf8(reading.chunks(skip=mark), encoding)
    if kind == sources_unread.KIND:
        # Whatever is looked for may stand among it all the same.
        yield origin.skipped(sources_unread.what_it_is(beginning))
        kind = plain.TEXT
    if kind == svclog.KIND:
        found: Iterator[Item | Ends] = svclog.scan(chunks, origin, start=place.start + mark)
    elif kind == request_files.KIND:
        found = request_files.scan(chunks, origin, modified=instant(place.modified) if place.modified else "")
    elif kind == sources_facts.KIND:
        found = sources_facts.scan(chunks, origin)
    elif kind == "pasted":
        found = event_pasted.scan(chunks, origin)
    elif kind == event_csv.KIND:
        header = shown(b"".join(as_utf8((beginning[mark:],), encoding)))
        found = event_csv.scan(chunks, origin, delimiter=event_csv.delimiter_of(header))
    elif kind == event_xml.KIND:
        found = event_xml.scan(chunks, origin)
    else:
        found = plain.scan(chunks, origin, kind=kind)
    yield from _sized(found, reading)


def _sized(found: Iterator[Item | Ends], reading: Reading) -> Iterator[Item | Ends]:
    from msgspec.structs import replace

    for item in found:
        yield replace(item, size=reading.size) if isinstance(item, SourceRead) else item


def _event_log(reading: Reading, origin: Origin, place: Place) -> Iterator[Item | Ends]:
    if place.path is not None:
        reading.size = place.path.stat().st_size
        yield from _sized(event_log.scan(place.path, origin, threads=place.threads), reading)
        return
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spooled:
        _spool(reading, cast(BinaryIO, spooled))
        yield from _sized(event_log.scan(cast(BinaryIO, spooled), origin, threads=place.threads), reading)


def _zip(reading: Reading, origin: Origin, place: Place) -> Iterator[Item | Ends]:
    if place.depth >= zips.DEEPEST:
        yield origin.skipped(f"a zip in more than {zips.DEEPEST - 1} zips")
        return

    def member(content: BinaryIO, name: str, modified: float) -> Iterator[Item | Ends]:
        below = Place(modified=modified, depth=place.depth + 1, threads=place.threads)
        return items(Reading(content), origin._replace(source=name), below)

    if place.path is not None:
        reading.size = reading.content.seek(0, 2)
        yield from zips.scan(reading.content, origin.source, member)
        return
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spooled:
        _spool(reading, cast(BinaryIO, spooled))
        yield from zips.scan(cast(BinaryIO, spooled), origin.source, member)


def _spool(reading: Reading, file: BinaryIO) -> None:
    """Lay a source down where it can be read out of order. Raises zips.TooMuch when it is too large for that."""
    for chunk in reading.chunks():
        file.write(chunk)
        if reading.size > _LARGEST_SPOOLED:
            raise zips.TooMuch(f"it is larger than {_LARGEST_SPOOLED >> 30} GB and cannot be read in order")
    file.seek(0)
