"""Security descriptors for tests, byte by byte ([MS-DTYP] 2.4.4 to 2.4.6): a DACL of the entries that are given."""

from __future__ import annotations

import struct
import uuid

from remediate.adcs.sid import Sid

ALLOW, DENY, ALLOW_OBJECT = 0, 1, 5
ENROLL, AUTOENROLL = "0e10c968-78fb-11d2-90d4-00c04f79dc55", "a05b8cc2-17bc-4802-a710-e7c15ab866a2"


def entry(kind: int, sid: str, mask: int, *, right: str = "", flags: int = 0) -> bytes:
    """One entry; `right` is the GUID of an object entry."""
    body = struct.pack("<I", mask) + (struct.pack("<I", 1) + uuid.UUID(right).bytes_le if right else b"")
    body += Sid.from_string(sid).binary
    return struct.pack("<BBH", kind, flags, 4 + len(body)) + body


def descriptor(*entries: bytes) -> bytes:
    """A self-relative descriptor with a DACL alone."""
    size = 8 + sum(map(len, entries))
    dacl = struct.pack("<BBHHH", 4, 0, size, len(entries), 0) + b"".join(entries)
    return struct.pack("<BBHIIII", 1, 0, 0x8404, 0, 0, 0, 20) + dacl
