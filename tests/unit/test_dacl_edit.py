"""Edits of a DACL: they touch what they name and nothing else, and what they did is taken back exactly."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediate.adcs.ace import Ace, enroll_ace, read_ace
from remediate.adcs.dacl_edit import (
    AclTooLarge,
    DaclEdit,
    NoDacl,
    NotAnExplicitEntry,
    OverlappingParts,
    add_aces,
    remove_aces,
    untouched_aces,
)
from remediate.adcs.rights import AceFlag
from remediate.adcs.security_descriptor import SecurityDescriptor
from remediate.adcs.sid import EVERYONE, Sid
from tests.shared import needs_shared
from tests.unit import descriptor_material as material
from tests.unit.descriptor_material import account, ace_bytes, descriptor_bytes, entry, with_dacl

CONNECTOR = account(1104)
OTHER = account(1105)

# (A;;LCRPRC;;;CONNECTOR) and (OA;;CR;0e10c968-78fb-11d2-90d4-00c04f79dc55;;CONNECTOR), written out.
READ = bytes.fromhex("0000240014000200") + CONNECTOR.binary
ENROLL = bytes.fromhex("0500380000010000" + "01000000" + "68c9100efb78d21190d400c04f79dc55") + CONNECTOR.binary

new_aces = st.lists(
    st.sampled_from([read_ace(CONNECTOR), enroll_ace(CONNECTOR), read_ace(OTHER), enroll_ace(OTHER)]), max_size=4
)


def plain(kind: int, sid: Sid, mask: int = 0x10, flags: int = 0) -> bytes:
    return entry(kind, sid, mask, flags=flags)


def parsed(aces: list[bytes], **acl: Any) -> SecurityDescriptor:
    return SecurityDescriptor.parse(with_dacl(aces, **acl))


# What the console writes


def test_read_and_enroll_as_the_console_writes_them() -> None:
    assert read_ace(CONNECTOR).binary == READ
    assert enroll_ace(CONNECTOR).binary == ENROLL


# Adding


@given(material.descriptors(), new_aces)
def test_adding_then_undoing_gives_the_same_bytes(data: bytes, aces: list[Ace]) -> None:
    descriptor = SecurityDescriptor.parse(data)
    edit = add_aces(descriptor, aces)
    assert edit.undone_on(edit.after).after.to_bytes() == data


@given(material.descriptors(), st.data())
def test_removing_then_undoing_gives_the_same_bytes(data: bytes, draw: st.DataObject) -> None:
    descriptor = SecurityDescriptor.parse(data)
    aces = draw.draw(st.lists(st.sampled_from([*descriptor.dacl_aces, read_ace(OTHER)]), max_size=4))
    edit = remove_aces(descriptor, aces)
    assert edit.undone_on(edit.after).after.to_bytes() == data


@given(material.descriptors(), new_aces)
def test_do_undo_do_again(data: bytes, aces: list[Ace]) -> None:
    edit = add_aces(SecurityDescriptor.parse(data), aces)
    undone = edit.undone_on(edit.after)
    assert undone.undone_on(undone.after).after == edit.after


@given(material.descriptors(), new_aces)
def test_adding_twice_is_adding_once(data: bytes, aces: list[Ace]) -> None:
    once = add_aces(SecurityDescriptor.parse(data), aces)
    again = add_aces(once.after, aces)
    assert not again.changes
    assert again.after.to_bytes() == once.after.to_bytes()
    assert (again.added, Counter(again.unmatched)) == ((), Counter(aces))


@given(material.descriptors(), new_aces)
def test_others_keep_their_bytes_and_their_order(data: bytes, aces: list[Ace]) -> None:
    before = SecurityDescriptor.parse(data)
    edit = add_aces(before, aces)
    after = SecurityDescriptor.parse(edit.after.to_bytes())
    kept = [ace for ace in after.dacl_aces if ace not in edit.added]
    assert kept == list(before.dacl_aces) == list(untouched_aces(edit))
    assert before.dacl is not None
    assert after.dacl is not None
    assert (after.dacl.slack, after.control, after.binary[:2]) == (before.dacl.slack, before.control, data[:2])
    assert (after.owner, after.group, after.sacl) == (before.owner, before.group, before.sacl)
    grown = sum(len(ace.binary) for ace in edit.added)
    assert len(after.to_bytes()) == len(data) + grown


@needs_shared
def test_edits_of_real_descriptors_are_undone_exactly() -> None:
    for name, data in material.binary_vectors():
        descriptor = SecurityDescriptor.parse(data)
        if descriptor.dacl is None:
            continue
        edit = add_aces(descriptor, [read_ace(CONNECTOR), enroll_ace(CONNECTOR)])
        assert len(edit.added) == 2, name
        assert edit.undone_on(edit.after).after.to_bytes() == data, name


DENY, ALLOW = plain(1, OTHER), plain(0, OTHER)
INHERITED_DENY, INHERITED_ALLOW = plain(1, OTHER, flags=0x10), plain(0, OTHER, flags=0x10)
OBJECT_DENY = ace_bytes(6, 0, bytes(4) + bytes(4) + OTHER.binary)


@pytest.mark.parametrize(
    ("present", "place"),
    [
        ([], 0),
        ([DENY, ALLOW], 2),
        ([DENY, ALLOW, INHERITED_DENY, INHERITED_ALLOW], 2),
        ([INHERITED_ALLOW], 0),
        ([ALLOW, DENY, ALLOW, INHERITED_ALLOW], 3),
        ([INHERITED_ALLOW, DENY], 2),
        ([INHERITED_ALLOW, ALLOW], 0),
        ([INHERITED_ALLOW, OBJECT_DENY, ALLOW], 2),
    ],
)
def test_where_a_new_allow_goes(present: list[bytes], place: int) -> None:
    after = add_aces(parsed(present), [read_ace(CONNECTOR)]).after
    assert [ace.binary for ace in after.dacl_aces].index(READ) == place
    assert [ace.binary for ace in after.dacl_aces if ace.binary != READ] == present


@pytest.mark.parametrize(
    ("present", "place"),
    [([], 0), ([ALLOW], 0), ([DENY, ALLOW, INHERITED_DENY], 1), ([INHERITED_DENY], 0), ([DENY, OBJECT_DENY], 2)],
)
def test_where_a_new_deny_goes(present: list[bytes], place: int) -> None:
    deny = Ace.parse(plain(1, CONNECTOR))
    assert add_aces(parsed(present), [deny]).after.dacl_aces.index(deny) == place


@given(material.descriptors())
def test_a_new_allow_never_stands_before_an_explicit_deny(data: bytes) -> None:
    new = Ace.allow(account(7777), 0x100)
    aces = add_aces(SecurityDescriptor.parse(data), [new]).after.dacl_aces
    later = aces[aces.index(new) + 1 :]
    assert not [ace for ace in later if ace.denies and not ace.is_inherited]


@pytest.mark.parametrize(
    ("revision", "ace", "expected"),
    [
        (2, read_ace(CONNECTOR), 2),
        (2, enroll_ace(CONNECTOR), 4),
        (4, read_ace(CONNECTOR), 4),
        (4, enroll_ace(CONNECTOR), 4),
        (9, enroll_ace(CONNECTOR), 9),
    ],
)
def test_the_revision_rises_only_for_an_object_entry(revision: int, ace: Ace, expected: int) -> None:
    edit = add_aces(parsed([ALLOW], revision=revision), [ace])
    assert edit.after.dacl is not None
    assert edit.after.dacl.revision == expected
    undone = edit.undone_on(edit.after).after.dacl
    assert undone is not None
    assert undone.revision == revision


def test_an_empty_dacl_can_be_granted_upon() -> None:
    after = add_aces(parsed([], revision=2), [read_ace(CONNECTOR), enroll_ace(CONNECTOR)]).after
    assert [ace.binary for ace in after.dacl_aces] == [READ, ENROLL]


@pytest.mark.parametrize(("control", "is_null"), [(0x8004, True), (0x8000, False)])
def test_without_a_dacl_nothing_is_granted(control: int, is_null: bool) -> None:
    descriptor = SecurityDescriptor.parse(descriptor_bytes({}, control=control))
    with pytest.raises(NoDacl) as caught:
        add_aces(descriptor, [read_ace(CONNECTOR)])
    assert caught.value.is_null is is_null
    with pytest.raises(NoDacl):
        remove_aces(descriptor, [read_ace(CONNECTOR)])


def test_an_acl_is_filled_to_its_limit_and_no_further() -> None:
    aces = [plain(0, account(rid)) for rid in range(1819)]
    full = with_dacl(aces, slack=bytes(0xFFFF - 8 - 36 * 1819 - 36))
    edit = add_aces(SecurityDescriptor.parse(full), [read_ace(CONNECTOR)])
    assert edit.after.dacl is not None
    assert len(edit.after.dacl.binary) == 0xFFFF
    with pytest.raises(AclTooLarge) as caught:
        add_aces(edit.after, [enroll_ace(CONNECTOR)])
    assert caught.value.size == 0xFFFF + len(ENROLL)


@pytest.mark.parametrize(
    "ace",
    [
        Ace.parse(plain(0, OTHER, flags=AceFlag.INHERITED)),
        Ace.parse(plain(2, OTHER)),
        Ace.parse(plain(9, OTHER)),
        Ace.parse(ace_bytes(0x77, 0, b"")),
    ],
    ids=["inherited", "audit", "conditional", "unknown"],
)
def test_only_explicit_entries_are_added(ace: Ace) -> None:
    with pytest.raises(NotAnExplicitEntry) as caught:
        add_aces(parsed([]), [ace])
    assert caught.value.ace == ace


def test_an_owner_within_the_dacl_stops_the_edit() -> None:
    data = with_dacl([plain(0, OTHER)])
    inside = data[:4] + (20 + 8 + 8).to_bytes(4, "little") + data[8:]
    descriptor = SecurityDescriptor.parse(inside)
    assert descriptor.owner == OTHER
    with pytest.raises(OverlappingParts) as caught:
        add_aces(descriptor, [read_ace(CONNECTOR)])
    assert caught.value.part == "owner"


def test_an_offset_that_points_nowhere_stays() -> None:
    data = with_dacl([ALLOW])
    unused_sacl = data[:12] + b"\xff\xff\xff\xff" + data[16:]
    edit = add_aces(SecurityDescriptor.parse(unused_sacl), [read_ace(CONNECTOR)])
    assert edit.after.to_bytes()[12:16] == b"\xff\xff\xff\xff"
    assert edit.undone_on(edit.after).after.to_bytes() == unused_sacl


# Removing


def test_removing_takes_one_of_two_equal_entries() -> None:
    edit = remove_aces(parsed([ALLOW, DENY, ALLOW]), [Ace.parse(ALLOW)])
    assert [ace.binary for ace in edit.after.dacl_aces] == [DENY, ALLOW]
    assert [ace.binary for ace in untouched_aces(edit)] == [DENY, ALLOW]


def test_removing_what_is_not_there_says_so() -> None:
    edit = remove_aces(parsed([ALLOW]), [read_ace(CONNECTOR)])
    assert not edit.changes
    assert (edit.removed, edit.unmatched) == ((), (read_ace(CONNECTOR),))


# Undoing after others wrote


def granted(present: list[bytes], *, revision: int = 2) -> DaclEdit:
    return add_aces(parsed(present, revision=revision), [read_ace(CONNECTOR), enroll_ace(CONNECTOR)])


def test_undoing_keeps_what_others_added_since() -> None:
    edit = granted([ALLOW])
    since = add_aces(edit.after, [Ace.parse(plain(0, EVERYONE))]).after
    undone = edit.undone_on(since)
    assert [ace.binary for ace in undone.after.dacl_aces] == [ALLOW, plain(0, EVERYONE)]
    assert undone.after.dacl is not None
    assert undone.after.dacl.revision == 2
    assert undone.unmatched == ()


def test_undoing_keeps_the_revision_that_an_object_entry_of_others_needs() -> None:
    edit = granted([ALLOW])
    since = add_aces(edit.after, [enroll_ace(OTHER)]).after
    undone = edit.undone_on(since).after
    assert undone.dacl is not None
    assert (undone.dacl.revision, undone.dacl_aces[-1]) == (4, enroll_ace(OTHER))


def test_undoing_says_what_others_have_taken_out() -> None:
    edit = granted([ALLOW])
    undone = edit.undone_on(remove_aces(edit.after, [enroll_ace(CONNECTOR)]).after)
    assert [ace.binary for ace in undone.after.dacl_aces] == [ALLOW]
    assert undone.unmatched == (enroll_ace(CONNECTOR),)


def test_undoing_an_edit_that_did_nothing_does_nothing() -> None:
    edit = add_aces(parsed([READ]), [read_ace(CONNECTOR)])
    assert not edit.changes
    assert not edit.undone_on(edit.after).changes
    assert edit.undone_on(edit.after).after.dacl_aces == edit.after.dacl_aces


def test_a_removed_entry_returns_behind_a_deny_that_came_since() -> None:
    edit = remove_aces(parsed([ALLOW, READ]), [read_ace(CONNECTOR)])
    deny = Ace.parse(plain(1, CONNECTOR))
    undone = edit.undone_on(add_aces(edit.after, [deny]).after)
    assert [ace.binary for ace in undone.after.dacl_aces] == [deny.binary, ALLOW, READ]
