"""Names that are known, found wherever they stand in a text, however many there are and in whatever spelling.

A text is looked through once, word by word; what is known is looked up by its first word and its length.
"""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote

from remediate.triage.redaction_words import NOBODY, ORDINARY

# Parts of names that are shorter stand in other words, and numbers that are shorter in codes and event IDs.
_SHORTEST_PART, _SHORTEST_NUMBER, _LONGEST = 3, 7, 256
_WORD = re.compile(r"[^\W_]+")
_GUID = re.compile(r"([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})")
_INVISIBLE = dict.fromkeys((0xAD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065), 0xFEFF))


def normal(text: str) -> str:
    """Return the text in composed letters, without those that nobody sees: they would hide a name."""
    return text if text.isascii() else unicodedata.normalize("NFC", text).translate(_INVISIBLE)


def folded(text: str) -> str:
    """Return the text in small letters, each in its place."""
    lowered = text.lower()
    return (
        lowered if len(lowered) == len(text) else "".join(one if len(one.lower()) != 1 else one.lower() for one in text)
    )


class Names:
    """Names and what each stands for, to be found in texts. Upper and lower case are one."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = {spelling: kind for name, kind in names.items() for spelling in _spellings(folded(normal(name)))}
        lengths: dict[str, set[int]] = {}
        for name in self._names:
            word = _WORD.search(name)
            if word:
                lengths.setdefault(word[0], set()).add((word.start() << 16) | len(name))
        self._places = {
            word: tuple((place >> 16, place & 0xFFFF) for place in sorted(found, key=lambda one: -(one & 0xFFFF)))
            for word, found in lengths.items()
        }

    def __bool__(self) -> bool:
        return bool(self._names)

    def __contains__(self, name: str) -> bool:
        return folded(name) in self._names

    def found_in(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Yield start, end and kind of each name, the longest that begins at a word."""
        if not self._names:
            return
        lowered = folded(text)
        for word in _WORD.finditer(lowered):
            for before, length in self._places.get(word[0], ()):
                start = word.start() - before
                end = start + length
                kind = self._names.get(lowered[start:end], "") if start >= 0 else ""
                if kind and not (lowered[end : end + 1].isalnum() and lowered[end - 1].isalnum()):
                    yield start, end, kind
                    break


def known_names(users: Iterable[str], devices: Iterable[str], *, stay: Iterable[str] = ()) -> dict[str, str]:
    """Return the names of users and devices, whole and the parts by which people go, with the kind of each.

    None of them is a name of those that `stay`, and no part a word of one.
    """
    staying = {folded(name) for name in stay}
    words = {word for name in staying for word in _WORD.findall(name)}
    names: dict[str, str] = {}
    for device in filter(_is_name, map(str.strip, devices)):
        names[device] = "device"
        label = device.partition(".")[0].rstrip("$")
        if label != device and not _GUID.fullmatch(device) and _is_name(label):
            names[label] = "device"
    for user in filter(_is_name, map(str.strip, users)):
        names[user] = "user"
        names |= {part: "user" for part in _parts(user) if folded(part) not in words and part not in names}
    return {name: kind for name, kind in names.items() if folded(name) not in staying}


def _is_name(text: str) -> bool:
    lowered = text.lower()
    number = lowered.isdecimal() and len(lowered) < _SHORTEST_NUMBER
    code = re.fullmatch(r"-?0x[0-9a-f]{1,8}", lowered)
    return 1 < len(text) <= _LONGEST and not (lowered in NOBODY or number or code)


def _parts(user: str) -> Iterator[str]:
    """The account of an address or of DOMAIN\\name; of a full name its words, unless it is a sentence."""
    local = re.split(r"[\\/]", user.partition("@")[0])[-1]
    if len(local) >= _SHORTEST_PART and local.lower() not in ORDINARY and _is_name(local):
        yield local
    words = _WORD.findall(local)
    if len(words) <= 4:
        yield from (
            word
            for word in words
            if len(word) >= _SHORTEST_PART and word.lower() not in ORDINARY and not word.isdecimal() and word != local
        )


def _spellings(name: str) -> Iterator[str]:
    """A name as it stands, and as XML, JSON, addresses and distinguished names write it."""
    yield name
    guid = _GUID.fullmatch(name)
    if guid:
        yield "".join(guid.groups())
    if not name.isalnum():
        yield from (html.escape(name), name.replace("\\", "\\\\"), re.sub(r"([,+\"\\<>;=])", r"\\\1", name))
        yield name.replace("'", "’")
    if not name.isascii() or "@" in name:
        yield from (json.dumps(name)[1:-1], quote(name).lower(), quote(name, safe="@").lower())
