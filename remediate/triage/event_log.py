"""Event logs as Windows keeps them (.evtx), record by record with the evtx library.

A damaged chunk costs its own records: the library goes on with the next, and each failure becomes a line. The library
is fast, so as little as possible is done with a record: of most it is enough to see which event they are.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Literal, Protocol, TypedDict, cast

from remediate.triage.event_fragments import flat
from remediate.triage.event_xml import event_of, wanted
from remediate.triage.needles import Search
from remediate.triage.records import SourceRead
from remediate.triage.sources_origin import Item, Origin

KIND = "evtx"
MAGIC = b"ElfFile\0"

# The file's header, where in it the number of chunks stands, and the size of one (libyal: EVTX format, 3 and 4).
_HEADER, _CHUNKS_NAMED, _CHUNK = 4096, 42, 65_536
# A file of rubbish behind a good header could fail once for every record it claims to have.
_MOST_FAILURES = 20
# The texts of so many records fit into the second-level cache.
_BATCH = 64
# Heads of records that are remembered: those of a log are far fewer.
_MOST_HEADS = 1000
# Within the declaration and the namespace, with which the library begins every event.
_AT, _END = 100, "</EventID>"
_PROVIDER = re.compile(r'<Provider Name="([^<>"]*)"')
_ID = re.compile(rf"<EventID[^<>]*>(\d{{1,9}}){_END}")

Look = Literal["parse", "search", "pass over"]


class EvtxRecord(TypedDict):
    """One record as the library hands it out: its number, when it was written, and the Event element."""

    event_record_id: int
    timestamp: str
    data: str


class EvtxRecords(Protocol):
    """The library's iterator: a record that cannot be parsed raises RuntimeError, and the next one follows."""

    def __iter__(self) -> EvtxRecords: ...

    def __next__(self) -> EvtxRecord: ...


def records_of(file: Path | BinaryIO, *, threads: int = 0) -> EvtxRecords:
    """Return the library's iterator as it is used here: XML, not set in lines. Raises RuntimeError, OSError."""
    from evtx import PyEvtxParser

    parser = PyEvtxParser(str(file) if isinstance(file, Path) else file, threads, indent=False)
    return cast(EvtxRecords, parser.records())


def scan(file: Path | BinaryIO, origin: Origin, *, threads: int = 0) -> Iterator[Item]:
    """Yield the events that are looked for, a line for each damage, and what was read. `threads` 0: one per core."""
    count, looks = _Count(origin), _Looks(origin.search)
    try:
        records = records_of(file, threads=threads)
    except (RuntimeError, OSError, ValueError) as error:
        yield origin.skipped(f"no event log that can be read: {_line(error)}")
        return
    chosen: list[EvtxRecord] = []
    for batch in _batches(records, count):
        chosen.extend(looks.worth_parsing(batch))
        # Parsing one now and then would find the processor's caches full of something else each time.
        if len(chosen) >= _BATCH:
            yield from _wanted(chosen, origin)
            chosen = []
        yield from count.taken()
    yield from _wanted(chosen, origin)
    yield from _cut_off(file, origin)
    yield count.read()


def _cut_off(file: Path | BinaryIO, origin: Origin) -> Iterator[Item]:
    """The library ends without a word where a file ends before the last chunk that its header names."""
    with file.open("rb") if isinstance(file, Path) else nullcontext(file) as content:
        content.seek(0)
        header = content.read(_HEADER)
        there = (content.seek(0, 2) - _HEADER) // _CHUNK
    (named,) = struct.unpack_from("<H", header, _CHUNKS_NAMED)
    if there < named:
        yield origin.skipped(f"it is cut off: {max(there, 0)} of its {named} chunks are there whole, and were read")


class _Count:
    """How many records were read, what failed, and the first and last time (as the library writes them)."""

    def __init__(self, origin: Origin) -> None:
        self._origin, self.failures, self._scanned, self._first, self._last = origin, 0, 0, "", ""
        self._lines: list[Item] = []

    def note(self, batch: Sequence[EvtxRecord]) -> None:
        """Records stand in the order of time, but for the one place where a log that is full begins anew."""
        if not batch:
            return
        self._scanned += len(batch)
        times = [batch[0]["timestamp"], batch[-1]["timestamp"]]
        if times[0] > times[1]:
            times = [record["timestamp"] for record in batch]
        self._first, self._last = min((self._first or times[0], *times)), max((self._last, *times))

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


class _Looks:
    """How close a record is looked at. Few providers and ids stand in a log, so each of them is judged once.

    A record's head is what of it stands between two places that are the same for all: whatever it takes to hold the
    longest provider and its id. Even a search for the end of the id in each record would cost too much.
    """

    def __init__(self, search: Search) -> None:
        self._search, self._stop = search, _AT
        self._looks: dict[str, Look] = {}

    def worth_parsing(self, batch: Sequence[EvtxRecord]) -> Iterator[EvtxRecord]:
        """Yield the records that hold a needle or may be looked for by their id, in their order."""
        if self._search.everything:
            yield from batch
            return
        heads = [record["data"][_AT : self._stop] for record in batch]
        kinds = set(heads)
        if not kinds <= self._looks.keys():
            heads = self._judged(batch)
            kinds = set(heads)
        looks = {head: look for head in kinds if (look := self._looks[head]) != "pass over"}
        if looks:
            close = [number for number, head in enumerate(heads) if head in looks]
            chosen = {number for number in close if looks[heads[number]] == "parse"}
            if len(chosen) < len(close):
                chosen |= self._found(batch, [number for number in close if number not in chosen])
            yield from (batch[number] for number in sorted(chosen))

    def _judged(self, batch: Sequence[EvtxRecord]) -> list[str]:
        """Return the heads of the batch, each of them judged; where they are longer than before, all begins anew."""
        longest = max(record["data"].find(_END, _AT) for record in batch) + len(_END)
        if longest > self._stop or len(self._looks) > _MOST_HEADS:
            self._stop, self._looks = max(longest, self._stop), {}
        heads = [record["data"][_AT : self._stop] for record in batch]
        self._looks.update((head, self._look(head)) for head in set(heads).difference(self._looks))
        return heads

    def _look(self, head: str) -> Look:
        """What does not begin as events do is parsed: it may be anything."""
        number, provider = _ID.search(head), _PROVIDER.search(head)
        if number is None or provider is None or self._search.may_want(int(number[1])):
            return "parse"
        return "pass over" if self._search.is_routine(int(number[1]), flat(provider[1])) else "search"

    def _found(self, batch: Sequence[EvtxRecord], numbers: Sequence[int]) -> set[int]:
        """System holds flags that look like codes: only what follows it is searched."""
        texts = [(xml := batch[number]["data"])[max(0, xml.find("</System>", _AT)) :] for number in numbers]
        return {numbers[at] for at in self._search.numbers_of([text.encode("utf-8", "replace") for text in texts])}


def _wanted(chosen: Sequence[EvtxRecord], origin: Origin) -> Iterator[Item]:
    for record in chosen:
        number = record["event_record_id"]
        event = event_of(record["data"], origin, kind=KIND, position=number, record_id=str(number))
        if origin.search.everything or wanted(event, origin.search):
            yield event


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
