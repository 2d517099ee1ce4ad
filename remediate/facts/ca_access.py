"""What an account may do with a CA by the CA's own `Security` value, where groups of the CA's host may count too.

The CA judges a token of its own host: groups of that machine are in it, and no directory tells who is in those. Where
one of them could turn the outcome, nobody here knows it.
"""

from __future__ import annotations

from collections.abc import Iterable

from remediate.adcs.access_check import AccessDecision, ca_access_check
from remediate.adcs.rights import CaRight
from remediate.adcs.security_descriptor import SecurityDescriptor
from remediate.adcs.sid import WELL_KNOWN_NAMES, Sid
from remediate.facts.access import settled
from remediate.facts.directory import Principal
from remediate.model.errors import UnknownFact


def ca_access(descriptor: SecurityDescriptor, principal: Principal, right: CaRight, *, where: str) -> AccessDecision:
    """Return whether an account has a right on a CA. Raises UnknownFact(where) when a condition or a group decides."""
    decision = settled(ca_access_check(descriptor, principal.token, desired=right), where)
    for sid in _of_the_machine(descriptor, principal):
        with_it = ca_access_check(descriptor, principal.token | {sid}, desired=right)
        if with_it.is_granted is not decision.is_granted:
            who = WELL_KNOWN_NAMES.get(sid, str(sid))
            raise UnknownFact(where, f"its entry for {who} decides; whether {principal.name} is in that is not known")
    return decision


def _of_the_machine(descriptor: SecurityDescriptor, principal: Principal) -> Iterable[Sid]:
    """The SIDs of the DACL of which tokenGroups tells nothing: BUILTIN's, and those of no domain of the account."""
    named = dict.fromkeys(ace.sid for ace in descriptor.dacl_aces if ace.sid is not None)
    return [sid for sid in named if sid not in principal.token and _may_be_local(sid, principal.sid)]


# [MS-DTYP] 2.4.2.4: BUILTIN, and accounts of a domain or of a machine.
_BUILTIN, _ACCOUNTS = "S-1-5-32-", "S-1-5-21-"


def _may_be_local(sid: Sid, account: Sid) -> bool:
    text, domain = str(sid), account.binary[:-4]
    return text.startswith(_BUILTIN) or (text.startswith(_ACCOUNTS) and sid.binary[:-4] != domain)
