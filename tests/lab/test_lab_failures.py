"""What the lab breaks on request really breaks: connections, faults, certificates, silence."""

from __future__ import annotations

import socket
from collections.abc import Callable

import ldap3
import pytest
import requests
from ldap3.core.exceptions import LDAPException, LDAPSocketOpenError
from pypsrp.exceptions import WinRMTransportError, WSManFaultError
from pypsrp.wsman import WSMan

from tests.lab import broken
from tests.lab.clients import https, run, server
from tests.lab.contoso import READER
from tests.lab.estate import Lab
from tests.lab.winrm.faults import ACCESS_DENIED, TOO_MANY_SHELLS, Answer, Drop, Rewrite, Sleep, Status

BROKEN_TLS: dict[str, Callable[[Lab], broken.Behaviour]] = {
    "expired": lambda lab: broken.expired(lab.root, lab.folder / "broken"),
    "foreign": lambda lab: broken.foreign(lab.folder / "broken"),
    "misnamed": lambda lab: broken.misnamed(lab.root, lab.folder / "broken"),
    "plain": lambda lab: broken.plain_http,
    "reset": lambda lab: broken.reset,
}


@pytest.mark.parametrize("kind", BROKEN_TLS)
def test_ldaps_with_broken_tls_is_refused(fresh_lab: Lab, kind: str) -> None:
    with broken.listening(BROKEN_TLS[kind](fresh_lab), 636), pytest.raises(LDAPException):
        ldap3.Connection(server(fresh_lab, broken.NAME), READER.upn, READER.password, auto_bind=True)


def test_a_port_nobody_opened_refuses(fresh_lab: Lab) -> None:
    with pytest.raises(LDAPSocketOpenError, match="refused"):
        ldap3.Connection(server(fresh_lab, broken.NAME), READER.upn, READER.password, auto_bind=True)


@pytest.mark.parametrize("verb", ["Create", "Command", "Receive"])
@pytest.mark.parametrize("when", ["before", "after", "midway"])
def test_a_dropped_connection(fresh_lab: Lab, verb: str, when: str) -> None:
    fresh_lab.ca.fail(Drop(verb, at=0, when=when))
    with pytest.raises(requests.exceptions.RequestException):
        run(fresh_lab.ca, "1")


@pytest.mark.parametrize("code", [ACCESS_DENIED, TOO_MANY_SHELLS])
def test_a_planned_fault_carries_its_code(fresh_lab: Lab, code: int) -> None:
    fresh_lab.ca.fail(Answer("Create", code))
    with pytest.raises(WSManFaultError) as fault:
        run(fresh_lab.ca, "1")
    assert fault.value.code == code
    assert run(fresh_lab.ca, "1") == [1]


def test_other_planned_failures(fresh_lab: Lab) -> None:
    fresh_lab.ca.fail(Status("Command", 503), Sleep("Create", 0.1))
    with pytest.raises(WinRMTransportError, match="503"):
        run(fresh_lab.ca, "1")
    fresh_lab.ca.fail(Rewrite("Create", "<s:Envelope", "<x"))
    with pytest.raises(SyntaxError):
        run(fresh_lab.ca, "1")


@pytest.mark.parametrize("kind", BROKEN_TLS)
def test_https_with_broken_tls_is_refused(fresh_lab: Lab, kind: str) -> None:
    with broken.listening(BROKEN_TLS[kind](fresh_lab), 5986), pytest.raises(requests.exceptions.ConnectionError):
        WSMan(broken.NAME, username="x", password="y", **https(fresh_lab)).get_server_config()


def test_a_silent_port_runs_into_the_timeout(fresh_lab: Lab) -> None:
    with broken.silent(5985), pytest.raises(requests.exceptions.ReadTimeout):
        WSMan(
            broken.NAME, username="x", password="y", ssl=False, auth="ntlm", read_timeout=1, operation_timeout=1
        ).get_server_config()


def test_the_endpoint_mapper_listens_on_ca_hosts_only(fresh_lab: Lab) -> None:
    socket.create_connection((fresh_lab.ca.fqdn, 135), timeout=2).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((fresh_lab.connector.fqdn, 135), timeout=2)
