"""Folders walked: every regular file once, in the order of names; loops, devices and closed doors become a line."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from remediate.triage.needles import Search
from remediate.triage.records import Skipped
from remediate.triage.sources_copies import without_copies
from remediate.triage.sources_open import Span
from remediate.triage.sources_pieces import pieces_joined

_Identity = tuple[int, int]


def natural(name: str) -> tuple[tuple[bool, int, str], ...]:
    """The key under which log2 comes before log10."""
    return tuple((part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in re.split(r"(\d+)", name))


def walk(paths: Iterable[Path], search: Search) -> Iterator[Span | Skipped]:
    """Yield the files that were named and those below the folders that were named: pieces as one, copies once."""
    seen: set[_Identity] = set()
    files: list[Path] = []
    for entry in chain.from_iterable(_walk(path, seen) for path in paths):
        if isinstance(entry, Skipped):
            yield entry
        else:
            files.append(entry)
    files.sort(key=lambda path: natural(str(path)))
    yield from without_copies(pieces_joined(files, search))


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
