"""Targets side by side, what belongs to one target one after the other: with many hosts a window stays short.

What reads, takes locks and gives them back goes this way, and of what writes only what is the same on each host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

# As many hosts as collection reads at once.
SIDE_BY_SIDE = 20
# How long a wait may keep Ctrl-C waiting: a lock without a timeout cannot be interrupted on Windows.
_PATIENCE_SECONDS = 0.2


def by_target(items: Iterable[T], target: Callable[[T], str], work: Callable[[T], R]) -> tuple[R, ...]:
    """Return what the work gives for each item, in the order of the items.

    The first target goes ahead alone: what it refuses, a password above all, is refused once and not by every target.
    Raises what it raises at once; of the others the first error, when all have ended.
    """
    groups: dict[str, list[tuple[int, T]]] = {}
    for at, item in enumerate(items):
        groups.setdefault(target(item), []).append((at, item))
    ahead, *others = groups.values() if groups else ([],)
    found = {at: work(item) for at, item in ahead}
    for part in _together(others, work):
        found |= part
    return tuple(found[at] for at in sorted(found))


def _together(groups: list[list[tuple[int, T]]], work: Callable[[T], R]) -> Iterable[dict[int, R]]:
    if not groups:
        return []
    pool = ThreadPoolExecutor(max_workers=min(SIDE_BY_SIDE, len(groups)), thread_name_prefix="target")
    try:
        futures = [pool.submit(_one_by_one, group, work) for group in groups]
        _until_done(futures)
        return [future.result() for future in futures]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _one_by_one(group: list[tuple[int, T]], work: Callable[[T], R]) -> dict[int, R]:
    return {at: work(item) for at, item in group}


def _until_done(futures: list[Future[dict[int, R]]]) -> None:
    pending = set(futures)
    while pending:
        _done, pending = wait(pending, timeout=_PATIENCE_SECONDS, return_when=FIRST_COMPLETED)
