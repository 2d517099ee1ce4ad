"""Files, folders, zips and streams in; records out. The only part of triage that opens anything, and only to read.

What a source is, its content says, not its name. Nothing is held whole: memory stays flat however large a source is.
What cannot be read is one `Skipped`, and everything else is still read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, tzinfo
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from remediate.triage.needles import Needles, Search
from remediate.triage.records import Record, Skipped, SourceRead
from remediate.triage.sources_formats import Place, items
from remediate.triage.sources_join import joined
from remediate.triage.sources_open import Reading, Stream
from remediate.triage.sources_origin import Damages, Ends, Found, Item, Origin
from remediate.triage.sources_spans import guarded, read_span
from remediate.triage.sources_walk import walk

__all__ = ["Item", "Needles", "Record", "Skipped", "SourceRead", "Stream", "read"]


def read(
    inputs: Iterable[Path | Stream], needles: Needles, *, assumed_zone: tzinfo = UTC, jobs: int = 1
) -> Iterator[Item]:
    """Yield the records of all inputs that hold a needle, a `Skipped` for whatever was not read, and one `SourceRead`
    for each file (also each one within a zip) once it is done.

    Folders are walked, zips opened. Local times without a zone are taken as `assumed_zone`. With `jobs` above 1 files
    are read side by side in processes of their own (started with spawn), and the items of different sources come
    interleaved; the items themselves are the same. Raises nothing for what the inputs contain.
    """
    given = tuple(inputs)
    origin = Origin("", Search(needles), assumed_zone)
    yield from _completed(_everything(given, needles, origin, jobs), origin)


def _everything(given: tuple[Path | Stream, ...], needles: Needles, origin: Origin, jobs: int) -> Iterator[Found]:
    for entry in given:
        if isinstance(entry, Stream):
            yield from guarded(entry.name, partial(_stream_items, entry, origin))
    spans = walk((entry for entry in given if isinstance(entry, Path)), origin.search)
    if jobs <= 1:
        for span in spans:
            yield from (span,) if isinstance(span, Skipped) else read_span(span, origin)
        return
    from remediate.triage.sources_pool import side_by_side

    yield from side_by_side(spans, needles, origin, jobs=jobs)


def _stream_items(stream: Stream, origin: Origin) -> Iterator[Found]:
    return items(Reading(stream.content), origin._replace(source=stream.name), Place())


# What may have been read in ranges.
_IN_RANGES = ("svclog", "evtx")


def _completed(found: Iterable[Found], origin: Origin) -> Iterator[Item]:
    """Hold back the ends of svclogs and the damages of event logs, put together what belongs together, and say last
    what was read of each. What would be said of each range of a file is said once."""
    ends: list[Ends] = []
    damages: dict[str, Damages] = {}
    reads: dict[str, SourceRead] = {}
    said: set[Skipped] = set()
    for item in found:
        if isinstance(item, Ends):
            ends.append(item)
        elif isinstance(item, Damages):
            known = damages.get(item.source, Damages(item.source))
            damages[item.source] = known.also(item.chunks, item.number)
        elif isinstance(item, SourceRead) and item.kind in _IN_RANGES:
            reads[item.source] = _added(reads.get(item.source), item)
        elif not isinstance(item, Skipped):
            yield item
        elif item not in said:
            said.add(item)
            yield item
    for damaged in damages.values():
        yield from damaged.lines()
    for seam in joined(ends, origin):
        yield from seam.items
        if seam.source in reads:
            read_of_it = reads[seam.source]
            reads[seam.source] = replace(read_of_it, scanned=read_of_it.scanned + 1)
    yield from reads.values()


def _added(one: SourceRead | None, other: SourceRead) -> SourceRead:
    """Two ranges of one file make one reading."""
    if one is None:
        return other
    times = sorted(filter(None, (one.first, one.last, other.first, other.last)))
    first, last = (times[0], times[-1]) if times else ("", "")
    return replace(one, size=one.size + other.size, scanned=one.scanned + other.scanned, first=first, last=last)
