"""Files side by side, each in a process of its own; a large svclog in ranges.

Processes are started with spawn, as Windows knows no other way. Items come through a queue of limited length, so that
a slow reader of items slows the processes and nothing piles up.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import tzinfo
from itertools import pairwise
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.queues import Queue
from queue import Empty
from typing import Any

from remediate.triage.encoding import encoding_of
from remediate.triage.needles import Needles, Search
from remediate.triage.records import Skipped
from remediate.triage.sources_formats import kind_of
from remediate.triage.sources_open import Span, opened
from remediate.triage.sources_origin import Ends, Item, Origin
from remediate.triage.svclog import KIND as SVCLOG

# Below these a process costs more than it saves: it starts in a third of a second, in which one reads 100 MB.
SMALLEST_RANGE = 96 << 20
SMALLEST_WORK = 192 << 20
_BATCH = 256
_WAITING = 32
_SECONDS_BETWEEN_LOOKS = 1.0


def side_by_side(
    spans: Iterable[Span | Skipped], needles: Needles, origin: Origin, *, jobs: int
) -> Iterator[Item | Ends]:
    """Yield what comes of all spans, read by `jobs` processes; little is read right here."""
    from remediate.triage.sources import read_span

    work: list[tuple[int, Span]] = []
    for span in spans:
        if isinstance(span, Skipped):
            yield span
        else:
            work.extend(_ranges(span, jobs))
    if sum(size for size, _ in work) < SMALLEST_WORK:
        for _, span in work:
            yield from read_span(span, origin)
        return
    ordered = [span for _, span in sorted(work, key=lambda sized: -sized[0])]
    with _Pool(ordered, needles, origin.assumed_zone, jobs=min(jobs, len(ordered))) as pool:
        yield from pool.items()


def _ranges(span: Span, jobs: int) -> list[tuple[int, Span]]:
    """A svclog is cut anywhere; what the cuts go through is put together afterwards."""
    try:
        with ExitStack() as stack:
            reading, _ = opened(span, stack)
            size = reading.limit or 0
            count = min(jobs, size // SMALLEST_RANGE)
            if count < 2 or len(span.paths) > 1 or not _can_be_cut(reading.beginning(), span.name):
                return [(size, span)]
    except OSError:
        return [(0, span)]
    bounds = [size * number // count for number in range(count + 1)]
    return [(stop - start, Span(span.paths, start, stop)) for start, stop in pairwise(bounds)]


def _can_be_cut(beginning: bytes, name: str) -> bool:
    return kind_of(beginning, name) == SVCLOG and encoding_of(beginning)[0] == "bytes"


class _Pool:
    """The processes, what they have in hand, and the queue through which items come."""

    def __init__(self, work: list[Span], needles: Needles, zone: tzinfo, *, jobs: int) -> None:
        context: SpawnContext = multiprocessing.get_context("spawn")
        self._work, self._begun, self._ended = work, dict[int, int](), set[int]()
        self._tasks: Queue[Any] = context.Queue()
        self._found: Queue[Any] = context.Queue(_WAITING)
        for number in (*range(len(work)), *([None] * jobs)):
            self._tasks.put(number)
        arguments = (work, needles, zone, self._tasks, self._found)
        self._processes: list[SpawnProcess] = [
            context.Process(target=_worker, args=(number, *arguments), daemon=True) for number in range(jobs)
        ]

    def __enter__(self) -> _Pool:
        for process in self._processes:
            process.start()
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            if process.is_alive():
                process.terminate()
            process.join()
        for queue in (self._tasks, self._found):
            queue.cancel_join_thread()
            queue.close()

    def items(self) -> Iterator[Item | Ends]:
        """Yield items until everything was read, or nobody is left to read it."""
        while len(self._ended) < len(self._work):
            try:
                _, task, batch = self._found.get(timeout=_SECONDS_BETWEEN_LOOKS)
            except Empty:
                if not any(process.is_alive() for process in self._processes) and self._found.empty():
                    break
                continue
            if batch is None:
                self._ended.add(task)
            else:
                yield from batch
        for task in range(len(self._work)):
            if task not in self._ended:
                yield Skipped(
                    source=self._work[task].name, what="the process that read it ended: it was not read whole"
                )


def _worker(
    number: int, work: list[Span], needles: Needles, zone: tzinfo, tasks: Queue[Any], found: Queue[Any]
) -> None:
    """Read one span after the other until there is none."""
    from remediate.triage.sources import read_span

    origin = Origin("", Search(needles), zone)
    while (task := tasks.get()) is not None:
        batch: list[Item | Ends] = []
        for item in read_span(work[task], origin, threads=1):
            batch.append(item)
            if len(batch) >= _BATCH:
                found.put((number, task, batch))
                batch = []
        if batch:
            found.put((number, task, batch))
        found.put((number, task, None))
