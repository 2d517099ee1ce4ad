"""Security descriptors as a directory and a CA hold them, built entry by entry."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from remediate.adcs.ace import Ace, enroll_ace, read_ace
from remediate.adcs.rights import ACL_REVISION_DS, ENROLL, CaRight, Control
from remediate.adcs.security_descriptor import ACL_HEADER, DESCRIPTOR_HEADER
from remediate.adcs.sid import Sid

from .estate import (
    ADMINISTRATOR,
    AUTHENTICATED_USERS,
    BUILTIN_ADMINISTRATORS,
    CA01,
    CONN1,
    DOMAIN_ADMINS,
    ENTERPRISE_ADMINS,
)

# What certutil calls Full Control; as on Windows it carries no control access right: CCDCLCSWRPWPDTLOSDRCWDWO.
_FULL: Final = 0xF00FF
# What Windows gives Authenticated Users on a template: LCRPLORC.
_READ_OF_EVERYONE: Final = 0x20094
# What Windows gives with Enroll on the templates that it brings: RPWPCR.
_STOCK_ENROLL: Final = 0x130
_INHERITED_BY_CHILDREN: Final = 0x03


def stock_template(*enrollers: Sid) -> bytes:
    """Return the descriptor of a template that Windows brought: administrators and `enrollers` may enrol."""
    may_enrol = [Ace.allow_object(sid, _STOCK_ENROLL, object_type=ENROLL) for sid in (DOMAIN_ADMINS, *enrollers)]
    return _directory_object(ENTERPRISE_ADMINS, [*may_enrol, *_administrators()])


def intune_template(*, connector_enrols: bool, others: Iterable[Sid] = ()) -> bytes:
    """Return the descriptor of a duplicated template: CONN1$ may read it and, where said, enrol; so may `others`."""
    enrollers = [*others, CONN1] if connector_enrols else [*others]
    aces = [*map(enroll_ace, enrollers), *_administrators(), Ace.allow(ADMINISTRATOR, _FULL), read_ace(CONN1)]
    return _directory_object(ADMINISTRATOR, aces)


def enrollment_service() -> bytes:
    """Return the descriptor of the issuing CA's object: everyone may ask it, its host keeps it up to date."""
    full = [_inheritable(Ace.allow(sid, _FULL)) for sid in (CA01, DOMAIN_ADMINS, ENTERPRISE_ADMINS)]
    everyone = _inheritable(Ace.allow(AUTHENTICATED_USERS, _READ_OF_EVERYONE))
    return _descriptor(ENTERPRISE_ADMINS, [everyone, enroll_ace(AUTHENTICATED_USERS), *full], protected=False)


def ca_security() -> bytes:
    """Return the `Security` value of the CA: everyone may request, the connector may also issue and revoke."""
    managers = (BUILTIN_ADMINISTRATORS, DOMAIN_ADMINS, ENTERPRISE_ADMINS)
    manage = CaRight.MANAGE_CA | CaRight.MANAGE_CERTIFICATES
    aces = [
        *(Ace.allow(sid, manage) for sid in managers),
        Ace.allow(CONN1, CaRight.MANAGE_CERTIFICATES | CaRight.ENROLL),
        Ace.allow(AUTHENTICATED_USERS, CaRight.ENROLL),
    ]
    return _descriptor(BUILTIN_ADMINISTRATORS, aces, protected=False, revision=2)


def _administrators() -> list[Ace]:
    full = [Ace.allow(sid, _FULL) for sid in (DOMAIN_ADMINS, ENTERPRISE_ADMINS)]
    return [*full, Ace.allow(AUTHENTICATED_USERS, _READ_OF_EVERYONE)]


def _inheritable(ace: Ace) -> Ace:
    return Ace.parse(ace.binary[:1] + bytes([_INHERITED_BY_CHILDREN]) + ace.binary[2:])


def _directory_object(owner: Sid, aces: list[Ace]) -> bytes:
    return _descriptor(owner, aces, protected=True)


def _descriptor(owner: Sid, aces: list[Ace], *, protected: bool, revision: int = ACL_REVISION_DS) -> bytes:
    """Header, DACL, owner, group ([MS-DTYP] 2.4.6); entries for one right stand where Windows puts them, first."""
    ordered = sorted(aces, key=lambda ace: not ace.is_object)
    body = b"".join(ace.binary for ace in ordered)
    acl = ACL_HEADER.pack(revision, 0, ACL_HEADER.size + len(body), len(ordered), 0) + body
    control = Control.SELF_RELATIVE | Control.DACL_PRESENT | Control.DACL_AUTO_INHERITED
    control |= Control.DACL_PROTECTED if protected else Control(0)
    dacl_at = DESCRIPTOR_HEADER.size
    owner_at = dacl_at + len(acl)
    header = DESCRIPTOR_HEADER.pack(1, 0, int(control), owner_at, owner_at + len(owner.binary), 0, dacl_at)
    return header + acl + owner.binary + owner.binary
