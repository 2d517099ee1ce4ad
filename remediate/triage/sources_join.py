"""What was cut in two within a record, by whoever split a file or by the ranges it is read in, put together again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import NamedTuple

from remediate.triage.records import Record, Skipped
from remediate.triage.sources_origin import Ends, Origin
from remediate.triage.sources_walk import natural
from remediate.triage.svclog import fragment_records, too_long

_TRAILING = b"\0 \t\r\n"


class Joined(NamedTuple):
    """What came of a seam: records, what is cut off, and the source for which one whole record more was read."""

    items: tuple[Record | Skipped, ...]
    source: str = ""


def joined(ends: Iterable[Ends], origin: Origin) -> Iterator[Joined]:
    """Yield what stands at the seams: between the ranges of one file, and between files that are neighbours by name."""
    before: Ends | None = None
    for end in sorted(ends, key=lambda end: (natural(end.source), end.start)):
        if before is not None and _continues(before, end):
            yield _seam(before, end, origin._replace(source=before.source))
            before = end
            continue
        if before is not None:
            yield _cut_off(before, origin._replace(source=before.source))
        yield _begun(end, origin._replace(source=end.source))
        before = end
    if before is not None:
        yield _cut_off(before, origin._replace(source=before.source))


def _continues(before: Ends, end: Ends) -> bool:
    if before.source == end.source:
        return True
    neighbours = PurePath(before.source).parent == PurePath(end.source).parent and not end.start
    return neighbours and bool(before.tail.strip(_TRAILING)) and bool(end.head.strip(_TRAILING))


def _seam(before: Ends, end: Ends, origin: Origin) -> Joined:
    """A record too long to be kept is counted, and told of, where it begins."""
    data = before.tail + end.head
    if not data.strip(_TRAILING):
        return Joined(())
    records = fragment_records(data, origin, at=before.tail_at if before.tail else end.start)
    if before.ends_within:
        return Joined(tuple(records))
    told = (too_long(origin, at=before.tail_at),) if end.begins_within else ()
    return Joined((*records, *told), origin.source)


def _cut_off(end: Ends, origin: Origin) -> Joined:
    if not end.tail.strip(_TRAILING):
        return Joined(())
    skipped = origin.skipped("the last record is cut off; what stands of it was read", position=end.tail_at, lost=False)
    return Joined((*fragment_records(end.tail, origin, at=end.tail_at), skipped))


def _begun(end: Ends, origin: Origin) -> Joined:
    if not end.head.strip(_TRAILING):
        return Joined(())
    skipped = origin.skipped("it begins within a record; what stands of it was read", position=end.start, lost=False)
    return Joined((*fragment_records(end.head, origin, at=end.start), skipped))
