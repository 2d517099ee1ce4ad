"""replPropertyMetaData: how often each attribute of an object was written, and by which change on this server.

The layout of the whole is not specified; what does not look like the one known layout counts as not readable.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

# Version, padding, number of entries, padding; then entries of 48 bytes: ATTRTYP, what PROPERTY_META_DATA_EXT holds
# ([MS-DRSR] 5.155: version, time of the change, invocationId, originating USN), and the USN of this server.
_HEADER: Final = struct.Struct("<IIII")
_ENTRY: Final = struct.Struct("<IIQ16sqq")
_KNOWN_VERSION: Final = 1
# ATTRTYP: the index of the OID's prefix in the table that every domain controller begins with ([MS-DRSR] 5.16.4), and
# the last arc of attributeID ([MS-ADA1], [MS-ADA2], [MS-ADA3]). 9 is 1.2.840.113556.1.4, 2 is 1.2.840.113556.1.2.
_MICROSOFT_4: Final = 0x00090000
ATTRIBUTE_TYPES: Final[Mapping[str, int]] = {
    "nTSecurityDescriptor": 0x00020000 + 281,
    "flags": _MICROSOFT_4 + 38,
    "revision": _MICROSOFT_4 + 145,
    "pKIDefaultKeySpec": _MICROSOFT_4 + 1327,
    "pKIMaxIssuingDepth": _MICROSOFT_4 + 1329,
    "msPKI-RA-Signature": _MICROSOFT_4 + 1429,
    "msPKI-Enrollment-Flag": _MICROSOFT_4 + 1430,
    "msPKI-Private-Key-Flag": _MICROSOFT_4 + 1431,
    "msPKI-Certificate-Name-Flag": _MICROSOFT_4 + 1432,
    "msPKI-Minimal-Key-Size": _MICROSOFT_4 + 1433,
    "msPKI-Template-Schema-Version": _MICROSOFT_4 + 1434,
    "msPKI-Template-Minor-Revision": _MICROSOFT_4 + 1435,
}


@dataclass(frozen=True, slots=True)
class Stamp:
    """`version` counts the writes of an attribute, 0 where it never was; `usn` is the change that wrote it here last.

    What one modify writes has one `usn`.
    """

    version: int
    usn: int


def read_stamps(metadata: bytes | None, names: Iterable[str]) -> dict[str, Stamp] | None:
    """Return the stamp of each attribute in `names`.

    None where the account may not read the metadata, where it is laid out otherwise, or where one of the attributes has
    no known ATTRTYP.
    """
    wanted = {name: ATTRIBUTE_TYPES.get(name) for name in names}
    entries = None if metadata is None else _entries(metadata)
    if entries is None:
        return None
    stamps = {name: entries.get(number, Stamp(0, 0)) for name, number in wanted.items() if number is not None}
    return stamps if len(stamps) == len(wanted) else None


def _entries(metadata: bytes) -> dict[int, Stamp] | None:
    if len(metadata) < _HEADER.size:
        return None
    version, _, count, _ = _HEADER.unpack_from(metadata)
    end = _HEADER.size + count * _ENTRY.size
    if version != _KNOWN_VERSION or len(metadata) < end:
        return None
    return {
        attribute: Stamp(written, usn)
        for attribute, written, _, _, _, usn in _ENTRY.iter_unpack(metadata[_HEADER.size : end])
    }


def written_once(before: Stamp, after: Stamp, *, swapped: bool) -> bool:
    """Whether an attribute was written once between two readings, and by nobody else.

    Active Directory counts a modify once. Samba counts each of its parts, so a number that was `swapped` (the old value
    deleted, the new one added) may have risen by 2.
    """
    rise = after.version - before.version
    return rise == 1 or (swapped and rise == 2)
