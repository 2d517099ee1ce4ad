"""The chunks of an event log (.evtx): what each claims to hold, and each of them read by itself where one is damaged.

The library passes over what it cannot read, often without a word, and after a damaged template fails once for every
record. A chunk needs nothing of any other, so behind a header that is made for it each is a log of its own.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol, TypedDict, cast
from zlib import crc32

MAGIC, CHUNK_MAGIC = b"ElfFile\0", b"ElfChnk\0"
# Sizes of the file's header, of a chunk, of a chunk's header and of the smallest record (libyal: EVTX format, 3 to 5).
HEADER, CHUNK, _CHUNK_HEADER, _SMALLEST_RECORD = 4096, 65_536, 512, 28
# In the file's header: its own length, that of its block, the chunks it names. In a chunk's: first and last record, and
# where the records end.
_LENGTH_AT, _BLOCK_AT, _NAMED_AT, _NUMBERS_AT, _FREE_AT = 32, 40, 42, 8, 48
_MOST_RECORDS = (CHUNK - _CHUNK_HEADER) // _SMALLEST_RECORD
# Instead of a number of records: nothing but zeros, no chunk, a chunk whose header counts nonsense.
ZEROS, NO_CHUNK, NONSENSE = -1, -2, -3


# What the library raises for a file, or a record, that it cannot read.
READ_FAILURES = (RuntimeError, OSError, ValueError)


class EvtxRecord(TypedDict):
    """One record as the library hands it out: its number, when it was written, and the Event element."""

    event_record_id: int
    timestamp: str
    data: str


class EvtxRecords(Protocol):
    """The library's iterator: a record that cannot be parsed raises RuntimeError, and the next one follows."""

    def __iter__(self) -> EvtxRecords: ...

    def __next__(self) -> EvtxRecord: ...


def records_of(file: Path | BinaryIO, *, threads: int = 0) -> EvtxRecords:
    """Return the library's iterator as it is used here: XML, not set in lines. Raises RuntimeError, OSError."""
    from evtx import PyEvtxParser

    parser = PyEvtxParser(str(file) if isinstance(file, Path) else file, threads, indent=False)
    return cast(EvtxRecords, parser.records())


def line_of(error: BaseException) -> str:
    """Return what an error says, on one line and not at length."""
    return " ".join(str(error).split())[:200]


class Layout(NamedTuple):
    """What the headers of a log say: whether its own is sound, how many chunks there should be (with one that is cut
    off), and of each that is there whole how many records it claims to hold, or ZEROS, NO_CHUNK, NONSENSE."""

    has_header: bool
    named: int
    claims: tuple[int, ...]

    @property
    def used(self) -> int:
        """How many of the chunks should hold records: those that are named, and those up to the last one that does."""
        last = max((number for number, claim in enumerate(self.claims, 1) if claim not in (ZEROS, NO_CHUNK)), default=0)
        return max(last, min(self.named, len(self.claims)))

    @property
    def records(self) -> int:
        """How many records all chunks claim to hold."""
        return sum(claim for claim in self.claims if claim > 0)

    @property
    def is_sound(self) -> bool:
        """Whether nothing of the headers is amiss. What lies behind them may still be damaged."""
        within = self.claims[: self.used]
        return self.has_header and min(within, default=0) >= 0 and NO_CHUNK not in self.claims[self.used :]


class Chunk(NamedTuple):
    """What came of one chunk, by its number from 1 on; `wrong` is empty where all of it was read."""

    number: int
    records: list[EvtxRecord]
    wrong: str = ""


def layout_of(content: BinaryIO) -> Layout:
    """Read the header of the file and that of each chunk. Raises OSError."""
    content.seek(0)
    header = content.read(HEADER)
    count = max(0, (content.seek(0, 2) - HEADER) // CHUNK)
    whole = len(header) == HEADER and header.startswith(MAGIC)
    known = whole and _number("<I", header, _LENGTH_AT) == 128 and _number("<H", header, _BLOCK_AT) == HEADER
    claims = tuple(_claim(content, number) for number in range(count))
    named = _number("<H", header, _NAMED_AT) if known else 0
    content.seek(HEADER + count * CHUNK)
    return Layout(known, max(named, count + 1) if content.read(8) == CHUNK_MAGIC else named, claims)


def chunks(content: BinaryIO, layout: Layout) -> Iterator[Chunk]:
    """Yield what can be read of each chunk that should hold records. Raises OSError."""
    for number, claim in enumerate(layout.claims[: layout.used]):
        content.seek(HEADER + number * CHUNK)
        data = content.read(CHUNK)
        if claim == ZEROS:
            yield Chunk(number + 1, [], "it holds nothing but zeros")
        elif claim == NO_CHUNK:
            yield Chunk(number + 1, [], "it does not begin as chunks do")
        else:
            yield _read(number + 1, data, claim)


def _read(number: int, data: bytes, claim: int) -> Chunk:
    records: list[EvtxRecord] = []
    failures: list[str] = []
    try:
        found = records_of(io.BytesIO(header_of(1) + data), threads=1)
    except READ_FAILURES as error:
        return Chunk(number, [], f"none of its {max(claim, 0)} records can be read: {line_of(error)}")
    for _ in range(_MOST_RECORDS):
        try:
            records.append(next(found))
        except StopIteration:
            break
        except READ_FAILURES as error:
            failures.append(line_of(error))
    return Chunk(number, records, _wrong(len(records), claim, failures))


def _wrong(came: int, claim: int, failures: list[str]) -> str:
    """What is missing of a chunk. The last one of a log that is still written may hold more than its header claims."""
    if claim == NONSENSE:
        what = f"its header is damaged, and {came} records were read"
    elif came < claim or failures:
        what = f"{came} of its {max(claim, came + len(failures))} records were read"
    else:
        return ""
    return f"{what}: {failures[0]}" if failures else what


def _claim(content: BinaryIO, number: int) -> int:
    content.seek(HEADER + number * CHUNK)
    head = content.read(64)
    if not head.startswith(CHUNK_MAGIC):
        return ZEROS if not any(head) and not any(content.read(CHUNK - len(head))) else NO_CHUNK
    first, last = struct.unpack_from("<QQ", head, _NUMBERS_AT)
    claim = (int(last) - int(first) + 1) % (1 << 64)
    if claim > _MOST_RECORDS:
        return 0 if _number("<I", head, _FREE_AT) <= _CHUNK_HEADER else NONSENSE
    return claim


@cache
def header_of(count: int) -> bytes:
    """Return the header of a log of so many chunks (libyal: EVTX format, 3): version 3.1, no flags."""
    head = struct.pack("<8sQQQIHHHH76x", MAGIC, 0, count - 1, 1, 128, 1, 3, HEADER, count)
    return (head + struct.pack("<II", 0, crc32(head))).ljust(HEADER, b"\0")


def _number(form: str, data: bytes, at: int) -> int:
    (number,) = struct.unpack_from(form, data, at)
    return int(number)
