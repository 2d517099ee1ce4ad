"""One connection to a domain controller: LDAPS with verification, Kerberos with channel binding, searches.

It can search and nothing else. Whatever goes wrong is raised as a TransportError.
"""

from __future__ import annotations

import re
import socket
import ssl
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, Final

from remediate.facts.documents import Entry, Octets
from remediate.model.errors import TransportError
from remediate.transports.credentials import Credential
from remediate.transports.failures import translate

LDAPS: Final = 636
PAGE: Final = 500
# [MS-ADTS] 3.1.1.3.4.1.11: owner, group and DACL; the SACL would need a privilege.
SD_FLAGS: Final = 7
# Attributes of the syntaxes String(Octet), String(Sid) and String(NT-Sec-Desc), [MS-ADTS] 3.1.1.2.2.2.
BINARY: Final = frozenset({
    "ntsecuritydescriptor", "objectguid", "objectsid", "pkikeyusage", "pkiexpirationperiod", "pkioverlapperiod",
    "cacertificate", "tokengroups", "replpropertymetadata",
})  # fmt: skip
# MIT krb5: a wrong password or a locked account; to try again another way would only count twice.
_KERBEROS_VERDICTS: Final = frozenset({-1765328353, -1765328360, -1765328366, -1765328361, -1765328378})
# RFC 4511: base, one level, whole subtree.
BASE, LEVEL, SUBTREE = "BASE", "LEVEL", "SUBTREE"


@dataclass
class LdapConnection:
    """An open connection to `host`. `searches` counts what was asked, pages of one search once."""

    host: str
    connection: Any
    root_dse: Entry
    read_as: str = ""
    searches: int = field(default=1)

    def search(
        self,
        base: str,
        query: str,
        *,
        attributes: Sequence[str],
        scope: str = SUBTREE,
        descriptors: bool = False,
        sd_flags: int = SD_FLAGS,
    ) -> list[Entry]:
        """The entries found, by DN. `descriptors` asks for the parts `sd_flags` of each's. Raises TransportError."""
        self.searches += 1
        parts = sd_flags if descriptors else 0
        with translated(self.host):
            return _search(self.connection, base, query, attributes=attributes, scope=scope, parts=parts)

    def close(self) -> None:
        """Say goodbye; a connection that is gone already does not matter."""
        with suppress(Exception):
            self.connection.unbind()


class AnswerDeadline:
    """A socket on which each request and its whole answer have `timeout` seconds; its own starts anew with every byte.

    ldap3 sends a request at once, so that sending starts the clock.
    """

    def __init__(self, tls: ssl.SSLSocket, timeout: float) -> None:
        self._tls, self._timeout, self._end = tls, timeout, monotonic() + timeout

    def sendall(self, data: bytes) -> None:
        """Send a request."""
        self._end = monotonic() + self._timeout
        self._tls.settimeout(self._timeout)
        self._tls.sendall(data)

    def recv(self, size: int) -> bytes:
        """Receive more of its answer. Raises TimeoutError."""
        left = self._end - monotonic()
        if left <= 0:
            raise TimeoutError("the answer is not complete")
        self._tls.settimeout(left)
        return self._tls.recv(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tls, name)


@contextmanager
def translated(host: str) -> Iterator[None]:
    """Raise whatever goes wrong within as a TransportError about `host`."""
    try:
        yield
    except Exception as error:
        raise translate(error, where=host) from None


def connect(host: str, credential: Credential, *, trust: Path | None = None, timeout: float = 15.0) -> LdapConnection:
    """Connect to `host` by LDAPS and log on: by Kerberos, or by name and password where that is not usable.

    `host` is a domain controller or a domain, whose name leads to one; its certificate must name it. `trust` is a PEM
    file in place of the system's trust. `timeout` in seconds holds for each answer. Raises TransportError.
    """
    with translated(host):
        tls = _open_tls(host, trust=trust, timeout=timeout)
        connection = _over(AnswerDeadline(tls, timeout), host)
        try:
            root = _search(connection, "", "(objectClass=*)", attributes=["*", "+"], scope=BASE)[0]
            root = _without_lists(root)
            name = next(iter(root.texts("dnsHostName")), host)
            _bind(connection, credential, host=name, bindings=_end_point(tls))
        except BaseException:
            with suppress(OSError):
                tls.close()
            raise
        return LdapConnection(name, connection, root, _who_am_i(connection, credential))


def _open_tls(host: str, *, trust: Path | None, timeout: float) -> ssl.SSLSocket:
    """The socket that ldap3 is given: its own way of opening one loses why it failed."""
    context = ssl.create_default_context(cafile=str(trust) if trust else None)
    plain = socket.create_connection((host, LDAPS), timeout=timeout)
    try:
        return context.wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise


def _over(tls: AnswerDeadline, host: str) -> Any:
    import ldap3

    server = ldap3.Server(host, port=LDAPS, use_ssl=True, get_info=ldap3.NONE)
    connection = ldap3.Connection(
        server, raise_exceptions=True, auto_referrals=False, check_names=False, return_empty_attributes=False
    )
    connection.socket, connection.closed, connection.listening = tls, False, True
    connection.strategy._outstanding = {}  # what its own open() sets up, beside the socket
    return connection


def _without_lists(root: Entry) -> Entry:
    """The root DSE without its lists of supported controls and the like, and without what changes by the second.

    supportedCapabilities stays: it tells a read-only domain controller.
    """
    left_out = ("supported", "currenttime", "highestcommittedusn", "validfsmos", "ldapservicename")
    kept = {
        name: values
        for name, values in root.attributes.items()
        if not name.lower().startswith(left_out) or name.lower() == "supportedcapabilities"
    }
    return Entry(root.dn, kept)


def _end_point(tls: ssl.SSLSocket) -> bytes:
    """RFC 5929, section 4: the hash of the server's certificate, by its own signature's hash or SHA-256 at least."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    certificate = tls.getpeercert(binary_form=True) or b""
    algorithm = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
    weak = algorithm is None or isinstance(algorithm, hashes.MD5 | hashes.SHA1)
    digest = hashes.Hash(hashes.SHA256() if weak or algorithm is None else algorithm)
    digest.update(certificate)
    return b"tls-server-end-point:" + digest.finalize()


def _bind(connection: Any, credential: Credential, *, host: str, bindings: bytes) -> None:
    """Log on by SPNEGO; where that cannot work and a password is at hand, by it, over the verified TLS."""
    if not _kerberos_serves(credential):
        return _bind_simply(connection, credential)
    try:
        token, context = _first_token(credential, host=host, bindings=bindings)
    except Exception as error:
        if credential.password is None or _is_verdict(error):
            raise
        return _bind_simply(connection, credential)
    return _bind_by_spnego(connection, token, context)


def _kerberos_serves(credential: Credential) -> bool:
    """MIT krb5 takes NAME@REALM only; SSPI on Windows takes both forms."""
    return credential.user is None or sys.platform == "win32" or "@" in credential.user


def _is_verdict(error: BaseException | None) -> bool:
    while error is not None:
        if getattr(error, "err_code", 0) in _KERBEROS_VERDICTS:
            return True
        error = error.__cause__ or error.__context__
    return False


def _first_token(credential: Credential, *, host: str, bindings: bytes) -> tuple[bytes, Any]:
    import spnego
    from spnego.channel_bindings import GssChannelBindings

    # The server refuses signing and sealing inside TLS, so both are switched off; TLS does them.
    wanted = spnego.ContextReq.mutual_auth | spnego.ContextReq.no_integrity
    context = spnego.client(
        credential.user,
        credential.password.reveal() if credential.password else None,
        hostname=host,
        service="ldap",
        protocol="negotiate" if sys.platform == "win32" else "kerberos",
        channel_bindings=GssChannelBindings(application_data=bindings),
        context_req=wanted,
    )
    return context.step() or b"", context


def _bind_by_spnego(connection: Any, token: bytes | None, context: Any) -> None:
    import ldap3
    from ldap3.protocol.sasl.sasl import send_sasl_negotiation

    connection.authentication, connection.sasl_mechanism = ldap3.SASL, "GSS-SPNEGO"
    while token:
        answer = send_sasl_negotiation(connection, None, token)["saslCreds"]
        token = context.step(answer) if answer else None
    if not context.complete:
        raise TransportError("the domain controller did not prove its own identity", do="Name another one with --dc.")
    connection.bound = True


def _bind_simply(connection: Any, credential: Credential) -> None:
    import ldap3

    connection.authentication, connection.user = ldap3.SIMPLE, credential.user
    connection.password = credential.password.reveal() if credential.password else None
    try:
        connection.bind(read_server_info=False)
    finally:
        connection.password = None


def _who_am_i(connection: Any, credential: Credential) -> str:
    """RFC 4532; where the server does not know it, the name that was given."""
    from ldap3.core.exceptions import LDAPExtensionError, LDAPOperationResult

    try:
        answer = str(connection.extend.standard.who_am_i() or "")
    except (LDAPOperationResult, LDAPExtensionError):
        answer = ""
    return answer.removeprefix("u:") or credential.user or "the ticket or logon at hand"


def _search(
    connection: Any, base: str, query: str, *, attributes: Sequence[str], scope: str, parts: int = 0
) -> list[Entry]:
    from ldap3.protocol.microsoft import security_descriptor_control

    found: list[dict[str, Any]] = []
    cookie: bytes | None = None
    while True:
        paging = {} if scope == BASE else {"paged_size": PAGE, "paged_cookie": cookie}
        controls = security_descriptor_control(sdflags=parts) if parts else None
        connection.search(base, query, scope, attributes=list(attributes), controls=controls, **paging)
        found += [one for one in connection.response if one["type"] == "searchResEntry"]
        _refuse_referral(connection.result)
        page = (connection.result.get("controls") or {}).get("1.2.840.113556.1.4.319")  # RFC 2696
        cookie = page["value"]["cookie"] if page else None
        if not cookie:
            return sorted((_entry(one) for one in found), key=lambda entry: entry.dn.lower())


def _refuse_referral(result: dict[str, Any]) -> None:
    """ldap3 lets a referral pass as if it were an answer."""
    if result["result"]:
        from ldap3.core.exceptions import LDAPOperationResult

        raise LDAPOperationResult(result=result["result"], description=result["description"], message="")


def _entry(answer: dict[str, Any]) -> Entry:
    raw: dict[str, list[bytes]] = answer["raw_attributes"]
    return Entry(answer["dn"], {name: _values(name, raw[name]) for name in sorted(raw, key=str.lower) if raw[name]})


def _values(name: str, raw: Sequence[bytes]) -> list[str | Octets]:
    if name.lower() in BINARY:
        return [Octets(bytes(value)) for value in sorted(raw)]
    return [_text(bytes(value)) for value in sorted(raw)]


def _text(value: bytes) -> str | Octets:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return Octets(value)


def escaped(value: str | bytes) -> str:
    """A value as it stands in a search filter (RFC 4515): letters, digits and `-._@` as they are, all else in hex."""
    data = value if isinstance(value, bytes) else value.encode()
    plain = re.compile(rb"[A-Za-z0-9._@-]") if isinstance(value, str) else re.compile(rb"(?!)")
    return "".join(chr(one) if plain.fullmatch(bytes([one])) else f"\\{one:02x}" for one in data)
