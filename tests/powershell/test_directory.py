"""What the directory collector works out by itself is what the live reader works out: names, filters, SIDs."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from remediate.adcs.security_descriptor import SecurityDescriptor
from remediate.facts.callers import AS_COMPUTER, account_of
from remediate.facts.documents import Entry, Octets
from remediate.transports import ldap, ldap_connection
from tests.powershell.engine import FunctionEngine
from tests.powershell.windows_like import WindowsLike, make

SID = bytes.fromhex("01050000000000051500000001020304050607080910111213020000")
GUID = bytes(range(16))
NAMES = [
    "CONTOSO\\svc",
    "a)(cn=*",
    "anna@contoso.test",
    "CONTOSO\\an@na",
    "CONN1$",
    "Zoë",
    "x\\y\\z",
    "host",
    "h.contoso.test",
]


@pytest.fixture
def host(tmp_path: Path, functions: FunctionEngine) -> WindowsLike:
    return make(tmp_path, functions)


def quoted(text: str) -> str:
    return "(-join [char[]] @(" + ", ".join(str(ord(one)) for one in text) + "))"


def listed(host: WindowsLike, call: str, inputs: list[str]) -> list[list[Any]]:
    """What a call gives for each input, `{}` standing for it."""
    rows = "; ".join(f"@{{ said = @({call.replace('{}', quoted(one))}) }}" for one in inputs)
    return [row["said"] for row in host.fact(f"@({rows})")]


def test_the_attributes_are_those_of_the_live_reader(host: WindowsLike) -> None:
    kinds = ["Domain", "CrossReference", "Services", "Principal", "Binary"]
    domain, references, services, principal, binary = listed(host, "Get-DirectoryAttributeName -Of {}", kinds)
    assert domain == list(ldap._DOMAIN)
    assert references == list(ldap._CROSS_REFERENCE)
    assert services == list(ldap._SERVICES)
    assert principal == list(ldap._PRINCIPAL)
    only_writers_read = {"replpropertymetadata"}
    assert {str(name).lower() for name in binary} == ldap_connection.BINARY - only_writers_read


def test_the_filters_are_those_of_the_live_reader(host: WindowsLike) -> None:
    accounts = listed(host, "Get-AccountFilter -Name {}", NAMES)
    assert accounts == [[ldap._account_filter(name)] for name in NAMES]
    computers = listed(host, "Get-ComputerFilter -Name {}", NAMES)
    assert computers == [[ldap._computer_filter(name)] for name in NAMES]


def test_the_accounts_are_those_of_the_live_reader(host: WindowsLike) -> None:
    names = [*sorted(AS_COMPUTER), "LocalSystem", "NT SERVICE\\PkiCreateConnectorSvc", "", ".\\svc", "CONTOSO\\svc",
             "Conn1\\svc", "NT AUTHORITY\\LocalService", "NT AUTHORITY\\LOCAL SERVICE", "svc@contoso.test"]  # fmt: skip
    for domain in ("CONTOSO", ""):
        found = listed(host, f"Get-CallerName -StartName {{}} -Computer 'conn1' -Domain '{domain}'", names)
        wanted = [account_of(name, "conn1", domain=domain) for name in names]
        assert found == [[one] if one is not None else [] for one in wanted]


def ace(kind: int, body: bytes) -> bytes:
    return bytes([kind, 0]) + (4 + len(body)).to_bytes(2, "little") + body


def descriptor(*aces: bytes, owner: bytes = SID, count: int | None = None) -> bytes:
    acl = b"".join(aces)
    head = (
        bytes([4, 0])
        + (8 + len(acl)).to_bytes(2, "little")
        + (len(aces) if count is None else count).to_bytes(4, "little")
    )
    offsets = [20, 20, 0, 20 + len(owner)]
    return b"\x01\x00\x04\x80" + b"".join(one.to_bytes(4, "little") for one in offsets) + owner + head + acl


def other(last: int) -> bytes:
    return SID[:-1] + bytes([last])


MASK, FIRST, SECOND, BOTH, NONE = b"\xff\x01\x0f\x00", *(bytes([flags, 0, 0, 0]) for flags in (1, 2, 3, 0))
DESCRIPTORS = {
    "plain": descriptor(ace(0, MASK + other(1)), ace(1, MASK + other(2))),
    "object entries": descriptor(
        ace(5, MASK + BOTH + GUID + GUID + other(1)), ace(6, MASK + SECOND + GUID + other(2)),
        ace(5, MASK + NONE + other(3)),
    ),
    "conditions": descriptor(
        ace(9, MASK + other(1) + b"artx"), ace(11, MASK + FIRST + GUID + other(2) + b"artx")
    ),
    "unknown and compound types": descriptor(
        ace(4, MASK + other(1)), ace(0x40, MASK + other(2)), ace(0, MASK + other(3))
    ),
    "no entries": descriptor(),
    "torn": descriptor(ace(0, MASK + other(1)), count=2)[:-3],
    "cut off": descriptor(ace(0, MASK + other(1)))[:30],
}  # fmt: skip


def sids_of(data: bytes) -> set[str]:
    return {sid.binary.hex() for sid in ldap._sids_of(Entry("x", {"nTSecurityDescriptor": [Octets(data)]}))}


def test_the_sids_are_those_of_the_live_reader(host: WindowsLike) -> None:
    texts = [base64.b64encode(data).decode() for data in DESCRIPTORS.values()]
    found = listed(host, "Get-DescriptorSid -Descriptor {}", texts)
    assert [set(map(str, one)) for one in found] == [sids_of(data) for data in DESCRIPTORS.values()]
    assert len(SecurityDescriptor.parse(DESCRIPTORS["object entries"]).dacl_aces) == 3
    assert sids_of(DESCRIPTORS["object entries"]) == {SID.hex(), *(other(last).hex() for last in (1, 2, 3))}


def test_hosts_are_read_from_the_files_beside(host: WindowsLike) -> None:
    service = {"name": "PkiCreateConnectorSvc", "start_name": "LocalSystem"}
    machine = {"computer_name": "CONN1", "domain": {"value": "contoso.test"}}
    connector = {"role": "connector", "read_from": "CONN1", "machine": machine, "services": {"value": [service]}}
    ca = {
        "role": "ca",
        "read_from": "x",
        "machine": {"computer_name": "CA01", "dns_host_name": {"value": "ca01.contoso.test"}},
    }
    refused = connector | {"services": {"unreadable": {"why": "no", "code": ""}}}
    for name, content in {"connector-conn1": connector, "ca-ca01": ca, "connector-conn2": refused, "other": 1}.items():
        (host.folder / f"{name}.json").write_text(json.dumps(content))
    reference = "@{ attributes = @{ dnsRoot = @('contoso.test'); nETBIOSName = @('CONTOSO') } }"
    read = f"$documents = @(Read-HostDocument -Folder '{host.folder}')"
    call = f"Get-ConnectorAccountName -Documents $documents -Partitions @({reference})"
    said = host.powershell(f"{read}; ConvertTo-Json -InputObject @(@(Get-HostName -Documents $documents), @({call}))")
    assert json.loads(said) == [["ca01.contoso.test", "CONN1", "CONN1"], ["CONTOSO\\CONN1$"]]


@pytest.mark.parametrize("content", ['{"role": "ca"', '{"role": "ca"}', "[]", ""])
def test_a_file_that_is_no_document_is_named(host: WindowsLike, content: str) -> None:
    (host.folder / "connector-conn1.json").write_text(content)
    call = f"try {{ Read-HostDocument -Folder '{host.folder}' }} catch {{ $_.Exception.Message }}"
    assert "connector-conn1.json" in host.powershell(call)


def test_without_a_domain_a_server_must_be_given(host: WindowsLike) -> None:
    said = host.powershell(
        "$env:USERDNSDOMAIN = ''; try { Get-DirectoryPlace } catch { $_.Exception.Message };"
        "$env:USERDNSDOMAIN = 'CONTOSO.TEST'; ConvertTo-Json -InputObject (Get-DirectoryPlace) -Compress"
    )
    refusal, place = said.splitlines()
    assert "-Server" in refusal
    assert json.loads(place) == {"Server": "CONTOSO.TEST", "Domain": True}
