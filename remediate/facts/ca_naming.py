"""Whether the CA that a profile names is one of the directory's: its host and its name, each judged by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from remediate.facts.directory import EnrollmentService
from remediate.facts.hosts import CertificationAuthority
from remediate.facts.intune import Profile
from remediate.model.finding import Evidence


@dataclass(frozen=True)
class Misnamed:
    """What is wrong with a field of a profile, what shows it, and what to put there."""

    message: str
    evidence: tuple[Evidence, ...]
    advice: str
    weak: str = ""


def wrong_host(profile: Profile, services: Sequence[EnrollmentService]) -> Misnamed | None:
    """Return that no enrollment service has the profile's CA host, None when one has it or there is none at all.

    DNS minds no case (RFC 4343). Raises UnknownFact where a host that was not answered may be the one.
    """
    if not services or profile.ca_host.lower() in {service.host.lower() for service in services if service.host}:
        return None
    hosts = ", ".join(_need_hosts(services))
    return Misnamed(
        "No enrollment service carries the CA host of the profile.",
        (profile.evidence("certificationAuthority", profile.ca_host or "empty"),),
        f"Set Certification authority in the profile to the CA's FQDN; the directory knows {hosts}.",
    )


def wrong_name(
    profile: Profile, on_its_host: Sequence[CertificationAuthority], known: Sequence[CertificationAuthority]
) -> Misnamed | None:
    """Return that none of the CAs on the profile's host, or none of all that are known, has the name it gives.

    Without a CA on its host, any name that one of the directory's CAs has is right. Raises UnknownFact where another
    CA, whose host was not answered, may stand there.
    """
    meant = on_its_host or known
    called = [ca for ca in meant if ca.is_called(profile.ca_name)]
    if called and not on_its_host and all(ca.enrollment_service.host for ca in called):
        _need_hosts([ca.enrollment_service for ca in known])
    if called or not meant:
        return None
    names = ", ".join(sorted({ca.own_name for ca in meant}))
    by_case = profile.ca_name.lower() in {ca.own_name.lower() for ca in meant}
    where = f"CA on {profile.ca_host}" if on_its_host else "CAs of the directory"
    return Misnamed(
        f"No CA {'on this host' if on_its_host else 'of the directory'} has the name in the profile.",
        (profile.evidence("certificationAuthorityName", profile.ca_name or "empty"), Evidence(where, names)),
        f"Set Certification authority name in the profile to the name as the CA's console shows it: {names}.",
        "Only upper and lower case differ; whether the CA minds is not documented." if by_case else "",
    )


def _need_hosts(services: Sequence[EnrollmentService]) -> list[str]:
    return sorted({service.text("dNSHostName") for service in services})
