"""Event logs as Windows keeps them (.evtx), record by record with the evtx library.

A damaged chunk costs its own records: the library goes on with the next, and each failure becomes a line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
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
_BATCH = 256
# `<EventID Qualifiers="65535">65535</EventID>`
_ID_LENGTH = 44


class EvtxRecord(TypedDict):
    """One record as the library hands it out: its number, when it was written, and the Event element."""

    event_record_id: int
    timestamp: str
    data: str


class EvtxRecords(Protocol):
    """The library's iterator: a record that cannot be parsed raises RuntimeError, and the next one follows."""

    def __iter__(self) -> EvtxRecords: ...

    def __next__(self) -> EvtxRecord: ...


def scan(file: Path | BinaryIO, origin: Origin, *, threads: int = 0) -> Iterator[Item]:
    """Yield the events that are looked for, a line for each damage, and what was read. `threads` 0: one per core."""
    count = _Count(origin)
    try:
        records = _records(file, threads)
    except (RuntimeError, OSError, ValueError) as error:
        yield origin.skipped(f"no event log that can be read: {_line(error)}")
        return
    for batch in _batches(records, count):
        for record in _worth_a_look(batch, origin.search):
            yield from _wanted(record, origin)
        yield from count.taken()
    yield count.read()


class _Count:
    """How many records were read, what failed, and the first and last time (as the library writes them)."""

    def __init__(self, origin: Origin) -> None:
        self._origin, self.failures, self._scanned, self._first, self._last = origin, 0, 0, "", ""
        self._lines: list[Item] = []

    def note(self, batch: Sequence[EvtxRecord]) -> None:
        times = [record["timestamp"] for record in batch]
        self._scanned += len(batch)
        self._first = min((self._first, *times)) if self._first else min(times, default="")
        self._last = max((self._last, *times))

    def failed(self, error: Exception) -> None:
        self.failures += 1
        end = "; nothing after that was read" if self.failures == _MOST_FAILURES else "; the rest was read"
        self._lines.append(self._origin.skipped(f"damaged: {_line(error)}{end}", position=self._scanned))

    def taken(self) -> Iterator[Item]:
        """Yield what failed since this was asked last."""
        yield from self._lines
        self._lines = []

    def read(self) -> SourceRead:
        first, last = (self._origin.moment(time).when for time in (self._first, self._last))
        return SourceRead(source=self._origin.source, kind=KIND, scanned=self._scanned, first=first, last=last)


def _batches(records: EvtxRecords, count: _Count) -> Iterator[list[EvtxRecord]]:
    """Searching many small texts as one is cheaper than each by itself. After each failure a batch ends."""
    ended = False
    while not ended:
        batch: list[EvtxRecord] = []
        try:
            batch.extend(islice(records, _BATCH))
            ended = len(batch) < _BATCH
        except (RuntimeError, OSError, ValueError) as error:
            count.failed(error)
            ended = count.failures >= _MOST_FAILURES
        count.note(batch)
        yield batch


def _worth_a_look(batch: Sequence[EvtxRecord], search: Search) -> Iterator[EvtxRecord]:
    """The records that hold a needle or are looked for by their id. System holds flags that look like codes: only what
    follows it is searched."""
    if search.everything:
        yield from batch
        return
    halves = [record["data"].partition("</System>") for record in batch]
    bodies = [body.encode("utf-8", "replace") if body else head.encode("utf-8", "replace") for head, _, body in halves]
    found = set(search.numbers_of(bodies))
    # Few ids stand in a log: what an id looks like there is read once.
    known: dict[str, bool] = {}
    for number, (head, _, _) in enumerate(halves):
        at = head.find("<EventID")
        spelt = head[at : at + _ID_LENGTH]
        if spelt not in known:
            known[spelt] = search.may_want(_event_id(spelt))
        if known[spelt] or number in found:
            yield batch[number]


def _wanted(record: EvtxRecord, origin: Origin) -> Iterator[Item]:
    number = record["event_record_id"]
    event = event_of(record["data"], origin, kind=KIND, position=number, record_id=str(number))
    if origin.search.everything or wanted(event, origin.search):
        yield event


def _records(file: Path | BinaryIO, threads: int) -> EvtxRecords:
    from evtx import PyEvtxParser

    parser = PyEvtxParser(str(file) if isinstance(file, Path) else file, threads, indent=False)
    return cast(EvtxRecords, parser.records())


def _event_id(xml: str) -> int:
    at = xml.find("<EventID")
    start = xml.find(">", at) + 1
    number = xml[start : xml.find("<", start)]
    return int(number) if number.isdecimal() else 0


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
