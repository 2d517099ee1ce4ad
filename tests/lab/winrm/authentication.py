"""Who a TCP connection belongs to, and WinRM's message encryption ([MS-WSMV] 2.2.9.1).

Negotiate (Kerberos or NTLM) and Kerberos, through pyspnego's acceptor. The acceptor knows its users from the file that
$NTLM_USER_FILE names and its service keys from $KRB5_KTNAME, which is why endpoints run in a process of their own.
"""

from __future__ import annotations

import base64
import re
import struct

import spnego
import spnego.channel_bindings
import spnego.exceptions
from cryptography import x509
from cryptography.hazmat.primitives import hashes

SCHEMES = {"negotiate": "SPNEGO", "kerberos": "Kerberos"}
"""What the encrypted message calls each scheme."""
OFFERS = [("WWW-Authenticate", "Negotiate"), ("WWW-Authenticate", "Kerberos")]
BOUNDARY = "Encrypted Boundary"

Headers = list[tuple[str, str]]


def bindings_for(certificate: x509.Certificate) -> spnego.channel_bindings.GssChannelBindings:
    """The tls-server-end-point bindings of a server certificate ([RFC 5929] 4.1)."""
    digest = certificate.fingerprint(certificate.signature_hash_algorithm or hashes.SHA256())
    return spnego.channel_bindings.GssChannelBindings(application_data=b"tls-server-end-point:" + digest)


def account_name(principal: str) -> str:
    r"""`CONTOSO\admin` and `admin@CONTOSO.TEST` -> `admin`."""
    return principal.rpartition("\\")[2].partition("@")[0].lower()


class Authentication:
    """The handshake of one TCP connection; its state lives as long as the connection."""

    def __init__(self, host: str, bindings: spnego.channel_bindings.GssChannelBindings | None) -> None:
        self.user = ""
        self._host, self._bindings = host, bindings
        self._context: spnego.ContextProxy | None = None
        self._scheme = ""

    def admit(self, header: str | None) -> tuple[bool, Headers]:
        """(whether the request may go on, headers of the answer)."""
        if header is None:
            return (True, []) if self.user else (False, OFFERS)
        scheme, _, token = header.partition(" ")
        if scheme.lower() not in SCHEMES:
            return False, OFFERS
        try:
            return self._step(scheme, base64.b64decode(token))
        except (spnego.exceptions.SpnegoError, ValueError):
            self._context = None
            return False, OFFERS

    def _step(self, scheme: str, token: bytes) -> tuple[bool, Headers]:
        if self._context is None or self._context.complete:
            self.user, self._scheme = "", scheme.lower()
            self._context = spnego.server(
                hostname=self._host, service="host", protocol="negotiate", channel_bindings=self._bindings
            )
        answer = self._context.step(token)
        headers = [("WWW-Authenticate", f"{scheme} {base64.b64encode(answer).decode()}")] if answer else []
        if self._context.complete:
            self.user = account_name(self._context.client_principal or "")
        return self._context.complete, headers

    def decrypt(self, content_type: str, body: bytes) -> bytes:
        """The SOAP message of an encrypted request. Raises ValueError or SpnegoError."""
        boundary = re.search(r'boundary="?([^";]+)', content_type)
        if boundary is None or self._context is None:
            raise ValueError("no boundary, or nobody logged on")
        parts = re.split(rb"--\s*" + re.escape(boundary[1].encode()) + rb"(?:--)?\r\n", body)[1:]
        pairs = zip(parts[0::2], parts[1::2], strict=False)
        return b"".join(self._part(self._context, header, payload) for header, payload in pairs)

    @staticmethod
    def _part(context: spnego.ContextProxy, header: bytes, payload: bytes) -> bytes:
        expected = re.search(rb"Length=(\d+)", header)
        sealed = payload.split(b"octet-stream\r\n", 1)[1]
        [size] = struct.unpack("<i", sealed[:4])
        clear = context.unwrap_winrm(sealed[4 : 4 + size], sealed[4 + size :])
        if expected is None or len(clear) != int(expected[1]):
            raise ValueError("the length of the decrypted message")
        return clear

    def encrypt(self, message: bytes) -> tuple[str, bytes]:
        """(content type, body) of an encrypted answer."""
        if self._context is None:
            raise ValueError("nobody logged on")
        protocol = f"application/HTTP-{SCHEMES[self._scheme]}-session-encrypted"
        header, data, padding = self._context.wrap_winrm(message)
        original = f"OriginalContent: type=application/soap+xml;charset=UTF-8;Length={len(message) + padding}"
        body = b"".join([
            f"--{BOUNDARY}\r\n\tContent-Type: {protocol}\r\n\t{original}\r\n".encode(),
            f"--{BOUNDARY}\r\n\tContent-Type: application/octet-stream\r\n".encode(),
            struct.pack("<i", len(header)) + header + data,
            f"--{BOUNDARY}--\r\n".encode(),
        ])  # fmt: skip
        return f'multipart/encrypted;protocol="{protocol}";boundary="{BOUNDARY}"', body
