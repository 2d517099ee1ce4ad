"""Every family of errors becomes one sentence with a place, decided by type and code, never by a server's text."""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
from xml.etree.ElementTree import ParseError

import pytest
import requests
import responses
from krb5 import Krb5Error
from ldap3.core.exceptions import (
    LDAPInvalidCredentialsResult,
    LDAPOperationResult,
    LDAPResponseTimeoutError,
    LDAPSessionTerminatedByServerError,
)
from pypsrp.exceptions import AuthenticationError, WinRMError, WinRMTransportError, WSManFaultError
from pypsrp.wsman import WSMan
from requests import exceptions as requested
from spnego.exceptions import BadMICError, NoCredentialError, SpnegoError

from remediate.model.errors import TransportError
from remediate.model.secret import Secret
from remediate.transports.credentials import Credential
from remediate.transports.failures import translate
from remediate.transports.winrm import run_collector

HOST = "ca01.contoso.test"
SWEDISH = "Åtkomst nekad."


def fault(code: object) -> WSManFaultError:
    return WSManFaultError(code, HOST, SWEDISH, None, None, None)


def refused_bind(data: str) -> LDAPOperationResult:
    message = f"80090308: LdapErr: DSID-0C090447, comment: AcceptSecurityContext error, data {data}, v3839\x00"
    return LDAPInvalidCredentialsResult(result=49, description="x", message=message)


def unverified(code: int) -> requests.exceptions.SSLError:
    inner = ssl.SSLCertVerificationError(1, SWEDISH)
    inner.verify_code = code
    try:
        raise requested.SSLError(SWEDISH) from inner
    except requested.SSLError as error:
        return error


def kerberos(code: int) -> Krb5Error:
    error = Krb5Error.__new__(Krb5Error)
    error.err_code = code
    return error


def tls(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, SWEDISH)
    error.reason = reason
    return error


CASES: list[tuple[BaseException, str, str]] = [
    (fault(5), "access is denied", "0x80070005"),
    (fault(1326), "password is wrong", "0x8007052e"),
    (fault(2150859173), "no further session", "0x803381a5"),
    (fault("2150858843"), "ended by the host", "0x8033805b"),
    (fault(2150858793), "did not finish in time", "0x80338029"),
    (fault(77), "answered with a fault", "0x8007004d"),
    (fault("w:InternalError"), "not WinRM", ""),
    (fault(None), "not WinRM", ""),
    (WinRMTransportError("http", 403, SWEDISH), "access is denied", "HTTP 403"),
    (WinRMTransportError("http", 404, ""), "no WinRM behind", "HTTP 404"),
    (WinRMTransportError("http", 418, ""), "not WinRM", "HTTP 418"),
    (AuthenticationError(SWEDISH), "refused the logon", "HTTP 401"),
    (WinRMError(SWEDISH), "not WinRM", ""),
    (refused_bind("52e"), "password is wrong", "LDAP 49/52e"),
    (refused_bind("775"), "locked", "LDAP 49/775"),
    (refused_bind("532"), "expired", "LDAP 49/532"),
    (refused_bind("533"), "disabled", "LDAP 49/533"),
    (refused_bind("80090346"), "channel binding", "LDAP 49/80090346"),
    (LDAPOperationResult(result=50, description="", message=SWEDISH), "access is denied", "LDAP 50"),
    (LDAPOperationResult(result=8, description="", message=""), "demands signing", "LDAP 8"),
    (LDAPOperationResult(result=80, description="", message=""), "refused", "LDAP 80"),
    (LDAPResponseTimeoutError(SWEDISH), "does not answer", ""),
    (LDAPSessionTerminatedByServerError(SWEDISH), "lost", ""),
    (kerberos(-1765328353), "password is wrong", "KRB5 -1765328353"),
    (kerberos(-1765328378), "does not know this account", "KRB5 -1765328378"),
    (kerberos(-1765328366), "locked or disabled", "KRB5 -1765328366"),
    (kerberos(-1765328228), "no domain controller", "KRB5 -1765328228"),
    (kerberos(-1765328347), "clocks", "KRB5 -1765328347"),
    (kerberos(1), "could not be read", ""),
    (NoCredentialError(), "no Kerberos ticket", ""),
    (BadMICError(), "altered", ""),
    (SpnegoError(error_code=13), "logon failed", ""),
    (ImportError("gssapi"), "not installed", ""),
    (unverified(10), "has expired", "X509 10"),
    (unverified(19), "not trusted", "X509 19"),
    (unverified(62), "another name", "X509 62"),
    (unverified(999), "does not pass", "X509 999"),
    (tls("WRONG_VERSION_NUMBER"), "does not speak TLS", ""),
    (tls("SSLV3_ALERT_HANDSHAKE_FAILURE"), "could not be agreed", ""),
    (tls("NO_CERTIFICATE_OR_CRL_FOUND"), "trusted certificates", ""),
    (ssl.SSLEOFError(8, SWEDISH), "lost", ""),
    (socket.gaierror(socket.EAI_NONAME, SWEDISH), "not known", ""),
    (ConnectionRefusedError(errno.ECONNREFUSED, SWEDISH), "nothing listens", ""),
    (OSError(errno.EHOSTUNREACH, SWEDISH), "no route", ""),
    (ConnectionResetError(errno.ECONNRESET, SWEDISH), "lost", ""),
    (TimeoutError(), "does not answer", ""),
    (requested.ConnectTimeout(), "does not answer", ""),
    (requested.ReadTimeout(), "does not answer", ""),
    (requested.ProxyError(), "proxy", ""),
    (requested.ConnectionError(), "lost", ""),
    (requested.ConnectionError(http.client.BadStatusLine("SSH-2.0")), "not WinRM", ""),
    (requested.ConnectionError(http.client.RemoteDisconnected("")), "lost", ""),
    (requested.ChunkedEncodingError(http.client.IncompleteRead(b"")), "lost", ""),
    (ParseError(SWEDISH), "not WinRM", ""),
    (OSError(SWEDISH), "trusted certificates", ""),
    (FileNotFoundError(errno.ENOENT, SWEDISH), "trusted certificates", ""),
    (UnicodeEncodeError("latin-1", "hemligt€", 7, 8, SWEDISH), "cannot carry", ""),
    (KeyError("127.0.0.1"), "could not be read", ""),
]


@pytest.mark.parametrize(("error", "said", "code"), CASES, ids=lambda value: None)
def test_by_type_and_code(error: BaseException, said: str, code: str) -> None:
    found = translate(error, where=HOST)
    assert said in found.what
    assert (found.where, found.code) == (HOST, code)
    assert found.do.endswith(".")
    assert "Åtkomst" not in str(found)
    assert "hemligt" not in str(found)


def test_one_that_is_one_already_stays() -> None:
    given = TransportError("x", where="dc1", do="y", code="z")
    assert translate(given, where=HOST) is given
    placed = translate(TransportError("x", why="w", do="y", code="z"), where=HOST)
    assert (placed.what, placed.where, placed.why, placed.do, placed.code) == ("x", HOST, "w", "y", "z")


CANNED: list[tuple[dict[str, object], str]] = [
    ({"body": requested.ConnectTimeout()}, "does not answer"),
    ({"body": requested.ReadTimeout()}, "does not answer"),
    ({"body": unverified(10)}, "has expired"),
    ({"body": requested.ConnectionError(ConnectionRefusedError())}, "nothing listens"),
    ({"status": 404}, "no WinRM behind"),
    ({"status": 503}, "not ready"),
    ({"status": 502, "body": "<html/>"}, "proxy"),
    ({"body": "<x"}, "not WinRM"),
    ({"body": ""}, "not WinRM"),
]


@pytest.mark.parametrize(("answer", "said"), CANNED, ids=lambda value: None)
@responses.activate
def test_what_pypsrp_makes_of_canned_answers(answer: dict[str, object], said: str) -> None:
    responses.post(f"https://{HOST}:5986/wsman", **answer)
    wsman = WSMan(HOST, username="x", password="y", auth="basic", reconnection_backoff=0)
    with pytest.raises(Exception) as error:  # what pypsrp raises has no class in common
        wsman.get_server_config()
    assert said in translate(error.value, where=HOST).what


@responses.activate
def test_a_portal_that_answers_for_the_host() -> None:
    responses.post(f"http://{HOST}:5985/wsman", body="<html/>")
    with pytest.raises(TransportError) as error:
        run_collector(HOST, Credential("A\\x", Secret("y")), script="secret text", call={}, deadline=5)
    assert error.value.where == HOST
    assert "secret text" not in str(error.value)
