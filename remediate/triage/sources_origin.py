"""What every reader of a format is given, and what it gives back."""

from __future__ import annotations

from datetime import tzinfo
from typing import NamedTuple

from remediate.triage.needles import Search
from remediate.triage.records import Record, Skipped, SourceRead
from remediate.triage.sources_times import Moment, leading_moment, moment

Item = Record | Skipped | SourceRead


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
    its last. A file that was cut in two within a record is put together again when both halves are there."""

    source: str
    start: int
    head: bytes
    tail: bytes
    tail_at: int


class Span(NamedTuple):
    """The first and the last of some times, in whatever order they came."""

    first: str = ""
    last: str = ""

    def with_time(self, when: str) -> Span:
        """Return the span with one more time; an empty one changes nothing."""
        return Span(min(self.first or when, when), max(self.last, when)) if when else self
