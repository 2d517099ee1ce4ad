"""The bits and numbers of security descriptors: access rights, entry types and flags, control bits, right GUIDs.

Every name stands for one value of the open specifications or of a Windows header, named beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Final
from uuid import UUID


class DirectoryRight(IntFlag):
    """What an access mask means on a directory object: [MS-ADTS] 5.1.3.2."""

    CREATE_CHILD = 0x00000001
    DELETE_CHILD = 0x00000002
    LIST_CONTENTS = 0x00000004
    WRITE_PROPERTY_EXTENDED = 0x00000008
    READ_PROPERTY = 0x00000010
    WRITE_PROPERTY = 0x00000020
    DELETE_TREE = 0x00000040
    LIST_OBJECT = 0x00000080
    CONTROL_ACCESS = 0x00000100
    DELETE = 0x00010000
    READ_CONTROL = 0x00020000
    WRITE_DAC = 0x00040000
    WRITE_OWNER = 0x00080000
    SYNCHRONIZE = 0x00100000
    ACCESS_SYSTEM_SECURITY = 0x01000000
    MAXIMUM_ALLOWED = 0x02000000
    GENERIC_ALL = 0x10000000
    GENERIC_EXECUTE = 0x20000000
    GENERIC_WRITE = 0x40000000
    GENERIC_READ = 0x80000000


# What "Read" means on a template, and what the Certificate Templates console writes for it: RC | LC | RP.
READ_TEMPLATE: Final = DirectoryRight.READ_CONTROL | DirectoryRight.LIST_CONTENTS | DirectoryRight.READ_PROPERTY

GENERIC_BITS: Final = 0xF0000000


@dataclass(frozen=True, slots=True)
class GenericMapping:
    """Which specific bits each generic right of an access mask stands for on one kind of object."""

    read: int
    write: int
    execute: int
    all: int

    def specific(self, mask: int) -> int:
        """`mask` with its generic bits replaced by the bits they stand for."""
        if not mask & GENERIC_BITS:
            return mask
        specific = mask & ~GENERIC_BITS
        specific |= self.read if mask & DirectoryRight.GENERIC_READ else 0
        specific |= self.write if mask & DirectoryRight.GENERIC_WRITE else 0
        specific |= self.execute if mask & DirectoryRight.GENERIC_EXECUTE else 0
        return specific | (self.all if mask & DirectoryRight.GENERIC_ALL else 0)


# [MS-ADTS] 5.1.3.2: GR = RC LC RP LO, GW = RC WP VW, GX = RC LC, GA = all specific and standard rights.
DIRECTORY_MAPPING: Final = GenericMapping(read=0x20094, write=0x20028, execute=0x20004, all=0xF01FF)


class CaRight(IntFlag):
    """What an access mask means in the `Security` value of a CA and on requests to it: certadm.h, [MS-CSRA] 3.1.1.7."""

    MANAGE_CA = 0x001
    MANAGE_CERTIFICATES = 0x002
    AUDITOR = 0x004
    OPERATOR = 0x008
    READ = 0x100
    ENROLL = 0x200


# A CA stores its rights without generic bits; one that stands there is read as granting nothing.
CA_MAPPING: Final = GenericMapping(read=0, write=0, execute=0, all=0)


class AceFlag(IntFlag):
    """AceFlags of an ACE_HEADER: [MS-DTYP] 2.4.4.1; CRITICAL: winnt.h."""

    OBJECT_INHERIT = 0x01
    CONTAINER_INHERIT = 0x02
    NO_PROPAGATE_INHERIT = 0x04
    INHERIT_ONLY = 0x08
    INHERITED = 0x10
    CRITICAL = 0x20
    SUCCESSFUL_ACCESS = 0x40
    FAILED_ACCESS = 0x80


class AceType(IntEnum):
    """AceType of an ACE_HEADER: [MS-DTYP] 2.4.4.1; 0x14 and 0x15: winnt.h."""

    ACCESS_ALLOWED = 0x00
    ACCESS_DENIED = 0x01
    SYSTEM_AUDIT = 0x02
    SYSTEM_ALARM = 0x03
    ACCESS_ALLOWED_COMPOUND = 0x04
    ACCESS_ALLOWED_OBJECT = 0x05
    ACCESS_DENIED_OBJECT = 0x06
    SYSTEM_AUDIT_OBJECT = 0x07
    SYSTEM_ALARM_OBJECT = 0x08
    ACCESS_ALLOWED_CALLBACK = 0x09
    ACCESS_DENIED_CALLBACK = 0x0A
    ACCESS_ALLOWED_CALLBACK_OBJECT = 0x0B
    ACCESS_DENIED_CALLBACK_OBJECT = 0x0C
    SYSTEM_AUDIT_CALLBACK = 0x0D
    SYSTEM_ALARM_CALLBACK = 0x0E
    SYSTEM_AUDIT_CALLBACK_OBJECT = 0x0F
    SYSTEM_ALARM_CALLBACK_OBJECT = 0x10
    SYSTEM_MANDATORY_LABEL = 0x11
    SYSTEM_RESOURCE_ATTRIBUTE = 0x12
    SYSTEM_SCOPED_POLICY_ID = 0x13
    SYSTEM_PROCESS_TRUST_LABEL = 0x14
    SYSTEM_ACCESS_FILTER = 0x15


_T = AceType
ALLOW_TYPES: Final = frozenset(
    {_T.ACCESS_ALLOWED, _T.ACCESS_ALLOWED_OBJECT, _T.ACCESS_ALLOWED_CALLBACK, _T.ACCESS_ALLOWED_CALLBACK_OBJECT}
)
DENY_TYPES: Final = frozenset(
    {_T.ACCESS_DENIED, _T.ACCESS_DENIED_OBJECT, _T.ACCESS_DENIED_CALLBACK, _T.ACCESS_DENIED_CALLBACK_OBJECT}
)
# Entries with the Flags, ObjectType and InheritedObjectType fields: [MS-DTYP] 2.4.4.3 and its neighbours.
OBJECT_TYPES: Final = frozenset(
    {
        _T.ACCESS_ALLOWED_OBJECT,
        _T.ACCESS_DENIED_OBJECT,
        _T.SYSTEM_AUDIT_OBJECT,
        _T.SYSTEM_ALARM_OBJECT,
        _T.ACCESS_ALLOWED_CALLBACK_OBJECT,
        _T.ACCESS_DENIED_CALLBACK_OBJECT,
        _T.SYSTEM_AUDIT_CALLBACK_OBJECT,
        _T.SYSTEM_ALARM_CALLBACK_OBJECT,
    }
)
# Entries that apply only if a condition over the token holds: [MS-DTYP] 2.4.4.17.
CONDITIONAL_TYPES: Final = frozenset(
    {
        _T.ACCESS_ALLOWED_CALLBACK,
        _T.ACCESS_DENIED_CALLBACK,
        _T.ACCESS_ALLOWED_CALLBACK_OBJECT,
        _T.ACCESS_DENIED_CALLBACK_OBJECT,
    }
)


class ObjectAceFlag(IntFlag):
    """Flags of an object ACE: which GUIDs are there ([MS-DTYP] 2.4.4.3)."""

    OBJECT_TYPE_PRESENT = 0x1
    INHERITED_OBJECT_TYPE_PRESENT = 0x2


class Control(IntFlag):
    """Control of a SECURITY_DESCRIPTOR: [MS-DTYP] 2.4.6."""

    OWNER_DEFAULTED = 0x0001
    GROUP_DEFAULTED = 0x0002
    DACL_PRESENT = 0x0004
    DACL_DEFAULTED = 0x0008
    SACL_PRESENT = 0x0010
    SACL_DEFAULTED = 0x0020
    DACL_TRUSTED = 0x0040
    SERVER_SECURITY = 0x0080
    DACL_COMPUTED_INHERITANCE_REQUIRED = 0x0100
    SACL_COMPUTED_INHERITANCE_REQUIRED = 0x0200
    DACL_AUTO_INHERITED = 0x0400
    SACL_AUTO_INHERITED = 0x0800
    DACL_PROTECTED = 0x1000
    SACL_PROTECTED = 0x2000
    RM_CONTROL_VALID = 0x4000
    SELF_RELATIVE = 0x8000


# [MS-DTYP] 2.4.5: object entries need the revision of directory services.
ACL_REVISION: Final = 2
ACL_REVISION_DS: Final = 4

# Control access rights of templates: [MS-CRTD] 2.5.1 and 2.5.3.
ENROLL: Final = UUID("0e10c968-78fb-11d2-90d4-00c04f79dc55")
AUTO_ENROLL: Final = UUID("a05b8cc2-17bc-4802-a710-e7c15ab866a2")

# schemaIDGUID of the class pKICertificateTemplate ([MS-ADSC]): an entry with it counts for the whole template.
TEMPLATE_CLASS: Final = UUID("e5209ca2-3bba-11d2-90cc-00c04fd91ab1")

# schemaIDGUIDs ([MS-ADA2], [MS-ADA3]) of what decides who gets which certificate: none of them is in a property set.
TEMPLATE_CONTROL_ATTRIBUTES: Final[dict[UUID, str]] = {
    UUID("ea1dddc4-60ff-416e-8cc0-17cee534bce7"): "msPKI-Certificate-Name-Flag",
    UUID("d15ef7d8-f226-46db-ae79-b34e560bd12c"): "msPKI-Enrollment-Flag",
    UUID("fe17e04b-937d-4f7e-8e0e-9292c8d5683e"): "msPKI-RA-Signature",
    UUID("3c91fbbf-4773-4ccd-a87b-85d53e7bcf6a"): "msPKI-RA-Application-Policies",
    UUID("d546ae22-0951-4d47-817e-1c9f96faad46"): "msPKI-RA-Policies",
    UUID("18976af6-3b9e-11d2-90cc-00c04fd91ab1"): "pKIExtendedKeyUsage",
    UUID("dbd90548-aa37-4202-9966-8c537ba5ce32"): "msPKI-Certificate-Application-Policy",
    UUID("38942346-cc5b-424b-a7d8-6ffd12029c5f"): "msPKI-Certificate-Policy",
    UUID("0c15e9f5-491d-4594-918f-32813a091da9"): "msPKI-Template-Schema-Version",
}
