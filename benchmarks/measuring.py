"""How the benchmarks measure: seconds of one piece of work, medians of interleaved pairs, and a table of them."""

from __future__ import annotations

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


def in_turn(ours: Callable[[], object], theirs: Callable[[], object], *, times: int) -> Pairs:
    """Call both once unmeasured, then measure them in turn; every other pair begins with theirs."""
    ours()
    theirs()
    found = [_pair(ours, theirs, ours_first=number % 2 == 0) for number in range(times)]
    return Pairs(tuple(pair[0] for pair in found), tuple(pair[1] for pair in found))


def _pair(ours: Callable[[], object], theirs: Callable[[], object], *, ours_first: bool) -> tuple[float, float]:
    if ours_first:
        return seconds(ours), seconds(theirs)
    later = seconds(theirs)
    return seconds(ours), later


def show(rows: Sequence[Row]) -> None:
    """Print the table."""
    for row in rows:
        print(f"{row.name:<72}{row.figure:>12}   {row.goal}".rstrip(), flush=True)
