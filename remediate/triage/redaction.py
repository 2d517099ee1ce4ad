"""Users, devices and e-mail addresses as pseudonyms, so that a report can be posted.

The same name is the same pseudonym wherever it stands, and in the next report from the same key; without the key nobody
finds out whether a name he guesses is behind one. What the logs told of users and devices is replaced wherever it
stands, and besides whatever has a name's shape or label. Names of servers, CAs and templates stay.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import filterfalse

from remediate.triage.redaction_names import Names, normal
from remediate.triage.redaction_shapes import Found, found_in

_PSEUDONYM = re.compile(
    r"\W*(?:user|device|id|file)-[0-9a-f]{8}(?:\W+(?:user|device|id)-[0-9a-f]{8})*\W*", re.IGNORECASE
)
_HEX = re.compile(r"[0-9a-f]{32}")
_SUFFIX = re.compile(r"(?:\.[A-Za-z0-9]{1,7})?\Z")


class Redactor:
    """Makes pseudonyms with a key.

    `known` are names with their kinds (`redaction_names.known_names`), replaced wherever they stand. What is part of a
    name in `keep` (CAs, templates) or `hosts` stays, unless that holds a user's name, or a host looks like a device.
    """

    def __init__(
        self, key: bytes, known: Mapping[str, str] | None = None, *, keep: Iterable[str] = (), hosts: Iterable[str] = ()
    ) -> None:
        self._key, self._known, self._keep = key, Names(known or {}), Names({})
        names = (*(name for name in keep if not self._holds_one(name)), *filterfalse(self._is_personal, hosts))
        self._keep = Names({name: "keep" for name in names if len(name) > 1})

    def pseudonym(self, name: str, kind: str) -> str:
        """Return the pseudonym of a name, `kind-xxxxxxxx`; upper and lower case are one. GUIDs are of the kind `id`."""
        if not name:
            return ""
        told = normal(name).lower()
        digits = re.sub(r"[^0-9a-f]|%2d", "", told) if len(told) >= 32 and not re.search(r"[g-w]", told) else ""
        if _HEX.fullmatch(digits):
            kind, told = "id", f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
        digest = hmac.new(self._key, told.encode("utf-8", "surrogatepass"), "sha256")
        return f"{kind}-{digest.hexdigest()[:8]}"

    def text(self, text: str) -> str:
        """Return the text with every name in it replaced."""
        return self._replaced(normal(text), is_path=False)

    def path(self, path: str) -> str:
        """Return the name of a file or folder with every name in it replaced."""
        return self._replaced(normal(path), is_path=True)

    def file_name(self, name: str) -> str:
        """Return a pseudonym for the whole name of a file that is named after whom it is of; its suffix stays."""
        suffix = _SUFFIX.search(name)
        stem = name[: suffix.start()] if suffix else name
        if _PSEUDONYM.fullmatch(stem):
            return name
        return self.pseudonym(stem, "file") + (suffix[0] if suffix else "")

    def request(self, key: str) -> str:
        """Return the key of a request (`correlation.key_of`) with its names replaced."""
        kind, _, name = key.partition(":")
        if kind == "request":
            return self.text(key)
        ends = {end for start, end, _ in self._known.found_in(name) if start == 0}
        end = max((end for end in ends if name[end : end + 1] in ("", ":")), default=(name + ":").index(":"))
        return f"{kind}:{self.pseudonym(name[:end], kind)}{self.text(name[end:])}"

    def _holds_one(self, name: str) -> bool:
        """Whether a name that shall stay holds more than what may look like a device's."""
        parts = (normal(part) for part in re.split(r"\\+", name))
        found = ((part, one) for part in parts for one in self._spans(part, is_path=True))
        return any(one.kind != "device" or one.end - one.start < len(part) for part, one in found)

    def _is_personal(self, host: str) -> bool:
        return next(self._spans(normal(host), is_path=True), None) is not None

    def _spans(self, text: str, *, is_path: bool) -> Iterator[Found]:
        yield from (Found(*one) for one in self._known.found_in(text))
        yield from found_in(text, is_path=is_path)

    def _replaced(self, text: str, *, is_path: bool) -> str:
        kept = tuple(self._keep.found_in(text))
        spans = (one for one in self._spans(text, is_path=is_path) if not _is_within(one, kept))
        parts, at = [], 0
        for start, end, kind in _merged(spans):
            if not _PSEUDONYM.fullmatch(text[start:end]):
                parts += [text[at:start], self.pseudonym(text[start:end], kind)]
                at = end
        return "".join((*parts, text[at:]))


def _is_within(one: Found, kept: Iterable[tuple[int, int, str]]) -> bool:
    return any(start <= one.start and one.end <= end for start, end, _ in kept)


def _merged(spans: Iterable[Found]) -> list[Found]:
    """What overlaps as one, of the kind of its longest part."""
    merged: list[Found] = []
    longest = 0
    for one in sorted(spans, key=lambda one: (one.start, -one.end)):
        if one.end <= one.start:
            continue
        if not merged or one.start >= merged[-1].end:
            merged.append(one)
            longest = one.end - one.start
            continue
        before = merged[-1]
        kind = one.kind if one.end - one.start > longest else before.kind
        longest = max(longest, one.end - one.start)
        merged[-1] = Found(before.start, max(before.end, one.end), kind)
    return merged
