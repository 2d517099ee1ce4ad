"""What both estates share: names, numbers, certificates, and the constructors of facts and entries.

Everything here is made up. `contoso.test` and 192.0.2.0/24 are reserved for examples (RFC 6761, RFC 5737).
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remediate.adcs.sid import Sid
from remediate.facts.documents import FORMAT_VERSION, Entry, Octets
from remediate.model.fact import Fact

COLLECTOR = "made example data"
CREATED = "2026-11-23T09:12:00Z"
DOMAIN = "contoso.test"
NETBIOS = "CONTOSO"
BASE_DN = "DC=contoso,DC=test"
CONFIGURATION_DN = f"CN=Configuration,{BASE_DN}"
ISSUING_CA = "Contoso Issuing CA"
ROOT_CA = "Contoso Root CA"
CA_HOST = "ca01.contoso.test"
INTUNE_TEMPLATE = "IntunePKCS"
VPN_TEMPLATE = "IntuneVPN"
TEMPLATE_OIDS = "1.3.6.1.4.1.311.21.8.4711.1503.2206.8841.9937.101"
"""The forest's own arc for templates: a made one."""

DOMAIN_SID = Sid.from_string("S-1-5-21-2811840127-1904662735-3096214481")
ADMINISTRATOR = DOMAIN_SID.with_rid(500)
DOMAIN_ADMINS = DOMAIN_SID.with_rid(512)
DOMAIN_USERS = DOMAIN_SID.with_rid(513)
DOMAIN_COMPUTERS = DOMAIN_SID.with_rid(515)
ENTERPRISE_ADMINS = DOMAIN_SID.with_rid(519)
CA01 = DOMAIN_SID.with_rid(1103)
CONN1 = DOMAIN_SID.with_rid(1104)
WEB_ADMINS = DOMAIN_SID.with_rid(1110)
AUTHENTICATED_USERS = Sid.from_string("S-1-5-11")
BUILTIN_ADMINISTRATORS = Sid.from_string("S-1-5-32-544")

_CERTIFICATES = Path(__file__).resolve().parents[1] / "certificates"
ROOT_CERTIFICATE = (_CERTIFICATES / "contoso-root-ca.cer").read_bytes()
ISSUING_CERTIFICATE = (_CERTIFICATES / "contoso-issuing-ca.cer").read_bytes()
RENEWED_CERTIFICATE = (_CERTIFICATES / "contoso-issuing-ca-renewed.cer").read_bytes()


@dataclass(frozen=True)
class Estate:
    """One of the two: the name of its folder, and whether it is the one with the problems."""

    name: str
    broken: bool


HEALTHY = Estate("contoso-healthy", broken=False)
BROKEN = Estate("contoso-broken", broken=True)

ABSENT: Fact[Any] = Fact(absent=True)


def read(value: Any) -> Fact[Any]:
    """Return a fact that was read."""
    return Fact(value=value)


def reading(role: str, read_from: str) -> dict[str, Any]:
    """Return what every document says of itself."""
    return {
        "format_version": FORMAT_VERSION,
        "role": role,
        "collector": COLLECTOR,
        "read_from": read_from,
        "read_at": CREATED,
        "read_as": f"{NETBIOS}\\reader",
    }


def guid(name: str) -> uuid.UUID:
    """Return the GUID that the thing of this name has in both estates."""
    return uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.examples.{DOMAIN}".lower())


def ca_certificates(estate: Estate) -> tuple[bytes, ...]:
    """Return the issuing CA's certificates, oldest first: the broken estate has renewed it with a new key."""
    return (ISSUING_CERTIFICATE, RENEWED_CERTIFICATE) if estate.broken else (ISSUING_CERTIFICATE,)


def thumbprint(certificate: bytes) -> bytes:
    """Return the SHA-1 that Windows calls a certificate's thumbprint."""
    return hashlib.sha1(certificate, usedforsecurity=False).digest()


def entry(dn: str, **attributes: str | int | bytes | list[str] | list[bytes]) -> Entry:
    """Return a directory object with its objectGUID; an underscore in a name stands for a hyphen."""
    name = dn.partition(",")[0].partition("=")[2]
    naming: dict[str, Any] = {"distinguishedName": dn, "name": name, "objectGUID": guid(dn).bytes_le}
    if dn.startswith("CN="):
        naming["cn"] = name
    everything = naming | {key.replace("_", "-"): value for key, value in attributes.items()}
    return Entry(dn, {key: _values(value) for key, value in everything.items()})


def _values(value: Any) -> list[str | Octets]:
    values = value if isinstance(value, list) else [value]
    return [Octets(one) if isinstance(one, bytes) else str(one) for one in values]
