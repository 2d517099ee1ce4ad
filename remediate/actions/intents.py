"""What a playbook wants changed. An intent is data; it reads nothing and knows no value that stands now."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from remediate.adcs.flags import CertificateNameFlag, Disposition
from remediate.adcs.sid import Sid
from remediate.facts.directory import Template
from remediate.facts.hosts import CertificationAuthority, ConnectorHost


class CaValue(Enum):
    """A registry value of a CA that a fix of the article sets: its name and the name certutil takes."""

    USE_DEFINED_CA_CERT_IN_REQUEST = ("UseDefinedCACertInRequest", "ca\\UseDefinedCACertInRequest")
    REQUEST_DISPOSITION = ("RequestDisposition", "policy\\RequestDisposition")

    @property
    def registry_name(self) -> str:
        """The value's name in the registry."""
        return self.value[0]

    @property
    def certutil_name(self) -> str:
        """The value's name for `certutil -setreg`."""
        return self.value[1]


@dataclass(frozen=True)
class SetCaRegistryValue:
    """Set a DWORD of a CA and restart CertSvc, without which it has no effect."""

    ca: CertificationAuthority
    value: CaValue
    data: int


def issue_automatically(ca: CertificationAuthority) -> SetCaRegistryValue:
    """Let the policy module issue what the template does not hold: certsrv.h REQDISP_ISSUE."""
    return SetCaRegistryValue(ca, CaValue.REQUEST_DISPOSITION, int(Disposition.ISSUE))


def heed_ca_certificate_of_requests(ca: CertificationAuthority) -> SetCaRegistryValue:
    """Let requests name the CA certificate that is to sign for them."""
    return SetCaRegistryValue(ca, CaValue.USE_DEFINED_CA_CERT_IN_REQUEST, int(True))


@dataclass(frozen=True)
class StartCertSvc:
    """Start a CA's stopped service."""

    ca: CertificationAuthority


@dataclass(frozen=True)
class SetNameFlag:
    """Set msPKI-Certificate-Name-Flag of a template; its minor revision rises with it."""

    template: Template
    flag: CertificateNameFlag


@dataclass(frozen=True)
class Grant:
    """Give one account Read, Enroll or both on a template."""

    template: Template
    sid: Sid
    account: str
    read: bool
    enroll: bool


@dataclass(frozen=True)
class Publish:
    """Let a CA offer a template."""

    template: Template
    ca: CertificationAuthority


@dataclass(frozen=True)
class AddPolicyServer:
    """Add an enrollment policy server to the machine's own list; no URL can be discovered, one must be given."""

    connector: ConnectorHost
    url: str


@dataclass(frozen=True)
class AddExclusions:
    """Add folders to Defender's ExclusionPath."""

    connector: ConnectorHost
    paths: tuple[str, ...]


@dataclass(frozen=True)
class ResubmitRequest:
    """Have a CA decide once more on a request that waits; only ever for a number that somebody gave."""

    ca: CertificationAuthority
    request_id: int
    requester: str


Intent = (
    SetCaRegistryValue
    | StartCertSvc
    | SetNameFlag
    | Grant
    | Publish
    | AddPolicyServer
    | AddExclusions
    | ResubmitRequest
)
