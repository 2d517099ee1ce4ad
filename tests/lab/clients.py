"""Plain clients of the lab: ldap3 and pypsrp as their makers meant them, nothing of ours between.

Tests of the lab use them, and measurements that compare the product with the bare libraries.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import ldap3
import spnego
from ldap3.protocol.sasl.sasl import send_sasl_negotiation
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan

from tests.lab.contoso import ADMIN, READER, Account
from tests.lab.estate import Lab
from tests.lab.hosts import LabHost

HTTP_NTLM: dict[str, Any] = {"ssl": False, "auth": "ntlm", "encryption": "always"}
HTTP_KERBEROS: dict[str, Any] = {"ssl": False, "auth": "kerberos", "encryption": "always"}


def server(lab: Lab, name: str = "") -> ldap3.Server:
    """The domain controller over LDAPS, its certificate verified."""
    tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=str(lab.trust))
    return ldap3.Server(name or lab.dc, port=636, use_ssl=True, tls=tls, get_info=ldap3.NONE, connect_timeout=10)


def bind(lab: Lab, account: Account = READER) -> ldap3.Connection:
    """A connection by name and password, through the relay."""
    return ldap3.Connection(
        server(lab), account.upn, account.password, auto_bind=True, raise_exceptions=True, receive_timeout=3
    )


def bind_with_ticket(lab: Lab) -> ldap3.Connection:
    """A connection by the Kerberos ticket of the environment; over TLS nothing is signed or sealed besides."""
    wanted = spnego.ContextReq.mutual_auth | spnego.ContextReq.no_integrity
    context = spnego.client(hostname=lab.dc, service="ldap", protocol="kerberos", context_req=wanted)
    connection = ldap3.Connection(
        server(lab), authentication=ldap3.SASL, sasl_mechanism="GSS-SPNEGO", raise_exceptions=True
    )
    connection.open(read_server_info=False)
    token = context.step()
    while token:
        answer = send_sasl_negotiation(connection, None, token)["saslCreds"]
        token = context.step(answer) if answer else None
    connection.bound = context.complete
    return connection


def base_search(connection: ldap3.Connection, dn: str, *attributes: str, controls: Any = None) -> dict[str, Any]:
    """The raw attributes of one object."""
    connection.search(dn, "(objectClass=*)", ldap3.BASE, attributes=list(attributes), controls=controls)
    return dict(connection.response[0]["raw_attributes"])


def https(lab: Lab, auth: str = "ntlm") -> dict[str, Any]:
    """Keywords for WinRM over HTTPS with verification."""
    return {"ssl": True, "auth": auth, "cert_validation": str(lab.trust)}


def wsman(host: LabHost, account: Account | None = ADMIN, **how: Any) -> WSMan:
    """pypsrp's connection to a host; without keywords HTTP and NTLM, encrypted. No account: the ticket at hand."""
    names = {"username": account.down_level, "password": account.password} if account else {}
    quick = {"connection_timeout": 5, "operation_timeout": 5, "read_timeout": 8}
    return WSMan(host.fqdn, **{**quick, **names, **(how or HTTP_NTLM)})


@contextmanager
def pool(host: LabHost, account: Account | None = ADMIN, **how: Any) -> Iterator[RunspacePool]:
    """An open runspace pool."""
    opened = RunspacePool(wsman(host, account, **how))
    opened.open()
    try:
        yield opened
    finally:
        with suppress(Exception):  # closing over a lost connection must not hide what was lost
            opened.close()


def invoke(runspace: RunspacePool, script: str) -> PowerShell:
    """Run a script to its end; output and streams are in what comes back."""
    shell = PowerShell(runspace)
    shell.add_script(script)
    shell.invoke()
    return shell


def run(host: LabHost, script: str, account: Account | None = ADMIN, **how: Any) -> list[Any]:
    """The output of one script in a session of its own."""
    with pool(host, account, **how) as runspace:
        return list(invoke(runspace, script).output)
