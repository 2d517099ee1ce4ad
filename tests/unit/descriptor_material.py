"""Security descriptors to test with: vectors of others, generated ones, and Samba's library to compare with."""

from __future__ import annotations

import base64
import json
import struct
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import strategies as st

from remediate.adcs.rights import AceType
from remediate.adcs.security_descriptor import SecurityDescriptor
from remediate.adcs.sid import Sid
from tests.shared import SHARED

DOMAIN = "S-1-5-21-3330634377-1326264276-632209373"
_SAMBA_PYTHON = "/usr/bin/python3"
_ORACLE = Path(__file__).with_name("samba_oracle.py")


def account(rid: int) -> Sid:
    return Sid.from_string(f"{DOMAIN}-{rid}")


# Vectors


def vectors() -> Path:
    assert SHARED is not None
    return SHARED / "material" / "vectors"


def binary_vectors() -> list[tuple[str, bytes]]:
    """Every descriptor of the material that is given as bytes, with a name."""
    if SHARED is None:
        return []
    real = json.loads((vectors() / "bofhound_real_ad_binary_sds.json").read_text("utf-8"))
    documented = json.loads((vectors() / "msdtyp_2_5_1_4.json").read_text("utf-8"))
    found = [(f"real:{one['dn']}", base64.b64decode(one["nTSecurityDescriptor_b64"])) for one in real]
    found += [("documented", bytes.fromhex(one["hex"])) for one in documented]
    for file in ("samba_conditional_aces.txt.json", "samba_oversize-acls.json"):
        for text, numbers in json.loads((vectors() / file).read_text("utf-8")).items():
            found.append((f"{file}:{text}", bytes(numbers)))
    return found


def windows_texts(file: str) -> list[tuple[str, str]]:
    """Lines of SDDL as given to Windows, and as Windows writes them again."""
    if SHARED is None:
        return []
    lines = (vectors() / file).read_text("utf-8").splitlines()
    return [(given, written) for given, _, written in (line.partition(" -> ") for line in lines if line)]


# Samba


@cache
def _samba_is_there() -> bool:
    if not Path(_SAMBA_PYTHON).exists():
        return False
    probe = [_SAMBA_PYTHON, "-c", "import samba.dcerpc.security, samba.security"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


needs_samba = pytest.mark.skipif(not _samba_is_there(), reason="python3-samba is not installed")


def ask_samba(questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One answer of samba_oracle.py for each question, in order."""
    lines = "".join(json.dumps(question) + "\n" for question in questions)
    command = [_SAMBA_PYTHON, str(_ORACLE)]
    run = subprocess.run(command, input=lines, capture_output=True, text=True, check=True, timeout=120)
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(answers) == len(questions)
    return answers


def from_samba(sddl: str, domain: str = DOMAIN) -> bytes:
    """The descriptor that Samba makes of `sddl`; two-letter names of domain groups mean those of `domain`."""
    answer = ask_samba([{"sddl": sddl, "domain": domain}])[0]
    assert "error" not in answer, answer
    return base64.b64decode(answer["binary"])


# Building descriptors from parts, so that tests do not lean on the code they test


def ace_bytes(kind: int, flags: int, body: bytes) -> bytes:
    return struct.pack("<BBH", kind, flags, 4 + len(body)) + body


# AceType numbers of the entries an access check weighs.
ALLOW, DENY, ALLOW_OBJECT, DENY_OBJECT, ALLOW_IF, DENY_IF, ALLOW_OBJECT_IF, DENY_OBJECT_IF = 0, 1, 5, 6, 9, 10, 11, 12


def entry(kind: int, sid: Sid, mask: int, *, guid: UUID | None = None, flags: int = 0) -> bytes:
    """One entry; `guid` is the ObjectType of the kinds that have room for one."""
    body = struct.pack("<I", mask)
    if kind in (ALLOW_OBJECT, DENY_OBJECT, ALLOW_OBJECT_IF, DENY_OBJECT_IF):
        body += struct.pack("<I", 1 if guid else 0) + (guid.bytes_le if guid else b"")
    return ace_bytes(kind, flags, body + sid.binary)


def acl_bytes(aces: list[bytes], *, revision: int = 4, slack: bytes = b"", sbz: tuple[int, int] = (0, 0)) -> bytes:
    body = b"".join(aces) + slack
    return struct.pack("<BBHHH", revision, sbz[0], 8 + len(body), len(aces), sbz[1]) + body


def descriptor_bytes(
    parts: Mapping[str, bytes | None],
    *,
    control: int = 0x9404,
    order: tuple[str, ...] = ("owner", "group", "sacl", "dacl"),
    gaps: tuple[bytes, ...] = (b"", b"", b"", b"", b""),
    sbz1: int = 0,
) -> bytes:
    """A self-relative descriptor with its parts in `order`, `gaps` before each and after the last."""
    offsets, body = {}, b""
    for gap, name in zip(gaps, order, strict=False):
        part = parts.get(name)
        body += gap
        offsets[name] = 20 + len(body) if part else 0
        body += part or b""
    header = struct.pack(
        "<BBHIIII", 1, sbz1, control, *(offsets.get(name, 0) for name in ("owner", "group", "sacl", "dacl"))
    )
    return header + body + gaps[-1]


def with_dacl(aces: list[bytes], *, owner: Sid | None = None, **acl: Any) -> bytes:
    parts = {"owner": owner.binary if owner else None, "dacl": acl_bytes(aces, **acl)}
    return descriptor_bytes(parts, control=0x8004)


def descriptor(*entries: bytes, owner: Sid | None = None) -> SecurityDescriptor:
    return SecurityDescriptor.parse(with_dacl(list(entries), owner=owner))


# Generated descriptors: anything the format allows, canonical or not

sids = st.one_of(
    st.integers(1000, 1005).map(account),
    st.sampled_from(["S-1-1-0", "S-1-5-11", "S-1-3-4", "S-1-5-32-544", "S-1-5", "S-1-0x500000000-7"]).map(
        Sid.from_string
    ),
)
_guids = st.sampled_from([bytes(range(16)), bytes.fromhex("68c9100efb78d21190d400c04f79dc55"), bytes(16)])
_masks = st.integers(0, 0xFFFFFFFF).map(lambda mask: struct.pack("<I", mask))
_slack = st.sampled_from([b"", b"", b"\0\0\0\0", b"artx\1\2\3\4"])
_PLAIN = (0, 1, 2, 3, 9, 10, 13, 14, 17, 18, 19, 20, 21)
_OBJECT = (5, 6, 7, 8, 11, 12, 15, 16)


@st.composite
def _object_bodies(draw: st.DrawFn) -> bytes:
    flags = draw(st.integers(0, 7))
    guids = b"".join(draw(_guids) for bit in (1, 2) if flags & bit)
    return draw(_masks) + struct.pack("<I", flags) + guids + draw(sids).binary + draw(_slack)


@st.composite
def aces(draw: st.DrawFn) -> bytes:
    flags = draw(st.integers(0, 255))
    kind = draw(st.sampled_from([*_PLAIN, *_OBJECT, int(AceType.ACCESS_ALLOWED_COMPOUND), 0x77]))
    if kind in _OBJECT:
        return ace_bytes(kind, flags, draw(_object_bodies()))
    if kind in _PLAIN:
        return ace_bytes(kind, flags, draw(_masks) + draw(sids).binary + draw(_slack))
    return ace_bytes(kind, flags, draw(st.binary(max_size=12)))


@st.composite
def acls(draw: st.DrawFn) -> bytes:
    sbz = (draw(st.integers(0, 255)), draw(st.integers(0, 65535)))
    entries = draw(st.lists(aces(), max_size=8))
    return acl_bytes(entries, revision=draw(st.integers(0, 255)), slack=draw(st.binary(max_size=9)), sbz=sbz)


@st.composite
def descriptors(draw: st.DrawFn) -> bytes:
    """Descriptors with a DACL that is neither NULL nor absent, in any layout."""
    parts = {
        "owner": draw(st.none() | sids.map(lambda sid: sid.binary)),
        "group": draw(st.none() | sids.map(lambda sid: sid.binary)),
        "sacl": draw(st.none() | acls()),
        "dacl": draw(acls()),
    }
    return descriptor_bytes(
        parts,
        control=draw(st.integers(0, 0xFFFF)) | 0x8004,
        order=tuple(draw(st.permutations(["owner", "group", "sacl", "dacl"]))),
        gaps=tuple(draw(st.lists(st.binary(max_size=5), min_size=5, max_size=5))),
        sbz1=draw(st.integers(0, 255)),
    )
