"""How the benchmarks measure: seconds of one piece of work, medians of interleaved pairs, and a table of them."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Row(NamedTuple):
    """One line of the table: what was measured, the figure with its unit, and what it is to be."""

    name: str
    figure: str = ""
    goal: str = ""


class Pairs(NamedTuple):
    """Seconds of our work and of theirs, measured in turn."""

    ours: tuple[float, ...]
    theirs: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """The median of each pair's own ratio: what slows the machine for a while slows both halves of a pair."""
        return statistics.median(ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=True))

    def rows(self, name: str, *, ours: str, theirs: str, goal: str) -> tuple[Row, ...]:
        """The two medians and their ratio as lines of the table."""
        return (
            Row(ours, f"{statistics.median(self.ours):.3f} s"),
            Row(theirs, f"{statistics.median(self.theirs):.3f} s"),
            Row(name, f"{self.ratio:.2f}", goal),
        )


def seconds(work: Callable[[], object]) -> float:
    """Return how long one call takes, by the clock on the wall."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def processor_seconds(work: Callable[[], object]) -> float:
    """Return how long one call keeps processors busy, in this process and in those that it starts and waits for."""
    before = _busy()
    work()
    return _busy() - before


def _busy() -> float:
    spent = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in spent)


def in_turn(
    ours: Callable[[], object],
    theirs: Callable[[], object],
    *,
    times: int,
    measure: Callable[[Callable[[], object]], float] = seconds,
) -> Pairs:
    """Call both once unmeasured, then measure them in turn; every other pair begins with theirs."""
    ours()
    theirs()
    found = [_pair(ours, theirs, measure, ours_first=number % 2 == 0) for number in range(times)]
    return Pairs(tuple(pair[0] for pair in found), tuple(pair[1] for pair in found))


def _pair(
    ours: Callable[[], object],
    theirs: Callable[[], object],
    measure: Callable[[Callable[[], object]], float],
    *,
    ours_first: bool,
) -> tuple[float, float]:
    if ours_first:
        return measure(ours), measure(theirs)
    later = measure(theirs)
    return measure(ours), later


def show(rows: Sequence[Row]) -> None:
    """Print the table."""
    for row in rows:
        print(f"{row.name:<72}{row.figure:>12}   {row.goal}".rstrip(), flush=True)
