"""The request files of a PfxRequest folder: their names, their times and the HRESULTs in them, never their contents."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePath

from remediate.adcs.hresult import HResult
from remediate.triage.records import Record, SourceRead
from remediate.triage.sources_origin import Item, Origin

KIND = "request-file"
# The names are English everywhere.
_PARTS = {"failed": "Failed", "processing": "Processing", "succeed": "Succeed"}
_CODE = re.compile(rb"(?<![0-9a-zA-Z])0[xX]8[0-9a-fA-F]{7}(?![0-9a-fA-F])|-214\d{7}(?!\d)")
_LONGEST_CODE = 12
_MOST_CODES = 20


def part_of(name: str) -> str:
    """Return `Failed`, `Processing` or `Succeed` for a path right below that part of PfxRequest, else empty."""
    *_, folder, part, _file = ("", "", *PurePath(name.replace("\\", "/")).parts)
    return _PARTS.get(part.lower(), "") if folder.lower() == "pfxrequest" else ""


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
