"""What an account may do, judged by descriptors that were read. What only the server could judge is unknown."""

from __future__ import annotations

from dataclasses import dataclass

from remediate.adcs.access_check import AccessDecision, DaclEntry, Verdict, may_enroll, may_read
from remediate.adcs.security_descriptor import SecurityDescriptor
from remediate.adcs.sid import Sid
from remediate.model.errors import UnknownFact


def settled(decision: AccessDecision, where: str) -> AccessDecision:
    """Return a decision that is one. Raises UnknownFact where conditions of an entry could turn it."""
    if decision.verdict is Verdict.UNDETERMINED:
        raise UnknownFact(where, "a conditional entry decides, and only the server can judge its condition")
    return decision


@dataclass(frozen=True)
class TemplateRights:
    """What one account may do with a template. `denied_by` is the entry that takes away what it lacks, if one does."""

    read: bool
    enroll: bool
    denied_by: DaclEntry | None = None

    @property
    def suffice(self) -> bool:
        """Whether the account can ask for certificates from the template."""
        return self.read and self.enroll

    def __str__(self) -> str:
        if self.suffice:
            return "read the template and enrol"
        lacks = {(True, False): "read the template but not enrol", (False, True): "enrol but not read the template"}
        return lacks.get((self.read, self.enroll), "neither read the template nor enrol")


def template_rights(descriptor: SecurityDescriptor, token: frozenset[Sid], *, where: str) -> TemplateRights:
    """Return what a token may do with a template. Raises UnknownFact(where) when a condition decides."""
    read, enroll = (settled(check(descriptor, token), where) for check in (may_read, may_enroll))
    return TemplateRights(read.is_granted, enroll.is_granted, read.denied_by or enroll.denied_by)
