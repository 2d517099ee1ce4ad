"""Access control entries: one entry's bytes, and what they say.

An Ace keeps the bytes it was read from and gives those back; the decoded fields only explain them. Types this program
does not know are kept as they are, with nothing decoded.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from uuid import UUID

from remediate.adcs.rights import (
    ALLOW_TYPES,
    CONDITIONAL_TYPES,
    DENY_TYPES,
    ENROLL,
    OBJECT_TYPES,
    READ_TEMPLATE,
    AceFlag,
    AceType,
    DirectoryRight,
    ObjectAceFlag,
)
from remediate.adcs.sid import MalformedSid, Sid, size_of_sid_at

# [MS-DTYP] 2.4.4.1: AceType, AceFlags, AceSize; then the mask and, in object entries, the Flags.
_HEADER: Final = struct.Struct("<BBH")
_NUMBER: Final = struct.Struct("<I")
_GUID_SIZE: Final = 16
_KNOWN: Final = {int(known): known for known in AceType}
# As plain numbers, because a lookup by an enumeration's member takes several times as long.
_ALLOWS: Final = frozenset(map(int, ALLOW_TYPES))
_DENIES: Final = frozenset(map(int, DENY_TYPES))
_CONDITIONAL: Final = frozenset(map(int, CONDITIONAL_TYPES))
_OBJECTS: Final = frozenset(map(int, OBJECT_TYPES))
# Of known layouts the compound entry alone has another: it is reserved, and kept as it is.
_OPAQUE: Final = frozenset({AceType.ACCESS_ALLOWED_COMPOUND})


class MalformedAce(ValueError):
    """The bytes are no access control entry: `binary` holds them, `reason` says what is wrong."""

    def __init__(self, binary: bytes, reason: str) -> None:
        self.binary = binary
        self.reason = reason
        super().__init__(f"access control entry {binary[:64].hex()}: {reason}")


@dataclass(frozen=True, slots=True)
class Ace:
    """One entry of an ACL ([MS-DTYP] 2.4.4). Two are equal when their bytes are.

    `type` is a plain number for a type that is not in AceType; then `mask` is 0 and `sid` None.
    `application_data` is whatever follows the SID: a condition, an attribute, or slack.
    """

    binary: bytes
    type: AceType | int = field(compare=False)
    flags: AceFlag = field(compare=False)
    mask: int = field(compare=False)
    sid: Sid | None = field(compare=False)
    object_type: UUID | None = field(compare=False)
    inherited_object_type: UUID | None = field(compare=False)
    application_data: bytes = field(compare=False)

    @classmethod
    def parse(cls, binary: bytes) -> Ace:
        """The entry that fills `binary` exactly. Raises MalformedAce."""
        return _ace_of(bytes(binary))

    @classmethod
    def allow(cls, sid: Sid, mask: int) -> Ace:
        """An explicit entry that allows `mask` to `sid` on the object itself."""
        return _composed(AceType.ACCESS_ALLOWED, _NUMBER.pack(mask) + sid.binary)

    @classmethod
    def allow_object(cls, sid: Sid, mask: int, *, object_type: UUID) -> Ace:
        """An explicit entry that allows `mask` to `sid` for one right, attribute or class."""
        flags = _NUMBER.pack(ObjectAceFlag.OBJECT_TYPE_PRESENT)
        return _composed(AceType.ACCESS_ALLOWED_OBJECT, _NUMBER.pack(mask) + flags + object_type.bytes_le + sid.binary)

    @property
    def allows(self) -> bool:
        """Whether it is of one of the types that allow access."""
        return self.binary[0] in _ALLOWS

    @property
    def denies(self) -> bool:
        """Whether it is of one of the types that deny access."""
        return self.binary[0] in _DENIES

    @property
    def is_conditional(self) -> bool:
        """Whether it counts only under a condition that only the server can evaluate."""
        return self.binary[0] in _CONDITIONAL

    @property
    def is_object(self) -> bool:
        """Whether it has room for object types, which an ACL of revision 2 must not hold."""
        return self.binary[0] in _OBJECTS

    @property
    def is_inherited(self) -> bool:
        """Whether it came from a parent object."""
        return bool(self.binary[1] & 0x10)

    @property
    def is_inherit_only(self) -> bool:
        """Whether it concerns children only and says nothing about the object itself."""
        return bool(self.binary[1] & 0x08)


def read_ace(sid: Sid) -> Ace:
    """What the Certificate Templates console writes for Read: `(A;;LCRPRC;;;SID)`."""
    return Ace.allow(sid, READ_TEMPLATE)


def enroll_ace(sid: Sid) -> Ace:
    """What the Certificate Templates console writes for Enroll: `(OA;;CR;0e10c968-...;;SID)`."""
    return Ace.allow_object(sid, DirectoryRight.CONTROL_ACCESS, object_type=ENROLL)


def _composed(ace_type: AceType, body: bytes) -> Ace:
    return Ace.parse(_HEADER.pack(ace_type, 0, _HEADER.size + len(body)) + body)


# The templates of a forest repeat few entries very often. The cache changes no result, only how often it is worked out.
@lru_cache(maxsize=8192)
def _ace_of(binary: bytes) -> Ace:
    if len(binary) < _HEADER.size or int.from_bytes(binary[2:4], "little") != len(binary):
        raise MalformedAce(binary, "its size is not what its header says")
    ace_type = _KNOWN.get(binary[0], binary[0])
    if not isinstance(ace_type, AceType) or ace_type in _OPAQUE:
        return Ace(binary, ace_type, AceFlag(binary[1]), 0, None, None, None, binary[_HEADER.size :])
    object_type, inherited, sid_at = _object_types(binary) if binary[0] in _OBJECTS else (None, None, 8)
    sid, end = _sid_at(binary, sid_at)
    mask = _number_at(binary, 4)
    return Ace(binary, ace_type, AceFlag(binary[1]), mask, sid, object_type, inherited, binary[end:])


def _object_types(binary: bytes) -> tuple[UUID | None, UUID | None, int]:
    """ObjectType, InheritedObjectType, and where the SID starts: a GUID that is not there takes no room."""
    present = _number_at(binary, 8)
    offset = 12
    object_type = inherited = None
    if present & ObjectAceFlag.OBJECT_TYPE_PRESENT:
        object_type, offset = _guid_at(binary, offset), offset + _GUID_SIZE
    if present & ObjectAceFlag.INHERITED_OBJECT_TYPE_PRESENT:
        inherited, offset = _guid_at(binary, offset), offset + _GUID_SIZE
    return object_type, inherited, offset


def _guid_at(binary: bytes, offset: int) -> UUID:
    if offset + _GUID_SIZE > len(binary):
        raise MalformedAce(binary, "an object type is cut off")
    return _guid_of(binary[offset : offset + _GUID_SIZE])


@lru_cache(maxsize=1024)
def _guid_of(binary: bytes) -> UUID:
    return UUID(bytes_le=binary)


def _sid_at(binary: bytes, offset: int) -> tuple[Sid, int]:
    try:
        end = offset + size_of_sid_at(binary, offset)
    except MalformedSid as error:
        raise MalformedAce(binary, f"its SID: {error.reason}") from error
    return Sid.from_bytes(binary[offset:end]), end


def _number_at(binary: bytes, offset: int) -> int:
    if offset + _NUMBER.size > len(binary):
        raise MalformedAce(binary, "it is cut off")
    number: int = _NUMBER.unpack_from(binary, offset)[0]
    return number
