"""Security descriptors as SDDL text ([MS-DTYP] 2.5.1), for people who read a diff.

Rights are the two-letter names of the directory, or one hexadecimal number where a bit has none. SIDs are numbers
except those aliases that mean the same in every domain. Conditions and attributes are not decompiled: the bytes at the
end of such an entry are shown as `artx:` or `data:` and hex. That text, like an entry of a type without an SDDL name
(shown as its number), is for reading only.
"""

from __future__ import annotations

from typing import Final

from remediate.adcs.ace import Ace
from remediate.adcs.rights import CONDITIONAL_TYPES, AceType, CaRight, Control
from remediate.adcs.security_descriptor import Acl, SecurityDescriptor
from remediate.adcs.sid import Sid

# [MS-DTYP] 2.5.1.1 and sddl.h. No name exists for the missing types.
_TYPE_NAMES: Final[dict[int, str]] = {
    AceType.ACCESS_ALLOWED: "A",
    AceType.ACCESS_DENIED: "D",
    AceType.SYSTEM_AUDIT: "AU",
    AceType.SYSTEM_ALARM: "AL",
    AceType.ACCESS_ALLOWED_OBJECT: "OA",
    AceType.ACCESS_DENIED_OBJECT: "OD",
    AceType.SYSTEM_AUDIT_OBJECT: "OU",
    AceType.SYSTEM_ALARM_OBJECT: "OL",
    AceType.ACCESS_ALLOWED_CALLBACK: "XA",
    AceType.ACCESS_DENIED_CALLBACK: "XD",
    AceType.ACCESS_ALLOWED_CALLBACK_OBJECT: "ZA",
    AceType.SYSTEM_AUDIT_CALLBACK: "XU",
    AceType.SYSTEM_MANDATORY_LABEL: "ML",
    AceType.SYSTEM_RESOURCE_ATTRIBUTE: "RA",
    AceType.SYSTEM_SCOPED_POLICY_ID: "SP",
    AceType.SYSTEM_PROCESS_TRUST_LABEL: "TL",
    AceType.SYSTEM_ACCESS_FILTER: "FL",
}
# Types whose bytes after the SID mean something; elsewhere they are slack, which SDDL has no place for.
_WITH_DATA: Final = CONDITIONAL_TYPES | {
    AceType.SYSTEM_AUDIT_CALLBACK,
    AceType.SYSTEM_AUDIT_CALLBACK_OBJECT,
    AceType.SYSTEM_RESOURCE_ATTRIBUTE,
    AceType.SYSTEM_ACCESS_FILTER,
}
_CONDITION_MARK: Final = b"artx"  # [MS-DTYP] 2.4.4.17.4

# [MS-DTYP] 2.5.1.1 and sddl.h, in the order Windows writes them.
_FLAG_NAMES: Final = (
    (0x01, "OI"),
    (0x02, "CI"),
    (0x04, "NP"),
    (0x08, "IO"),
    (0x10, "ID"),
    (0x20, "CR"),
    (0x40, "SA"),
    (0x80, "FA"),
)
_RIGHT_NAMES: Final = (
    (0x00000001, "CC"),
    (0x00000002, "DC"),
    (0x00000004, "LC"),
    (0x00000008, "SW"),
    (0x00000010, "RP"),
    (0x00000020, "WP"),
    (0x00000040, "DT"),
    (0x00000080, "LO"),
    (0x00000100, "CR"),
    (0x00010000, "SD"),
    (0x00020000, "RC"),
    (0x00040000, "WD"),
    (0x00080000, "WO"),
    (0x10000000, "GA"),
    (0x20000000, "GX"),
    (0x40000000, "GW"),
    (0x80000000, "GR"),
)
_NAMED_RIGHTS: Final = sum(bit for bit, _ in _RIGHT_NAMES)

# [MS-DTYP] 2.5.1.1: the aliases that stand for one SID wherever they are read.
SID_ALIASES: Final[dict[Sid, str]] = {
    Sid.from_string(text): alias
    for text, alias in {
        "S-1-1-0": "WD",
        "S-1-3-0": "CO",
        "S-1-3-1": "CG",
        "S-1-3-4": "OW",
        "S-1-5-2": "NU",
        "S-1-5-4": "IU",
        "S-1-5-6": "SU",
        "S-1-5-7": "AN",
        "S-1-5-9": "ED",
        "S-1-5-10": "PS",
        "S-1-5-11": "AU",
        "S-1-5-12": "RC",
        "S-1-5-18": "SY",
        "S-1-5-19": "LS",
        "S-1-5-20": "NS",
        "S-1-5-33": "WR",
        "S-1-5-32-544": "BA",
        "S-1-5-32-545": "BU",
        "S-1-5-32-546": "BG",
        "S-1-5-32-547": "PU",
        "S-1-5-32-548": "AO",
        "S-1-5-32-549": "SO",
        "S-1-5-32-550": "PO",
        "S-1-5-32-551": "BO",
        "S-1-5-32-552": "RE",
        "S-1-5-32-554": "RU",
        "S-1-5-32-555": "RD",
        "S-1-5-32-556": "NO",
        "S-1-5-32-558": "MU",
        "S-1-5-32-559": "LU",
        "S-1-5-32-568": "IS",
        "S-1-5-32-569": "CY",
        "S-1-5-32-573": "ER",
        "S-1-5-32-574": "CD",
        "S-1-5-32-575": "RA",
        "S-1-5-32-576": "ES",
        "S-1-5-32-577": "MS",
        "S-1-5-32-578": "HA",
        "S-1-5-32-579": "AA",
        "S-1-5-32-580": "RM",
        "S-1-15-2-1": "AC",
        "S-1-16-4096": "LW",
        "S-1-16-8192": "ME",
        "S-1-16-8448": "MP",
        "S-1-16-12288": "HI",
        "S-1-16-16384": "SI",
        "S-1-18-1": "AS",
        "S-1-18-2": "SS",
    }.items()
}


def sid_to_sddl(sid: Sid) -> str:
    """The two-letter alias where it depends on no domain, else the number."""
    return SID_ALIASES.get(sid) or str(sid)


def rights_to_sddl(mask: int) -> str:
    """`LCRPRC`, or `0x120089` where a bit has no two-letter name."""
    if mask & ~_NAMED_RIGHTS:
        return f"{mask:#x}"
    return "".join(name for bit, name in _RIGHT_NAMES if mask & bit)


def ca_rights_to_text(mask: int) -> str:
    """The rights of an entry of a CA's own descriptor: `MANAGE_CA | ENROLL`, unnamed bits as one number."""
    names = [right.name or "" for right in CaRight if mask & right]
    rest = mask & ~sum(CaRight)
    return " | ".join([*names, f"{rest:#x}"] if rest or not names else names)


def ace_to_sddl(ace: Ace) -> str:
    """`(A;;LCRPRC;;;AU)`. An entry that is not decoded is its type and its bytes: `(0x4;;data:...)`."""
    kind = _TYPE_NAMES.get(ace.type, f"{int(ace.type):#x}")
    flags = "".join(name for bit, name in _FLAG_NAMES if ace.flags & bit)
    if ace.sid is None:
        return f"({kind};{flags};data:{ace.application_data.hex()})"
    parts = [
        kind,
        flags,
        rights_to_sddl(ace.mask),
        str(ace.object_type or ""),
        str(ace.inherited_object_type or ""),
        sid_to_sddl(ace.sid),
    ]
    if ace.type in _WITH_DATA:
        parts.append(_data_to_text(ace.application_data))
    return f"({';'.join(parts)})"


def dacl_to_sddl(descriptor: SecurityDescriptor) -> str:
    """`D:PAI(...)(...)`; empty where there is no DACL; `D:NO_ACCESS_CONTROL` where it is NULL."""
    control = descriptor.control
    if Control.DACL_PRESENT not in control:
        return ""
    flags = _control_to_sddl(
        (Control.DACL_PROTECTED in control, "P"),
        (Control.DACL_COMPUTED_INHERITANCE_REQUIRED in control, "AR"),
        (Control.DACL_AUTO_INHERITED in control, "AI"),
    )
    return f"D:{flags}{_acl_to_sddl(descriptor.dacl)}"


def sacl_to_sddl(descriptor: SecurityDescriptor) -> str:
    """As `dacl_to_sddl`, for the audit entries; what was read without the right to see them has none."""
    control = descriptor.control
    if Control.SACL_PRESENT not in control:
        return ""
    flags = _control_to_sddl(
        (Control.SACL_PROTECTED in control, "P"),
        (Control.SACL_COMPUTED_INHERITANCE_REQUIRED in control, "AR"),
        (Control.SACL_AUTO_INHERITED in control, "AI"),
    )
    return f"S:{flags}{_acl_to_sddl(descriptor.sacl)}"


def descriptor_to_sddl(descriptor: SecurityDescriptor) -> str:
    """`O:...G:...D:...S:...`, without the parts that are not there."""
    owner = f"O:{sid_to_sddl(descriptor.owner)}" if descriptor.owner else ""
    group = f"G:{sid_to_sddl(descriptor.group)}" if descriptor.group else ""
    return owner + group + dacl_to_sddl(descriptor) + sacl_to_sddl(descriptor)


def _acl_to_sddl(acl: Acl | None) -> str:
    return "NO_ACCESS_CONTROL" if acl is None else "".join(map(ace_to_sddl, acl.aces))


def _control_to_sddl(*flags: tuple[bool, str]) -> str:
    return "".join(name for is_set, name in flags if is_set)


def _data_to_text(data: bytes) -> str:
    if data.startswith(_CONDITION_MARK):
        return f"artx:{data[len(_CONDITION_MARK) :].hex()}"
    return f"data:{data.hex()}"
