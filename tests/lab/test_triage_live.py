"""What the lab's hosts answer is read by triage as any other input; live hosts look through their logs themselves."""

from __future__ import annotations

import io
import itertools
import json
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remediate.cli.live_logs import host_reader, live_from
from remediate.model.secret import Secret
from remediate.transports.credentials import Credential
from remediate.triage.counting import count
from remediate.triage.live import LogDocument, decode
from remediate.triage.live_request import CONNECTOR_LOGS, request_for
from remediate.triage.report import Problem, Report
from remediate.triage.signatures import load
from remediate.triage.sources import Stream, read
from remediate.triage.summary import make_report
from tests.lab.contoso import ADMIN, READER
from tests.lab.estate import Lab
from tests.lab.hosts import LabHost
from tests.lab.jea import jea_host
from tests.lab.program import ROOT, Ended, environment, remediate
from tests.lab.test_collectors_live import read_ca
from tests.lab.test_dry_run_live import LOGON
from tests.lab.windows_hosts import CA_PROVIDER
from tests.triage.sources_evtx import Event, write
from tests.triage.sources_material import trace

OPERATIONAL, ADMIN_CHANNEL, OLD = CONNECTOR_LOGS
CONNECTOR = "Microsoft-Intune-CertificateConnectors"
DEVICE = "5b1c2d3e-0a1b-4c2d-8e3f-000000000001"
NOW = datetime.now(UTC).replace(microsecond=0)


def ago(**how: float) -> str:
    return (NOW - timedelta(**how)).strftime("%Y-%m-%dT%H:%M:%S.250Z")


def connector_event(number: int, when: str, record: int, *, channel: str = OPERATIONAL, **data: str) -> dict[str, Any]:
    return {
        "LogName": channel, "ProviderName": CONNECTOR, "Id": number, "TimeCreated": when, "RecordId": record,
        "Computer": "conn1.contoso.test", "Level": 2 if number % 10 else 4, "Data": data,
    }  # fmt: skip


def ca_event(number: int, when: str, record: int, *values: str, provider: str = CA_PROVIDER) -> dict[str, Any]:
    names = ("RequestId", "Reason", "SubjectName")
    return {
        "LogName": "Application", "ProviderName": provider, "Id": number, "TimeCreated": when, "RecordId": record,
        "Computer": "ca01.contoso.test", "Level": 3, "Data": dict(zip(names, values, strict=False)),
    }  # fmt: skip


def plant(lab: Lab) -> None:
    """Problems of both hosts: English and Swedish, in channels and in a trace file; and what is none of them."""
    hit = {
        "Error": "CCertRequest::Submit: RPC-servern är inte tillgänglig. 0x800706ba (WIN32: 1722)",
        "DeviceID": DEVICE,
    }
    lab.connector.change_state(
        events=[
            connector_event(1051, ago(hours=3), 11, **hit),
            connector_event(1051, ago(hours=2), 12, **hit),
            connector_event(1001, ago(hours=2), 5, channel=ADMIN_CHANNEL, Error="Nekad av principmodulen"),
            connector_event(1050, ago(hours=1), 13, DeviceID=DEVICE),
            connector_event(5001, ago(hours=1), 14, Status="healthy"),
            connector_event(1051, ago(days=30), 3, **hit),
        ]
    )
    refused = "The Email name is unavailable. 0x80094812 (-2146875374 CERTSRV_E_SUBJECT_EMAIL_REQUIRED)"
    lab.ca.change_state(
        events=[
            ca_event(53, ago(hours=5), 900, "17", refused, "CN=anna@contoso.test"),
            ca_event(128, ago(hours=4), 901, "18"),
            ca_event(1000, ago(hours=4), 902, "0x80094800", provider="MSDTC"),
        ]
    )
    logs = lab.connector.program_files / "Microsoft Intune" / "NDESConnectorSvc" / "Logs" / "Logs"
    logs.mkdir(parents=True, exist_ok=True)
    times = [(NOW - timedelta(hours=6, minutes=n)).strftime("%Y-%m-%dT%H:%M") for n in range(200)]
    lines = ["IssuePfx - Sändningen väntar" if n == 7 else f"request {n} done" for n in range(200)]
    text = "".join(trace(line).replace("2026-11-23T09:00", when) for line, when in zip(lines, times, strict=True))
    (logs / "NDESConnector_1.svclog").write_text(text, encoding="utf-8")


def triage(lab: Lab, *arguments: str, code: int = 2) -> Report:
    with lab.ticket(ADMIN):
        ended = remediate("triage", *arguments, "--json")
    assert ended.code == code, (ended.out, ended.err)
    return msgspec.json.decode(ended.out, type=Report)


def hosts(lab: Lab) -> list[str]:
    return ["--connector", lab.connector.fqdn, "--ca", lab.ca.fqdn]


def counts(made: Report) -> dict[str, int]:
    return {one.signature or one.code: one.count for one in made.problems}


FOUND = {
    "rpc_server_unavailable": 2, "denied_by_policy_module": 1, "subject_email_required": 1, "event_128": 1,
    "submission_pending": 1,
}  # fmt: skip


def problem(made: Report, signature: str) -> Problem:
    (found,) = [one for one in made.problems if one.signature == signature]
    return found


def test_event_128_of_a_ca_shows_in_its_document(fresh_lab: Lab) -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    event = {"LogName": "Application", "ProviderName": "Microsoft-Windows-CertificationAuthority", "Id": 128}
    fresh_lab.ca.change_state(events=[event | {"TimeCreated": now, "Properties": ["17"]}])
    document = msgspec.json.encode(read_ca(fresh_lab))
    signatures = load()
    items = read([Stream("ca.json", io.BytesIO(document))], signatures.needles, jobs=1)
    (problem,) = make_report(count(items, signatures), where="").problems
    assert (problem.kind, problem.signature, problem.hosts) == ("warning", "event_128", ("ca01",))
    assert problem.first[:19] == now[:19]
    assert "requests 17" in problem.proof[0].text


def test_both_hosts_are_read_in_one_command_each_and_nothing_is_written(fresh_lab: Lab) -> None:
    lab = fresh_lab
    plant(lab)
    changes, before = len(lab.domain.changes()), tree(lab.connector)
    made = triage(lab, "--dc", lab.dc, "--trust", str(lab.trust), "--connector", lab.connector.fqdn)
    assert counts(made) == FOUND, "the CA is the one that the directory names"
    assert made.issued == 1 and made.unread == ()
    found = problem(made, "rpc_server_unavailable")
    assert (found.code, found.devices, found.requests.recovered) == ("0x800706BA", 1, 1)
    assert found.command.endswith(f"--dc {lab.dc} --connector conn1.contoso.test --trust {lab.trust}")
    assert any("since" in note for note in made.notes)
    assert [lab.ca.commands(), lab.connector.commands(), lab.hosts["conn2"].commands()] == [1, 1, 0]
    assert lab.relay.writes == []
    assert {name for change in lab.domain.changes()[changes:] for name in change["attributes"]} <= LOGON
    assert [host.registry.writes() for host in (lab.ca, lab.connector)] == [[], []]
    assert tree(lab.connector) == before


def tree(host: LabHost) -> dict[Path, tuple[int, int]]:
    """Size and time of every file that a host has."""
    files = (path for path in host.program_files.rglob("*") if path.is_file())
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


def test_what_was_read_is_said(fresh_lab: Lab) -> None:
    plant(fresh_lab)
    made = triage(fresh_lab, *hosts(fresh_lab))
    read_of = {one.source.partition(" ")[2]: (one.kind, one.scanned, one.matched) for one in made.sources}
    assert read_of[OPERATIONAL] == ("event-log", 5, 3)
    assert read_of[ADMIN_CHANNEL] == ("event-log", 1, 1)
    assert read_of["Application"] == ("event-log", 3, 2)
    (trace_file,) = [told for name, told in read_of.items() if name.endswith(".svclog")]
    assert trace_file == ("svclog", 200, 1)
    assert not [name for name in read_of if name == OLD]
    (first,) = [one.first for one in made.sources if one.kind == "svclog"]
    assert ago(hours=6, minutes=3) < first < ago(hours=5, minutes=57), "the first record of the file"


def answer(lab: Lab, host: LabHost, *, since: str) -> LogDocument:
    """What goes over the wire, before anything here looks at it."""
    given = {"domain": "", "dc": "", "ca": (), "connector": (), "trust": "", "user": "", "tls": False, "timeout": 60}
    live = live_from(given | {"endpoint": ""}, since=since, now=NOW)
    request = request_for(load(), since=since, seconds=60)
    with lab.ticket(ADMIN):
        text = host_reader(live, Credential(), request=request, trust=None)(host.fqdn)
    return decode(text, host=host.fqdn)


def test_only_what_matches_is_transferred(fresh_lab: Lab) -> None:
    lab = fresh_lab
    plant(lab)
    many = [connector_event(5001, ago(minutes=n), 100 + n, Status="healthy") for n in range(300)]
    lab.connector.change_state(events=[*lab.connector.state()["events"], *many])
    document = answer(lab, lab.connector, since=(NOW - timedelta(days=7)).strftime("%Y-%m-%dT%H:%M:%SZ"))
    sent = {one.log: len(read.events) for one in document.logs if (read := one.read.if_known())}
    assert sent == {OPERATIONAL: 3, ADMIN_CHANNEL: 1}
    (file,) = document.traces.need_value("").files
    assert [len(file.read.need_value("").entries), file.read.need_value("").records] == [1, 200]
    assert "request 8 done" not in msgspec.json.encode(document).decode()


def test_since(fresh_lab: Lab) -> None:
    plant(fresh_lab)
    assert counts(triage(fresh_lab, *hosts(fresh_lab), "--since", "150m"))["rpc_server_unavailable"] == 1
    assert counts(triage(fresh_lab, *hosts(fresh_lab), "--since", "60d"))["rpc_server_unavailable"] == 3
    later = (datetime.now(UTC) + timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    nothing = triage(fresh_lab, *hosts(fresh_lab), "--since", later, code=0)
    assert nothing.problems == () and nothing.records == 9, "what they hold is said all the same"


def test_an_event_read_live_and_from_a_file_counts_once(fresh_lab: Lab, tmp_path: Path) -> None:
    plant(fresh_lab)
    event = Event(1051, CONNECTOR, OPERATIONAL, when=NOW - timedelta(hours=3), data=(("Error", "0x800706ba"),))
    log = write(tmp_path / "operational.evtx", [event])
    planted = connector_event(1051, ago(hours=3), 1, Error="0x800706ba")
    fresh_lab.connector.change_state(events=[planted])
    made = triage(fresh_lab, *hosts(fresh_lab), str(log))
    assert counts(made)["rpc_server_unavailable"] == made.copies == 1
    assert {one.kind for one in made.sources} >= {"evtx", "event-log"}


def test_a_trace_file_read_live_and_from_a_copy_counts_once(fresh_lab: Lab, tmp_path: Path) -> None:
    plant(fresh_lab)
    (file,) = fresh_lab.connector.program_files.rglob("*.svclog")
    (tmp_path / "copy.svclog").write_bytes(file.read_bytes())
    made = triage(fresh_lab, *hosts(fresh_lab), str(tmp_path))
    assert (counts(made), made.copies) == (FOUND, 1)
    places = {proof.position for proof in problem(made, "submission_pending").proof}
    assert places == {file.read_bytes().find(b"<E2ETraceEvent", file.read_bytes().find(b"request 6 done"))}


def test_a_trace_file_of_any_encoding_gives_the_same_live_and_as_a_file(fresh_lab: Lab, tmp_path: Path) -> None:
    file = fresh_lab.connector.program_files / "Microsoft Intune" / "NDESConnectorSvc" / "Logs" / "Logs" / "a.svclog"
    file.parent.mkdir(parents=True, exist_ok=True)
    told = ("IssuePfx - Sändningen väntar", "0x80094015 då", "Nekad av principmodulen", "CertReq: -2146875374")
    times = [(NOW - timedelta(hours=6, minutes=n)).strftime("%Y-%m-%dT%H:%M") for n in range(len(told))]
    text = "".join(trace(line).replace("2026-11-23T09:00", when) for line, when in zip(told, times, strict=True))
    for encoding, mark in itertools.product(("utf-8", "cp1252", "utf-16-le", "utf-16-be"), ("", "\ufeff")):
        file.write_bytes(f"{mark}{text}".encode(encoding, "ignore"))
        (tmp_path / "copy.svclog").write_bytes(file.read_bytes())
        live = triage(fresh_lab, "--connector", fresh_lab.connector.fqdn)
        copied = triage(fresh_lab, str(tmp_path / "copy.svclog"))
        assert counts(live) == counts(copied) and len(counts(live)) == len(told), (encoding, mark)
        assert live.records == copied.records == len(told)


def test_a_host_that_is_down_stops_no_other(fresh_lab: Lab) -> None:
    plant(fresh_lab)
    made = triage(fresh_lab, *hosts(fresh_lab), "--connector", "nowhere.contoso.test", code=1)
    assert counts(made) == FOUND
    assert [(one.source, one.lost) for one in made.unread] == [("nowhere.contoso.test", True)]
    assert "its name is not known" in made.unread[0].what


def as_user(lab: Lab, *arguments: str, user: str = ADMIN.upn, wrong: bool = False) -> Ended:
    return remediate("triage", *arguments, "--user", user, with_environment=environment(wrong=wrong))


@pytest.mark.parametrize("with_directory", [False, True])
def test_a_wrong_password_is_tried_once(fresh_lab: Lab, with_directory: bool) -> None:
    lab = fresh_lab
    plant(lab)
    where = ["--dc", lab.dc, "--trust", str(lab.trust)] if with_directory else ["--ca", lab.ca.fqdn]
    connectors = ["--connector", lab.connector.fqdn, "--connector", lab.hosts["conn2"].fqdn]
    ended = as_user(lab, *where, *connectors, wrong=True)
    assert ended.code == 1
    told = " ".join(ended.out.split())
    by, said = (lab.dc, "the user name or password is wrong") if with_directory else (lab.ca.fqdn, "refused the logon")
    assert said in told
    assert told.count(f"it was not tried ({by} refused the account)") == 2
    assert not any(host.requests() for host in lab.hosts.values()), "nobody got in"


def test_a_password_from_the_keyring_reads_all(fresh_lab: Lab) -> None:
    plant(fresh_lab)
    ended = as_user(fresh_lab, *hosts(fresh_lab))
    assert ended.code == 2 and "PROBLEM  The RPC server is unavailable" in ended.out


def test_an_account_without_rights_is_told_so(fresh_lab: Lab) -> None:
    with fresh_lab.ticket(READER):
        ended = remediate("triage", *hosts(fresh_lab))
    assert ended.code == 1
    assert ended.out.count("UNREAD") == 2


def test_what_may_not_be_read_and_what_is_switched_off_make_it_incomplete(fresh_lab: Lab) -> None:
    plant(fresh_lab)
    logs = fresh_lab.connector.state()["event_logs"]
    fresh_lab.connector.change_state(
        event_logs=logs | {OPERATIONAL: {"denied": True}, ADMIN_CHANNEL: {"enabled": False, "first": 4711}}
    )
    made = triage(fresh_lab, *hosts(fresh_lab), code=1)
    told = {one.source: one.what for one in made.unread if one.lost}
    assert "0x80070005" in told[f"conn1.contoso.test {OPERATIONAL}"]
    assert "disabled" in told[f"conn1.contoso.test {ADMIN_CHANNEL}"]
    (noted,) = [one for one in made.unread if not one.lost]
    assert "reaches back to" in noted.what
    assert "rpc_server_unavailable" not in counts(made) and counts(made)["denied_by_policy_module"] == 1


def test_a_host_without_the_logs_of_its_role_is_told(fresh_lab: Lab) -> None:
    made = triage(fresh_lab, "--ca", fresh_lab.connector.fqdn, code=1)
    assert ["is it a CA?" in one.what for one in made.unread] == [True]
    made = triage(fresh_lab, "--connector", fresh_lab.ca.fqdn, code=1)
    assert ["trace files" in one.what for one in made.unread] == [True]


def test_a_host_that_is_both_is_asked_once(fresh_lab: Lab) -> None:
    both = ["--ca", fresh_lab.ca.fqdn, "--connector", fresh_lab.ca.fqdn.upper()]
    triage(fresh_lab, *both, code=1)
    assert fresh_lab.ca.commands() == 1


def test_nothing_found_names_every_log(fresh_lab: Lab) -> None:
    with fresh_lab.ticket(ADMIN):
        ended = remediate("triage", *hosts(fresh_lab))
    assert ended.code == 0
    assert "No known problem stands in what was read." in ended.out
    for name in (f"conn1.contoso.test {OPERATIONAL}", "ca01.contoso.test Application"):
        assert name in ended.out


TIME = re.compile(r"(?:\d{4}-)?\d\d-\d\d[ T]\d\d:\d\d(?::\d\dZ)?|(?<=to )\d\d:\d\d(?= UTC)")


def test_the_readme_shows_what_is_printed(fresh_lab: Lab) -> None:
    plant(fresh_lab)
    with fresh_lab.ticket(ADMIN):
        printed = remediate("triage", *hosts(fresh_lab), "--since", "24h").out
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```\n(remediate triage --connector .*?)^```$", readme, flags=re.MULTILINE | re.DOTALL)
    command, _, shown = shown.partition("\n")
    assert command.split()[2:] == [*hosts(fresh_lab), "--since", "24h"]
    above, _, below = (TIME.sub("TIME", text) for text in shown.partition("  ...\n"))
    assert TIME.sub("TIME", printed).startswith(above), printed
    assert printed.endswith(below), printed


def test_redacted_and_as_a_ticket(fresh_lab: Lab) -> None:
    plant(fresh_lab)
    with fresh_lab.ticket(ADMIN):
        ended = remediate("triage", *hosts(fresh_lab), "--redact", "--format", "md")
    assert ended.code == 2
    assert DEVICE not in ended.out and "anna" not in ended.out
    assert "0x800706BA" in ended.out and "conn1" in ended.out


def test_the_old_log_of_the_connector(fresh_lab: Lab) -> None:
    event = {
        "LogName": OLD, "ProviderName": OLD, "Id": 20102, "TimeCreated": ago(hours=1), "RecordId": 7, "Level": 2,
        "Properties": ["PKCS_Issue_CA_Unavailable 0x00000400"],
    }  # fmt: skip
    fresh_lab.connector.change_state(events=[event], event_logs={"Application": {"providers": ["MSDTC"]}, OLD: {}})
    made = triage(fresh_lab, "--connector", fresh_lab.connector.fqdn)
    assert counts(made) == {"ca_unavailable_to_connector": 1}


def test_request_files(fresh_lab: Lab) -> None:
    folder = fresh_lab.connector.program_files / "Microsoft Intune" / "PfxRequest" / "Failed"
    for number in range(60):
        (folder / f"{number}.pfr").write_text("0x80094800" if number == 59 else "nothing")
        os.utime(folder / f"{number}.pfr", (NOW.timestamp() - 600 + number,) * 2)
    made = triage(fresh_lab, "--connector", fresh_lab.connector.fqdn, code=1)
    assert counts(made)["template_not_published"] == 1
    assert ["newest 50 of 60" in one.what for one in made.unread] == [True]


def test_settings_name_hosts_for_a_bare_triage_only(fresh_lab: Lab, tmp_path: Path) -> None:
    plant(fresh_lab)
    (tmp_path / "remediate.toml").write_text(
        f'connector = ["{fresh_lab.connector.fqdn}"]\nca = ["{fresh_lab.ca.fqdn}"]\n'
    )
    (tmp_path / "a.log").write_text("0x80094811\n")
    with fresh_lab.ticket(ADMIN):
        bare = remediate("triage", "--json", folder=tmp_path)
        named = remediate("triage", "a.log", "--json", folder=tmp_path)
    assert counts(msgspec.json.decode(bare.out, type=Report)) == FOUND
    assert counts(msgspec.json.decode(named.out, type=Report)) == {"0x80094811": 1}
    assert fresh_lab.connector.commands() == 1


def test_through_an_endpoint_that_takes_no_scripts(fresh_lab: Lab) -> None:
    with jea_host(fresh_lab, role="RemediateReader") as host:
        host.change_state(events=[ca_event(53, ago(hours=5), 900, "17", "0x80094812")])
        given = ["--ca", host.fqdn, "--user", ADMIN.down_level, "--endpoint", "Remediate", "--json"]
        ended = remediate("triage", *given)
        made = msgspec.json.decode(ended.out, type=Report)
        assert (ended.code, counts(made)) == (2, {"subject_email_required": 1}), ended.out
        refused = remediate("triage", *given[:4], "--json")
        assert refused.code == 1 and json.loads(refused.out)["problems"] == []


def test_an_endpoint_without_the_role(fresh_lab: Lab) -> None:
    with jea_host(fresh_lab) as host:
        where = ["--ca", host.fqdn, "--user", ADMIN.down_level, "--endpoint", "Remediate"]
        ended = remediate("triage", *where)
    assert ended.code == 1 and "RemediateReader" in " ".join(ended.out.split())


def test_the_credential_is_that_of_a_password_too(fresh_lab: Lab) -> None:
    """The reader of hosts takes a password as it takes a ticket."""
    given = {"domain": "", "dc": "", "ca": (), "connector": (), "trust": "", "user": "", "tls": False, "timeout": 60}
    live = live_from(given | {"endpoint": ""}, since="2026-11-20T00:00:00Z", now=NOW)
    request = request_for(load(), since=live.since, seconds=60)
    credential = Credential(ADMIN.upn, Secret(ADMIN.password))
    text = host_reader(live, credential, request=request, trust=None)(fresh_lab.ca.fqdn)
    assert decode(text, host="ca01").read_from == "CA01"
