"""Windows into what is too long to be kept: the text around what was found, never the whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from remediate.triage.records import LONGEST_TEXT

# So much of what stands before a find is shown with it.
_BEFORE = 1024


def windows(data: bytes, positions: Iterable[int]) -> Iterator[tuple[int, bytes]]:
    """Yield (offset, at most LONGEST_TEXT bytes), so that each position lies in one window."""
    covered = 0
    for position in positions:
        if position >= covered:
            start = max(covered, position - _BEFORE)
            covered = start + LONGEST_TEXT
            # A needle on the far edge stands in the next window too.
            yield start, data[start:covered]
            covered -= _BEFORE // 4


def clipped(data: bytes, positions: Iterable[int]) -> Iterator[bytes]:
    """Yield the data itself where it is short enough, else the windows around the positions, else its beginning."""
    if len(data) <= LONGEST_TEXT:
        yield data
        return
    empty = True
    for _, window in windows(data, positions):
        empty = False
        yield window
    if empty:
        yield data[:LONGEST_TEXT]
