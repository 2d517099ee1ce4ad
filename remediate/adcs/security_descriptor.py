"""Security descriptors as the directory and the registry store them: self-relative, byte for byte.

`SecurityDescriptor.parse(data).to_bytes() == data` for everything that parses, whatever the order of its parts, the
gaps between them, the slack within them, and the revision of its ACLs. How to change a DACL: `dacl_edit`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Final

from remediate.adcs.ace import Ace, MalformedAce
from remediate.adcs.rights import Control
from remediate.adcs.sid import MalformedSid, Sid, size_of_sid_at

# [MS-DTYP] 2.4.6: Revision, Sbz1, Control, OffsetOwner, OffsetGroup, OffsetSacl, OffsetDacl.
DESCRIPTOR_HEADER: Final = struct.Struct("<BBHIIII")
# [MS-DTYP] 2.4.5: AclRevision, Sbz1, AclSize, AceCount, Sbz2.
ACL_HEADER: Final = struct.Struct("<BBHHH")
_REVISION: Final = 1
_SMALLEST_ACE: Final = 4
_OF_OTHER_PARTS: Final = (
    Control.OWNER_DEFAULTED
    | Control.GROUP_DEFAULTED
    | Control.SACL_PRESENT
    | Control.SACL_DEFAULTED
    | Control.SACL_COMPUTED_INHERITANCE_REQUIRED
    | Control.SACL_AUTO_INHERITED
    | Control.SACL_PROTECTED
)


class MalformedDescriptor(ValueError):
    """The bytes are no self-relative security descriptor: `part` and `offset` say where, `reason` what is wrong."""

    def __init__(self, part: str, offset: int, reason: str) -> None:
        self.part = part
        self.offset = offset
        self.reason = reason
        super().__init__(f"security descriptor, {part} at byte {offset}: {reason}")


@dataclass(frozen=True, slots=True)
class Acl:
    """An access control list ([MS-DTYP] 2.4.5): `aces` in the order they stand, `slack` the bytes after the last."""

    binary: bytes
    aces: tuple[Ace, ...] = field(compare=False)

    @property
    def revision(self) -> int:
        """AclRevision: 2, or 4 where object entries may stand; others are kept."""
        return self.binary[0]

    @property
    def slack(self) -> bytes:
        """What AclSize counts and no entry fills."""
        return self.binary[ACL_HEADER.size + sum(len(ace.binary) for ace in self.aces) :]


@dataclass(frozen=True, slots=True)
class SecurityDescriptor:
    """A self-relative security descriptor ([MS-DTYP] 2.4.6). Two are equal when their bytes are.

    `dacl` is None both where there is none and where it is NULL: in either case nothing is protected.
    """

    binary: bytes
    control: Control = field(compare=False)
    owner: Sid | None = field(compare=False)
    group: Sid | None = field(compare=False)
    sacl: Acl | None = field(compare=False)
    dacl: Acl | None = field(compare=False)

    @classmethod
    def parse(cls, data: bytes) -> SecurityDescriptor:
        """Read `data`. Raises MalformedDescriptor where it is cut off, contradicts itself, or is not self-relative."""
        binary = bytes(data)
        if len(binary) < DESCRIPTOR_HEADER.size:
            raise MalformedDescriptor("header", 0, f"{len(binary)} bytes are too few")
        revision, _, control, owner_at, group_at, sacl_at, dacl_at = DESCRIPTOR_HEADER.unpack_from(binary)
        if revision != _REVISION:
            raise MalformedDescriptor("header", 0, f"revision {revision} is not known")
        if not control & 0x8000:
            raise MalformedDescriptor("header", 2, "it is not self-relative")
        owner = _sid_at(binary, owner_at, part="owner")
        group = _sid_at(binary, group_at, part="group")
        sacl = _acl_at(binary, sacl_at, part="SACL") if control & 0x0010 else None
        dacl = _acl_at(binary, dacl_at, part="DACL") if control & 0x0004 else None
        return cls(binary, Control(control), owner, group, sacl, dacl)

    def to_bytes(self) -> bytes:
        """Exactly the bytes it was read from."""
        return self.binary

    @property
    def has_null_dacl(self) -> bool:
        """Whether a DACL is said to be present and is NULL; False where there is none at all (access is the same)."""
        return self.dacl is None and Control.DACL_PRESENT in self.control

    @property
    def dacl_aces(self) -> tuple[Ace, ...]:
        """The entries of the DACL in order; none where the DACL is empty, NULL or absent."""
        return self.dacl.aces if self.dacl else ()

    def dacl_part(self) -> bytes:
        """A descriptor that holds the DACL alone: what an LDAP write with LDAP_SERVER_SD_FLAGS 4 sends.

        Control bits of the DACL and the resource manager byte stay; those that speak of owner, group or SACL do not,
        for servers differ in what they say there of parts that were not asked for ([MS-ADTS] 3.1.1.3.4.1.11).
        """
        control = int(self.control & ~_OF_OTHER_PARTS)
        body = self.dacl.binary if self.dacl else b""
        offset = DESCRIPTOR_HEADER.size if self.dacl else 0
        return DESCRIPTOR_HEADER.pack(_REVISION, self.binary[1], control, 0, 0, 0, offset) + body


def _sid_at(binary: bytes, offset: int, *, part: str) -> Sid | None:
    if offset == 0:
        return None
    try:
        return Sid.from_bytes(binary[offset : offset + size_of_sid_at(binary, offset)])
    except MalformedSid as error:
        raise MalformedDescriptor(part, offset, error.reason) from error


def _acl_at(binary: bytes, offset: int, *, part: str) -> Acl | None:
    if offset == 0:
        return None
    if offset + ACL_HEADER.size > len(binary):
        raise MalformedDescriptor(part, offset, "it is cut off")
    _, _, size, count, _ = ACL_HEADER.unpack_from(binary, offset)
    if size < ACL_HEADER.size or offset + size > len(binary):
        raise MalformedDescriptor(part, offset, f"its size of {size} bytes does not fit")
    acl = binary[offset : offset + size]
    return Acl(acl, _aces_of(acl, count, offset=offset, part=part))


def _aces_of(acl: bytes, count: int, *, offset: int, part: str) -> tuple[Ace, ...]:
    """The first `count` entries; AceSize is the only thing that says where the next one starts."""
    aces = []
    at, end = ACL_HEADER.size, len(acl)
    for _ in range(count):
        if at + _SMALLEST_ACE > end:
            raise MalformedDescriptor(part, offset + at, "there are fewer entries than it says")
        size = acl[at + 2] | acl[at + 3] << 8
        if size < _SMALLEST_ACE or at + size > end:
            raise MalformedDescriptor(part, offset + at, f"an entry of {size} bytes does not fit")
        try:
            aces.append(Ace.parse(acl[at : at + size]))
        except MalformedAce as error:
            raise MalformedDescriptor(part, offset + at, error.reason) from error
        at += size
    return tuple(aces)
