"""Event logs as Windows keeps them (.evtx), record by record with the evtx library.

A damaged chunk costs its own records: the library goes on with the next, and each failure becomes a line.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol, TypedDict, cast

from remediate.triage.event_xml import event_of, wanted
from remediate.triage.needles import Search
from remediate.triage.records import SourceRead
from remediate.triage.sources_origin import Item, Origin

KIND = "evtx"
MAGIC = b"ElfFile\0"

# A file of rubbish behind a good header could fail once for every record it claims to have.
_MOST_FAILURES = 20


class EvtxRecord(TypedDict):
    """One record as the library hands it out: its number, when it was written, and the Event element."""

    event_record_id: int
    timestamp: str
    data: str


class EvtxRecords(Protocol):
    """The library's iterator: a record that cannot be parsed raises RuntimeError, and the next one follows."""

    def __next__(self) -> EvtxRecord: ...


def scan(file: Path | BinaryIO, origin: Origin, *, threads: int = 0) -> Iterator[Item]:
    """Yield the events that are looked for, a line for each damage, and what was read. `threads` 0: one per core."""
    count = _Count(origin)
    try:
        records = _records(file, threads)
    except (RuntimeError, OSError, ValueError) as error:
        yield origin.skipped(f"no event log that can be read: {_line(error)}")
        return
    while count.failures < _MOST_FAILURES:
        try:
            record = next(records)
        except StopIteration:
            break
        except (RuntimeError, OSError, ValueError) as error:
            yield count.failed(error)
            continue
        count.note(record)
        if may_be_wanted(record["data"], origin.search):
            yield from _wanted(record, origin)
    yield count.read()


class _Count:
    """How many records were read, how often that failed, and the first and last time (as the library writes them)."""

    def __init__(self, origin: Origin) -> None:
        self._origin, self.failures, self._scanned, self._first, self._last = origin, 0, 0, "", ""

    def note(self, record: EvtxRecord) -> None:
        written = record["timestamp"]
        self._scanned += 1
        if written > self._last:
            self._last = written
        if written < self._first or not self._first:
            self._first = written

    def failed(self, error: Exception) -> Item:
        self.failures += 1
        end = "; nothing after that was read" if self.failures == _MOST_FAILURES else "; the rest was read"
        return self._origin.skipped(f"damaged: {_line(error)}{end}", position=self._scanned)

    def read(self) -> SourceRead:
        first, last = (self._origin.moment(time).when for time in (self._first, self._last))
        return SourceRead(source=self._origin.source, kind=KIND, scanned=self._scanned, first=first, last=last)


def _wanted(record: EvtxRecord, origin: Origin) -> Iterator[Item]:
    number = record["event_record_id"]
    event = event_of(record["data"], origin, kind=KIND, position=number, record_id=str(number))
    if origin.search.everything or wanted(event, origin.search):
        yield event


def _records(file: Path | BinaryIO, threads: int) -> EvtxRecords:
    from evtx import PyEvtxParser

    parser = PyEvtxParser(str(file) if isinstance(file, Path) else file, threads)
    return cast(EvtxRecords, parser.records())


def may_be_wanted(xml: str, search: Search) -> bool:
    """A quick look at the raw element, where most events end. System holds flags that look like codes: left out."""
    body = xml.find("</System>")
    return search.may_hold(xml, max(0, body)) or search.may_want(_event_id(xml))


def _event_id(xml: str) -> int:
    at = xml.find("<EventID")
    start = xml.find(">", at) + 1
    number = xml[start : xml.find("<", start)]
    return int(number) if number.isdecimal() else 0


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
