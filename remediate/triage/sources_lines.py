"""Lines out of chunks, none of them longer than LONGEST_LINE: a log may be one line of gigabytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from remediate.triage.event_fragments import OVERLAP

LONGEST_LINE = 1 << 20


class Lines(NamedTuple):
    """Whole lines, the first of them number `number` from 1 on; or with `giant` a piece of one that is too long.

    Of a piece, what begins from `until` on comes again with the next one.
    """

    number: int
    data: bytes
    giant: bool
    until: int


def blocks_of_lines(chunks: Iterable[bytes]) -> Iterator[Lines]:
    """Cut the chunks at the last line feed of each. The last block may lack one."""
    number, carry, giant = 1, b"", False
    for chunk in chunks:
        data = carry + chunk
        stop = data.rfind(b"\n") + 1
        if giant and stop:
            first = data.find(b"\n") + 1
            yield Lines(number, data[:first], True, first)
            number, data, stop, giant = number + 1, data[first:], stop - first, False
        if stop:
            yield Lines(number, data[:stop], False, stop)
            number, carry = number + data.count(b"\n", 0, stop), data[stop:]
        elif len(data) > (OVERLAP if giant else LONGEST_LINE):
            until = len(data) - OVERLAP
            yield Lines(number, data, True, until)
            carry, giant = data[until:], True
        else:
            carry = data
    if carry:
        yield Lines(number, carry, giant, len(carry))


def lines(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield (number, line without its end); a line that is too long is cut after LONGEST_LINE."""
    last = 0
    for block in blocks_of_lines(chunks):
        if block.giant:
            if block.number != last:
                yield block.number, block.data[:LONGEST_LINE]
            last = block.number
            continue
        for offset, line in enumerate(block.data.removesuffix(b"\n").split(b"\n")):
            yield block.number + offset, line.removesuffix(b"\r")
