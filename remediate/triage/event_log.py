"""Event logs as Windows keeps them (.evtx), record by record with the evtx library.

The headers of all chunks are read first. Where everything that they claim comes, that is all; where not, each chunk is
read by itself from there on, and what is missing of one is a line. The library is fast, so as little as possible is
done with a record: of most it is enough to see which event they are.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Literal, cast

from remediate.triage.event_fragments import flat
from remediate.triage.event_log_chunks import (
    CHUNK,
    CHUNK_MAGIC,
    HEADER,
    MAGIC,
    READ_FAILURES,
    EvtxRecord,
    EvtxRecords,
    Layout,
    chunks,
    layout_of,
    records_of,
)
from remediate.triage.event_log_ranges import RangeOfChunks
from remediate.triage.event_xml import event_of, wanted
from remediate.triage.needles import Search
from remediate.triage.records import SourceRead
from remediate.triage.sources_origin import Damages, Item, Origin

__all__ = ["KIND", "is_event_log", "is_whole", "records_of", "scan", "scan_range"]

KIND = "evtx"
# The texts of so many records fit into the second-level cache.
_BATCH = 64
# Heads of records that are remembered: those of a log are far fewer.
_MOST_HEADS = 1000
# Within the declaration and the namespace, with which the library begins every event.
_AT, _END = 100, "</EventID>"
_PROVIDER = re.compile(r'<Provider Name="([^<>"]*)"')
_ID = re.compile(rf"<EventID[^<>]*>(\d{{1,9}}){_END}")

Look = Literal["parse", "search", "pass over"]


def is_event_log(beginning: bytes) -> bool:
    """Whether a file begins as an event log does, or its first chunk stands where that of a log stands."""
    return beginning.startswith(MAGIC) or beginning.startswith(CHUNK_MAGIC, HEADER)


def is_whole(file: Path, size: int) -> bool:
    """Whether all chunks that the header of a log names lie within so many bytes, and no part of one more."""
    with file.open("rb") as content:
        named = layout_of(content).named
    return size >= HEADER + named * CHUNK and (size - HEADER) % CHUNK == 0


def scan_range(content: BinaryIO, origin: Origin, start: int, stop: int) -> Iterator[Item | Damages]:
    """Yield what `scan` does, of some of a log's chunks."""
    chunks_of_it = RangeOfChunks(content, start, stop)
    yield from scan(cast(BinaryIO, chunks_of_it), origin, threads=1, before=chunks_of_it.before)


def scan(file: Path | BinaryIO, origin: Origin, *, threads: int = 0, before: int = 0) -> Iterator[Item | Damages]:
    """Yield the events that are looked for, what is damaged, and what was read. `threads` 0: one per core.

    `before` is how many of the log's chunks stand before the first one in the file.
    """
    with file.open("rb", buffering=0) if isinstance(file, Path) else nullcontext(file) as content:
        layout = layout_of(content)
        if not layout.used and not layout.has_header:
            yield origin.skipped("no event log that can be read: neither its header nor a chunk is whole")
            return
        log = _Log(origin, before)
        if layout.is_sound:
            records = partial(records_of, file, threads=threads)
            yield from log.items(_batches(records, log, claimed=layout.records, has_grown=_growth(content)))
        if not layout.is_sound or log.failed or log.scanned < layout.records:
            yield from log.items(_batches_of_chunks(content, layout, log))
        yield from _missing(layout, origin)
        yield log.read()


def _missing(layout: Layout, origin: Origin) -> Iterator[Item]:
    """The library ends without a word where a file ends before the last chunk that its header names."""
    there = len(layout.claims)
    if there < layout.named:
        yield origin.skipped(f"it is cut off: {there} of its {layout.named} chunks are there whole, and were read")
    if not layout.has_header:
        yield origin.skipped(f"its header is damaged; its chunks were read by themselves, {there} of them", lost=False)
    elif not layout.named and not layout.used:
        yield origin.skipped("an event log without a single chunk")


class _Log:
    """What was found in a log so far: how many records, whether the library failed, the first and the last time."""

    def __init__(self, origin: Origin, before: int) -> None:
        self._origin, self._before, self._looks = origin, before, _Looks(origin.search)
        self.scanned, self.failed, self._first, self._last = 0, False, "", ""
        self._damages = Damages(origin.source)

    def items(self, batches: Iterable[Sequence[EvtxRecord]]) -> Iterator[Item | Damages]:
        """Yield the events that are looked for, and what is damaged on the way."""
        chosen: list[EvtxRecord] = []
        for batch in batches:
            self._note(batch)
            chosen.extend(self._looks.worth_parsing(batch))
            # Parsing one now and then would find the processor's caches full of something else each time.
            if len(chosen) >= _BATCH:
                yield from _wanted(chosen, self._origin)
                chosen = []
            if self._damages.number:
                yield self._damages
                self._damages = Damages(self._origin.source)
        yield from _wanted(chosen, self._origin)

    def damaged(self, number: int, wrong: str) -> None:
        """Note what is wrong with a chunk."""
        self._damages = self._damages.also(((self._before + number, wrong),), 1)

    def read(self) -> SourceRead:
        """Return what was read of the log; the library writes times as XML does."""
        first, last = (self._origin.moment(time).when for time in (self._first, self._last))
        return SourceRead(source=self._origin.source, kind=KIND, scanned=self.scanned, first=first, last=last)

    def _note(self, batch: Sequence[EvtxRecord]) -> None:
        """Records stand in the order of time, but for the one place where a log that is full begins anew."""
        if not batch:
            return
        self.scanned += len(batch)
        times = [batch[0]["timestamp"], batch[-1]["timestamp"]]
        if times[0] > times[1]:
            times = [record["timestamp"] for record in batch]
        self._first, self._last = min((self._first or times[0], *times)), max((self._last, *times))


def _growth(content: BinaryIO) -> Callable[[], bool]:
    """Return what tells whether there is more than now."""
    size = content.seek(0, io.SEEK_END)
    return lambda: content.seek(0, io.SEEK_END) > size


def _batches(
    opened: Callable[[], EvtxRecords], log: _Log, *, claimed: int, has_grown: Callable[[], bool]
) -> Iterator[list[EvtxRecord]]:
    """Searching many small texts as one is cheaper than each by itself. With the first failure it is over.

    The library goes on into what was added meanwhile: of a log that grows no more comes than its chunks claimed.
    """
    try:
        records = opened()
    except READ_FAILURES:
        log.failed = True
        return
    while not log.failed:
        left = claimed - log.scanned
        if left <= 0 and has_grown():
            return
        count = min(_BATCH, left) if left > 0 else _BATCH
        batch = _batch(records, log, count=count)
        yield batch
        if len(batch) < count:
            return


def _batch(records: EvtxRecords, log: _Log, *, count: int) -> list[EvtxRecord]:
    batch: list[EvtxRecord] = []
    try:
        batch.extend(islice(records, count))
    except READ_FAILURES:
        log.failed = True
    return batch


def _batches_of_chunks(content: BinaryIO, layout: Layout, log: _Log) -> Iterator[list[EvtxRecord]]:
    """Chunk by chunk, without the records that came already: the order is the same."""
    known = log.scanned
    for chunk in chunks(content, layout):
        done = min(known, len(chunk.records))
        known -= done
        if chunk.wrong:
            log.damaged(chunk.number, chunk.wrong)
        yield chunk.records[done:]


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
