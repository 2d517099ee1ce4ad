"""Stamps out of replPropertyMetaData, and DACLs that are the same but for their order."""

from __future__ import annotations

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediate.adcs.ace import Ace, enroll_ace, read_ace
from remediate.adcs.replication import ATTRIBUTE_TYPES, Stamp, read_stamps, written_once
from remediate.adcs.security_descriptor import SecurityDescriptor
from remediate.adcs.sid import Sid
from remediate.transports.ldap_write_states import same_dacl, shown

FLAG, REVISION, DESCRIPTOR = "msPKI-Certificate-Name-Flag", "msPKI-Template-Minor-Revision", "nTSecurityDescriptor"
INVOCATION = "9a2f1c7e5b0d4e43a1c68d2f7b90e511"


def entry(attribute: int, version: int, usn: int) -> bytes:
    """One entry as [MS-DRSR] 5.155 has it, with the local USN behind it."""
    return (
        struct.pack("<IIQ", attribute, version, 13_400_000_000) + bytes.fromhex(INVOCATION) + struct.pack("<qq", 9, usn)
    )


def metadata(*entries: bytes, version: int = 1) -> bytes:
    return struct.pack("<IIII", version, 0, len(entries), 0) + b"".join(entries)


# --- stamps ----------------------------------------------------------------------------------------------------------


def test_versions_and_usns_by_name() -> None:
    blob = metadata(entry(0x20119, 3, 4010), entry(0x90598, 2, 4009), entry(0x9059B, 7, 4010))
    assert blob[:16].hex() == "01000000000000000300000000000000"
    assert read_stamps(blob, [FLAG, REVISION, DESCRIPTOR]) == {
        DESCRIPTOR: Stamp(3, 4010), FLAG: Stamp(2, 4009), REVISION: Stamp(7, 4010),
    }  # fmt: skip


def test_what_was_never_written_has_version_0() -> None:
    assert read_stamps(metadata(entry(0x20119, 3, 4010)), [FLAG]) == {FLAG: Stamp(0, 0)}
    assert read_stamps(metadata(), [FLAG]) == {FLAG: Stamp(0, 0)}
    assert read_stamps(metadata(), []) == {}


def test_bytes_behind_the_last_entry_do_not_matter() -> None:
    assert read_stamps(metadata(entry(0x90598, 2, 9)) + b"\0" * 8, [FLAG]) == {FLAG: Stamp(2, 9)}


@pytest.mark.parametrize(
    "blob",
    [
        None,
        b"",
        metadata()[:15],
        metadata(version=2),
        metadata(entry(0x90598, 2, 9))[:-1],
        struct.pack("<IIII", 1, 0, 0xFFFFFFFF, 0),
    ],
    ids=["none", "empty", "short header", "another version", "cut off", "too many"],
)
def test_what_is_not_readable_is_none(blob: bytes | None) -> None:
    assert read_stamps(blob, [FLAG]) is None


def test_an_attribute_without_a_number_makes_the_whole_unreadable() -> None:
    assert read_stamps(metadata(), [FLAG, "displayName"]) is None


@given(st.binary(max_size=400))
def test_any_bytes_are_stamps_or_none(blob: bytes) -> None:
    found = read_stamps(blob, [FLAG, DESCRIPTOR])
    assert found is None or set(found) == {FLAG, DESCRIPTOR}


def test_attribute_types_are_distinct() -> None:
    assert len(set(ATTRIBUTE_TYPES.values())) == len(ATTRIBUTE_TYPES)


@pytest.mark.parametrize(
    ("rise", "swapped", "once"),
    [(0, True, False), (1, True, True), (2, True, True), (3, True, False),
     (0, False, False), (1, False, True), (2, False, False), (-1, False, False)],
)  # fmt: skip
def test_written_once(rise: int, swapped: bool, once: bool) -> None:
    assert written_once(Stamp(5, 1), Stamp(5 + rise, 2), swapped=swapped) is once


# --- DACLs -----------------------------------------------------------------------------------------------------------

ALICE, BOB = (Sid.from_string(f"S-1-5-21-1-2-3-{rid}") for rid in (1104, 1105))
DENY = Ace.parse(b"\x01\x00" + read_ace(ALICE).binary[2:])
INHERITED = [Ace.parse(ace.binary[:1] + b"\x10" + ace.binary[2:]) for ace in (read_ace(BOB), read_ace(ALICE))]


def dacl(*aces: Ace, control: int = 0x8004) -> bytes:
    body = b"".join(ace.binary for ace in aces)
    header = struct.pack("<BBHIIII", 1, 0, control, 0, 0, 0, 20)
    return header + struct.pack("<BBHHH", 4, 0, 8 + len(body), len(aces), 0) + body


CANONICAL = (DENY, enroll_ace(ALICE), read_ace(BOB), read_ace(ALICE), *INHERITED)


def test_a_server_that_sorts_within_the_classes_changes_nothing() -> None:
    other = (DENY, read_ace(ALICE), enroll_ace(ALICE), read_ace(BOB), *reversed(INHERITED))
    assert other != CANONICAL
    assert same_dacl(dacl(*other), dacl(*CANONICAL))


@given(st.permutations(CANONICAL))
def test_orders_are_the_same_only_within_the_classes(order: list[Ace]) -> None:
    ranks = [2 if ace.is_inherited else 0 if ace.denies else 1 for ace in order]
    assert same_dacl(dacl(*order), dacl(*CANONICAL)) is (ranks == sorted(ranks))


@pytest.mark.parametrize(
    "other",
    [
        dacl(*CANONICAL[1:]),
        dacl(*CANONICAL, read_ace(BOB)),
        dacl(*CANONICAL, control=0x9004),
        dacl(),
        struct.pack("<BBHIIII", 1, 0, 0x8004, 0, 0, 0, 0),
        struct.pack("<BBHIIII", 1, 0, 0x8000, 0, 0, 0, 0),
    ],
    ids=["one fewer", "one twice", "protected", "empty", "NULL", "none"],
)
def test_another_meaning_is_another_dacl(other: bytes) -> None:
    assert not same_dacl(other, dacl(*CANONICAL))
    assert same_dacl(other, other)


def test_empty_null_and_none_are_three_things() -> None:
    null, none = (struct.pack("<BBHIIII", 1, 0, control, 0, 0, 0, 0) for control in (0x8004, 0x8000))
    assert not same_dacl(dacl(), null)
    assert not same_dacl(null, none)


def test_deny_after_allow_has_one_order_only() -> None:
    assert not same_dacl(dacl(read_ace(BOB), DENY), dacl(DENY, read_ace(BOB)))
    assert not same_dacl(dacl(read_ace(BOB), enroll_ace(BOB), DENY), dacl(enroll_ace(BOB), read_ace(BOB), DENY))


def test_auto_inherited_is_the_servers_own_bookkeeping() -> None:
    assert same_dacl(dacl(*CANONICAL, control=0x8404), dacl(*CANONICAL))


def test_values_are_shown_as_certutil_has_them() -> None:
    text = base64.b64encode(SecurityDescriptor.parse(dacl(*CANONICAL)).dacl_part()).decode()
    assert shown({FLAG: "-1509949440", REVISION: "100", "flags": None, DESCRIPTOR: text}).startswith(
        f"flags absent, {FLAG} 0xA6000000, {REVISION} 100, {DESCRIPTOR} DACL of 6 entries (sha256 "
    )
