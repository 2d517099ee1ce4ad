"""Files that were one: pieces whose names count on (x.001 and x.002, log-1.txt and log-2.txt, xaa and xab).

A name alone says little, since logs that are moved away are counted as well. So a piece goes on with the one before it
only where it does not begin as a file of its own would, and the one before does not end as a whole one does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from remediate.triage import event_csv, event_log, event_xml, plain, request_files, sources_facts, svclog
from remediate.triage.encoding import Encoding, as_utf8, encoding_of, shown
from remediate.triage.event_columns import FIRST
from remediate.triage.needles import Search
from remediate.triage.sources_formats import kind_of
from remediate.triage.sources_open import BEGINNING, Span
from remediate.triage.sources_times import leading_moment
from remediate.triage.sources_unread import KIND as UNREAD

# NAME.001 is what programs call pieces; any other number may count logs.
_PIECE = re.compile(r".+\.\d{3}")
_NUMBERED = re.compile(r"(.*?)(\d{1,9})(\D*)")
_LETTERED = re.compile(r"(.*)([a-z])([a-z])((?:\.[^.]*)?)")
# What begins like this is a file of its own, whatever its name: byte order marks, event logs, zips.
_BEGINNINGS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"ElfFile\0", b"PK\x03\x04")
_STARTS = ("<E2ETraceEvent", "<?xml", "<Events", "<Event ", "<Event>", "<!DOCTYPE")
_SEAM = 65_536
# So few bytes may be no text by chance.
_TOO_SHORT = 64

_Key = tuple[Path, str, str, str]


def pieces_joined(paths: Iterable[Path], search: Search) -> Iterator[Span]:
    """Yield every file, those that were one together, in whatever order they come."""
    files = list(paths)
    following = _following(files)
    behind = set(following.values())
    for path in files:
        if path in behind:
            continue
        chain: tuple[Path, ...] = (path,)
        while (after := following.get(chain[-1])) is not None:
            if not _goes_on(chain, after, search):
                yield Span(chain)
                chain = ()
            chain = (*chain, after)
        yield Span(chain)


def _following(files: Sequence[Path]) -> dict[Path, Path]:
    """Which file comes next by its name."""
    places: dict[tuple[_Key, int], Path] = {}
    for path in files:
        for place in _places(path):
            places.setdefault(place, path)
    found: dict[Path, Path] = {}
    for path in files:
        before = (places.get((key, number - 1)) for key, number in _places(path))
        first = next((one for one in before if one is not None and one not in found), None)
        if first is not None:
            found[first] = path
    return found


def _places(path: Path) -> Iterator[tuple[_Key, int]]:
    lettered = _LETTERED.fullmatch(path.name)
    if lettered:
        number = (ord(lettered[2]) - 97) * 26 + ord(lettered[3]) - 97
        yield (path.parent, lettered[1], lettered[4], "letters"), number
    numbered = _NUMBERED.fullmatch(path.name)
    if numbered:
        yield (path.parent, numbered[1], numbered[3], "number"), int(numbered[2])


class _Seam(NamedTuple):
    """The bytes on both sides of a seam, the kind of what stands before it, and its encoding and size."""

    kind: str
    encoding: Encoding
    size: int
    before: bytes
    after: bytes

    @property
    def is_whole(self) -> bool:
        """Whether the seam lies between two characters, as far as the encoding has units of two bytes."""
        return self.encoding == "bytes" or self.size % 2 == 0

    def texts(self) -> tuple[str, str, str]:
        """Both sides as text, and the two as one."""
        even = self.before[(len(self.before) - self.size) % 2 if self.encoding != "bytes" else 0 :]
        sides = even, self.after[0 if self.is_whole else 1 :], even + self.after
        before, after, both = (shown(b"".join(as_utf8((side,), self.encoding))) for side in sides)
        return before, after, both


def _goes_on(chain: tuple[Path, ...], after: Path, search: Search) -> bool:
    try:
        start = _start(after)
        if not start or start.startswith(_BEGINNINGS) or start.lstrip().startswith(svclog.TAGS.starts):
            return False
        seam = _seam(chain, start)
    except OSError:
        return False
    exact = _PIECE.fullmatch(after.name) is not None
    if not seam.before or seam.kind == request_files.KIND:
        return False
    if seam.kind == "zip":
        return b"PK\x05\x06" not in seam.before
    if seam.kind == event_log.KIND:
        return kind_of(start, after.name) in (UNREAD, plain.TEXT) and not event_log.is_whole(chain[0], seam.size)
    if seam.kind == UNREAD:
        return exact
    return _text_goes_on(seam, search, exact=exact)


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_SEAM)


def _seam(chain: tuple[Path, ...], start: bytes) -> _Seam:
    beginning = b""
    for path in chain:
        with path.open("rb") as file:
            beginning += file.read(BEGINNING - len(beginning))
        if len(beginning) == BEGINNING:
            break
    with chain[-1].open("rb") as last:
        last.seek(max(0, last.seek(0, 2) - _SEAM))
        before = last.read()
    encoding, _ = encoding_of((beginning + start)[:BEGINNING])
    kind = kind_of(beginning, str(chain[0]))
    if kind == UNREAD and len(beginning) < _TOO_SHORT:
        kind = kind_of(beginning + start, str(chain[0]))
    return _Seam(kind, encoding, sum(path.stat().st_size for path in chain), before, start)


def _text_goes_on(seam: _Seam, search: Search, *, exact: bool) -> bool:
    before, after, both = seam.texts()
    ends_line = before.endswith("\n")
    if not seam.is_whole:
        return True
    if _begins(after, ends_line=ends_line or seam.kind == event_csv.KIND):
        return False
    if seam.kind == svclog.KIND:
        return bool(before.rpartition("</E2ETraceEvent>")[2].strip())
    if seam.kind == event_xml.KIND:
        return not before.rstrip().endswith("</Events>")
    if seam.kind not in (plain.TEXT, plain.OMADM):
        return True
    if ends_line:
        return exact
    if seam.encoding == "bytes" and seam.before.endswith(b"\0"):
        return False  # a file that was laid out ahead ends where it was meant to end
    last, first = before.rpartition("\n")[2], after.partition("\n")[0]
    if leading_moment(last).when and leading_moment(first).when and first[:1].isdigit():
        return False
    glued = both[len(before) - len(last) : len(before) + len(first)]
    return _needles(glued, search) >= _needles(last, search) + _needles(first, search)


def _begins(text: str, *, ends_line: bool) -> bool:
    """Whether a text begins as a file of its own."""
    start = text.lstrip()
    if start.startswith(_STARTS) or sources_facts.is_document(start.encode("utf-8", "replace")):
        return True
    label = start.partition(":")[0].strip().lower()
    return ends_line and (label in FIRST or bool(event_csv.delimiter_of(text)))


def _needles(line: str, search: Search) -> int:
    return len(list(search.positions(line.encode("utf-8", "replace"))))
