"""Rows that `certutil -view` prints: `Row 1:` and below it, indented, one column a line.

What the CA says of one request stands on several lines, so a row is one record. It is known by its shape: certutil
writes `Zeile 1:` in German.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from remediate.triage.encoding import shown
from remediate.triage.records import Record
from remediate.triage.sources_lines import Lines
from remediate.triage.sources_origin import Origin
from remediate.triage.sources_times import NO_MOMENT
from remediate.triage.sources_windows import clipped

_HEAD = re.compile(rb"[A-Za-z\x80-\xff]{2,20} \d{1,9}:[ \t]*\r?$")
# A column, the dump of a binary one (indented, or PEM), or nothing.
_COLUMN = re.compile(rb"[ \t]{2,}\S|-----[A-Z]|[A-Za-z0-9+/=]{1,80}\s*$|\s*$")
# More of a row is read as lines: with every column certutil writes some tens of kilobytes.
_LONGEST = 1 << 17
_REQUEST_ID = re.compile(r"Request ID:\s*\"?(?:0x[0-9a-f]{1,8}\s*\()?(\d{1,10})\b", re.IGNORECASE)
# Only English is read, and only for the time, to the minute; where it is missing the row has none.
_DATE = re.compile(r"Request (?:Resolution|Submission) Date:[ \t]*\"?([^\r\n\"]{6,40})", re.IGNORECASE)
_TO_THE_MINUTE = re.compile(r"(\d{1,2}:\d\d)(?![\d:])")


def whole_rows(blocks: Iterable[Lines]) -> Iterator[Lines]:
    """Yield the blocks so that no row lies across two of them."""
    carry: Lines | None = None
    for block in blocks:
        if carry and block.giant:
            yield carry
        elif carry:
            block = Lines(carry.number, carry.data + block.data, False, len(carry.data) + block.until)
        carry = None
        start = -1 if block.giant else _start(block.data, len(block.data), done=max(0, len(block.data) - _LONGEST))
        if start < 0:
            yield block
            continue
        if start:
            yield Lines(block.number, block.data[:start], False, start)
        number = block.number + block.data.count(b"\n", 0, start)
        carry = Lines(number, block.data[start:], False, len(block.data) - start)
    if carry:
        yield carry


def row_at(data: bytes, position: int, *, done: int) -> tuple[int, int] | None:
    """Return where the row around a position starts and ends; None where it stands in none. It starts behind `done`."""
    start = _start(data, position, done=max(done, position - _LONGEST))
    stop = _stop(data, start) if start >= 0 else -1
    return (start, stop) if stop > position else None


def record_of(row: bytes, number: int, origin: Origin, *, kind: str) -> Iterator[Record]:
    """One record, with the CA's number of the request and the time of its answer; more of a row that is too long."""
    whole = shown(row)
    request, date = _REQUEST_ID.search(whole), _DATE.search(whole)
    when = origin.moment(_TO_THE_MINUTE.sub(r"\1:00", date[1])) if date else NO_MOMENT
    for window in clipped(row.rstrip(), origin.search.positions(row)):
        yield Record(
            source=origin.source,
            kind=kind,
            position=number,
            when=when.when,
            zone=when.zone,
            text="\n".join(line.strip() for line in shown(window).splitlines() if line.strip()),
            data={"RequestId": request[1]} if request else {},
        )


def _start(data: bytes, position: int, *, done: int) -> int:
    """Where the row begins in whose lines the position stands, -1 where it is none. Nothing before `done` is read."""
    stop = data.find(b"\n", position)
    stop = len(data) if stop < 0 else stop
    while stop > done:
        start = data.rfind(b"\n", done, stop) + 1 or done
        line = data[start:stop]
        if _HEAD.match(line):
            return start
        if not _COLUMN.match(line):
            return -1
        stop = start - 1
    return -1


def _stop(data: bytes, start: int) -> int:
    at = data.find(b"\n", start) + 1
    columns = 0
    while 0 < at < len(data) and at - start < _LONGEST:
        stop = data.find(b"\n", at) + 1 or len(data)
        if not _COLUMN.match(data, at, stop):
            break
        columns, at = columns + 1, stop
    return at if columns else -1
