"""Security descriptors: what is read comes back byte for byte, and what is none is refused with its place."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediate.adcs.ace import Ace, MalformedAce, read_ace
from remediate.adcs.rights import AceType, Control
from remediate.adcs.security_descriptor import MalformedDescriptor, SecurityDescriptor
from tests.shared import needs_shared
from tests.unit import descriptor_material as material
from tests.unit.descriptor_material import account, ace_bytes, acl_bytes, ask_samba, descriptor_bytes, entry, with_dacl

CONNECTOR = account(1104)
OTHER = account(1105)
ENTRY = entry(0, CONNECTOR, 0x10)


# Reading


@given(material.descriptors())
def test_everything_that_parses_comes_back(data: bytes) -> None:
    assert SecurityDescriptor.parse(data).to_bytes() == data


@needs_shared
def test_every_binary_vector_comes_back() -> None:
    vectors = material.binary_vectors()
    assert len(vectors) >= 164
    differing = [name for name, data in vectors if SecurityDescriptor.parse(data).to_bytes() != data]
    assert differing == []


@needs_shared
def test_no_entry_of_a_vector_is_left_undecoded() -> None:
    descriptors = [SecurityDescriptor.parse(data) for _, data in material.binary_vectors()]
    aces = [ace for descriptor in descriptors for acl in (descriptor.dacl, descriptor.sacl) if acl for ace in acl.aces]
    assert all(ace.sid is not None for ace in aces)
    assert {AceType.ACCESS_ALLOWED_OBJECT, AceType.ACCESS_ALLOWED_CALLBACK, AceType.SYSTEM_RESOURCE_ATTRIBUTE} <= {
        ace.type for ace in aces
    }


def _as_samba_says(ace: Ace) -> dict[str, object]:
    return {
        "type": int(ace.type),
        "flags": int(ace.flags),
        "mask": ace.mask,
        "sid": str(ace.sid),
        "size": len(ace.binary),
        "object_type": str(ace.object_type) if ace.object_type else None,
        "inherited_object_type": str(ace.inherited_object_type) if ace.inherited_object_type else None,
    }


@needs_shared
@material.needs_samba
def test_samba_decodes_every_vector_alike() -> None:
    vectors = material.binary_vectors()
    answers = ask_samba([{"binary": base64.b64encode(data).decode("ascii")} for _, data in vectors])
    for (name, data), answer in zip(vectors, answers, strict=True):
        assert "error" not in answer, (name, answer)
        descriptor = SecurityDescriptor.parse(data)
        assert descriptor.control == answer["control"], name
        for part in ("owner", "group"):
            assert (str(getattr(descriptor, part)) if getattr(descriptor, part) else None) == answer[part], name
        for part in ("dacl", "sacl"):
            acl = getattr(descriptor, part)
            decoded = acl and {"revision": acl.revision, "aces": [_as_samba_says(ace) for ace in acl.aces]}
            assert decoded == answer[part], name


def test_no_null_and_empty_dacl_are_three_things() -> None:
    absent = SecurityDescriptor.parse(descriptor_bytes({}, control=0x8000))
    null = SecurityDescriptor.parse(descriptor_bytes({}, control=0x8004))
    empty = SecurityDescriptor.parse(with_dacl([]))
    assert (absent.dacl, absent.has_null_dacl) == (None, False)
    assert (null.dacl, null.has_null_dacl) == (None, True)
    assert empty.dacl is not None
    assert (empty.dacl_aces, empty.has_null_dacl) == ((), False)


def test_owner_group_control_and_resource_manager_byte() -> None:
    parts = {"owner": CONNECTOR.binary, "group": OTHER.binary, "dacl": acl_bytes([])}
    descriptor = SecurityDescriptor.parse(descriptor_bytes(parts, control=0xD404, sbz1=0x5A))
    assert (descriptor.owner, descriptor.group) == (CONNECTOR, OTHER)
    assert Control.DACL_PROTECTED | Control.RM_CONTROL_VALID in descriptor.control
    assert descriptor.to_bytes()[1] == 0x5A


def test_unknown_and_reserved_types_are_kept() -> None:
    unknown, compound = ace_bytes(0x77, 3, b"whatever"), ace_bytes(4, 0, bytes(20))
    aces = SecurityDescriptor.parse(with_dacl([unknown, compound])).dacl_aces
    assert [ace.binary for ace in aces] == [unknown, compound]
    assert (aces[0].type, aces[0].sid, aces[0].application_data) == (0x77, None, b"whatever")
    assert aces[1].type is AceType.ACCESS_ALLOWED_COMPOUND


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"", "header"),
        (bytes(19), "header"),
        (b"\x02" + descriptor_bytes({})[1:], "header"),
        (descriptor_bytes({}, control=0x0004), "header"),
        (descriptor_bytes({"owner": b"\x02" + CONNECTOR.binary[1:]}), "owner"),
        (descriptor_bytes({"group": CONNECTOR.binary})[:-1], "group"),
        (descriptor_bytes({"dacl": b"\x02\0\0\0\0\0\0"}), "DACL"),
        (descriptor_bytes({"dacl": b"\x02\0\x07\0\0\0\0\0"}), "DACL"),
        (descriptor_bytes({"dacl": b"\x02\0\x09\0\0\0\0\0"}), "DACL"),
        (descriptor_bytes({"dacl": b"\x02\0\x08\0\x01\0\0\0"}), "DACL"),
        (descriptor_bytes({"dacl": acl_bytes([b"\0\0\x03\0"])}), "DACL"),
        (descriptor_bytes({"dacl": acl_bytes([b"\0\0\x08\0"])}), "DACL"),
        (descriptor_bytes({"dacl": acl_bytes([ENTRY[:3] + b"\x01" + ENTRY[4:]])}), "DACL"),
        (descriptor_bytes({"dacl": acl_bytes([ace_bytes(0, 0, bytes(4))])}), "DACL"),
        (descriptor_bytes({"dacl": acl_bytes([ace_bytes(5, 0, bytes(4) + b"\1\0\0\0" + bytes(15))])}), "DACL"),
        (descriptor_bytes({"sacl": acl_bytes([ace_bytes(2, 0, b"")])}, control=0x8010), "SACL"),
    ],
)
def test_what_is_no_descriptor_is_refused_with_its_place(data: bytes, part: str) -> None:
    with pytest.raises(MalformedDescriptor) as caught:
        SecurityDescriptor.parse(data)
    assert isinstance(caught.value, ValueError)
    assert caught.value.part == part
    assert 0 <= caught.value.offset <= len(data)


@given(material.descriptors(), st.data())
def test_damage_is_refused_or_read_and_never_anything_else(data: bytes, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(data) - 1))
    damaged = data[:at] + bytes([draw.draw(st.integers(0, 255))]) + data[at + 1 :]
    try:
        assert SecurityDescriptor.parse(damaged).to_bytes() == damaged
    except MalformedDescriptor as error:
        assert error.reason


def test_an_ace_fills_its_bytes() -> None:
    with pytest.raises(MalformedAce):
        Ace.parse(read_ace(CONNECTOR).binary + b"\0")


# What is written


@given(material.descriptors())
def test_the_dacl_part_holds_the_dacl_and_nothing_else(data: bytes) -> None:
    descriptor = SecurityDescriptor.parse(data)
    part = SecurityDescriptor.parse(descriptor.dacl_part())
    assert part.dacl == descriptor.dacl
    assert (part.owner, part.group, part.sacl) == (None, None, None)
    assert part.control == descriptor.control & 0xD5CC  # self-relative, RM control, and what speaks of the DACL
    assert part.to_bytes()[1] == data[1]
    assert descriptor.dacl is not None
    assert len(part.to_bytes()) == 20 + len(descriptor.dacl.binary)


def test_the_dacl_part_of_a_null_dacl_is_null() -> None:
    part = SecurityDescriptor.parse(SecurityDescriptor.parse(descriptor_bytes({}, control=0x8004)).dacl_part())
    assert part.has_null_dacl
