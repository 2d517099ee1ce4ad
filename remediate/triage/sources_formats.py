"""What a source is, told by its content, and the reader that knows it.

A process that reads an .evtx needs no reader of texts, so these are loaded when the first text comes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from remediate.triage import event_log
from remediate.triage import sources_zip as zips
from remediate.triage.records import SourceRead
from remediate.triage.sources_open import Reading
from remediate.triage.sources_origin import Found, Origin
from remediate.triage.sources_times import instant

# What must be read out of order is laid down on disk when it comes out of a zip or a pipe, up to this.
_LARGEST_SPOOLED = 8 << 30
_IN_MEMORY = 8 << 20


class Place(NamedTuple):
    """Where a source lies: its path where the file system has it, how deep in zips, which range of it is meant, and of
    which kind, where that is known."""

    path: Path | None = None
    modified: float = 0.0
    depth: int = 0
    start: int = 0
    stop: int | None = None
    threads: int = 0
    kind: str = ""


def kind_of(beginning: bytes, name: str) -> str:
    """Return the kind of a source. Only request files and the exports of Intune in a bundle are told by their place."""
    if event_log.is_event_log(beginning):
        return event_log.KIND
    if beginning.startswith(zips.MAGIC):
        return "zip"
    from remediate.triage import sources_texts

    return sources_texts.kind_of(beginning, name)


def items(reading: Reading, origin: Origin, place: Place) -> Iterator[Found]:
    """Yield everything that comes of one source. Raises what opening, reading or unpacking it raises."""
    kind = place.kind or kind_of(reading.beginning(), origin.source)
    if kind == "zip":
        yield from _zip(reading, origin, place)
        return
    if kind == event_log.KIND:
        yield from _event_log(reading, origin, place)
    else:
        from remediate.triage import sources_texts

        modified = instant(place.modified) if place.modified else ""
        found = sources_texts.items(kind, reading, origin, start=place.start, modified=modified)
        yield from _sized(found, reading)
    if reading.has_grown():
        at = place.start + reading.size
        yield origin.skipped("it grew while it was read; what came later was not read", position=at, lost=False)
    elif reading.has_shrunk():
        yield origin.skipped("it became shorter while it was read")


def _sized(found: Iterator[Found], reading: Reading) -> Iterator[Found]:
    from msgspec.structs import replace

    for item in found:
        yield replace(item, size=reading.size) if isinstance(item, SourceRead) else item


def _event_log(reading: Reading, origin: Origin, place: Place) -> Iterator[Found]:
    if place.path is not None and reading.limit is not None:
        reading.size = reading.limit
        if place.stop is None:
            found = event_log.scan(place.path, origin, threads=place.threads)
        else:
            found = event_log.scan_range(reading.content, origin, place.start, place.stop)
        yield from _sized(found, reading)
        reading.leave(place.start)
        return
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spooled:
        _spool(reading, cast(BinaryIO, spooled))
        yield from _sized(event_log.scan(cast(BinaryIO, spooled), origin, threads=place.threads), reading)


def _zip(reading: Reading, origin: Origin, place: Place) -> Iterator[Found]:
    if place.depth >= zips.DEEPEST:
        yield origin.skipped(f"a zip in more than {zips.DEEPEST - 1} zips")
        return

    def member(content: BinaryIO, name: str, modified: float) -> Iterator[Found]:
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
