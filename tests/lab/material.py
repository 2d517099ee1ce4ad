"""Certificate templates that others published, as attributes: LDIF, JSON exports, and the list in [MS-CRTD] section 3.

Values are text, or bytes for octet strings. Attributes that a directory makes by itself are left out.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path

Value = str | bytes
Attributes = dict[str, list[Value]]

OWN = {"dn", "changetype", "distinguishedName", "instanceType", "name", "objectCategory", "objectClass"}
"""Attributes and LDIF lines that the directory, or the one who adds the template, decides."""
OCTETS = {"pKIKeyUsage", "pKIExpirationPeriod", "pKIOverlapPeriod"}


def templates(folder: Path) -> dict[str, Attributes]:
    """All templates of the material, by `cn`. A name that comes twice keeps the first."""
    found: dict[str, Attributes] = {}
    for path in sorted(folder.glob("mscrtd_default_*.txt")):
        found = dict(from_specification(path.read_text("utf-8"))) | found
    for path in sorted(folder.glob("ldf/*.ldf")):
        found = dict([from_ldif(path.read_text("utf-8"))]) | found
    for path in sorted(folder.glob("*.json")):
        found = dict([from_export(path.read_bytes())]) | found
    return found


def from_ldif(text: str) -> tuple[str, Attributes]:
    """One LDIF record: (cn, attributes)."""
    attributes: Attributes = {}
    for line in text.replace("\n ", "").splitlines():
        name, _, value = line.partition(":")
        if value and name not in OWN:
            encoded = value.startswith(":")
            attributes.setdefault(name, []).append(base64.b64decode(value[1:]) if encoded else value.strip())
    return str(attributes.pop("cn")[0]), attributes


def from_export(content: bytes) -> tuple[str, Attributes]:
    """One JSON export of the ADCSTemplate module, UTF-8 or UTF-16: (cn, attributes)."""
    utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    document = json.loads(content.decode("utf-16" if utf16 else "utf-8-sig"))
    return document["name"], {name: list(_exported(name, value)) for name, value in document.items() if name not in OWN}


def _exported(name: str, value: object) -> Iterator[Value]:
    if isinstance(value, list) and name in OCTETS:
        yield bytes(value)
    else:
        yield from (str(one) for one in (value if isinstance(value, list) else [value]))


def from_specification(text: str) -> Iterator[tuple[str, Attributes]]:
    """The default templates printed in [MS-CRTD], as `attribute (count): value; value;` from cn to cn."""
    for block in re.split(r"(?m)^cn: ", text)[1:]:
        name, _, lines = block.partition(";")
        found = re.findall(r"(?m)^([\w-]+)(?: \(\d+\))?: (.*?);?$", lines)
        yield name, {key: list(_specified(key, value)) for key, value in found if key not in OWN}


def _specified(name: str, value: str) -> Iterator[Value]:
    if name in OCTETS:
        yield bytes(int(byte, 16) for byte in value.split())
    else:
        yield from value.split("; ")
