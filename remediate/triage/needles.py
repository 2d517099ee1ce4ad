"""What is looked for in logs: HRESULTs in any spelling, literal texts and events.

A reader passes over every record in which nothing of this stands, so that a large log costs little more than a search.
It may let a record through that holds none (a spelling inside a longer number); whoever judges records looks again.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

import msgspec


class Needles(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller looks for; a record that holds any of it comes through.

    `codes` are unsigned 32-bit numbers. Whatever looks like a failed HRESULT comes through unasked, known or not:
    `0x8.......`, also with the zeros or ones of 64 bits, and the signed `-214.......`, also with blanks behind its
    sign. A code that is named here is found in its other spellings too: eight hex digits without `0x`, signed and
    unsigned decimals, and `0x00000400` with its zeros.
    `texts` are literal and found in the case they are given in. `event_ids` are (provider or channel, event id), the
    first in any case; an empty first part stands for any provider. They apply to records that have an event id.
    `routine` are events that tell of no failure, whatever stands in them. `everything` lets all records through.
    """

    codes: frozenset[int] = frozenset()
    texts: frozenset[str] = frozenset()
    event_ids: frozenset[tuple[str, int]] = frozenset()
    routine: frozenset[tuple[str, int]] = frozenset()
    everything: bool = False


class Search:
    """Needles made ready. `positions` searches bytes, `holds` one text, `wants` one event."""

    def __init__(self, needles: Needles) -> None:
        self.everything = needles.everything
        self._patterns = tuple(map(_gated, _patterns(needles)))
        self._texts = tuple(sorted(needles.texts))
        self._codes = re.compile(_spellings(needles), re.IGNORECASE)
        self._numbers = frozenset(number for _, number in needles.event_ids)
        self._any_provider = frozenset(number for name, number in needles.event_ids if not name)
        self._events = frozenset((name.lower(), number) for name, number in needles.event_ids)
        self._routine = frozenset((name.lower(), number) for name, number in needles.routine)

    def positions(self, data: bytes) -> list[int]:
        """Return one position in each needle that stands in the data, sorted. A hole in a file is not searched."""
        if data.startswith(_HOLE) and data == bytes(len(data)):
            return []
        there = (pattern for gate, pattern in self._patterns if gate in data)
        return sorted(found.start() for pattern in there for found in pattern.finditer(data))

    def holds(self, text: str) -> bool:
        """Whether a code or one of the texts stands in the text."""
        return self.everything or any(needle in text for needle in self._texts) or self._codes.search(text) is not None

    def numbers_of(self, texts: Sequence[bytes]) -> Iterator[int]:
        """Yield the index of each text that holds a needle, once. They are searched as one text, which is much cheaper
        for small ones; no needle can lie across two of them, since none holds a NUL."""
        positions = self.positions(b"\0".join(texts))
        lengths = list(accumulate(map(len, texts))) if positions else []
        numbers, last = range(len(texts)), -1
        for position in positions:
            # So many bytes of texts end here, and one NUL after each of them.
            number = bisect_right(numbers, position, key=lambda number: lengths[number] + number)
            if number != last:
                yield number
            last = number

    def may_want(self, event_id: int) -> bool:
        """Whether an event of this id, of whatever provider, could be looked for."""
        return event_id in self._numbers

    def wants(self, event_id: int, *names: str) -> bool:
        """Whether the event is looked for, by its provider or its channel."""
        return event_id in self._any_provider or any((name.lower(), event_id) in self._events for name in names)

    def is_routine(self, event_id: int, *names: str) -> bool:
        """Whether the event tells of no failure, by its provider or its channel."""
        return any((name.lower(), event_id) in self._routine for name in names)


_HOLE = bytes(64)
# A failed HRESULT as a signed or unsigned number of 64 bits.
_64_BITS = r"(?:0{8}|f{8})8[0-9a-f]{7}"


def _spellings(needles: Needles) -> str:
    """The pattern of all spellings, for texts: case-blind, and slower than the search of bytes."""
    named = {spelling for code in map(int, needles.codes) for spelling in _decimals_and_hex(code)}
    known = "|".join(sorted(named))
    unknown = r"0x(?:0{8}|f{8})?8[0-9a-f]{7}(?![0-9a-f])|[-\u2212\u2013]\s{0,2}214\d{7}(?!\d)"
    return rf"{unknown}|(?<![0-9a-z])(?:{known})(?![0-9a-z])" if known else unknown


def _decimals_and_hex(code: int) -> Iterator[str]:
    """Small codes without `0x` are any number: 400 is no 0x00000400."""
    yield f"0x{code:08x}"
    if code & 0x80000000:
        yield from (f"{code:08x}", str(code), str(code - 0x100000000))
    else:
        yield f"0x{code:x}"


def _patterns(needles: Needles) -> Iterator[bytes]:
    """Each begins with a literal, for which `re` has a fast search; alternatives at the beginning, or a pattern that
    is blind to case, are slower by far. What they find lies in a needle, not always at its beginning."""
    codes = sorted(map(int, needles.codes))
    yield _after_eight([f"{code:08x}"[1:] for code in codes if code >> 28 == 8])
    yield _after_214(str(code)[3:] for code in codes if str(code).startswith("214"))
    others = [spelling for code in codes if code >> 28 != 8 for spelling in (f"{code:08x}", f"{code:x}")]
    yield b"x(?<=0x)(?i:" + "|".join((_64_BITS, *others)).encode() + rb")(?![0-9a-fA-F])"
    yield from _sharing_a_byte({spelling for text in needles.texts for spelling in _encoded(text)})


def _gated(pattern: bytes) -> tuple[bytes, re.Pattern[bytes]]:
    """A single byte is found at many times the speed of a pattern: where the foreign one is not, nothing is."""
    return (pattern[:1] if pattern[0] >= 0x80 else b""), re.compile(pattern)


def _after_eight(named: Sequence[str]) -> bytes:
    """Any failed HRESULT after `0x`, and the named ones without it."""
    bare = rb"|(?<![0-9a-zA-Z]8)(?i:" + "|".join(named).encode() + rb")(?![0-9a-zA-Z])" if named else b""
    return rb"8(?:(?<=0[xX]8)[0-9a-fA-F]{7}(?![0-9a-fA-F])" + bare + rb")"


def _after_214(named: Iterable[str]) -> bytes:
    """Any signed one, its sign up to two blanks away, and the named ones unsigned. How many digits there are is asked
    first: that is cheaper than to look for a sign."""
    signed = b"|".join(rb"(?<=" + sign + blanks + rb"214)" for sign in _SIGNS for blanks in _BLANKS)
    rests = "|".join(named).encode()
    unsigned = rb"|(?<!\d214)(?=" + rests + b")" if rests else b""
    return rb"214(?=\d{7}(?!\d))(?:" + signed + unsigned + rb")"


# U+2212 and U+2013 are what web pages make of a minus, and U+00A0 and U+202F what they make of a blank.
_SIGNS = (b"-", b"\xe2\x88\x92", b"\xe2\x80\x93", b"\x96")
_BLANKS = (b"", rb"\s", rb"\s\s", b"\xc2\xa0", b"\xe2\x80\xaf", b"\xa0")


def _encoded(text: str) -> set[bytes]:
    """A log is UTF-8 or Windows-1252; a text that the latter cannot write stands only in the former."""
    try:
        return {text.encode(), text.encode("cp1252")}
    except UnicodeEncodeError:
        return {text.encode("utf-8", "replace")}


def _sharing_a_byte(texts: Iterable[bytes]) -> Iterator[bytes]:
    """Texts that have a byte in common are found in one pass over its occurrences; rare bytes are taken first."""
    remaining = {text: frozenset(_rare(text)) for text in sorted(filter(None, texts))}
    while remaining:
        bytes_left = frozenset().union(*remaining.values())
        byte = max(bytes_left, key=lambda byte: (sum(byte in rare for rare in remaining.values()), -byte))
        holders = [text for text, rare in remaining.items() if byte in rare]
        yield re.escape(bytes((byte,))) + b"(?:" + b"|".join(_around(text, byte) for text in holders) + b")"
        remaining = {text: rare for text, rare in remaining.items() if byte not in rare}


# The letters of English and German, and what stands nowhere in here before them all.
_RARE_FIRST = b"qjxzkvpybwgfmcuhldoarsinte "


def _rare(text: bytes) -> bytes:
    """What is no ASCII, else capitals, else anything: in this order bytes are rare in logs."""
    foreign = bytes(byte for byte in text if byte >= 0x80)
    capitals = bytes(byte for byte in text if 0x41 <= byte <= 0x5A)
    return foreign or capitals or bytes((min(text, key=_RARE_FIRST.find),))


def _around(text: bytes, byte: int) -> bytes:
    at = text.index(byte)
    return b"(?<=" + re.escape(text[: at + 1]) + b")" + re.escape(text[at + 1 :])
