"""What is looked for in logs: HRESULTs in any spelling, literal texts and events.

A reader passes over every record in which nothing of this stands, so that a large log costs little more than a search.
It may let a record through that holds none (a spelling inside a longer number); whoever judges records looks again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from os.path import commonprefix

import msgspec


class Needles(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller looks for; a record that holds any of it comes through.

    `codes` are unsigned 32-bit numbers. Whatever looks like a failed HRESULT comes through unasked, known or not:
    `0x8.......` and the signed `-214.......`. A code that is named here is found in its other spellings too: eight hex
    digits without `0x`, signed and unsigned decimals, and `0x00000400` with its zeros.
    `texts` are literal and found in the case they are given in. `event_ids` are (provider or channel, event id), the
    first in any case; an empty first part stands for any provider. They apply to records that have an event id.
    `everything` lets all records through.
    """

    codes: frozenset[int] = frozenset()
    texts: frozenset[str] = frozenset()
    event_ids: frozenset[tuple[str, int]] = frozenset()
    everything: bool = False


# Both begin with a literal, for which `re` has a fast search; alternatives and case-blind patterns are slower by far.
_HEX = (re.compile(rb"x8[0-9a-fA-F]{7}(?![0-9a-fA-F])"), re.compile(rb"X8[0-9a-fA-F]{7}(?![0-9a-fA-F])"))

_SHORTEST_STEM = 12


class Search:
    """Needles made ready. `positions` searches bytes, `holds` one text, `wants` one event."""

    def __init__(self, needles: Needles) -> None:
        self.everything = needles.everything
        self._finders = tuple(_finders(needles))
        self._texts = tuple(sorted(needles.texts))
        self._codes = re.compile(_spellings(needles), re.IGNORECASE)
        self._quick = tuple(_quick(needles))
        self._numbers = frozenset(number for _, number in needles.event_ids)
        self._any_provider = frozenset(number for name, number in needles.event_ids if not name)
        self._events = frozenset((name.lower(), number) for name, number in needles.event_ids)

    def positions(self, data: bytes) -> list[int]:
        """Return where needles begin, sorted."""
        return sorted(at for finder in self._finders for at in finder(data))

    def holds(self, text: str) -> bool:
        """Whether a code or one of the texts stands in the text."""
        return self.everything or any(needle in text for needle in self._texts) or self._codes.search(text) is not None

    def may_hold(self, text: str, start: int) -> bool:
        """Whether it is worth to look closer at what stands in the text from `start` on; quick, and never wrong in
        saying no to a text whose characters are as the source wrote them."""
        if self.everything or any(pattern.search(text, start) for pattern in self._quick):
            return True
        return any(text.find(needle, start) >= 0 for needle in self._texts)

    def may_want(self, event_id: int) -> bool:
        """Whether an event of this id, of whatever provider, could be looked for."""
        return event_id in self._numbers

    def wants(self, event_id: int, *names: str) -> bool:
        """Whether the event is looked for, by its provider or its channel."""
        return event_id in self._any_provider or any((name.lower(), event_id) in self._events for name in names)


def _spellings(needles: Needles) -> str:
    """The pattern of all spellings, for texts: case-blind, and slower than the search of bytes."""
    named = {spelling for code in needles.codes for spelling in _decimals_and_hex(code)}
    known = "|".join(sorted(named))
    unknown = r"0x8[0-9a-f]{7}(?![0-9a-f])|[-\u2212\u2013]214\d{7}(?!\d)"
    return rf"{unknown}|(?<![0-9a-z])(?:{known})(?![0-9a-z])" if known else unknown


def _quick(needles: Needles) -> Iterator[re.Pattern[str]]:
    """The same for a first look: each begins with a literal."""
    yield re.compile(r"x8[0-9a-fA-F]{7}(?![0-9a-fA-F])")
    yield re.compile(r"X8[0-9a-fA-F]{7}(?![0-9a-fA-F])")
    yield re.compile(r"214\d{7}(?!\d)")
    for first in sorted({spelling[:2] for code in needles.codes for spelling in (f"{code:08x}", f"{code:08X}")}):
        yield re.compile(first + r"[0-9a-fA-F]{6}(?![0-9a-zA-Z])")
    for code in sorted(needles.codes):
        if not code & 0x80000000:
            yield re.compile(re.escape(f"{code:x}"), re.IGNORECASE)


def _decimals_and_hex(code: int) -> Iterator[str]:
    """Small codes without `0x` are any number: 400 is no 0x00000400."""
    yield f"0x{code:08x}"
    if code & 0x80000000:
        yield from (f"{code:08x}", str(code), str(code - 0x100000000))
    else:
        yield f"0x{code:x}"


def _finders(needles: Needles) -> Iterator[Callable[[bytes], Iterator[int]]]:
    for pattern in _HEX:
        yield _by_pattern(pattern)
    yield _by_pattern(re.compile(rb"214\d{7}(?!\d)"), _decimal_among(needles.codes))
    bare = frozenset(code for code in needles.codes if code & 0x80000000)
    for beginning in sorted({f"{code:08x}"[:2] for code in bare}):
        yield from (_by_pattern(pattern, _hex_among(bare)) for pattern in _bare(beginning))
    for code in sorted(needles.codes):
        if not code & 0x80000000:
            yield from (_by_text(spelling.encode()) for spelling in _zero_padded(code))
    for text in _stems(sorted(needles.texts)):
        yield from (_by_text(spelling) for spelling in _encoded(text))


def _bare(beginning: str) -> Iterator[re.Pattern[bytes]]:
    for spelling in sorted({beginning, beginning.upper()}):
        yield re.compile(spelling.encode() + rb"[0-9a-fA-F]{6}(?![0-9a-zA-Z])")


def _zero_padded(code: int) -> Iterator[str]:
    yield from sorted({f"0x{code:08x}", f"0x{code:08X}", f"0X{code:08X}"})


def _encoded(text: str) -> set[bytes]:
    """A log is UTF-8 or Windows-1252; a text that the latter cannot write stands only in the former."""
    try:
        return {text.encode(), text.encode("cp1252")}
    except UnicodeEncodeError:
        return {text.encode("utf-8", "replace")}


def _by_pattern(
    pattern: re.Pattern[bytes], accepted: Callable[[bytes, int], bool] | None = None
) -> Callable[[bytes], Iterator[int]]:
    def finder(data: bytes) -> Iterator[int]:
        for found in pattern.finditer(data):
            if accepted is None or accepted(data, found.start()):
                yield found.start()

    return finder


def _stems(texts: Iterable[str]) -> Iterator[str]:
    """Texts that begin alike are looked for once, by what they have in common."""
    stem = ""
    for text in texts:
        common = commonprefix((stem, text))
        if len(common) >= _SHORTEST_STEM:
            stem = common
            continue
        if stem:
            yield stem
        stem = text
    if stem:
        yield stem


def _by_text(text: bytes) -> Callable[[bytes], Iterator[int]]:
    """A single byte is found at once: where the rare one is not, the text is not."""
    rare = next((bytes((byte,)) for byte in text if byte >= 0x80), b"")

    def finder(data: bytes) -> Iterator[int]:
        at = data.find(text) if rare in data else -1
        while at >= 0:
            yield at
            at = data.find(text, at + len(text))

    return finder


def _decimal_among(codes: frozenset[int]) -> Callable[[bytes, int], bool]:
    """Signed, or the unsigned spelling of a named code. U+2212 and U+2013 are what web pages make of a minus."""

    def accepted(data: bytes, at: int) -> bool:
        before = data[max(0, at - 3) : at]
        if before.endswith((b"-", b"\xe2\x88\x92", b"\xe2\x80\x93", b"\x96")):
            return True
        return not before[-1:].isdigit() and int(data[at : at + 10]) in codes

    return accepted


def _hex_among(codes: frozenset[int]) -> Callable[[bytes, int], bool]:
    def accepted(data: bytes, at: int) -> bool:
        return int(data[at : at + 8], 16) in codes and not data[max(0, at - 1) : at].isalnum()

    return accepted
