"""Folders walked: every regular file once, in the order of names; loops, devices and closed doors become a line."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from remediate.triage.records import Skipped
from remediate.triage.sources_open import Span

_PIECE = re.compile(r"(.+)\.(\d{3})")
# What begins like this is a file of its own, whatever its name: byte order marks, event logs, zips.
_BEGINNINGS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"ElfFile\0", b"PK\x03\x04")

_Identity = tuple[int, int]


def natural(name: str) -> tuple[tuple[bool, int, str], ...]:
    """The key under which log2 comes before log10."""
    return tuple((part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in re.split(r"(\d+)", name))


def walk(paths: Iterable[Path]) -> Iterator[Span | Skipped]:
    """Yield the files that were named and those below the folders that were named."""
    seen: set[_Identity] = set()
    for path in paths:
        yield from _pieces_joined(_walk(path, seen))


def _walk(top: Path, seen: set[_Identity]) -> Iterator[Path | Skipped]:
    """A folder is entered once: a link that leads back to it, or to one on the way, is a loop."""
    waiting = [top]
    while waiting:
        path = waiting.pop()
        try:
            state = path.stat()
            folder = stat.S_ISDIR(state.st_mode)
            inside = sorted(path.iterdir(), key=lambda entry: natural(entry.name), reverse=True) if folder else []
        except OSError as error:
            yield Skipped(source=str(path), what=f"cannot be opened: {error.strerror or error}")
            continue
        if not folder and not stat.S_ISREG(state.st_mode):
            yield Skipped(source=str(path), what="neither a file nor a folder")
        elif _identity(state) in seen and state.st_ino:
            what = "a folder that was read already: a loop of links" if folder else "a file that was read already"
            yield Skipped(source=str(path), what=what, lost=False)
        else:
            seen.add(_identity(state))
            waiting.extend(inside)
            if not folder:
                yield path


def _identity(state: os.stat_result) -> _Identity:
    return state.st_dev, state.st_ino


def _pieces_joined(entries: Iterable[Path | Skipped]) -> Iterator[Span | Skipped]:
    """Files NAME.001, NAME.002 and so on beside each other are one file that was split."""
    pieces: tuple[Path, ...] = ()
    for entry in entries:
        if isinstance(entry, Path) and pieces and _follows(pieces, entry):
            pieces = (*pieces, entry)
            continue
        if pieces:
            yield Span(pieces)
        pieces = ()
        if isinstance(entry, Skipped):
            yield entry
        elif _number(entry) == 1:
            pieces = (entry,)
        else:
            yield Span((entry,))
    if pieces:
        yield Span(pieces)


def _number(path: Path) -> int:
    found = _PIECE.fullmatch(path.name)
    return int(found[2]) if found else -1


def _follows(pieces: tuple[Path, ...], path: Path) -> bool:
    same = path.parent == pieces[0].parent and path.name[:-4] == pieces[0].name[:-4]
    if not same or _number(path) != len(pieces) + 1:
        return False
    try:
        with path.open("rb") as file:
            return not file.read(8).startswith(_BEGINNINGS)
    except OSError:
        return False
