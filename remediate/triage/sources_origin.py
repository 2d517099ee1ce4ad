"""What every reader of a format is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo
from typing import NamedTuple

from remediate.triage.needles import Search
from remediate.triage.records import Record, Skipped, SourceRead
from remediate.triage.sources_times import Moment, leading_moment, moment

Item = Record | Skipped | SourceRead
# A log whose every chunk is rubbish would be told of at length.
_MOST_LINES = 20


class Origin(NamedTuple):
    """Whose records these are, what is looked for in them, and which zone a time without one is in."""

    source: str
    search: Search
    assumed_zone: tzinfo

    def moment(self, text: str) -> Moment:
        """Return the first time in the text."""
        return moment(text, self.assumed_zone)

    def leading_moment(self, line: str) -> Moment:
        """Return the time with which a line begins."""
        return leading_moment(line, self.assumed_zone)

    def skipped(self, what: str, *, position: int = 0, lost: bool = True) -> Skipped:
        """Return what of this source was not read, or with `lost` unset what is not as it should be."""
        return Skipped(source=self.source, what=what, position=position, lost=lost)


class Ends(NamedTuple):
    """What of a svclog, or of a range of one, belongs to no whole record: the bytes before its first record and after
    its last. A file that was cut in two within a record is put together again when both halves are there.

    Of a record too long to be kept nothing is an end: a range begins within one, or ends so.
    """

    source: str
    start: int
    head: bytes
    tail: bytes
    tail_at: int
    begins_within: bool = False
    ends_within: bool = False


class Damages(NamedTuple):
    """The chunks of an event log, or of a range of one, that are damaged: the first of them by their numbers, with what
    is wrong with each, and how many there are."""

    source: str
    chunks: tuple[tuple[int, str], ...] = ()
    number: int = 0

    def also(self, chunks: tuple[tuple[int, str], ...], number: int) -> Damages:
        """Return these and others of the same log."""
        return self._replace(chunks=tuple(sorted((*self.chunks, *chunks))[:_MOST_LINES]), number=self.number + number)

    def lines(self) -> Iterator[Skipped]:
        """Yield a line for each of the first chunks, and one for all others."""
        for number, wrong in self.chunks:
            yield Skipped(source=self.source, what=f"chunk {number} is damaged: {wrong}")
        if self.number > len(self.chunks):
            yield Skipped(source=self.source, what=f"{self.number - len(self.chunks)} more of its chunks are damaged")


# What comes of a range, or of a whole source, before the ranges of each are put together.
Found = Item | Ends | Damages


class Span(NamedTuple):
    """The first and the last of some times, in whatever order they came."""

    first: str = ""
    last: str = ""

    def with_time(self, when: str) -> Span:
        """Return the span with one more time; an empty one changes nothing."""
        return Span(min(self.first or when, when), max(self.last, when)) if when else self
