"""The request files of a PfxRequest folder: their names, their times and the HRESULTs in them, never their contents."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import PurePath

from remediate.adcs.hresult import HResult
from remediate.triage.bounded import Latest
from remediate.triage.records import Record, SourceRead
from remediate.triage.sources_origin import Item, Origin

KIND = "request-file"
# The names are English everywhere.
_PARTS = {"failed": "Failed", "processing": "Processing", "succeed": "Succeed"}
_FOLDER, _SUFFIX = "pfxrequest", ".pfr"
_ZIP = re.compile(r"\.zip\Z", re.IGNORECASE)
_CODE = re.compile(rb"(?<![0-9a-zA-Z])0[xX]8[0-9a-fA-F]{7}(?![0-9a-fA-F])|-214\d{7}(?!\d)")
_LONGEST_CODE = 12
_MOST_CODES = 20


def part_of(name: str) -> str:
    """Return where of PfxRequest a file lies, by its path from the root: `Failed`, `Processing`, `Succeed`, else empty.

    Also of a copy of such a folder or a zip of it, and for a file with the suffix .pfr wherever it lies: `PfxRequest`.
    """
    paths = tuple(_paths(name))
    told = (*map(_part, paths), *map(_folder_part, paths), *map(_likely, paths))
    return next(filter(None, told), "")


def is_certain(name: str) -> bool:
    """Whether it lies in PfxRequest itself, where nothing is a log."""
    return any(map(_part, _paths(name)))


def parted(name: str) -> tuple[str, str]:
    """Return a path's folder, with its separator, and the name of the file in it."""
    at = max(name.rfind("/"), name.rfind("\\")) + 1
    return name[:at], name[at:]


def _paths(name: str) -> Iterator[tuple[str, ...]]:
    """The folders and the file of a path as it is written, and as it is once links and dots are followed.

    A zip counts as a folder of its name. A name whose beginning is nowhere, such as that of a stream, is no path.
    """
    yield _parts_of(name)
    if os.path.lexists(PurePath(name).parts[0] if name else ""):
        yield _parts_of(os.path.realpath(name))


def _parts_of(name: str) -> tuple[str, ...]:
    parts = PurePath(name.replace("\\", "/")).parts
    return tuple(part.lower() for part in (*(_ZIP.sub("", part) for part in parts[:-1]), *parts[-1:]))


def _part(path: tuple[str, ...]) -> str:
    """The part of PfxRequest in which a file lies, however deep."""
    pairs = pairwise(path[:-1])
    return next((_PARTS[part] for folder, part in pairs if folder == _FOLDER and part in _PARTS), "")


def _folder_part(path: tuple[str, ...]) -> str:
    return _PARTS.get(path[-2], "") if len(path) > 1 and path[-1] not in _PARTS else ""


def _likely(path: tuple[str, ...]) -> str:
    is_folder = not path or path[-1] in _PARTS
    return "PfxRequest" if not is_folder and (path[-1].endswith(_SUFFIX) or _FOLDER in path[:-1]) else ""


def scan(chunks: Iterable[bytes], origin: Origin, *, modified: str = "") -> Iterator[Item]:
    """Yield one record for a file that failed, is processed or holds a code, and what was read."""
    part, name = part_of(origin.source), PurePath(origin.source.replace("\\", "/")).name
    codes = _codes(chunks)
    if codes or part != "Succeed" or origin.search.everything:
        yield Record(
            source=origin.source,
            kind=KIND,
            when=modified,
            zone="utc" if modified else "",
            text=" ".join((f"{part}: {name}", *codes)),
            data={"folder": part, "name": name, "codes": " ".join(codes)},
        )
    yield SourceRead(source=origin.source, kind=KIND, scanned=1, first=modified, last=modified)


class Part:
    """What was seen of a part of PfxRequest: files by name, each once however often it was copied, and their codes."""

    def __init__(self) -> None:
        self.files, self.codes = Latest(), Latest()

    def add(self, record: Record) -> None:
        """Count the file that a record of `scan` speaks of."""
        self.files.add(record.data["name"], record.when)
        for code in record.data["codes"].split():
            self.codes.add(code)


def _codes(chunks: Iterable[bytes]) -> tuple[str, ...]:
    """Each code once, in the order in which they stand there."""
    found: dict[str, None] = {}
    carry = b""
    for chunk in chunks:
        data = carry + chunk
        for match in _CODE.finditer(data):
            if len(found) < _MOST_CODES:
                found[str(HResult.parse(match[0].decode()))] = None
        carry = data[-_LONGEST_CODE:]
    return tuple(found)
