"""What the collectors' own documents say that a log would: the CA's event 128 and the codes in request files.

Documents of other kinds (plans, results, the directory) hold no symptoms of their own; they are read over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePath

import msgspec

from remediate.facts.documents import CaDocument, ConnectorDocument, RequestFolder
from remediate.triage.records import Record, SourceRead
from remediate.triage.sources_origin import Item, Origin
from remediate.triage.sources_times import moment

KIND = "facts"
_EXPORTS = "intune"
LARGEST = 32 << 20
# [certsrv.h] MSG_W_REQUEST_CONTAINS_AKI, in the Application log of the CA host.
CA_PROVIDER, CA_CHANNEL, REQUEST_CONTAINS_AKI = "Microsoft-Windows-CertificationAuthority", "Application", 128


class _Head(msgspec.Struct, frozen=True):
    format_version: str = ""
    role: str = ""
    read_at: str = ""


def is_document(beginning: bytes) -> bool:
    """Whether the bytes begin a JSON object that names a format version among its first or, when sorted, later keys."""
    return beginning.lstrip()[:1] == b"{" and b'"format_version"' in beginning


def is_export(name: str, beginning: bytes) -> bool:
    """Whether it is JSON in a folder `intune`, where a bundle has the exports: profiles, groups, members."""
    return PurePath(name.replace("\\", "/")).parent.name.lower() == _EXPORTS and beginning.lstrip()[:1] in (b"{", b"[")


def scan(chunks: Iterable[bytes], origin: Origin) -> Iterator[Item]:
    """Yield what of a document tells of symptoms, and what was read."""
    data = b"".join(_limited(chunks))
    if len(data) > LARGEST:
        yield origin.skipped("a document of facts of more than 32 MB")
        return
    if is_export(origin.source, data):
        yield SourceRead(source=origin.source, kind=KIND, scanned=0)
        return
    try:
        head = msgspec.json.decode(data, type=_Head)
        records = tuple(_records(data, head.role, origin))
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        yield origin.skipped(f"no document of facts that can be read: {error}")
        return
    yield from records
    at = moment(head.read_at).when
    yield SourceRead(source=origin.source, kind=KIND, scanned=len(records), first=at, last=at)


def _limited(chunks: Iterable[bytes]) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        yield chunk
        if size > LARGEST:
            return


def _records(data: bytes, role: str, origin: Origin) -> Iterator[Record]:
    if role == "ca":
        yield from _event_128(msgspec.json.decode(data, type=CaDocument, strict=False), origin)
    elif role == "connector":
        document = msgspec.json.decode(data, type=ConnectorDocument, strict=False)
        for folders in document.request_folders:
            for part, fact in (("Failed", folders.failed), ("Processing", folders.processing)):
                yield from request_files(fact.if_known(), part, document.machine.computer_name, origin)


def _event_128(document: CaDocument, origin: Origin) -> Iterator[Record]:
    events = document.event_128.if_known()
    if events is not None and events.count:
        requests = " ".join(events.request_ids)
        yield Record(
            source=origin.source,
            kind=KIND,
            when=moment(events.last).when,
            zone="utc",
            channel=CA_CHANNEL,
            provider=CA_PROVIDER,
            event_id=REQUEST_CONTAINS_AKI,
            host=document.machine.computer_name,
            text=f"{events.count} events {REQUEST_CONTAINS_AKI} since {events.since}, requests {requests}",
            data={"count": str(events.count), "first": events.first, "last": events.last, "request_ids": requests},
        )


def request_files(folder: RequestFolder | None, part: str, host: str, origin: Origin) -> Iterator[Record]:
    """Yield a record for each request file that was listed of a part of PfxRequest (`Failed`, `Processing`)."""
    for file in folder.files if folder else ():
        yield Record(
            source=origin.source,
            kind=KIND,
            when=moment(file.written).when,
            zone="utc",
            host=host,
            text=" ".join((f"{part}: {file.name}", *file.codes)),
            data={"folder": part, "name": file.name, "codes": " ".join(file.codes)},
        )
