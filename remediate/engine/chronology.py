"""The lines of a journal in the order in which things happened, whatever the order of their import.

A record says which one it undoes or comes after, and that decides: clocks are set back, and a second is long. Times
decide only between records that say nothing of each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from remediate.model.journal import JournalLine


class _Record(NamedTuple):
    """What was written down together: one record of a script, or what stands before the first."""

    at: str
    number: int
    digest: str
    follows: str
    lines: tuple[JournalLine, ...]


def in_order(lines: Iterable[JournalLine]) -> tuple[JournalLine, ...]:
    """Return the lines by what follows what; those that were written down together stay together."""
    waiting = list(_records(lines))
    known = {record.digest for record in waiting if record.digest}
    ordered: list[_Record] = []
    while waiting:
        past = {record.digest for record in ordered}
        ready = [one for one in waiting if one.follows not in known or one.follows in past]
        first = min(ready or waiting, key=lambda one: (one.at, one.number))  # none is ready only in a made-up circle
        ordered.append(first)
        waiting.remove(first)
    return tuple(line for record in ordered for line in record.lines)


def _records(lines: Iterable[JournalLine]) -> Iterator[_Record]:
    together: list[JournalLine] = []
    number = 0
    for line in lines:
        if line.event == "imported" and together:
            yield _record(together, number)
            together, number = [], number + 1
        together.append(line)
    if together:
        yield _record(together, number)


def _record(lines: list[JournalLine], number: int) -> _Record:
    first = lines[0]
    digest = first.detail if first.event == "imported" else ""
    return _Record(first.at, number, digest, first.follows, tuple(lines))
