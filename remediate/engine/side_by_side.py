"""Work on several targets at once, which Ctrl-C interrupts: it does not reach a name look-up, nor a socket on Windows.

Reading goes this way, taking locks and giving them back, and of what writes only what is the same on each host.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

# A host that answers at once takes about a second, so more threads than this gain nothing on an estate's few hosts.
SIDE_BY_SIDE = 20
# How long a wait may keep Ctrl-C waiting: a lock without a timeout cannot be interrupted on Windows.
_PATIENCE_SECONDS = 0.2


def as_they_end(items: Sequence[T], work: Callable[[T], R]) -> Iterator[tuple[int, Future[R]]]:
    """Yield the number of each item and what has come of it, as they end. On Ctrl-C what is under way is left alone."""
    if not items:
        return
    pool = ThreadPoolExecutor(max_workers=min(SIDE_BY_SIDE, len(items)), thread_name_prefix="target")
    try:
        pending = {pool.submit(work, item): at for at, item in enumerate(items)}
        while pending:
            done, _ = wait(pending, timeout=_PATIENCE_SECONDS, return_when=FIRST_COMPLETED)
            for future in done:
                yield pending.pop(future), future
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def until_refused(
    items: Sequence[T], work: Callable[[T], R], *, took: Callable[[R], bool | None], careful: bool
) -> Iterator[tuple[int, R | None]]:
    """Yield the number of each item and what has come of it, as they end; None for those that were left alone.

    `took` says whether a target took the logon: True, False, or None where it did not come to that. With `careful`,
    for a password that nobody has taken yet, the items go one by one until one took it. After one refused it no
    further is begun: so many attempts would lock the account.
    """
    waiting = deque(range(len(items)))
    while careful and waiting:
        at = waiting.popleft()
        found = patiently(partial(work, items[at]))
        yield at, found
        verdict = took(found)
        if verdict is False:
            yield from ((left, None) for left in waiting)
            return
        careful = verdict is None
    rest = tuple(waiting)
    for at, future in as_they_end([items[at] for at in rest], work):
        yield rest[at], future.result()


def all_of(items: Sequence[T], work: Callable[[T], R]) -> tuple[R, ...]:
    """Return what the work gives for each item, in their order. Raises the first error, when all have ended."""
    ended = dict(as_they_end(items, work))
    return tuple(ended[at].result() for at in range(len(items)))


def patiently(read: Callable[[], R]) -> R:
    """Return what `read` returns, or raise what it raises; Ctrl-C is obeyed meanwhile."""
    return all_of([read], lambda one: one())[0]


def by_target(items: Iterable[T], target: Callable[[T], str], work: Callable[[T], R]) -> tuple[R, ...]:
    """Return what the work gives for each item, in the order of the items; one target's own are done one by one.

    The first target goes ahead alone: what it refuses, a password above all, is refused once and not by every target.
    Raises what it raises at once; of the others the first error, when all have ended.
    """
    groups: dict[str, list[tuple[int, T]]] = {}
    for at, item in enumerate(items):
        groups.setdefault(target(item), []).append((at, item))
    ahead, *others = groups.values() if groups else ([],)

    def one_by_one(group: list[tuple[int, T]]) -> dict[int, R]:
        return {at: work(item) for at, item in group}

    found = one_by_one(ahead)
    for part in all_of(others, one_by_one):
        found |= part
    return tuple(found[at] for at in sorted(found))
