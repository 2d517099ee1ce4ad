"""A process that reads files beside the first one, which started it: it takes one after the other until none is left.

It loads no reader but those of its files: it is of no use before that is done, and the first one reads meanwhile.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from datetime import tzinfo
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized
from queue import Queue

from remediate.triage.needles import Needles, Search
from remediate.triage.records import Record
from remediate.triage.sources_open import Span
from remediate.triage.sources_origin import Found, Origin
from remediate.triage.sources_spans import read_span

# What is handed over at once, as items and as bytes of text.
_BATCH, _BATCH_BYTES = 256, 1 << 20
# So many batches wait to be taken.
_WAITING = 8
_SECONDS_TO_ASK = 5.0
_NOTHING = 1 << 30
# What was found of a span, by its number; last nothing.
_Message = tuple[int, list[Found] | None]


def _end_with_the_first() -> None:
    """A process whose parent was killed would wait for ever for somebody to take what it found."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def take(begun: Synchronized[int]) -> int:
    """Return what is to be read next, by its number. Where a process was killed while it asked, nothing more is begun,
    and what was not is told of."""
    if not begun.get_lock().acquire(timeout=_SECONDS_TO_ASK):
        return _NOTHING
    number = begun.value
    begun.value = number + 1
    begun.get_lock().release()
    return number


def read_beside(work: list[Span], needles: Needles, zone: tzinfo, begun: Synchronized[int], taken: Connection) -> None:
    """Read one span after the other until there is none, and send what was found to who takes it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_first, daemon=True).start()
    waiting: Queue[_Message | None] = Queue(_WAITING)
    sender = threading.Thread(target=_send, args=(waiting, taken), daemon=True)
    sender.start()
    origin = Origin("", Search(needles), zone)
    while (task := take(begun)) < len(work):
        for batch in _batches(read_span(work[task], origin, threads=1)):
            waiting.put((task, batch))
        waiting.put((task, None))
    waiting.put(None)
    sender.join()


def _send(waiting: Queue[_Message | None], taken: Connection) -> None:
    """A pipe holds less than a batch: reading goes on until it is taken."""
    try:
        while (message := waiting.get()) is not None:
            taken.send(message)
    except (OSError, MemoryError):
        os._exit(1)


def _batches(items: Iterable[Found]) -> Iterator[list[Found]]:
    batch: list[Found] = []
    size = 0
    for item in items:
        batch.append(item)
        size += len(item.text) if isinstance(item, Record) else 0
        if len(batch) >= _BATCH or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
