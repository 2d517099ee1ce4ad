"""Who really may: a security descriptor judged as AccessCheck does it ([MS-DTYP] 2.5.3.2, [MS-ADTS] 5.1.3.3).

Entries count in the order they stand, whether that is canonical or not. A refusal names the entry that denies or the
rights nobody gave. Conditions of callback entries depend on claims that only the server knows: where one could change
the outcome the verdict is UNDETERMINED, never a guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple
from uuid import UUID

from remediate.adcs.ace import Ace
from remediate.adcs.rights import (
    CA_MAPPING,
    DIRECTORY_MAPPING,
    ENROLL,
    GENERIC_BITS,
    READ_TEMPLATE,
    TEMPLATE_CLASS,
    TEMPLATE_CONTROL_ATTRIBUTES,
    CaRight,
    DirectoryRight,
    GenericMapping,
)
from remediate.adcs.security_descriptor import SecurityDescriptor
from remediate.adcs.sid import (
    AUTHENTICATED_USERS,
    CREATOR_GROUP,
    CREATOR_GROUP_SERVER,
    CREATOR_OWNER,
    CREATOR_OWNER_SERVER,
    EVERYONE,
    NETWORK,
    OWNER_RIGHTS,
    PRINCIPAL_SELF,
    THIS_ORGANIZATION,
    Sid,
)

# What owning an object gives unless an OWNER RIGHTS entry says otherwise: [MS-DTYP] 2.5.3.2.
_OWNER_IMPLIED: Final = int(DirectoryRight.READ_CONTROL | DirectoryRight.WRITE_DAC)
# Placeholders for entries of children, and the object's own SID, which a template does not have: in no token.
_IN_NO_TOKEN: Final = frozenset(
    {CREATOR_OWNER, CREATOR_GROUP, CREATOR_OWNER_SERVER, CREATOR_GROUP_SERVER, PRINCIPAL_SELF}
)


_Entry = tuple[int, Ace]
_Weighed = list[tuple[int, Ace, int]]


class Verdict(Enum):
    """The outcome of an access check."""

    GRANTED = "granted"
    REFUSED = "refused"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True, slots=True)
class DaclEntry:
    """An entry and its place in the DACL, counted from 0."""

    index: int
    ace: Ace


@dataclass(frozen=True, slots=True)
class AccessDecision:
    """One verdict and what it rests on.

    `granted_by`: the entries that gave a wanted right, in order. `denied_by`: the entry that denied one still missing.
    `missing`: the rights not given when the check ended. `owner_gives`: the rights that came from owning the object.
    `no_dacl`: granted because nothing protects the object. UNDETERMINED: `granted_by` as if every condition favoured
    the caller, `denied_by` and `missing` as if none did, `undetermined_by` the conditional entries that make the
    difference.
    """

    verdict: Verdict
    desired: int
    granted_by: tuple[DaclEntry, ...] = ()
    denied_by: DaclEntry | None = None
    missing: int = 0
    undetermined_by: tuple[DaclEntry, ...] = ()
    owner_gives: int = 0
    no_dacl: bool = False

    @property
    def is_granted(self) -> bool:
        """Whether it certainly is granted."""
        return self.verdict is Verdict.GRANTED


def token_sids(account: Sid, groups: Iterable[Sid]) -> frozenset[Sid]:
    """The SIDs of the token that a server sees when `account` calls it over the network.

    `groups` are the account's `tokenGroups`. Added is what no directory attribute lists: Everyone and Authenticated
    Users, in every token of an account; NETWORK, because a call to a CA or a directory is a network logon; This
    Organization, which each logon has that did not pass a trust with selective authentication ([MS-PAC] 4.1.2.2).
    Groups local to the server that is asked are not known here; a caller who knows them passes them in `groups`.
    """
    return frozenset({account, *groups, EVERYONE, AUTHENTICATED_USERS, NETWORK, THIS_ORGANIZATION})


def access_check(
    descriptor: SecurityDescriptor,
    sids: Set[Sid],
    *,
    desired: int,
    object_type: UUID | None = None,
    mapping: GenericMapping = DIRECTORY_MAPPING,
) -> AccessDecision:
    """Whether a token with `sids` has all bits of `desired`.

    `object_type` is the extended right or attribute that is asked for; without it, entries with an ObjectType do not
    count. A NULL or absent DACL grants everything, an empty one nothing but what owning gives.
    """
    wanted = mapping.specific(int(desired))
    if descriptor.dacl is None:
        return AccessDecision(Verdict.GRANTED, wanted, no_dacl=True)
    types = frozenset() if object_type is None else frozenset({object_type})
    token, implied = _with_ownership(descriptor, sids)
    entries = [(at, ace) for at, ace in enumerate(descriptor.dacl.aces) if ace.sid in token]
    return _decide(entries, wanted, types=types, mapping=mapping, implied=implied)


def may_enroll(descriptor: SecurityDescriptor, sids: Set[Sid]) -> AccessDecision:
    """Whether a token has the Enroll right on a template: [MS-WCCE] 3.2.2.6.2.1.4.3, [MS-CRTD] 2.5.1."""
    return access_check(descriptor, sids, desired=DirectoryRight.CONTROL_ACCESS, object_type=ENROLL)


def may_read(descriptor: SecurityDescriptor, sids: Set[Sid]) -> AccessDecision:
    """Whether a token has Read on a template, as the Certificate Templates console means it."""
    return access_check(descriptor, sids, desired=READ_TEMPLATE)


def ca_access_check(descriptor: SecurityDescriptor, sids: Set[Sid], *, desired: CaRight) -> AccessDecision:
    """Whether a token has `desired` on a CA, by the CA's own `Security` value, which knows no object types."""
    return access_check(descriptor, sids, desired=desired, mapping=CA_MAPPING)


def holders_of(
    descriptor: SecurityDescriptor,
    desired: int,
    *,
    object_type: UUID | None = None,
    mapping: GenericMapping = DIRECTORY_MAPPING,
) -> tuple[Sid, ...]:
    """The SIDs whom the DACL gives all of `desired`, each judged by the entries for that SID alone, in DACL order.

    A SID that only a condition keeps out counts as a holder: what is not known to be refused is not safe. Without a
    DACL the holder is Everyone. OWNER RIGHTS stands for the owner; SIDs that are in no token are left out.
    """
    types = frozenset() if object_type is None else frozenset({object_type})
    return tuple(_holders(descriptor, mapping.specific(int(desired)), types=types, mapping=mapping))


def holders_of_enroll(descriptor: SecurityDescriptor) -> tuple[Sid, ...]:
    """Who holds Enroll on a template, as `holders_of` counts."""
    return holders_of(descriptor, DirectoryRight.CONTROL_ACCESS, object_type=ENROLL)


def holders_of_rewrite(descriptor: SecurityDescriptor) -> tuple[Sid, ...]:
    """Who may change what a template issues, or give themselves the right to, as `holders_of` counts.

    That is WRITE_DAC (which owning gives too), WRITE_OWNER, or WRITE_PROPERTY on the whole template or on one of the
    attributes in TEMPLATE_CONTROL_ATTRIBUTES.
    """
    found = {
        **_holders(descriptor, int(DirectoryRight.WRITE_DAC), types=frozenset(), mapping=DIRECTORY_MAPPING),
        **_holders(descriptor, int(DirectoryRight.WRITE_OWNER), types=frozenset(), mapping=DIRECTORY_MAPPING),
    }
    for attribute in _attributes_to_ask(descriptor):
        # An entry for the class counts for each attribute of it: [MS-ADTS] 5.1.3.3.3.
        types = frozenset({attribute, TEMPLATE_CLASS})
        found |= _holders(descriptor, int(DirectoryRight.WRITE_PROPERTY), types=types, mapping=DIRECTORY_MAPPING)
    return tuple(found)


def _attributes_to_ask(descriptor: SecurityDescriptor) -> list[UUID]:
    """The attributes that entries name, and one that none names: for all those the answer is the same."""
    named = {ace.object_type for ace in descriptor.dacl_aces}
    unnamed = [attribute for attribute in TEMPLATE_CONTROL_ATTRIBUTES if attribute not in named]
    return [attribute for attribute in TEMPLATE_CONTROL_ATTRIBUTES if attribute in named] + unnamed[:1]


def _holders(
    descriptor: SecurityDescriptor, wanted: int, *, types: frozenset[UUID], mapping: GenericMapping
) -> dict[Sid, None]:
    """The holders as the keys of a dict, which keeps their order."""
    if not wanted:
        raise ValueError("no right is asked for")
    if descriptor.dacl is None:
        return {EVERYONE: None}
    owner, has_owner_rights = descriptor.owner, _has_owner_rights(descriptor)
    implied = 0 if has_owner_rights else _OWNER_IMPLIED
    of_sid: dict[Sid, _Weighed] = {}
    for entry in _weighed(enumerate(descriptor.dacl.aces), wanted, types=types, mapping=mapping):
        sid = owner if has_owner_rights and entry[1].sid == OWNER_RIGHTS else entry[1].sid
        if sid is not None and sid not in _IN_NO_TOKEN:
            of_sid.setdefault(sid, []).append(entry)
    if owner is not None and wanted & ~implied == 0:
        of_sid.setdefault(owner, [])
    return {
        sid: None
        for sid, weighed in of_sid.items()
        if not _walk(weighed, wanted & ~implied if sid == owner else wanted, conditions_favour=True).missing
    }


def _with_ownership(descriptor: SecurityDescriptor, sids: Set[Sid]) -> tuple[Set[Sid], int]:
    """The token with OWNER RIGHTS in it where it owns the object, and the rights that owning gives by itself."""
    if descriptor.owner is None or descriptor.owner not in sids:
        return sids, 0
    if _has_owner_rights(descriptor):
        return sids | {OWNER_RIGHTS}, 0
    return sids, _OWNER_IMPLIED


def _has_owner_rights(descriptor: SecurityDescriptor) -> bool:
    # Very few descriptors hold these bytes anywhere, and finding that out costs next to nothing.
    if OWNER_RIGHTS.binary not in descriptor.binary:
        return False
    return any(ace.sid == OWNER_RIGHTS and not ace.is_inherit_only for ace in descriptor.dacl_aces)


def _decide(
    entries: Iterable[_Entry], wanted: int, *, types: frozenset[UUID], mapping: GenericMapping, implied: int
) -> AccessDecision:
    if not wanted:
        raise ValueError("no right is asked for")
    remaining, owner_gives = wanted & ~implied, wanted & implied
    weighed = _weighed(entries, remaining, types=types, mapping=mapping)
    worst = best = _walk(weighed, remaining, conditions_favour=False)
    if any(ace.is_conditional for _, ace, _ in weighed):
        best = _walk(weighed, remaining, conditions_favour=True)
    if not worst.missing:
        return AccessDecision(Verdict.GRANTED, wanted, worst.granted_by, owner_gives=owner_gives)
    if best.missing:
        # Named is the entry that refuses even if every condition is in the caller's favour.
        refused = (best.granted_by, best.denied_by, best.missing)
        return AccessDecision(Verdict.REFUSED, wanted, *refused, owner_gives=owner_gives)
    deciding = (*best.granted_by, *((worst.denied_by,) if worst.denied_by else ()))
    conditional = tuple(entry for entry in deciding if entry.ace.is_conditional)
    undecided = (best.granted_by, worst.denied_by, worst.missing)
    return AccessDecision(Verdict.UNDETERMINED, wanted, *undecided, conditional, owner_gives)


def _weighed(entries: Iterable[_Entry], wanted: int, *, types: frozenset[UUID], mapping: GenericMapping) -> _Weighed:
    """The entries that say something about a wanted right on this object, with their specific mask."""
    weighed = []
    for at, ace in entries:
        mask = ace.mask if not ace.mask & GENERIC_BITS else mapping.specific(ace.mask)
        if mask & wanted and not ace.is_inherit_only and (ace.object_type is None or ace.object_type in types):
            weighed.append((at, ace, mask))
    return weighed


class _Walk(NamedTuple):
    granted: list[_Entry]
    denied: _Entry | None
    missing: int

    @property
    def granted_by(self) -> tuple[DaclEntry, ...]:
        return tuple(DaclEntry(at, ace) for at, ace in self.granted)

    @property
    def denied_by(self) -> DaclEntry | None:
        return DaclEntry(*self.denied) if self.denied else None


def _walk(weighed: _Weighed, remaining: int, *, conditions_favour: bool) -> _Walk:
    """Take the entries one by one until every right is given or one that is still missing is denied.

    The outcome can only get better for the caller with each condition that is in his favour, so that the two extremes
    enclose every combination of conditions.
    """
    granted: list[_Entry] = []
    for at, ace, mask in weighed:
        if not remaining:
            break
        allows = ace.allows
        if not mask & remaining or (allows is not conditions_favour and ace.is_conditional):
            continue
        if allows:
            granted.append((at, ace))
            remaining &= ~mask
        elif ace.denies:
            return _Walk(granted, (at, ace), remaining)
    return _Walk(granted, None, remaining)
