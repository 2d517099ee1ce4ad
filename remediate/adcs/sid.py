"""Security identifiers as values: text, bytes, parts, order.

A Sid is exact: the bytes it was read from are the bytes it gives back. Decisions are made on Sids; the English labels
at the end are for people and are never compared.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

# [MS-DTYP] 2.4.2.2: Revision, SubAuthorityCount, IdentifierAuthority (6 bytes, big endian), then the sub authorities.
_HEADER_SIZE: Final = 8
_REVISION: Final = 1
_MOST_SUB_AUTHORITIES: Final = 15
_TEXT: Final = re.compile(r"S-1-(0x[0-9a-f]{1,12}|[0-9]{1,15})((?:-[0-9]{1,10})*)", re.IGNORECASE | re.ASCII)


class MalformedSid(ValueError):
    """What was given is no SID; `value` is what it was, `reason` what is wrong with it."""

    def __init__(self, value: bytes | str, reason: str) -> None:
        self.value = value
        self.reason = reason
        shown = value.hex() if isinstance(value, bytes) else value
        super().__init__(f"{shown!r} is not a security identifier: {reason}")


@dataclass(frozen=True, slots=True)
class Sid:
    """One security identifier, held as its binary form ([MS-DTYP] 2.4.2.2).

    Make one with `Sid.from_bytes` or `Sid.from_string`; both raise MalformedSid. Sids sort by authority, then by sub
    authorities as numbers, so S-1-5-21-...-99 stands before S-1-5-21-...-500.
    """

    binary: bytes

    @classmethod
    def from_bytes(cls, data: bytes) -> Sid:
        """The SID that fills `data` exactly; equal bytes give the same object while it is remembered."""
        return _sid_of(bytes(data))

    @classmethod
    def from_string(cls, text: str) -> Sid:
        """`S-1-5-32-544`, or with an authority of 2^32 and more in hex, as [MS-DTYP] 2.4.2.1 writes them."""
        return _sid_of(_packed(text))

    def __str__(self) -> str:
        return _text_of(self.binary)

    def __repr__(self) -> str:
        return f"Sid({_text_of(self.binary)})"

    def __hash__(self) -> int:
        return hash(self.binary)

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Sid):
            return NotImplemented
        return (self.authority, self.sub_authorities) < (other.authority, other.sub_authorities)

    @property
    def authority(self) -> int:
        """The identifier authority, 48 bits: 5 is NT AUTHORITY."""
        return int.from_bytes(self.binary[2:_HEADER_SIZE], "big")

    @property
    def sub_authorities(self) -> tuple[int, ...]:
        """The sub authorities in order, 0 to 15 numbers of 32 bits."""
        return struct.unpack_from(f"<{self.binary[1]}I", self.binary, _HEADER_SIZE)

    @property
    def rid(self) -> int | None:
        """The last sub authority, which names the account within its domain; None where there is none."""
        parts = self.sub_authorities
        return parts[-1] if parts else None

    @property
    def domain(self) -> Sid | None:
        """The domain's SID for an account of a domain or machine (S-1-5-21-a-b-c-rid), else None."""
        parts = self.sub_authorities
        if self.authority != 5 or len(parts) != 5 or parts[0] != 21:
            return None
        return _sid_of(bytes([_REVISION, 4]) + self.binary[2:-4])

    def with_rid(self, rid: int) -> Sid:
        """The account `rid` of this domain. Raises MalformedSid when that is no 32-bit number or the SID is full."""
        return Sid.from_string(f"{self}-{rid}")


def size_of_sid_at(data: bytes, offset: int) -> int:
    """The length in bytes of the SID that starts at `offset` of `data`.

    Raises MalformedSid when it does not fit into `data`, has another revision than 1 or more than 15 sub authorities.
    """
    if offset + _HEADER_SIZE > len(data):
        raise MalformedSid(data[offset : offset + _HEADER_SIZE], "it is cut off")
    count = data[offset + 1]
    if data[offset] != _REVISION or count > _MOST_SUB_AUTHORITIES:
        raise MalformedSid(data[offset : offset + _HEADER_SIZE], "revision or number of sub authorities is wrong")
    size = _HEADER_SIZE + 4 * count
    if offset + size > len(data):
        raise MalformedSid(data[offset:], "it is cut off")
    return size


# A directory repeats few SIDs in very many entries. The caches change no result: the value depends on the bytes alone.
@lru_cache(maxsize=8192)
def _sid_of(binary: bytes) -> Sid:
    if size_of_sid_at(binary, 0) != len(binary):
        raise MalformedSid(binary, "bytes follow it")
    return Sid(binary)


@lru_cache(maxsize=8192)
def _text_of(binary: bytes) -> str:
    authority = int.from_bytes(binary[2:_HEADER_SIZE], "big")
    first = str(authority) if authority < 1 << 32 else f"0x{authority:X}"
    parts = struct.unpack_from(f"<{binary[1]}I", binary, _HEADER_SIZE)
    return "-".join(("S", "1", first, *map(str, parts)))


def _packed(text: str) -> bytes:
    match = _TEXT.fullmatch(text)
    if match is None:
        raise MalformedSid(text, "it is not of the form S-1-5-...")
    first = match[1]
    authority = int(first, 16 if first[:2].lower() == "0x" else 10)
    parts = [int(part) for part in match[2].split("-")[1:]]
    if authority >= 1 << 48 or len(parts) > _MOST_SUB_AUTHORITIES or any(part >= 1 << 32 for part in parts):
        raise MalformedSid(text, "a part is too large, or there are more than 15 of them")
    return bytes([_REVISION, len(parts)]) + authority.to_bytes(6, "big") + struct.pack(f"<{len(parts)}I", *parts)


# Well-known SIDs: [MS-DTYP] 2.4.2.4.
EVERYONE: Final = Sid.from_string("S-1-1-0")
CREATOR_OWNER: Final = Sid.from_string("S-1-3-0")
CREATOR_GROUP: Final = Sid.from_string("S-1-3-1")
CREATOR_OWNER_SERVER: Final = Sid.from_string("S-1-3-2")
CREATOR_GROUP_SERVER: Final = Sid.from_string("S-1-3-3")
OWNER_RIGHTS: Final = Sid.from_string("S-1-3-4")
NETWORK: Final = Sid.from_string("S-1-5-2")
ANONYMOUS: Final = Sid.from_string("S-1-5-7")
ENTERPRISE_DOMAIN_CONTROLLERS: Final = Sid.from_string("S-1-5-9")
PRINCIPAL_SELF: Final = Sid.from_string("S-1-5-10")
AUTHENTICATED_USERS: Final = Sid.from_string("S-1-5-11")
THIS_ORGANIZATION: Final = Sid.from_string("S-1-5-15")
LOCAL_SYSTEM: Final = Sid.from_string("S-1-5-18")
LOCAL_SERVICE: Final = Sid.from_string("S-1-5-19")
NETWORK_SERVICE: Final = Sid.from_string("S-1-5-20")
BUILTIN_ADMINISTRATORS: Final = Sid.from_string("S-1-5-32-544")
BUILTIN_USERS: Final = Sid.from_string("S-1-5-32-545")
BUILTIN_GUESTS: Final = Sid.from_string("S-1-5-32-546")

# The last part of a domain's own well-known accounts: [MS-DTYP] 2.4.2.4.
RID_ADMINISTRATOR: Final = 500
RID_DOMAIN_ADMINS: Final = 512
RID_DOMAIN_USERS: Final = 513
RID_DOMAIN_GUESTS: Final = 514
RID_DOMAIN_COMPUTERS: Final = 515
RID_DOMAIN_CONTROLLERS: Final = 516
RID_CERT_PUBLISHERS: Final = 517
RID_ENTERPRISE_ADMINS: Final = 519

# For display only: servers speak other languages, so nothing may be decided on these.
WELL_KNOWN_NAMES: Final[dict[Sid, str]] = {
    Sid.from_string(text): name
    for text, name in {
        "S-1-0-0": "NULL SID",
        "S-1-1-0": "Everyone",
        "S-1-2-0": "LOCAL",
        "S-1-2-1": "CONSOLE LOGON",
        "S-1-3-0": "CREATOR OWNER",
        "S-1-3-1": "CREATOR GROUP",
        "S-1-3-2": "CREATOR OWNER SERVER",
        "S-1-3-3": "CREATOR GROUP SERVER",
        "S-1-3-4": "OWNER RIGHTS",
        "S-1-5-1": "NT AUTHORITY\\DIALUP",
        "S-1-5-2": "NT AUTHORITY\\NETWORK",
        "S-1-5-3": "NT AUTHORITY\\BATCH",
        "S-1-5-4": "NT AUTHORITY\\INTERACTIVE",
        "S-1-5-6": "NT AUTHORITY\\SERVICE",
        "S-1-5-7": "NT AUTHORITY\\ANONYMOUS LOGON",
        "S-1-5-8": "NT AUTHORITY\\PROXY",
        "S-1-5-9": "NT AUTHORITY\\ENTERPRISE DOMAIN CONTROLLERS",
        "S-1-5-10": "NT AUTHORITY\\SELF",
        "S-1-5-11": "NT AUTHORITY\\Authenticated Users",
        "S-1-5-12": "NT AUTHORITY\\RESTRICTED",
        "S-1-5-13": "NT AUTHORITY\\TERMINAL SERVER USER",
        "S-1-5-14": "NT AUTHORITY\\REMOTE INTERACTIVE LOGON",
        "S-1-5-15": "NT AUTHORITY\\This Organization",
        "S-1-5-17": "NT AUTHORITY\\IUSR",
        "S-1-5-18": "NT AUTHORITY\\SYSTEM",
        "S-1-5-19": "NT AUTHORITY\\LOCAL SERVICE",
        "S-1-5-20": "NT AUTHORITY\\NETWORK SERVICE",
        "S-1-5-1000": "NT AUTHORITY\\Other Organization",
        "S-1-5-32-544": "BUILTIN\\Administrators",
        "S-1-5-32-545": "BUILTIN\\Users",
        "S-1-5-32-546": "BUILTIN\\Guests",
        "S-1-5-32-547": "BUILTIN\\Power Users",
        "S-1-5-32-548": "BUILTIN\\Account Operators",
        "S-1-5-32-549": "BUILTIN\\Server Operators",
        "S-1-5-32-550": "BUILTIN\\Print Operators",
        "S-1-5-32-551": "BUILTIN\\Backup Operators",
        "S-1-5-32-552": "BUILTIN\\Replicator",
        "S-1-5-32-554": "BUILTIN\\Pre-Windows 2000 Compatible Access",
        "S-1-5-32-555": "BUILTIN\\Remote Desktop Users",
        "S-1-5-32-556": "BUILTIN\\Network Configuration Operators",
        "S-1-5-32-557": "BUILTIN\\Incoming Forest Trust Builders",
        "S-1-5-32-558": "BUILTIN\\Performance Monitor Users",
        "S-1-5-32-559": "BUILTIN\\Performance Log Users",
        "S-1-5-32-560": "BUILTIN\\Windows Authorization Access Group",
        "S-1-5-32-561": "BUILTIN\\Terminal Server License Servers",
        "S-1-5-32-562": "BUILTIN\\Distributed COM Users",
        "S-1-5-32-568": "BUILTIN\\IIS_IUSRS",
        "S-1-5-32-569": "BUILTIN\\Cryptographic Operators",
        "S-1-5-32-573": "BUILTIN\\Event Log Readers",
        "S-1-5-32-574": "BUILTIN\\Certificate Service DCOM Access",
        "S-1-5-32-575": "BUILTIN\\RDS Remote Access Servers",
        "S-1-5-32-576": "BUILTIN\\RDS Endpoint Servers",
        "S-1-5-32-577": "BUILTIN\\RDS Management Servers",
        "S-1-5-32-578": "BUILTIN\\Hyper-V Administrators",
        "S-1-5-32-579": "BUILTIN\\Access Control Assistance Operators",
        "S-1-5-32-580": "BUILTIN\\Remote Management Users",
    }.items()
}
