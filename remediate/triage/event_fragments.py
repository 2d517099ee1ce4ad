"""XML records one after the other in a file that is no XML document: found by their tags, never parsed as a whole.

No entity but the five of XML and character references is ever resolved, and no DTD is looked at, so that an entity
bomb is so much text. A record that is longer than LONGEST_RECORD is not kept: it comes in pieces.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

LONGEST_RECORD = 1 << 20
# What of a piece is seen again with the next one, so that a needle on the seam is found.
OVERLAP = 256


class Tags(NamedTuple):
    """How a record's start tag may begin, and its end tag."""

    starts: tuple[bytes, ...]
    end: bytes

    def last_start(self, data: bytes, low: int, high: int) -> int:
        """Where the last record that begins from low on and before high begins, -1 where none does."""
        return max(data.rfind(start, low, high + len(start) - 1) for start in self.starts)

    def first_start(self, data: bytes, low: int, high: int) -> int:
        """Where the first record that begins from low on and before high begins, -1 where none does."""
        found = [at for start in self.starts if (at := data.find(start, low, high)) >= 0]
        return min(found, default=-1)


class Part(NamedTuple):
    """Bytes from offset `at` on.

    `whole` ends with a record's end tag, `rest` is what stands at the end without one. Of a record too long to be kept,
    `piece` is the beginning and `more` all that follows; what begins in `data` from `until` on comes again.
    """

    at: int
    data: bytes
    kind: Literal["whole", "rest", "piece", "more"]
    until: int


def parts(chunks: Iterable[bytes], tags: Tags) -> Iterator[Part]:
    """Cut the chunks at the last end tag of each, so that every `whole` part holds whole records."""
    at, carry, giant = 0, b"", False
    for chunk in chunks:
        data = carry + chunk
        stop = data.rfind(tags.end, max(0, len(carry) - len(tags.end)))
        if stop >= 0:
            yield from _up_to(at, data[: stop + len(tags.end)], tags, giant=giant)
            at, carry, giant = at + stop + len(tags.end), data[stop + len(tags.end) :], False
        elif len(data) > (OVERLAP if giant else LONGEST_RECORD):
            until = len(data) - OVERLAP
            yield Part(at, data, "more" if giant else "piece", until)
            at, carry, giant = at + until, data[until:], True
        else:
            carry = data
    yield Part(at, carry, "more" if giant else "rest", len(carry))


def _up_to(at: int, data: bytes, tags: Tags, *, giant: bool) -> Iterator[Part]:
    """What ends with an end tag: first the end of a record that is too long, where one is open."""
    first = _end_of_giant(data, tags) if giant else 0
    if first:
        yield Part(at, data[:first], "more", first)
    if first < len(data):
        yield Part(at + first, data[first:], "whole", len(data) - first)


def _end_of_giant(data: bytes, tags: Tags) -> int:
    """A long run of something else (NULs of a file that was laid out ahead) ends where a record starts."""
    stop = data.find(tags.end) + len(tags.end)
    start = tags.first_start(data, 0, stop)
    return start if start >= 0 else stop


class Fragment(NamedTuple):
    """One record: where it begins, its bytes, and whether they begin and end with its tags."""

    at: int
    data: bytes
    opened: bool
    closed: bool


def all_fragments(part: Part, tags: Tags) -> Iterator[Fragment]:
    """Yield every record of the part."""
    at = tags.first_start(part.data, 0, len(part.data))
    while at >= 0:
        fragment = fragment_at(part, tags, at, done=at)
        yield fragment
        at = tags.first_start(part.data, fragment.at - part.at + len(fragment.data), len(part.data))


def fragment_at(part: Part, tags: Tags, position: int, *, done: int) -> Fragment:
    """Return the record around a position; a record that was cut off ends where the next one starts."""
    stop = part.data.find(tags.end, position)
    closed = stop >= 0
    stop = stop + len(tags.end) if closed else len(part.data)
    start = tags.last_start(part.data, done, position + 1)
    following = tags.first_start(part.data, position + 1, stop)
    if following >= 0:
        stop, closed = following, False
    return Fragment(part.at + max(start, done), part.data[max(start, done) : stop], start >= 0, closed)


_REFERENCE = re.compile(r"&(?:(lt|gt|amp|quot|apos)|#(\d{1,7})|#x([0-9a-fA-F]{1,6}));")
# The ampersand comes last: what it becomes is not resolved again.
_NAMED = {"lt": "<", "gt": ">", "quot": '"', "apos": "'", "amp": "&"}


def unescaped(text: str) -> str:
    """Resolve XML's own five entities and character references, once; any other entity stays as it is written."""
    if "&" not in text:
        return text
    if "&#" in text:
        return _REFERENCE.sub(_character, text)
    for name, character in _NAMED.items():
        text = text.replace(f"&{name};", character)
    return text


def _character(found: re.Match[str]) -> str:
    if found[1]:
        return _NAMED[found[1]]
    number = int(found[2]) if found[2] else int(found[3], 16)
    return chr(number) if 0 < number < 0x110000 and not 0xD800 <= number < 0xE000 else "\ufffd"


def inner(text: str, element: str) -> str:
    """Return what stands in the first element of that name, up to the end where its end tag is missing."""
    start = text.find(f"<{element}")
    opened = text.find(">", start) + 1 if start >= 0 else 0
    if not opened or text[opened - 2] == "/":
        return ""
    stop = text.find(f"</{element}>", opened)
    return text[opened : stop if stop >= 0 else len(text)]


_MARKUP = re.compile(r"<!\[CDATA\[|\]\]>|</?[A-Za-z][^<>]{0,4096}>")


def flat(text: str) -> str:
    """Return the text of markup without its tags, entities resolved."""
    return unescaped(_MARKUP.sub(" ", text) if "<" in text else text).strip()


def attribute(text: str, element: str, name: str) -> str:
    """Return an attribute of the first element of that name."""
    start = text.find(f"<{element}")
    tag = text[start : text.find(">", start) + 1] if start >= 0 else ""
    found = re.search(rf"\s{name}\s*=\s*([\"'])(.*?)\1", tag)
    return flat(found[2]) if found else ""
