"""What a host finds in its own logs, by PowerShell itself: only what matches, since a time, within room and time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remediate.triage.live import LogDocument, decode
from remediate.triage.live_request import CONNECTOR_LOGS, request_for
from remediate.triage.signatures import load
from tests.powershell.windows_like import WindowsLike, make
from tests.triage.sources_material import trace

OPERATIONAL, ADMIN, OLD = CONNECTOR_LOGS
PROVIDER = "Microsoft-Intune-CertificateConnectors"
CA = "Microsoft-Windows-CertificationAuthority"
SINCE = "2026-11-20T00:00:00Z"
LOGS: dict[str, Any] = {"Application": {"providers": ["MSDTC", CA]}, OPERATIONAL: {}, ADMIN: {}}


@pytest.fixture
def host(tmp_path: Path) -> WindowsLike:
    return make(tmp_path)


def event(number: int, when: str = "2026-11-23T09:00:00Z", *, log: str = OPERATIONAL, **more: Any) -> dict[str, Any]:
    provider = {"Application": CA}.get(log, PROVIDER)
    return {"LogName": log, "ProviderName": provider, "Id": number, "TimeCreated": when, "Data": {}} | more


def ask(host: WindowsLike, *, since: str = SINCE, **changed: Any) -> LogDocument:
    request = json.loads(request_for(load(), since=since, seconds=60)) | changed
    (host.folder / "request.json").write_text(json.dumps(request))
    line = f"Get-LogDocument -Collector 'remediate 1' -Request ([IO.File]::ReadAllText('{host.folder}/request.json'))"
    return decode(host.powershell(line), host="host1")


def found(document: LogDocument, log: str = OPERATIONAL) -> list[str]:
    (read,) = [one.read for one in document.logs if one.log == log]
    return list(read.need_value(log).events)


def test_only_what_matches_comes_back(host: WindowsLike) -> None:
    code = {"Error": "CCertRequest::Submit 0x800706ba"}
    events = [
        event(1051, RecordId=1),  # by its ID
        event(4711, RecordId=2, Level=2, Data=code),  # by a code in an error
        event(4711, RecordId=3, Level=4, Data=code),  # information is not looked through
        event(4711, RecordId=4, Level=3, Data={"Error": "all is well"}),
        event(1051, "2026-11-19T23:59:59Z", RecordId=5),  # too old
        event(1050, RecordId=6),  # went well
        event(1051, log="Application", RecordId=7, ProviderName="MSDTC"),
        event(1002, RecordId=8, Level=2, Data=code),  # routine
    ]
    host.set_state(events=events, event_logs=LOGS)
    document = ask(host)
    numbers = [text.partition("<EventRecordID>")[2].partition("<")[0] for text in found(document)]
    assert numbers == ["1", "2", "6"]
    assert found(document, "Application") == []
    (read,) = [one.read.value for one in document.logs if one.log == OPERATIONAL]
    assert read is not None
    assert (read.records, read.oldest, read.newest) == (7, "2026-11-19T23:59:59Z", "2026-11-23T09:00:00Z")


@pytest.mark.parametrize(
    "text", ["Nekad av principmodulen", "Vom Richtlinienmodul verweigert", "-2146875374", "2147944122", "0x00000400"]
)
def test_a_text_or_code_of_any_spelling_is_found_in_an_error(host: WindowsLike, text: str) -> None:
    host.set_state(events=[event(9, Level=2, Data={"Status": f"Was: {text}."})], event_logs=LOGS)
    assert len(found(ask(host))) == 1


def test_the_keywords_of_an_event_are_no_code(host: WindowsLike) -> None:
    """System holds 0x8000000000000000, and may hold eight digits alone."""
    host.set_state(events=[event(9, Level=2, Data={"a": "b"}, Computer="0x80094812")], event_logs=LOGS)
    assert found(ask(host)) == []


def test_a_log_that_is_not_there_is_absent_and_one_that_may_not_be_read_is_not(host: WindowsLike) -> None:
    logs = {"Application": {"providers": ["MSDTC"]}, OPERATIONAL: {"denied": True}, ADMIN: {"enabled": False}}
    host.set_state(events=[event(1051)], event_logs=logs)
    read = {one.log: one.read for one in ask(host).logs}
    assert read["Application"].absent and read[OLD].absent
    denied = read[OPERATIONAL].unreadable
    assert denied is not None and denied.code == "0x80070005"
    assert not read[ADMIN].need_value("").enabled


def test_a_message_that_cannot_be_put_together_takes_no_event_away(host: WindowsLike) -> None:
    """Windows formats a message nobody asked for; its error's identity is text in the host's language."""
    broken = event(1051, MessageError="Die Beschreibung wurde nicht gefunden.")
    host.set_state(events=[broken, event(1052)], event_logs=LOGS)
    (read,) = [one.read.need_value("") for one in ask(host).logs if one.log == OPERATIONAL]
    assert (len(read.events), read.errors) == (2, 1)


def test_more_ids_than_a_filter_takes(host: WindowsLike) -> None:
    events = [event(number, RecordId=number) for number in range(100, 135)]
    host.set_state(events=events, event_logs=LOGS)
    asked = [{"log": OPERATIONAL, "ids": list(range(100, 135)), "issued": [], "routine": []}]
    assert len(found(ask(host, events=asked))) == 35


def test_what_has_no_room_is_counted_and_what_went_wrong_has_its_own(host: WindowsLike) -> None:
    failed = [event(1051, f"2026-11-23T09:{n:02}:00Z", Data={"a": "x" * 1000}) for n in range(40)]
    issued = [event(1050, f"2026-11-23T10:{n:02}:00Z", Data={"a": "x" * 1000}) for n in range(40)]
    host.set_state(events=[*failed, *issued], event_logs=LOGS)
    (read,) = [one.read.need_value("") for one in ask(host, room=40_000).logs if one.log == OPERATIONAL]
    kept = [text for text in read.events if "<EventID>1051<" in text]
    assert 5 < len(kept) < 40 and read.left_out == 40 - len(kept)
    assert "09:39:00" in kept[0], "the newest come first"
    assert 0 < len(read.events) - len(kept) == 40 - read.issued_left_out


def test_no_other_log_can_be_asked_for(host: WindowsLike) -> None:
    host.set_state(event_logs=LOGS | {"Security": {}})
    request = json.loads(request_for(load(), since=SINCE, seconds=60)) | {
        "events": [{"log": "Security", "ids": [4624], "issued": [], "routine": []}]
    }
    text = json.dumps(request).replace("'", "''")
    line = (
        f"try {{ Get-LogDocument -Collector 'x' -Request '{text}' }} catch {{ Write-Output $_.FullyQualifiedErrorId }}"
    )
    assert host.powershell(line).startswith("ParameterArgumentValidationError")


def traces(host: WindowsLike, name: str, content: bytes) -> Path:
    path = host.program_files / "Microsoft Intune" / "NDESConnectorSvc" / "Logs" / "Logs" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def trace_read(document: LogDocument, name: str) -> Any:
    folder = document.traces.need_value("traces")
    (read,) = [file.read for file in folder.files if file.path.endswith(name)]
    return read.need_value(name)


def test_trace_records_that_match_come_back_with_their_place(host: WindowsLike) -> None:
    host.set_state(event_logs={})
    records = [trace(f"number {number} is well", minute=number % 60) for number in range(500)]
    records[100] = trace("IssuePfx - COMException (0x800706BA)", minute=5)
    records[400] = trace("Sändningen väntar", minute=6)
    content = "".join(records).encode()
    path = traces(host, "a.svclog", content)
    read = trace_read(ask(host), "a.svclog")
    assert [entry.at for entry in read.entries] == [content.find(records[n].encode()) for n in (100, 400)]
    assert [entry.text.encode("latin-1").decode() for entry in read.entries] == [records[100], records[400]]
    assert (read.records, read.left_out, read.stopped) == (500, 0, False)
    assert read.first.startswith("2026-11-23T09:00") and read.last.startswith("2026-11-23T09:19")
    assert path.read_bytes() == content


ENCODINGS = ("utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be", "utf-16-be with mark")


def encoded(text: str, encoding: str) -> bytes:
    name, _, marked = encoding.partition(" ")
    return ("\ufeff" * bool(marked) + text).encode(name)


def test_trace_files_of_any_encoding(host: WindowsLike) -> None:
    host.set_state(event_logs={})
    text = trace("well") + trace("Det går inte att hitta en registreringsprincipserver")
    for encoding in ENCODINGS:
        traces(host, f"{encoding}.svclog", encoded(text, encoding))
    document = ask(host)
    rows = {encoding: trace_read(document, f"/{encoding}.svclog") for encoding in ENCODINGS}
    assert {encoding: (len(row.entries), row.records) for encoding, row in rows.items()} == dict.fromkeys(
        ENCODINGS, (1, 2)
    )
    assert len({(row.first, row.last) for row in rows.values()}) == 1


def test_trace_files_too_short_to_tell_or_without_any_text(host: WindowsLike) -> None:
    host.set_state(event_logs={})
    contents = {"none": b"", "one": b"a", "mark": b"\xff\xfe", "three": b"\xfe\xff\0", "zeros": bytes(9000)}
    for name, content in contents.items():
        traces(host, f"{name}.svclog", content)
    document = ask(host)
    assert [trace_read(document, f"/{name}.svclog").entries for name in contents] == [()] * len(contents)


@pytest.mark.parametrize("size", [262_144, 524_288, 1_300_000])
def test_a_record_across_the_pieces_in_which_a_file_is_read(host: WindowsLike, size: int) -> None:
    host.set_state(event_logs={})
    hit = trace("0x80094812 here")
    filler = trace("x" * 1000)
    for shift in (0, len(hit) // 2, len(hit) - 60):
        before = filler * (size // len(filler))
        pad = trace("y" * max(0, size - len(before) - shift - len(trace(""))))
        traces(host, f"{shift}.svclog", (before + pad + hit + filler).encode())
    document = ask(host)
    for shift in (0, len(hit) // 2, len(hit) - 60):
        assert [entry.text for entry in trace_read(document, f"/{shift}.svclog").entries] == [hit]


def test_a_record_of_megabytes_is_not_kept_whole(host: WindowsLike) -> None:
    host.set_state(event_logs={})
    giant = trace("z" * 3_000_000 + " 0x800706BA " + "z" * 100_000)
    traces(host, "a.svclog", (giant + trace("0x80094812")).encode())
    read = trace_read(ask(host), "a.svclog")
    assert [("0x800706BA" in one.text, "0x80094812" in one.text) for one in read.entries] == [
        (True, False), (False, True),
    ]  # fmt: skip
    assert len(read.entries[0].text) <= 16_384


def test_since_leaves_out_older_records_and_whole_files(host: WindowsLike) -> None:
    import os

    host.set_state(event_logs={})
    old = trace("0x800706BA old").replace("2026-11-23", "2026-11-19")
    traces(host, "a.svclog", (old + trace("0x800706BA new")).encode())
    stale = traces(host, "b.svclog", old.encode())
    os.utime(stale, (1_763_000_000, 1_763_000_000))  # 2025-11-13
    document = ask(host)
    folder = document.traces.need_value("")
    assert (folder.total, folder.older, len(folder.files)) == (2, 1, 1)
    assert ["new" in one.text for one in trace_read(document, "a.svclog").entries] == [True]


def test_the_last_record_may_be_cut_off_anywhere(host: WindowsLike) -> None:
    host.set_state(event_logs={})
    whole = trace("0x80094812 last")
    cut = whole[: whole.index("0x80094812") + 12]
    traces(host, "a.svclog", (trace("well") + cut).encode())
    read = trace_read(ask(host), "a.svclog")
    assert [entry.text for entry in read.entries] == [cut]
    assert read.records == 1


def test_the_newest_records_of_a_file_are_kept_where_there_is_not_room_for_all(host: WindowsLike) -> None:
    host.set_state(event_logs={})
    traces(host, "a.svclog", "".join(trace(f"0x800706BA {n:03}", minute=n % 60) for n in range(100)).encode())
    read = trace_read(ask(host, room=20_000), "a.svclog")
    assert read.left_out == 100 - len(read.entries) > 0
    assert "0x800706BA 099" in read.entries[-1].text


def test_a_time_that_is_up_is_said(host: WindowsLike) -> None:
    host.set_state(events=[event(1051)], event_logs=LOGS)
    traces(host, "a.svclog", trace("0x800706BA").encode())
    document = ask(host, seconds=-1)
    assert trace_read(document, "a.svclog").stopped
    assert [one.read.need_value("").stopped for one in document.logs if one.log == OPERATIONAL] == [True]


def test_request_files_come_by_name_and_code(host: WindowsLike) -> None:
    host.set_state(event_logs={})
    failed = host.program_files / "Microsoft Intune" / "PfxRequest" / "Failed"
    failed.mkdir(parents=True)
    (failed / "a.pfr").write_text("secret 0x80094812")
    document = ask(host)
    assert b"secret" not in msgspec.json.encode(document)
    (file,) = document.request_folders[0].failed.need_value("").files
    assert (file.name, file.codes) == ("a.pfr", ("0x80094812",))


def test_a_host_with_nothing_on_it(host: WindowsLike) -> None:
    host.set_state(event_logs={})
    document = ask(host)
    assert all(one.read.absent for one in document.logs) and document.traces.absent
