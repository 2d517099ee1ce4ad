"""Security identifiers: text and bytes say the same, and what is none is refused."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediate.adcs import sid as well_known
from remediate.adcs.sid import AUTHENTICATED_USERS, WELL_KNOWN_NAMES, MalformedSid, Sid, size_of_sid_at

parts = st.lists(st.integers(0, 0xFFFFFFFF), max_size=15)
authorities = st.integers(0, (1 << 48) - 1)


@given(authority=authorities, sub_authorities=parts)
def test_text_and_bytes_say_the_same(authority: int, sub_authorities: list[int]) -> None:
    binary = bytes([1, len(sub_authorities)]) + authority.to_bytes(6, "big")
    binary += struct.pack(f"<{len(sub_authorities)}I", *sub_authorities)
    sid = Sid.from_bytes(binary)
    assert sid.binary == binary
    assert (sid.authority, list(sid.sub_authorities)) == (authority, sub_authorities)
    assert Sid.from_string(str(sid)) == sid
    assert hash(Sid.from_string(str(sid))) == hash(sid)


def test_the_documented_form() -> None:
    sid = Sid.from_bytes(bytes.fromhex("01020000000000052000000020020000"))
    assert str(sid) == "S-1-5-32-544"
    assert repr(sid) == "Sid(S-1-5-32-544)"


def test_a_large_authority_is_hexadecimal() -> None:
    sid = Sid.from_string("S-1-0x12A05F200-30-40")
    assert sid.authority == 5000000000
    assert str(sid) == "S-1-0x12A05F200-30-40"
    assert Sid.from_string("S-1-5000000000-30-40") == sid


@pytest.mark.parametrize(
    "binary",
    [
        b"",
        b"\x01\x00\x00\x00\x00\x00\x05",
        b"\x02\x00\x00\x00\x00\x00\x00\x05",
        b"\x01\x01\x00\x00\x00\x00\x00\x05",
        b"\x01\x10" + bytes(6) + bytes(64),
        b"\x01\x00\x00\x00\x00\x00\x00\x05\x00",
    ],
    ids=["empty", "short header", "revision 2", "cut off", "16 sub authorities", "a byte too many"],
)
def test_bytes_that_are_no_sid(binary: bytes) -> None:
    with pytest.raises(MalformedSid) as caught:
        Sid.from_bytes(binary)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value.value, bytes)
    assert binary.startswith(caught.value.value)
    assert caught.value.reason


@pytest.mark.parametrize(
    "text",
    [
        "",
        "S-1",
        "S-2-5-18",
        "S-1-5-",
        "S-1-5-x",
        "S-1-5-4294967296",
        "S-1-0x1000000000000-1",
        "S-1-281474976710656-1",
        "S-1-5-18 ",
        "S-1-5-18\n",
        "S-1-5-1٣",
        "S-1-5" + "-1" * 16,
        "Authenticated Users",
    ],
)
def test_text_that_is_no_sid(text: str) -> None:
    with pytest.raises(MalformedSid) as caught:
        Sid.from_string(text)
    assert caught.value.value == text


def test_domain_and_rid() -> None:
    sid = Sid.from_string("S-1-5-21-1-2-3-513")
    assert sid.rid == 513
    assert sid.domain == Sid.from_string("S-1-5-21-1-2-3")
    assert sid.domain is not None
    assert sid.domain.with_rid(515) == Sid.from_string("S-1-5-21-1-2-3-515")


@pytest.mark.parametrize("text", ["S-1-5-32-544", "S-1-5-11", "S-1-1-0", "S-1-5-21-1-2-3", "S-1-5-80-1-2-3-4"])
def test_what_belongs_to_no_domain(text: str) -> None:
    assert Sid.from_string(text).domain is None


def test_no_sub_authority_no_rid() -> None:
    assert Sid.from_string("S-1-5").rid is None


def test_order_is_by_number() -> None:
    texts = ["S-1-5-21-9-9-9-500", "S-1-5-11", "S-1-5-21-9-9-9-99", "S-1-1-0", "S-1-5-21-10-1-1-1"]
    assert [str(sid) for sid in sorted(map(Sid.from_string, texts))] == [
        "S-1-1-0",
        "S-1-5-11",
        "S-1-5-21-9-9-9-99",
        "S-1-5-21-9-9-9-500",
        "S-1-5-21-10-1-1-1",
    ]


def test_a_sid_is_not_its_text() -> None:
    text: object = "S-1-5-11"
    assert Sid.from_string("S-1-5-11") != text
    assert AUTHENTICATED_USERS in {Sid.from_string("S-1-5-11")}


def test_size_within_other_bytes() -> None:
    assert size_of_sid_at(b"??" + AUTHENTICATED_USERS.binary + b"rest", 2) == 12
    with pytest.raises(MalformedSid):
        size_of_sid_at(AUTHENTICATED_USERS.binary, 4)


def test_names_are_for_display() -> None:
    assert WELL_KNOWN_NAMES[AUTHENTICATED_USERS] == "NT AUTHORITY\\Authenticated Users"
    constants = [value for name, value in vars(well_known).items() if name.isupper() and isinstance(value, Sid)]
    assert len(constants) > 10
    assert all(constant in WELL_KNOWN_NAMES for constant in constants)
