"""Every error of the libraries below as one TransportError: what happened, why, and what to do next.

pypsrp, requests, pyspnego, krb5, ldap3, ssl and socket share no base class, so all of them meet here. It decides on
types and codes, and never repeats a library's own text, which may hold what must not be shown.
"""

from __future__ import annotations

import errno
import http.client
import re
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from typing import Final
from xml.etree.ElementTree import ParseError

from remediate.model.errors import TransportError
from remediate.transports import failure_codes as codes
from remediate.transports.failure_codes import Meaning

Chain = Sequence[BaseException]

# Windows ends its text of a refused bind with the error's number in English, in every language.
_LDAP_DATA: Final = re.compile(r"\bdata ([0-9a-f]{3,8})\b")
_NOT_REACHABLE: Final = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN})
# Reasons of OpenSSL's record layer when what answers does not speak TLS.
_NO_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"})
_NO_CERTIFICATES: Final = frozenset({"NO_CERTIFICATE_OR_CRL_FOUND", "NO_START_LINE", "PEM_LIB", "BAD_BASE64_DECODE"})
_CHANNEL_BINDING: Final = 0x80090346

REFUSED: Final = Meaning("nothing listens on that port", "Check that the service runs and the firewall lets it by.")
SILENT: Final = Meaning("it does not answer", "Check the firewall and the host's load, or allow more time (--timeout).")
LOST: Final = Meaning("the connection was lost", "Nothing was changed by reading; run again.")
NO_ROUTE: Final = Meaning("there is no route to it", "Check the network between here and there.")
NO_NAME: Final = Meaning("its name is not known", "Check the spelling, and that DNS here knows the name.")
NO_TLS: Final = Meaning("what answers there does not speak TLS", "Check the port, and that it has a certificate.")
NO_WINRM: Final = Meaning("what answers there is not WinRM", "Check the port, and look for a proxy in between.")
PROXY: Final = Meaning("the proxy cannot be reached", "Except the host from the proxy (no_proxy).")
NO_KERBEROS: Final = Meaning("Kerberos is not installed here", "Install remediate[kerberos], or give --user.")
NO_FILE: Final = Meaning("the file of trusted certificates cannot be read", "Check its path; it must be a PEM file.")


def translate(error: BaseException, *, where: str) -> TransportError:
    """The TransportError for `error` at `where` (a host or domain controller). One that is one already stays."""
    chain = list(_chain(error))
    known = next((one for one in chain if isinstance(one, TransportError)), None)
    if known is not None:
        return known if known.where else _said(Meaning(known.what, known.do), where, known.why, known.code)
    for recognise in _RECOGNISERS:
        found = recognise(chain)
        if found:
            meaning, why, code = found
            return _said(meaning, where, why, code)
    unknown = Meaning("it could not be read", "Please report this with the name of the error.")
    return _said(unknown, where, f"unexpected {type(error).__name__}", "")


Found = tuple[Meaning, str, str] | None


def _said(meaning: Meaning, where: str, why: str, code: str) -> TransportError:
    return TransportError(meaning.what, where=where, why=why, do=meaning.do, code=code)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and everything it was made from: causes, contexts, and errors that errors hold."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        held = (
            one.__cause__,
            one.__context__,
            getattr(one, "reason", None),
            getattr(one, "base_error", None),
            *one.args,
        )
        waiting.extend(each for each in held if isinstance(each, BaseException))


def _is(error: BaseException, library: str, name: str) -> bool:
    """Whether `error` is of a class of that library, which is not imported for the question."""
    return any(one.__name__ == name and one.__module__.partition(".")[0] == library for one in type(error).__mro__)


def _certificate(chain: Chain) -> Found:
    for one in chain:
        if isinstance(one, ssl.SSLCertVerificationError):
            number = getattr(one, "verify_code", 0)
            unknown = Meaning("its certificate does not pass verification", "Check the certificate of that host.")
            return codes.CERTIFICATE.get(number, unknown), f"TLS, verification code {number}", f"X509 {number}"
    return None


def _tls(chain: Chain) -> Found:
    for one in chain:
        if isinstance(one, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return LOST, "during TLS", ""
        if isinstance(one, ssl.SSLError) and not isinstance(one, TimeoutError):
            reason = one.reason or ""
            if reason in _NO_CERTIFICATES:
                return NO_FILE, f"TLS, {reason}", ""
            failed = Meaning("TLS could not be agreed upon", "Check which TLS versions and ciphers both sides allow.")
            return NO_TLS if reason in _NO_TLS else failed, f"TLS, {reason}" if reason else "TLS", ""
    return None


def _socket(chain: Chain) -> Found:
    for one in chain:
        if _is(one, "requests", "ProxyError"):
            return PROXY, "", ""
        # What the codec idna, urllib3 and requests say of a name that cannot be one.
        if type(one) is UnicodeError or _is(one, "urllib3", "LocationParseError") or _is(one, "requests", "InvalidURL"):
            return NO_NAME, "no DNS name looks like this", ""
        if isinstance(one, socket.gaierror):
            return NO_NAME, f"DNS, code {one.errno}", ""
        if isinstance(one, ConnectionRefusedError):
            return REFUSED, "connection refused", ""
        if isinstance(one, OSError) and one.errno in _NOT_REACHABLE:
            return NO_ROUTE, f"network, code {one.errno}", ""
    return None


def _time(chain: Chain) -> Found:
    for one in chain:
        if _is(one, "requests", "ConnectTimeout"):
            return SILENT, "the connection was not made in time", ""
        if (
            isinstance(one, TimeoutError)
            or _is(one, "requests", "Timeout")
            or _is(one, "ldap3", "LDAPResponseTimeoutError")
        ):
            return SILENT, "it was waited for until the deadline", ""
        if isinstance(one, BlockingIOError):  # how a receive timeout of the socket itself shows
            return SILENT, "it was waited for until the deadline", ""
    return None


def _fault(chain: Chain) -> Found:
    for one in chain:
        if _is(one, "pypsrp", "WSManFaultError") and (number := _number(one.args[0] if one.args else None)) is not None:
            unknown = Meaning("WinRM answered with a fault", "Look the code up with `winrm helpmsg CODE` on Windows.")
            hresult = number if number > 0xFFFF else 0x80070000 | number
            return codes.WSMAN.get(number, unknown), f"WinRM, code {number}", f"0x{hresult:08x}"
    return None


def _number(value: object) -> int | None:
    try:
        return int(str(value))
    except ValueError:
        return None


def _http(chain: Chain) -> Found:
    for one in chain:
        if _is(one, "pypsrp", "WinRMTransportError") and (number := _number(one.args[1] if one.args[1:] else None)):
            return codes.HTTP.get(number, NO_WINRM), f"HTTP status {number}", f"HTTP {number}"
    if any(_is(one, "pypsrp", "WSManFaultError") for one in chain):
        return NO_WINRM, "WinRM, a fault without a code", ""
    return None


def _kerberos(chain: Chain) -> Found:
    for one in chain:
        number = getattr(one, "err_code", None) if _is(one, "krb5", "Krb5Error") else getattr(one, "min_code", None)
        number = number - (1 << 32) if isinstance(number, int) and number >= 1 << 31 else number
        if isinstance(number, int) and number in codes.KERBEROS:
            return codes.KERBEROS[number], f"Kerberos, code {number}", f"KRB5 {number}"
    return None


def _spnego(chain: Chain) -> Found:
    for one in chain:
        status = getattr(one, "winerror", None) or (
            one.args[0] if _is(one, "requests_credssp", "NTStatusException") else 0
        )
        if isinstance(status, int) and (number := status & 0xFFFFFFFF) in codes.SSPI:
            return codes.SSPI[number], f"SSPI, code 0x{number:08x}", f"0x{number:08x}"
        if _is(one, "spnego", "SpnegoError"):
            number = _number(getattr(one, "_error_code", None) or getattr(one, "ERROR_CODE", 0)) or 0
            refused = Meaning("the logon failed", "Check the account, its ticket, and the host's full DNS name.")
            return codes.SPNEGO.get(number, refused), f"authentication, code {number}", ""
    return None


def _logon(chain: Chain) -> Found:
    for one in chain:
        if _is(one, "pypsrp", "AuthenticationError"):
            refused = Meaning(
                "the host refused the logon",
                "Check user name, password and lockout, and that Kerberos or NTLM is allowed there.",
            )
            return refused, "WinRM, HTTP status 401", "HTTP 401"
        if isinstance(one, UnicodeEncodeError):
            return Meaning("the user name or password has a letter this logon cannot carry", "Use Kerberos."), "", ""
        if isinstance(one, ImportError):
            return NO_KERBEROS, "", ""
    return None


def _ldap(chain: Chain) -> Found:
    for one in chain:
        number = getattr(one, "result", None)
        if _is(one, "ldap3", "LDAPOperationResult") and isinstance(number, int):
            return _ldap_result(number, str(getattr(one, "message", "") or ""))
        if _is(one, "ldap3", "LDAPInvalidCredentialsResult"):
            return _ldap_result(49, "")
    return None


def _ldap_result(number: int, message: str) -> tuple[Meaning, str, str]:
    data = _LDAP_DATA.search(message)
    if data and (detail := int(data[1], 16)) in codes.LDAP_DATA:
        return codes.LDAP_DATA[detail], f"LDAP, code {number}, data {data[1]}", f"LDAP {number}/{data[1]}"
    if message.startswith(f"{_CHANNEL_BINDING:08X}"):
        return codes.BAD_BINDINGS, f"LDAP, code {number}", f"LDAP {number}"
    unknown = Meaning("the domain controller refused", "Look the LDAP result code up, then try another one (--dc).")
    return codes.LDAP.get(number, unknown), f"LDAP, code {number}", f"LDAP {number}"


_BROKEN_OFF: Final = (
    ("requests", "ChunkedEncodingError"),
    ("urllib3", "IncompleteRead"),
    ("ldap3", "LDAPSessionTerminatedByServerError"),
    ("ldap3", "LDAPSocketSendError"),
    ("ldap3", "LDAPSocketReceiveError"),
    ("ldap3", "LDAPSocketOpenError"),
)


def _lost(chain: Chain) -> Found:
    for one in chain:
        if isinstance(one, http.client.BadStatusLine) and not isinstance(one, http.client.RemoteDisconnected):
            return NO_WINRM, "it does not speak HTTP", ""
        if isinstance(one, ConnectionError | http.client.IncompleteRead | EOFError):
            return LOST, "", ""
        if any(_is(one, library, name) for library, name in _BROKEN_OFF):
            return LOST, "", ""
    return None


def _answer(chain: Chain) -> Found:
    for one in chain:
        if isinstance(one, ParseError):
            return NO_WINRM, "its answer is not XML", ""
        if isinstance(one, FileNotFoundError | PermissionError | IsADirectoryError):
            return NO_FILE, "", ""
        if _is(one, "pypsrp", "WinRMError") or _is(one, "pypsrp", "InvalidPSRPOperation"):
            return NO_WINRM, "its answer does not follow the protocol", ""
        if _is(one, "requests", "ConnectionError"):
            return LOST, "", ""
        if _is(one, "requests", "RequestException") and isinstance(one, OSError):
            return NO_WINRM, "HTTP", ""
    outer = chain[0]
    if type(outer) is OSError and outer.errno is None:  # requests: a CA bundle that is not there
        return NO_FILE, "", ""
    return None


_RECOGNISERS: Final[tuple[Callable[[Chain], Found], ...]] = (
    _certificate, _tls, _socket, _fault, _http, _kerberos, _spnego, _logon, _ldap, _time, _lost, _answer,
)  # fmt: skip
