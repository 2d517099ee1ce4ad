"""What a live host answers of its logs, as the same items that files give.

A host returns only what may matter; whoever judges records looks again. What it had no room or no time for, and what it
could not read, is counted and told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import msgspec

from remediate.facts.documents import RequestFolders
from remediate.model.errors import DocumentError
from remediate.model.fact import Fact, Unreadable
from remediate.triage.event_xml import event_of, wanted
from remediate.triage.live_request import CONNECTOR_LOGS
from remediate.triage.records import Record, Skipped, SourceRead
from remediate.triage.sources_facts import CA_CHANNEL, CA_PROVIDER, request_files
from remediate.triage.sources_origin import Item, Origin
from remediate.triage.sources_times import moment
from remediate.triage.svclog import KIND as TRACE
from remediate.triage.svclog import fragment_records

KIND = "event-log"


class EventsRead(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an event log: `records` are in it, from `oldest` to `newest`; `events` is the XML of what matches.

    `has_wrapped`: older events were overwritten. `errors`: how often Windows said that it could not read an event.
    """

    enabled: bool
    records: int
    has_wrapped: bool
    oldest: str
    newest: str
    events: tuple[str, ...]
    left_out: int
    issued_left_out: int
    errors: int
    stopped: bool


class EventLog(msgspec.Struct, frozen=True, kw_only=True):
    """An event log by its name; absent where the host has no such log, or no such provider writes to it."""

    log: str
    read: Fact[EventsRead]


class TraceEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A record of a trace file, and where it begins."""

    at: int
    text: str


class TraceRead(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a trace file. In `encoding` iso-8859-1 each character of `entries` is a byte of the file."""

    encoding: str
    records: int
    first: str
    last: str
    entries: tuple[TraceEntry, ...]
    left_out: int
    stopped: bool


class TraceFile(msgspec.Struct, frozen=True, kw_only=True):
    """A trace file: where it lies, its bytes, and what was read of it."""

    path: str
    size: int
    read: Fact[TraceRead]


class TraceFolder(msgspec.Struct, frozen=True, kw_only=True):
    """The folder of trace files: how many there are, how many of them too old to be read, which could not be listed."""

    path: str
    total: int
    older: int
    errors: int
    files: tuple[TraceFile, ...]


class LogDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What a host answers."""

    format_version: str
    role: str
    collector: str
    read_from: str
    read_at: str
    logs: tuple[EventLog, ...]
    traces: Fact[TraceFolder]
    request_folders: tuple[RequestFolders, ...]


# Made here: threads that make the decoder of a type for the first time at once crash msgspec 0.22.
_DECODER = msgspec.json.Decoder(LogDocument)


def decode(text: str, *, host: str) -> LogDocument:
    """Return a host's answer. Raises DocumentError when it is cut off, or of another version or role."""
    try:
        document = _DECODER.decode(text)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise DocumentError("its answer is cut off or does not fit", where=host, why=str(error)) from error
    if (document.format_version.partition(".")[0], document.role) != ("1", "logs"):
        raise DocumentError(f"its answer is of format {document.format_version}", where=host)
    return document


def items_of(document: LogDocument, origin: Origin, *, roles: Collection[str], since: str) -> Iterator[Item]:
    """Yield the records of a host's answer, what was read of each source, and what could not be read.

    `origin.source` is the host's name, `roles` what it was named as (`ca`, `connector`): where it has no log of such a
    one, that is told. `since` (UTC, ISO 8601 with Z) leaves older records out.
    """
    for item in _everything(document, origin, roles, since):
        if not (isinstance(item, Record) and item.when and item.when[:19] < since[:19]):
            yield item


def _everything(document: LogDocument, origin: Origin, roles: Collection[str], since: str) -> Iterator[Item]:
    for log in document.logs:
        yield from _log_items(log, origin._replace(source=f"{origin.source} {log.log}"), since)
    folder = document.traces.if_known()
    yield from _unread(document.traces, origin, "the connector's folder")
    if folder:
        yield from _folder_items(folder, origin)
    for folders in document.request_folders:
        yield from _request_items(folders, document, origin)
    yield from _without_logs(document, origin, roles)


def _without_logs(document: LogDocument, origin: Origin, roles: Collection[str]) -> Iterator[Item]:
    """Say that a host has nothing of what it was asked for: then it is no healthy one, but one that tells nothing."""
    absent = {log.log for log in document.logs if log.read.absent}
    traces = document.traces.if_known()
    if "ca" in roles and CA_CHANNEL in absent:
        yield origin.skipped(f"{CA_PROVIDER} writes no events there: is it a CA?")
    if "connector" in roles and absent.issuperset(CONNECTOR_LOGS) and not (traces and traces.total):
        yield origin.skipped("neither a connector's event logs nor its trace files are there")


def _log_items(log: EventLog, origin: Origin, since: str) -> Iterator[Item]:
    yield from _unread(log.read, origin, "the event log")
    read = log.read.if_known()
    if read is None:
        return
    for xml in read.events:
        event = event_of(xml, origin, kind=KIND, position=0)
        if wanted(event, origin.search):
            yield msgspec.structs.replace(event, position=_number(event.record_id))
    yield from _log_told(read, origin, since)
    begins, first = moment(read.oldest).when, moment(since).when
    newest = moment(read.newest).when
    yield SourceRead(
        source=origin.source, kind=KIND, scanned=read.records,
        first=min(max(begins, first), newest) if begins else "", last=newest,
    )  # fmt: skip


def _log_told(read: EventsRead, origin: Origin, since: str) -> Iterator[Skipped]:
    if not read.enabled:
        yield origin.skipped("the log is disabled: nothing is written to it")
    if read.has_wrapped and read.oldest and read.oldest > since:
        yield origin.skipped(f"it reaches back to {read.oldest} only; what was before is overwritten", lost=False)
    if read.errors:
        yield origin.skipped(f"Windows told of {read.errors} errors in it; events may be missing")
    yield from _cut_short(read.left_out, stopped=read.stopped, origin=origin)
    if read.issued_left_out:
        said = f"{read.issued_left_out} older events of certificates that were issued had no room in the answer"
        yield origin.skipped(said, lost=False)


def _folder_items(folder: TraceFolder, origin: Origin) -> Iterator[Item]:
    if folder.errors:
        yield origin.skipped(f"{folder.path}: {folder.errors} folders in it cannot be listed")
    for file in folder.files:
        yield from _file_items(file, origin._replace(source=f"{origin.source} {file.path}"))


def _file_items(file: TraceFile, origin: Origin) -> Iterator[Item]:
    yield from _unread(file.read, origin, "the file")
    read = file.read.if_known()
    if read is None:
        return
    encoding = "latin-1" if read.encoding == "iso-8859-1" else "utf-8"
    for entry in read.entries:
        yield from fragment_records(entry.text.encode(encoding, "replace"), origin, at=entry.at)
    yield from _cut_short(read.left_out, stopped=read.stopped, origin=origin)
    if file.size and not read.records and not read.stopped:
        yield origin.skipped("no record of a trace file stands in it")
    first, last = (origin.moment(time).when for time in (read.first, read.last))
    yield SourceRead(source=origin.source, kind=TRACE, size=file.size, scanned=read.records, first=first, last=last)


def _request_items(folders: RequestFolders, document: LogDocument, origin: Origin) -> Iterator[Item]:
    for part, fact in (("Failed", folders.failed), ("Processing", folders.processing)):
        here = origin._replace(source=f"{origin.source} {folders.path}\\{part}")
        yield from _unread(fact, here, "the folder")
        folder = fact.if_known()
        if folder is None:
            continue
        records = tuple(request_files(folder, part, document.read_from, here))
        yield from records
        if folder.total > len(folder.files):
            yield here.skipped(f"only the newest {len(folder.files)} of {folder.total} request files were read")
        unreadable = [file for file in folder.files if file.unreadable]
        if unreadable:
            yield here.skipped(f"{len(unreadable)} request files: {unreadable[0].unreadable}")
        times = sorted(record.when for record in records if record.when)
        first, last = (times[0], times[-1]) if times else ("", "")
        yield SourceRead(source=here.source, kind="request-file", scanned=len(records), first=first, last=last)


def _unread(fact: Fact[Any], origin: Origin, what: str) -> Iterator[Skipped]:
    if not fact.known:
        reason = fact.unreadable or Unreadable("the host did not report it")
        yield origin.skipped(f"{what} cannot be read: {reason.code or reason.why}")


def _cut_short(left_out: int, *, stopped: bool, origin: Origin) -> Iterator[Skipped]:
    if left_out:
        yield origin.skipped(f"{left_out} more entries that match had no room in the answer: ask since a later time")
    if stopped:
        yield origin.skipped("not read to its end, the time was up: give more (--timeout), or ask since a later time")


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 19 else 0
