"""Files side by side in several processes, of which this one is the first; a large svclog or .evtx in ranges.

Processes are started with spawn, as Windows knows no other way. This one reads while they start, and whoever is done
takes what is next. Items come through a pipe of each process, which holds little: a slow reader of items slows the
processes, and nothing piles up.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import pairwise
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.sharedctypes import Synchronized
from typing import cast

from remediate.triage.encoding import encoding_of
from remediate.triage.event_log import KIND as EVENT_LOG
from remediate.triage.event_log import is_event_log
from remediate.triage.event_log_ranges import in_ranges
from remediate.triage.needles import Needles
from remediate.triage.records import Skipped
from remediate.triage.sources_formats import kind_of
from remediate.triage.sources_open import Cut, Reading, Span, opened
from remediate.triage.sources_origin import Found, Origin
from remediate.triage.sources_spans import read_span
from remediate.triage.sources_worker import read_beside, take

# Ranges as short as this keep all processes at work to the end.
RANGE, SHORT_RANGE = 48 << 20, 8 << 20
# Below this a process costs more than it saves: it starts in a sixth of a second, in which one reads 50 MB.
SMALLEST_WORK = 80 << 20
# Windows waits for so many pipes at once (WaitForMultipleObjects has 64, one of them for Ctrl+C).
_MOST_OTHERS = 63
# This process looks for what others found after so many items of its own.
_ITEMS_BETWEEN_LOOKS = 64
_SECONDS_BETWEEN_LOOKS = 1.0


def side_by_side(spans: Iterable[Span | Skipped], needles: Needles, origin: Origin, *, jobs: int) -> Iterator[Found]:
    """Yield what comes of all spans, read by `jobs` processes with this one; little is read by this one alone."""
    work: list[tuple[int, Span]] = []
    for span in spans:
        if isinstance(span, Skipped):
            yield span
        else:
            work.extend(_ranges(span))
    if len(work) < 2 or sum(size for size, _ in work) < SMALLEST_WORK:
        for _, span in work:
            yield from read_span(span, origin)
        return
    ordered = [span for _, span in sorted(work, key=lambda sized: -sized[0])]
    with _Pool(ordered, needles, origin, others=min(jobs - 1, len(ordered) - 1, _MOST_OTHERS)) as pool:
        yield from pool.items()


def _ranges(span: Span) -> list[tuple[int, Span]]:
    try:
        with ExitStack() as stack:
            reading, _ = opened(span, stack)
            size = reading.limit or 0
            if len(span.paths) > 1 or size < 2 * SHORT_RANGE:
                return [(size, span)]
            state = os.fstat(reading.content.fileno())
            kind, bounds = _bounds(reading, span.name, size)
    except OSError:
        return [(0, span)]
    if len(bounds) < 2:
        return [(size, span)]
    cut = Cut(state.st_dev, state.st_ino, size, kind)
    return [(stop - start, Span(span.paths, start, stop, cut)) for start, stop in bounds]


def _bounds(reading: Reading, name: str, size: int) -> tuple[str, list[tuple[int, int]]]:
    """A svclog is cut anywhere; what the cuts go through is put together afterwards. An .evtx is cut between chunks."""
    beginning = reading.beginning()
    if is_event_log(beginning):
        return EVENT_LOG, in_ranges(reading.content, size, SHORT_RANGE)
    count = size // RANGE
    if count < 2 or (kind := kind_of(beginning, name)) != "svclog" or encoding_of(beginning)[0] != "bytes":
        return "", []
    return kind, list(pairwise(size * number // count for number in range(count + 1)))


class _Pool:
    """The other processes, and the pipes through which items come: each process has one of its own, and none but it can
    write there, so that it is seen to end however it ends, in the midst of an item too."""

    def __init__(self, work: list[Span], needles: Needles, origin: Origin, *, others: int) -> None:
        self._context: SpawnContext = multiprocessing.get_context("spawn")
        self._work, self._needles, self._origin, self._others = work, needles, origin, others
        self._begun: Synchronized[int] = self._context.Value("i", 0)
        self._ended = set[int]()
        self._processes: dict[Connection, SpawnProcess] = {}
        self._open: list[Connection] = []

    def __enter__(self) -> _Pool:
        with _without_interrupts():
            for _ in range(self._others):
                self._start()
        return self

    def _start(self) -> None:
        receiver, sender = self._context.Pipe(duplex=False)
        arguments = (self._work, self._needles, self._origin.assumed_zone, self._begun, sender)
        process = self._context.Process(target=read_beside, args=arguments, daemon=True)
        # One that cannot be started, or ends at once, is one fewer.
        with sender, suppress(OSError):
            process.start()
            self._processes[receiver] = process
            self._open.append(receiver)

    def __exit__(self, *_: object) -> None:
        """What they found was taken, or nobody wants it: their own way out of Python would be waited for in vain."""
        for process in self._processes.values():
            process.kill()
        for receiver, process in self._processes.items():
            process.join()
            receiver.close()

    def items(self) -> Iterator[Found]:
        """Yield items until everything was read, or nobody is left to read it."""
        while (task := take(self._begun)) < len(self._work):
            for number, item in enumerate(read_span(self._work[task], self._origin, threads=1), 1):
                yield item
                if number % _ITEMS_BETWEEN_LOOKS == 0:
                    yield from self._handed_over()
            self._ended.add(task)
            yield from self._handed_over()
        while len(self._ended) < len(self._work) and self._open:
            yield from self._handed_over(seconds=_SECONDS_BETWEEN_LOOKS)
            self._forget_the_dead()
        for task in sorted(set(range(len(self._work))) - self._ended):
            yield Skipped(source=self._work[task].name, what="the process that read it ended: it was not read whole")

    def _handed_over(self, *, seconds: float = 0.0) -> Iterator[Found]:
        """Yield what others found by now; for the first of it so many seconds are waited."""
        while ready := cast(list[Connection], wait(self._open, timeout=seconds)):
            for receiver in ready:
                yield from self._received(receiver)
            seconds = 0.0

    def _received(self, receiver: Connection) -> Iterator[Found]:
        try:
            task, batch = receiver.recv()
        except (EOFError, OSError):
            self._open.remove(receiver)
            return
        yield from batch or ()
        if batch is None:
            self._ended.add(task)

    def _forget_the_dead(self) -> None:
        """On Windows the pipe of a process that ended before it took it stays open."""
        alive = {receiver for receiver in self._open if self._processes[receiver].is_alive()}
        filled = wait(self._open, timeout=0)
        self._open = [receiver for receiver in self._open if receiver in alive or receiver in filled]


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """What is started here ignores Ctrl+C, of which it would tell at length: this process ends it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
