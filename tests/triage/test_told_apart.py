"""Different requests, events, threads and codes are told apart, and what cannot be is not called the same."""

from __future__ import annotations

import io
import time
from datetime import UTC, datetime, timedelta

import pytest

from remediate.triage import counting
from remediate.triage.correlation import subject_of
from remediate.triage.counting import count
from remediate.triage.records import Record
from remediate.triage.signatures import load
from remediate.triage.sources import Stream, read
from remediate.triage.summary import make_report
from tests.triage.material import CA, CONNECTOR, DEVICE, event, line, report, row

OLD = "Microsoft Intune Connector"
OPERATIONAL = f"{CONNECTOR}/Operational"
PROVIDER = "Microsoft-Windows-DeviceManagement-Enterprise-Diagnostics-Provider"
HEADER = '"Message","Id","RecordId","ProviderName","LogName","MachineName","UserId","TimeCreated"'


def pasted(user: str, *, event_id: int = 1051, minute: int = 0, message: str = "Failed 0x800706ba") -> str:
    return (
        f"Log Name:      {OPERATIONAL}\r\nSource:        {CONNECTOR}\r\n"
        f"Date:          11/20/2026 8:{minute:02}:00 AM\r\nEvent ID:      {event_id}\r\n"
        f"Task Category: None\r\nLevel:         Error\r\nUser:          {user}\r\n"
        f"Computer:      conn1.contoso.test\r\nDescription:\r\n{message}\r\n\r\n"
    )


def of_text(text: str) -> counting.Fold:
    return count(read([Stream("-", io.BytesIO(text.encode()))], load().needles), load())


@pytest.mark.parametrize("user", ["SYSTEM", "N/A", "S-1-5-18", "NT INSTANS\\SYSTEM", "CONTOSO\\svc-connector", "anna"])
def test_who_wrote_an_event_asked_for_nothing(user: str) -> None:
    failures = pasted(user) * 3
    made = make_report(of_text(failures + pasted(user, event_id=1050, minute=10, message="issued")), where="")
    problem = row(made, "rpc_server_unavailable")
    assert (problem.count, made.copies, made.issued, problem.users) == (3, 0, 1, 0)
    assert problem.requests.recovered == 0


@pytest.mark.parametrize("user", ["S-1-5-18", "S-1-5-21-1-2-3-1104", "CONTOSO\\svc-connector", "N/A"])
def test_who_wrote_an_exported_event_asked_for_nothing(user: str) -> None:
    rows = [
        f'"{text}","{number}","{at}","{CONNECTOR}","{OPERATIONAL}","conn1","{user}","2026-11-20 08:{at:02}:00"'
        for at, (number, text) in enumerate([(1051, "Failed 0x800706ba")] * 2 + [(1050, "issued")])
    ]
    made = make_report(of_text("\r\n".join((HEADER, *rows))), where="")
    problem = row(made, "rpc_server_unavailable")
    assert (problem.count, problem.users, problem.requests.recovered, made.issued) == (2, 0, 0, 1)


@pytest.mark.parametrize(
    ("record", "user"),
    [
        (event(1051, text="User: CONTOSO\\svc\n0x800706ba"), ""),
        (event(1051, text="0x800706ba\nUserId : S-1-5-21-1-2-3-1104"), ""),
        (event(20102, text="User ID: 0b1c; 0x800706ba"), "0b1c"),
        (event(20102, UserID="S-1-5-18"), ""),
        (line("User: SYSTEM 1"), "SYSTEM 1"),
        (line("User Name: NT AUTHORITY\\SYSTEM"), ""),
        (line("User Name: CONTOSO\\CONN1$"), ""),
        (line("User: anna"), "anna"),
        (line("Failed: anna@contoso.com_x.pfr 0x80094812"), "anna@contoso.com"),
        (line("Failed: anna@contoso.com.pfr 0x80094812"), "anna@contoso.com"),
        (line("to anna@mail.contoso-x.co.uk."), "anna@mail.contoso-x.co.uk"),
        (event(53, SubjectName=r"CN=Svensson\, Anna, OU=X"), "Svensson, Anna"),
        (event(53, SubjectName='CN="Svensson, Anna", OU=X'), "Svensson, Anna"),
        (line("The request was for CN=Åsa B. Öberg.  Additional information: x"), "Åsa B. Öberg"),
    ],
)
def test_the_user_of_a_request(record: Record, user: str) -> None:
    assert subject_of(record).user == user


FAILED = {"DeviceID": f"{DEVICE}1", "UserID": "u1", "Error": "0x80094800"}


@pytest.mark.parametrize(
    ("failed", "issued", "recovered"),
    [
        ({"TemplateName": "A", "CAName": "CA1"}, {"TemplateName": "a", "CAName": "ca1"}, 1),
        ({"TemplateName": "A", "CAName": "CA1"}, {"TemplateName": "B", "CAName": "CA1"}, 0),
        ({"TemplateName": "A", "CAName": "CA1"}, {"TemplateName": "A", "CAName": "CA2"}, 0),
        ({"CAName": "CA1"}, {"CAName": "CA2"}, 0),
        ({"TemplateName": "A"}, {}, 0),
        ({}, {"TemplateName": "A"}, 0),
        ({}, {}, 1),
    ],
)
@pytest.mark.parametrize("who", ["DeviceID", "UserID"])
def test_only_the_same_request_recovers(
    who: str, failed: dict[str, str], issued: dict[str, str], recovered: int
) -> None:
    one = {who: FAILED[who]}
    items = [
        event(20102, channel=OLD, when="2026-11-20T08:00:00Z", record_id="1", Error="0x80094800", **one, **failed),
        event(20100, channel=OLD, when="2026-11-20T08:05:00Z", record_id="2", **one, **issued),
    ]
    requests = row(report(items), "template_not_published").requests
    assert (requests.recovered, requests.failing) == (recovered, 1 - recovered)


def test_users_with_one_surname_are_two() -> None:
    items = [
        event(53, provider=CA, when="2026-11-20T08:00:00Z", record_id="1", Reason="0x80094812",
              SubjectName=r"CN=Svensson\, Anna, OU=X"),
        event(6, provider=CA, when="2026-11-20T09:00:00Z", record_id="2", SubjectName=r"CN=Svensson\, Per, OU=X"),
    ]  # fmt: skip
    assert row(report(items), "subject_email_required").requests.failing == 1


def test_redaction_leaves_the_counts_of_requests_alone() -> None:
    items = [
        event(20102, channel=OLD, when=f"2026-11-20T08:0{number}:00Z", record_id=str(number), Error="0x80094800",
              DeviceID=f"{DEVICE}{number % 2}", TemplateName="AB"[number % 2], CAName=f"ca{number % 3}")
        for number in range(6)
    ]  # fmt: skip
    plain, redacted = (row(report(items, key=key), "template_not_published") for key in (b"", b"k"))
    assert (plain.count, plain.devices, plain.requests.failing) == (6, 2, 6)
    assert (redacted.count, redacted.devices, redacted.requests.failing) == (6, 2, 6)
    assert len(set(redacted.requests.failing_last)) == 6
    assert not any(DEVICE in one for one in redacted.requests.failing_last)


def test_events_of_a_device_are_its_own() -> None:
    items = [
        event(404, channel=f"{PROVIDER}/Admin", host=host, record_id=str(number), text="0x800706ba")
        for number, host in enumerate(("ANNAS-LAPTOP.contoso.test", "PC2", "annas-laptop.contoso.test"))
    ]
    items.append(event(404, provider=PROVIDER, host="PC3", text="0x800706ba"))
    assert row(report(items), "rpc_server_unavailable").devices == 3
    assert subject_of(items[0]).device == "ANNAS-LAPTOP.contoso.test"
    assert subject_of(event(404, channel="Application", host="PC2", text="0x800706ba")).device == ""


def test_a_channel_numbers_anew_when_it_was_cleared() -> None:
    def numbered(when: str, *, event_id: int = 1051, source: str = "a.evtx", text: str = "0x800706ba") -> Record:
        return event(event_id, channel=OPERATIONAL, when=when, record_id="5", source=source, text=text)

    before = numbered("2026-10-01T08:00:00.125Z")
    others = [
        numbered("2026-11-20T08:00:00.125Z"),
        numbered("2026-11-22T08:00:00.125Z"),
        numbered("2026-10-01T08:03:20.125Z"),
        numbered("2026-10-01T08:00:00.125Z", event_id=1052, text="0x800706ba again"),
    ]
    for items in ([before, *others], [*others, before], [before, *others, *others, before]):
        assert row(report(items), "rpc_server_unavailable").count == 5


def test_an_export_in_another_zone_is_a_copy() -> None:
    log = event(1051, channel=OPERATIONAL, when="2026-10-01T23:30:00.875Z", record_id="5", text="0x800706ba")
    export = event(1051, channel=OPERATIONAL, when="2026-10-02T01:30:00.000Z", record_id="5", text="fel 0x800706ba")
    timeless = [
        event(1051, channel=OPERATIONAL, record_id="5", text=text) for text in ("0x800706ba", "0x800706ba", "x")
    ]
    for items in ([log, export], [export, log]):
        made = report(items)
        assert (row(made, "rpc_server_unavailable").count, made.copies) == (1, 1)
    assert report(timeless).copies == 1


def _threaded(text: str, thread: str, position: int) -> Record:
    return Record(
        source="a.svclog", kind="svclog", text=text, when=f"2026-11-20T08:00:00.{position:03}Z", position=position,
        data={"ProcessID": "7", "ThreadID": thread},
    )  # fmt: skip


def test_the_device_belongs_to_the_reason_of_its_own_thread() -> None:
    def told(device: int) -> str:
        return f"Issuing Pfx certificate for Device ID {DEVICE}{device} failed"

    items = [
        _threaded("(0x800706BA) x", "1", 100), _threaded("0x80094812 y", "2", 200),
        _threaded(told(1), "1", 300), _threaded(told(2), "2", 400),
    ]  # fmt: skip
    made = report(items)
    assert row(made, "rpc_server_unavailable").requests.failing_last == (f"device:{DEVICE}1",)
    assert row(made, "subject_email_required").requests.failing_last == (f"device:{DEVICE}2",)


def test_few_threads_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "_MOST_THREADS", 2)
    told = f"Issuing Pfx certificate for Device ID {DEVICE}1 failed"
    reasons = [_threaded(f"0x800706BA {number}", str(number), number) for number in range(3)]
    assert row(report([*reasons, _threaded(told, "0", 9)]), "rpc_server_unavailable").devices == 0
    assert row(report([*reasons, _threaded(told, "1", 9)]), "rpc_server_unavailable").devices == 1


def test_there_are_so_many_rows_and_one_for_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MOST_UNKNOWN", 3)
    codes = [f"0x8009{number:04x}" for number in range(1, 9)]
    items = [line(f"{code} Device ID {DEVICE}1", position=number) for number, code in enumerate([*codes, *codes])]
    made = report([*items, line(" ".join(codes), position=99), line("0x800706BA", position=100)])
    assert [(one.kind, one.code, one.count) for one in made.problems if one.kind != "problem"] == [
        ("unknown", "", 11), *(("unknown", code.upper().replace("X", "x"), 3) for code in codes[:3]),
    ]  # fmt: skip
    more = next(one for one in made.problems if one.kind == "unknown" and not one.code)
    assert (more.title, more.command, more.devices) == ("More codes that no playbook knows", "", 1)
    assert row(made, "rpc_server_unavailable").count == 1


def test_many_codes_cost_what_few_cost() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)

    def seconds(most: int) -> float:
        items = [
            line(f"0x8009{number % most + 1:04x} {'z' * 700}", when=f"{start + timedelta(seconds=number):%FT%TZ}")
            for number in range(8_000)
        ]
        began = time.process_time()
        assert len(report(items).problems) <= counting.MOST_UNKNOWN + 1
        return time.process_time() - began

    seconds(10)
    assert seconds(8_000) < 3 * seconds(200) + 1


def test_what_events_of_one_kind_share_is_judged_once() -> None:
    message = "CCertRequest::Submit: 0x800706ba for Request request, String name: x "

    def seconds(frames: int) -> float:
        items = []
        for number in range(600):
            data = {"DeviceId": f"d-{number}", "Message": message + "at Step(Request request, String x)\r\n" * frames}
            items.append(event(1052, record_id=str(number), text="; ".join(data.values()), **data))
        began = time.process_time()
        made = report(items)
        spent = time.process_time() - began
        problem = row(made, "rpc_server_unavailable")
        assert (problem.count, problem.devices) == (600, 600)
        return spent

    seconds(1)
    assert min(seconds(100) for _ in range(3)) < 6 * min(seconds(1) for _ in range(3))


def test_a_label_and_its_value_are_found_across_the_values_of_an_event() -> None:
    thumbprint = "AB" * 20
    data = {"1": "0x80094812 CA Name: CA1", "2": "thumbprint", "3": thumbprint, "4": "denied request 17"}
    subject = subject_of(event(53, text="; ".join(data.values()), **data))
    assert (subject.ca, subject.thumbprint, subject.request) == ("CA1", thumbprint, "17")
