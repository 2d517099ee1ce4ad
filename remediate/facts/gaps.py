"""What exports and collectors did not tell although somebody gave them, so that no check of it was made."""

from __future__ import annotations

from collections.abc import Iterator

from remediate.facts.estate import Estate
from remediate.facts.hosts import short_name
from remediate.facts.intune import Intune


def not_told(estate: Estate) -> Iterator[str]:
    """Yield what of the Intune export, and of the way from connectors to CAs, nobody knows, in words."""
    if estate.intune is not None:
        yield from _not_exported(estate.intune)
    for connector in estate.connectors:
        untried = [ca for ca in estate.certification_authorities if ca.asked and connector.says_nothing_of(ca)]
        if hosts := ", ".join(ca.host for ca in untried):
            yield f"whether {short_name(connector.host)} reaches {hosts} (its collector was told no such CA host)"


def _not_exported(intune: Intune) -> Iterator[str]:
    if not intune.profiles:
        yield "PKCS certificate profiles (the Intune export holds none)"
    for profile in intune.left_out:
        yield f"profile {profile.name} (its certificates come from DigiCert, not from the connector's CA)"
    for profile in intune.profiles:
        if profile.assigned_groups is None:
            yield f"to whom profile {profile.name} is assigned (its export holds no assignments)"
