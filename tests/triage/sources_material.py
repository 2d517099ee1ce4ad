"""Logs made for tests: records of a service trace file, and the items that come of files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

from remediate.triage.needles import Needles
from remediate.triage.records import Record, Skipped, SourceRead
from remediate.triage.sources import Stream, read

NEEDLES = Needles(
    codes=frozenset({0x800706BA, 0x80094015, 0x80070057, 0x80094800, 0x80094812, 0x00000400}),
    texts=frozenset({"Denied by Policy Module", "Taken Under Submission", "Sändningen väntar"}),
    event_ids=frozenset({("Microsoft-Intune-CertificateConnectors/Admin", 1001), ("", 128)}),
)

RPC = "IssuePfx - COMException: (0x800706BA): the server is not there. 0x800706ba (WIN32: 1722)"


class Found(NamedTuple):
    """All items, by what they are."""

    records: list[Record]
    skipped: list[Skipped]
    reads: list[SourceRead]

    @property
    def texts(self) -> list[str]:
        return sorted(record.text for record in self.records)

    @property
    def scanned(self) -> int:
        return sum(source.scanned for source in self.reads)


def found_in(*inputs: Path | Stream, needles: Needles = NEEDLES, jobs: int = 1) -> Found:
    """Read everything and sort it."""
    items = list(read(inputs, needles, jobs=jobs))
    return Found(
        [item for item in items if isinstance(item, Record)],
        [item for item in items if isinstance(item, Skipped)],
        [item for item in items if isinstance(item, SourceRead)],
    )


def trace(message: str, *, minute: int = 0, second: int = 30, zone: str = "Z") -> str:
    """One record of a service trace file."""
    return (
        '<E2ETraceEvent xmlns="http://schemas.microsoft.com/2004/06/E2ETraceEvent">'
        '<System xmlns="http://schemas.microsoft.com/2004/06/windows/eventlog/system"><EventID>7</EventID><Type>3</Type>'
        '<SubType Name="Error">0</SubType><Level>2</Level>'
        f'<TimeCreated SystemTime="2026-11-23T09:{minute % 60:02}:{second:02}.6250000{zone}" />'
        '<Source Name="NDESConnector" />'
        '<Correlation ActivityID="{00000000-0000-0000-0000-000000000000}" />'
        '<Execution ProcessName="NDESConnectorSvc" ProcessID="4776" ThreadID="1" /><Channel/>'
        f"<Computer>CONN1</Computer></System><ApplicationData>{escape(message)}</ApplicationData></E2ETraceEvent>"
    )


def traces(messages: Iterable[str], *, between: str = "") -> bytes:
    """Records one after the other without a root."""
    return between.join(trace(message, minute=minute) for minute, message in enumerate(messages)).encode()
