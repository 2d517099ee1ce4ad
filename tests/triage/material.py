"""Records as readers make them, for tests of what comes after."""

from __future__ import annotations

from collections.abc import Iterable

from remediate.triage.counting import count
from remediate.triage.records import Record, Skipped, SourceRead
from remediate.triage.report import Problem, Report
from remediate.triage.signatures import load
from remediate.triage.summary import make_report
from remediate.triage.symptoms import Symptom, symptoms_of

CA = "Microsoft-Windows-CertificationAuthority"
CONNECTOR = "Microsoft-Intune-CertificateConnectors"
DEVICE = "5b1c2d3e-0a1b-4c2d-8e3f-00000000000"

Item = Record | Skipped | SourceRead


def line(text: str, *, when: str = "", source: str = "conn1.svclog", position: int = 0, host: str = "CONN1") -> Record:
    return Record(source=source, kind="svclog", text=text, when=when, position=position, host=host, zone="utc")


def event(
    event_id: int, *, provider: str = "", channel: str = "", text: str = "", when: str = "", record_id: str = "",
    source: str = "events.evtx", host: str = "ca01.contoso.test", **data: str,
) -> Record:  # fmt: skip
    return Record(
        source=source, kind="evtx", event_id=event_id, provider=provider, channel=channel, text=text, when=when,
        record_id=record_id, host=host, data=data, zone="utc",
    )  # fmt: skip


def shown(record: Record | str) -> tuple[Symptom, ...]:
    return symptoms_of(line(record) if isinstance(record, str) else record, load())


def names(record: Record | str) -> list[str]:
    return [symptom.signature or symptom.code for symptom in shown(record)]


def report(items: Iterable[Item], *, since: str = "", key: bytes = b"") -> Report:
    return make_report(count(items, load(), since=since), where="--bundle B", key=key)


def row(made: Report, signature: str) -> Problem:
    (found,) = [one for one in made.problems if one.signature == signature]
    return found
