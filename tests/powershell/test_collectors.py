"""Each fact of the collectors: read, absent or unreadable, and never taken down by another."""

from __future__ import annotations

import base64
import os
import socket
from pathlib import Path

import msgspec
import pytest

from remediate.facts.documents import CaDocument, ConnectorDocument
from tests.lab.registry_file import binary, lines, number, text
from tests.powershell.engine import FunctionEngine
from tests.powershell.windows_like import WindowsLike, make

KEY = r"HKLM:\SOFTWARE\Contoso"
NODE = r"HKLM:\SOFTWARE\Microsoft\Cryptography\PolicyServers"
DEFENDER = r"HKLM:\SOFTWARE\Policies\Microsoft\Windows Defender"
PROVIDER = "Microsoft-Windows-CertificationAuthority"
CALL = "Get-EventFact -LogName 'Application' -ProviderName 'Microsoft-Windows-CertificationAuthority' -Id 128"


@pytest.fixture
def host(tmp_path: Path, functions: FunctionEngine) -> WindowsLike:
    return make(tmp_path, functions)


def read(name: str, kind: str) -> str:
    return f"Get-RegistryFact -Key '{KEY}' -Name '{name}' -Kind '{kind}'"


def test_registry_values_of_each_kind(host: WindowsLike) -> None:
    for name, value in {"d": number(0xFFFFFFFF), "s": text(""), "m": lines("one"), "b": binary(b"\x01\xff")}.items():
        host.registry.set(KEY, name, value)
    kinds = {"d": "DWord", "s": "String", "m": "MultiString", "b": "Binary"}
    found = host.fact("@(" + ", ".join(f"({read(name, kind)})" for name, kind in kinds.items()) + ")")
    assert [one["value"] for one in found] == [0xFFFFFFFF, "", ["one"], base64.b64encode(b"\x01\xff").decode()]


def test_registry_absent_wrong_kind_and_refused(host: WindowsLike) -> None:
    host.registry.set(KEY, "d", text("1"))
    assert host.fact(read("none", "DWord")) == {"absent": True}
    assert host.fact(read("d", "DWord").replace("Contoso", "Nobody")) == {"absent": True}
    wrong = host.fact(read("d", "DWord"))["unreadable"]
    assert "String" in wrong["why"] and "DWord" in wrong["why"]
    host.registry.deny(KEY)
    assert host.fact(read("d", "DWord"))["unreadable"]["code"] == "0x80070005"


def test_an_empty_list_is_a_list(host: WindowsLike) -> None:
    host.registry.set(KEY, "m", lines())
    assert host.fact(read("m", "MultiString")) == {"value": []}


def test_events_are_counted_and_none_is_zero(host: WindowsLike) -> None:
    assert host.fact(CALL)["value"]["count"] == 0
    event = {"LogName": "Application", "ProviderName": PROVIDER, "Id": 128}
    times = ["2999-01-02T03:04:05Z", "2999-01-03T03:04:05Z", "2001-01-01T00:00:00Z"]
    events = [event | {"TimeCreated": time, "Properties": [str(n)]} for n, time in enumerate(times)]
    host.set_state(events=[*events, event | {"Id": 8, "TimeCreated": times[0], "Properties": []}])
    found = host.fact(CALL)["value"]
    assert (found["count"], found["first"], found["last"]) == (2, times[0], times[1])
    assert found["request_ids"] == ["1", "0"]


def test_pending_requests_by_position(host: WindowsLike) -> None:
    assert host.fact("Get-PendingRequestFact") == {"value": []}
    row = {"RequestID": 7, "RequesterName": "CONTOSO\\CONN1$", "CommonName": 'A "quoted", name',
           "CertificateTemplate": "IntunePKCS", "SubmittedWhen": "2026-11-23 10:00"}  # fmt: skip
    host.set_state(pending_requests=[row])
    assert host.fact("Get-PendingRequestFact")["value"] == [
        {"request_id": 7, "requester": "CONTOSO\\CONN1$", "template": "IntunePKCS", "submitted": "2026-11-23 10:00"}
    ]


def test_a_row_without_a_number_is_not_skipped(host: WindowsLike) -> None:
    host.set_state(pending_requests=[dict.fromkeys(
        ("RequestID", "RequesterName", "CommonName", "CertificateTemplate", "SubmittedWhen"), "x")])  # fmt: skip
    assert "without a request ID" in host.fact("Get-PendingRequestFact")["unreadable"]["why"]


def test_ping_gives_the_hresult(host: WindowsLike) -> None:
    assert host.fact("Get-PingFact") == {"value": {"code": "0x80070103"}}


def test_request_files_give_codes_and_never_contents(host: WindowsLike) -> None:
    folder = host.program_files / "Microsoft Intune" / "PfxRequest" / "Failed"
    folder.mkdir(parents=True)
    (folder / "a.pfr").write_text("secret 0x800706ba -2146875374 0x800706BA 0x800706ba1 -2149999999 12-2146875374")
    (folder / "b.pfr").write_bytes("\ufeff0x80094800".encode("utf-16-le"))
    (folder / "c.pfr").write_bytes(b" " * (1 << 20) + b"0x80094015")
    for age, name in enumerate("abc"):
        os.utime(folder / f"{name}.pfr", (1_700_000_000 - age,) * 2)
    path = r"$env:ProgramFiles\Microsoft Intune\PfxRequest\Failed"
    said = host.powershell(f'ConvertTo-Json -InputObject (Get-RequestFolderFact -Path "{path}") -Depth 5')
    assert "secret" not in said
    found = msgspec.json.decode(said)["value"]
    assert [(one["name"], one["codes"]) for one in found["files"]] == [
        ("a.pfr", ["0x800706BA", "0x80094812"]), ("b.pfr", ["0x80094800"]), ("c.pfr", []),
    ]  # fmt: skip
    assert found["files"][0]["written"] == "2023-11-14T22:13:20Z"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be"])
def test_request_files_of_any_encoding(host: WindowsLike, encoding: str) -> None:
    (host.folder / "parts").mkdir()
    (host.folder / "parts" / "a.pfr").write_bytes("åäö <Error>0x80094800</Error> -2146875374".encode(encoding))
    [file] = host.fact(f"Get-RequestFolderFact -Path '{host.folder}/parts'")["value"]["files"]
    assert file["codes"] == ["0x80094800", "0x80094812"]


def test_only_the_newest_files_are_listed(host: WindowsLike) -> None:
    for n in range(53):
        file = host.folder / "many" / f"{n:02}.pfr"
        file.parent.mkdir(exist_ok=True)
        file.touch()
        os.utime(file, (n, n))
    found = host.fact(f"Get-RequestFolderFact -Path '{host.folder}/many'")["value"]
    assert (found["total"], len(found["files"]), found["files"][0]["name"]) == (53, 50, "52.pfr")


def test_a_dangling_file_says_so(host: WindowsLike) -> None:
    (host.folder / "odd").mkdir()
    (host.folder / "odd" / "x.pfr").symlink_to("/nowhere/at/all")
    [file] = host.fact(f"Get-RequestFolderFact -Path '{host.folder}/odd'")["value"]["files"]
    assert "could not be read" in file["unreadable"]


def test_defender_exclusions(host: WindowsLike) -> None:
    assert host.fact("Get-DefenderExclusionFact") == {"value": []}
    host.set_state(mp_preference={"ExclusionPath": [r"C:\A"]})
    assert host.fact("Get-DefenderExclusionFact") == {"value": [r"C:\A"]}
    host.set_state(mp_preference={"ExclusionPath": ["N/A: Must be an administrator to view exclusions"]})
    assert host.fact("Get-DefenderExclusionFact")["unreadable"]["code"] == "0x80070005"


def test_defender_policy(host: WindowsLike) -> None:
    assert host.fact("Get-DefenderPolicyFact")["value"] == {
        "exclusions_managed": False,
        "local_admin_merge_disabled": False,
    }
    host.registry.set(DEFENDER, "DisableLocalAdminMerge", number(1))
    host.registry.set(f"{DEFENDER}\\Exclusions\\Paths", r"C:\A", text("0"))
    assert host.fact("Get-DefenderPolicyFact")["value"] == {
        "exclusions_managed": True,
        "local_admin_merge_disabled": True,
    }


def test_policy_servers(host: WindowsLike) -> None:
    assert host.fact(f"Get-PolicyServerFact -Key '{NODE}'") == {"absent": True}
    host.registry.set(NODE, "Flags", number(4))
    host.registry.set(NODE, "(default)", text("{1}"))
    host.registry.set(f"{NODE}\\37c9", "URL", text("LDAP:"))
    host.registry.set(f"{NODE}\\37c9", "Cost", number(0xFFFFFFFF))
    found = host.fact(f"Get-PolicyServerFact -Key '{NODE}'")["value"]
    assert (found["flags"], found["default"]) == (4, "{1}")
    row = {"policy_id": "", "friendly_name": "", "flags": 0, "auth_flags": 0, "cost": 0xFFFFFFFF}
    assert found["servers"] == [{"id": "37c9", "url": "LDAP:", **row}]
    host.registry.set(f"{NODE}\\37c9", "Flags", text("20"))
    assert "DWord" in host.fact(f"Get-PolicyServerFact -Key '{NODE}'")["unreadable"]["why"]


def test_applied_policy_servers(host: WindowsLike) -> None:
    host.set_state(policy_servers=[{"Url": "https://cep.contoso.test/x/service.svc/CEP", "Scope": "Applied"}])
    assert host.fact("Get-AppliedPolicyServerFact") == {"value": ["https://cep.contoso.test/x/service.svc/CEP"]}


def test_connection_status_of_both_generations(host: WindowsLike) -> None:
    host.registry.set(KEY, "ConnectionStatus", text("Connected"))
    line = f"Get-ConnectionStatusFact -Key '{KEY}'"
    assert host.fact(line)["value"]["status"] == "Connected"
    host.registry.set(f"{KEY}\\ConnectionStatus", "IssueDetails", text("none"))
    assert host.fact(line)["value"] == {"status": "", "last_connection": "", "issue": "none"}


def test_cluster_resource(host: WindowsLike) -> None:
    line = "Get-ClusterResourceFact -ServiceName 'CertSvc'"
    assert host.fact(line) == {"value": False}
    host.registry.set(r"HKLM:\Cluster\Resources\1\Parameters", "ServiceName", text("certsvc"))
    assert host.fact(line) == {"value": True}


def test_roots_and_foreign_antivirus(host: WindowsLike) -> None:
    for branch in (r"Microsoft\SystemCertificates\ROOT", r"Policies\Microsoft\SystemCertificates\ROOT"):
        host.registry.set(f"HKLM:\\SOFTWARE\\{branch}\\Certificates\\aa11", "Blob", binary(b""))
    for name in ("WdFilter", "OtherFilter"):
        host.registry.set(f"HKLM:\\SYSTEM\\CurrentControlSet\\Services\\{name}", "Group", text("FSFilter Anti-Virus"))
    assert host.fact("Get-TrustedRootFact") == {"value": ["AA11"]}
    assert host.fact("Get-ForeignAntivirusFact") == {"value": ["OtherFilter"]}


def test_names_and_ports(host: WindowsLike) -> None:
    found = host.fact("Get-CertificationAuthorityReach -HostName 'localhost'")
    assert found["addresses"]["value"]
    with socket.socket() as probe:  # a domain controller on this machine answers there too
        answers = probe.connect_ex(("127.0.0.1", 135)) == 0
    assert found["rpc_endpoint_mapper"] == {"value": answers}
    assert host.fact("Get-AddressFact -HostName 'nobody.invalid'") != {"value": []}


def test_a_bare_host_is_a_document_too(host: WindowsLike) -> None:
    ca = msgspec.json.decode(
        host.powershell("Get-CertificationAuthorityDocument -Collector 'remediate 1'"), type=CaDocument
    )
    assert ca.active.absent
    assert ca.service.absent
    assert not ca.security.known
    assert ca.machine.domain.absent
    assert (ca.read_from, ca.read_as, ca.collector, ca.role) == ("HOST1", "contoso\\anna", "remediate 1", "ca")
    assert ca.administrator.value is True
    assert not ca.service_control.known
    said = host.powershell("Get-ConnectorDocument -Collector 'remediate 1'")
    connector = msgspec.json.decode(said, type=ConnectorDocument)
    assert connector.administrator.value is True
    assert connector.services.value == []
    assert connector.connector_version.absent
    assert connector.certification_authorities == ()
    assert [one.failed.absent for one in connector.request_folders] == [True, True]


RUNNING = {"State": "Running", "StartMode": "Auto", "StartName": "LocalSystem", "PathName": "certsrv.exe"}
FILTERED = {"name": "contoso\\anna", "elevated": False}
OUTSIDE = FILTERED | {"groups": [["Alle", "Bekannte Gruppe", "S-1-1-0", ""]]}


@pytest.mark.parametrize("who", [FILTERED, OUTSIDE], ids=["not elevated", "no member"])
def test_who_is_no_administrator_is_said(host: WindowsLike, who: dict[str, object]) -> None:
    host.set_state(whoami=who)
    assert host.fact("Get-AdministratorFact -Token (Read-Token)") == {"value": False}


def test_rights_that_cannot_be_read_are_unreadable(host: WindowsLike) -> None:
    unread = "Get-AdministratorFact -Token @{ Account = ''; Groups = @(); Why = 'whoami.exe is gone' }"
    assert "whoami.exe is gone" in host.fact(unread)["unreadable"]["why"]
    assert "unreadable" in host.fact("Get-ServiceControlFact -Name 'CertSvc'")


def test_control_of_the_service(host: WindowsLike) -> None:
    host.set_state(services={"CertSvc": RUNNING})
    assert host.fact("Get-ServiceControlFact -Name 'CertSvc'") == {"value": True}
    host.set_state(services={"CertSvc": RUNNING}, failures={"ServiceHandle": "access denied"})
    assert host.fact("Get-ServiceControlFact -Name 'CertSvc'") == {"value": False}


def test_a_missing_command_is_one_unreadable_fact(host: WindowsLike) -> None:
    line = "Remove-Item Function:Get-CertificateEnrollmentPolicyServer; Get-ConnectorDocument -Collector 'remediate 1'"
    connector = msgspec.json.decode(host.powershell(line), type=ConnectorDocument)
    assert connector.policy_servers_applied.unreadable is not None
    assert connector.trusted_roots.known


def test_nothing_is_written(host: WindowsLike) -> None:
    host.powershell(
        "$null = Get-CertificationAuthorityDocument -Collector 'x'; $null = Get-ConnectorDocument -Collector 'x'"
    )
    assert host.registry.writes() == []
