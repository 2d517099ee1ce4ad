"""Text of any kind, line by line: CertReq and CA output, pasted lines, and the OMADM logs of Android devices."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain

from remediate.triage.certutil_rows import record_of, row_at, whole_rows
from remediate.triage.encoding import shown
from remediate.triage.records import Record, SourceRead
from remediate.triage.sources_lines import Lines, blocks_of_lines
from remediate.triage.sources_origin import Item, Origin, Span
from remediate.triage.sources_windows import clipped, windows

TEXT, OMADM = "text", "omadm"
# A time of its own begins a line of OMADM, then a level, then the Java class that wrote it.
_OMADM = re.compile(
    rb"^\d{4}-\d\d-\d\dT[\d:.]+Z?\s+(?:VERB|VERBOSE|DEBUG|INFO|WARN|WARNING|ERROR|SEVERE|FINE)\s.{0,80}?com\.microsoft\.",
    re.MULTILINE,
)
# So far from either end of a text a time is looked for, to say which span it covers.
_END = 65_536


def kind_of(beginning: bytes) -> str:
    """Return `omadm` where a line of such a log stands at the beginning."""
    return OMADM if _OMADM.search(beginning) else TEXT


def scan(chunks: Iterable[bytes], origin: Origin, *, kind: str = TEXT) -> Iterator[Item]:
    """Yield the lines that hold a needle, and what was read. `Record.position` is the number of the line."""
    scanned, span, giant = 0, Span(), 0
    for block in whole_rows(blocks_of_lines(chunks)):
        span = _with_times(span, block, origin)
        if block.giant:
            if block.number != giant:
                scanned += 1
                yield origin.skipped(
                    "a line of more than 1 MB: read, but not kept whole", position=block.number, lost=False
                )
            giant = block.number
            yield from _pieces(block, origin, kind)
            continue
        scanned += block.data.count(b"\n") + (not block.data.endswith(b"\n"))
        yield from _found(block, origin, kind)
    yield SourceRead(source=origin.source, kind=kind, scanned=scanned, first=span.first, last=span.last)


def _pieces(block: Lines, origin: Origin, kind: str) -> Iterator[Record]:
    positions = [position for position in origin.search.positions(block.data) if position < block.until]
    for _, window in windows(block.data, positions):
        yield _record(window, block.number, origin, kind)


def _found(block: Lines, origin: Origin, kind: str) -> Iterator[Record]:
    done = counted = 0
    number = block.number
    for position in _starts(block.data) if origin.search.everything else origin.search.positions(block.data):
        if position < done:
            continue
        row = row_at(block.data, position, done=done)
        if row:
            number, counted = number + block.data.count(b"\n", counted, row[0]), row[0]
            yield from record_of(block.data[slice(*row)], number, origin, kind=kind)
            done = row[1]
            continue
        start = block.data.rfind(b"\n", 0, position) + 1
        stop = block.data.find(b"\n", position)
        done = stop + 1 if stop >= 0 else len(block.data)
        number, counted = number + block.data.count(b"\n", counted, start), start
        line = block.data[start:done].rstrip(b"\r\n")
        for window in clipped(line, origin.search.positions(line) if len(line) > 4096 else ()):
            yield _record(window, number, origin, kind)


def _starts(data: bytes) -> Iterator[int]:
    return chain((0,), (found.end() for found in re.finditer(rb"\n(?=.)", data, re.DOTALL))) if data else iter(())


def _record(line: bytes, number: int, origin: Origin, kind: str) -> Record:
    text = shown(line).strip()
    when = origin.leading_moment(text)
    return Record(source=origin.source, kind=kind, position=number, when=when.when, zone=when.zone, text=text)


def _with_times(span: Span, block: Lines, origin: Origin) -> Span:
    """The first line with a time and the last one tell the span: a log is written in order."""
    first = span.first or next(_times(block.data[:_END].split(b"\n"), origin), "")
    last = next(_times(reversed(block.data[-_END:].split(b"\n")), origin), "")
    return span.with_time(first).with_time(last)


def _times(lines: Iterable[bytes], origin: Origin) -> Iterator[str]:
    """Of the nearest 200 lines: a text without times is not searched to its end for one."""
    for _, line in zip(range(200), lines, strict=False):
        when = origin.leading_moment(shown(line[:64])).when
        if when:
            yield when
