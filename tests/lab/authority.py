"""The lab's certificates: a root, the issuing CA that the directory publishes, and server certificates by name.

Everything is made anew for each lab. Servers are signed by the root itself, so trusting `root.pem` is enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

DAY = timedelta(days=1)


@dataclass(frozen=True)
class ServerCertificate:
    """PEM files of one server: `certificate` and its private `key`."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class CertificationAuthority:
    """A CA certificate with its key."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey

    @classmethod
    def root(cls, common_name: str) -> CertificationAuthority:
        """A self-signed root, ten years."""
        key = rsa.generate_private_key(65537, 2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        draft = _draft(name, key, issuer=name, issuer_key=key, start=-DAY, end=3650 * DAY)
        return cls(_as_authority(draft).sign(key, hashes.SHA256()), key)

    def subordinate(self, common_name: str) -> CertificationAuthority:
        """An issuing CA below this one, five years."""
        key = rsa.generate_private_key(65537, 2048)
        draft = self._issue(common_name, key, start=-DAY, end=1825 * DAY)
        return CertificationAuthority(_as_authority(draft).sign(self.key, hashes.SHA256()), key)

    def server(self, folder: Path, *names: str, days: int = 30) -> ServerCertificate:
        """A server certificate for the names (DNS names or addresses); negative `days`: expired that long ago."""
        key = ec.generate_private_key(ec.SECP256R1())
        start, end = (-DAY, days * DAY) if days > 0 else (days * DAY - 30 * DAY, days * DAY)
        draft = self._issue(names[0], key, start=start, end=end)
        draft = draft.add_extension(
            x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False
        )
        draft = draft.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        draft = draft.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        return _save(folder, draft.sign(self.key, hashes.SHA256()), key)

    @property
    def der(self) -> bytes:
        """The certificate as `cACertificate` carries it."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        """The certificate as a trust file carries it."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def thumbprint(self) -> str:
        """SHA-1 as `CACertHash` in the CA's registry has it: `aa bb cc ...`."""
        return self.certificate.fingerprint(hashes.SHA1()).hex(" ")

    @property
    def name(self) -> str:
        """The common name."""
        return str(self.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)

    @property
    def subject(self) -> str:
        """The subject as `cACertificateDN` has it."""
        return self.certificate.subject.rfc4514_string()

    def _issue(self, common_name: str, key: Key, *, start: timedelta, end: timedelta) -> x509.CertificateBuilder:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        return _draft(name, key, issuer=self.certificate.subject, issuer_key=self.key, start=start, end=end)


def _draft(
    name: x509.Name, key: Key, *, issuer: x509.Name, issuer_key: rsa.RSAPrivateKey, start: timedelta, end: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder(subject_name=name, issuer_name=issuer, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + start)
        .not_valid_after(now + end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )


def _as_authority(draft: x509.CertificateBuilder) -> x509.CertificateBuilder:
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    draft = draft.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return draft.add_extension(usage, critical=True)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _save(folder: Path, certificate: x509.Certificate, key: Key) -> ServerCertificate:
    folder.mkdir(parents=True, exist_ok=True)
    saved = ServerCertificate(folder / "server.pem", folder / "server.key")
    saved.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    saved.key.touch(mode=0o600)
    encoded = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    saved.key.write_bytes(key.private_bytes(*encoded))
    return saved
