"""As whom services call: the account that is looked up is the account whose rights are judged."""

from __future__ import annotations

from typing import Any

import pytest

from remediate.engine.collect import connector_accounts
from remediate.facts.callers import account_of, netbios_name_of
from remediate.facts.documents import ConnectorDocument, DirectoryDocument, Entry, Machine, Service
from remediate.facts.hosts import REVOKING_SERVICE, ConnectorHost
from remediate.facts.product import PKCS_SERVICES
from remediate.model.errors import UnknownFact
from remediate.model.fact import Fact

READ: dict[str, Any] = {
    "format_version": "1.0",
    "collector": "test",
    "read_at": "2026-11-23T09:12:00Z",
    "read_as": "C\\a",
}
CHILD = Entry("CN=CHILD,CN=Partitions", {"dnsRoot": ["child.contoso.test"], "nETBIOSName": ["CHILD"]})
DIRECTORY = DirectoryDocument(
    **READ, role="directory", read_from="dc1", root_dse=Entry("", {}), partitions=Fact(value=[CHILD])
)


def connector(domain: Fact[str], **start_names: str) -> ConnectorDocument:
    services = [
        Service(name=name, state="Running", start_mode="Auto", start_name=start_name)
        for name, start_name in start_names.items()
    ]
    machine = Machine(computer_name="conn1", domain=domain)
    return ConnectorDocument(
        **READ, role="connector", read_from="conn1", machine=machine, services=Fact(value=services)
    )


IN_CHILD: Fact[str] = Fact(value="child.contoso.test")


@pytest.mark.parametrize(
    ("start_name", "account"),
    [
        ("LocalSystem", "CONTOSO\\CONN1$"),
        ("nt authority\\system", "CONTOSO\\CONN1$"),
        ("NT AUTHORITY\\NetworkService", "CONTOSO\\CONN1$"),
        ("NT Service\\PkiCreateConnectorSvc", "CONTOSO\\CONN1$"),
        ("CONTOSO\\svc_intune", "CONTOSO\\svc_intune"),
        ("CONTOSO\\gmsa$", "CONTOSO\\gmsa$"),
        ("svc@contoso.test", "svc@contoso.test"),
        (".\\intune", None),
        ("CONN1\\intune", None),
        ("NT AUTHORITY\\LocalService", None),
        ("", None),
    ],
)
def test_account_of(start_name: str, account: str | None) -> None:
    assert account_of(start_name, "conn1", domain="CONTOSO") == account


@pytest.mark.parametrize("start_name", ["LocalSystem", "NT SERVICE\\PkiCreateConnectorSvc"])
def test_a_computer_of_a_workgroup_has_no_account(start_name: str) -> None:
    assert account_of(start_name, "conn1", domain="") is None


@pytest.mark.parametrize("start_name", ["LocalSystem", "NT SERVICE\\PkiCreateConnectorSvc", "CHILD\\svc"])
def test_the_caller_is_among_the_accounts_that_are_looked_up(start_name: str) -> None:
    document = connector(IN_CHILD, **{PKCS_SERVICES[0]: start_name, REVOKING_SERVICE: "CHILD\\revoker"})
    domain = netbios_name_of("child.contoso.test", DIRECTORY)
    host = ConnectorHost(document, None)
    assert domain == "CHILD"
    assert {host.caller(domain), host.revoker(domain)} == set(connector_accounts([document], DIRECTORY))


def test_different_names_of_one_account_are_one_caller() -> None:
    names = dict(zip(PKCS_SERVICES, ("LocalSystem", "NT AUTHORITY\\NetworkService", "NT SERVICE\\x"), strict=True))
    assert ConnectorHost(connector(IN_CHILD, **names), None).caller("CHILD") == "CHILD\\CONN1$"


@pytest.mark.parametrize(
    ("start_names", "why"),
    [
        ({}, "is installed"),
        ({PKCS_SERVICES[0]: "CHILD\\a", PKCS_SERVICES[1]: "CHILD\\b"}, "CHILD\\a, CHILD\\b"),
        ({PKCS_SERVICES[0]: ".\\intune"}, ".\\intune, which no other host knows"),
        ({PKCS_SERVICES[0]: "LocalSystem", PKCS_SERVICES[1]: "NT AUTHORITY\\LocalService"}, "LocalService, which no"),
    ],
)
def test_a_caller_that_cannot_be_told_is_unknown(start_names: dict[str, str], why: str) -> None:
    with pytest.raises(UnknownFact) as caught:
        ConnectorHost(connector(IN_CHILD, **start_names), None).caller("CHILD")
    assert why in caught.value.why


def test_a_connector_without_the_revoking_service_revokes_as_nobody() -> None:
    assert ConnectorHost(connector(IN_CHILD, **{PKCS_SERVICES[0]: "LocalSystem"}), None).revoker("CHILD") == ""
