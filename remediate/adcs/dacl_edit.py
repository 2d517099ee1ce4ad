"""Changing a DACL by whole entries, so that every byte of anybody else survives, and so that it can be undone exactly.

Other entries keep their bytes and their order; owner, group, SACL, control bits, gaps and slack stay. An edit that
finds nothing to do says so. Undoing an edit gives back the bytes from before, the ACL's revision included.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from remediate.adcs.ace import Ace
from remediate.adcs.rights import ACL_REVISION_DS, CONDITIONAL_TYPES, Control
from remediate.adcs.security_descriptor import ACL_HEADER, DESCRIPTOR_HEADER, Acl, SecurityDescriptor
from remediate.model.errors import RemediateError

# AclSize has 16 bits: [MS-DTYP] 2.4.5.
LARGEST_ACL: Final = 0xFFFF
_OFFSETS: Final = struct.Struct("<IIII")
_OFFSETS_AT: Final = 4


class DaclEditRefused(RemediateError):
    """A DACL cannot be changed as asked; nothing was changed. The subclasses say why and carry the data."""


class NoDacl(DaclEditRefused):
    """There is no DACL, or it is NULL: everybody has every right already, and one entry would take it from them."""

    def __init__(self, *, is_null: bool) -> None:
        self.is_null = is_null
        super().__init__(f"the DACL is {'NULL' if is_null else 'absent'}", why="everyone may do everything already")


class AclTooLarge(DaclEditRefused):
    """With the new entries the ACL would need `size` bytes, more than an ACL can have."""

    def __init__(self, size: int) -> None:
        self.size = size
        super().__init__("the DACL has no room for the new entries", why=f"{size} bytes needed, {LARGEST_ACL} possible")


class OverlappingParts(DaclEditRefused):
    """Another part of the descriptor lies within the bytes of the DACL, so the DACL cannot be changed alone."""

    def __init__(self, part: str) -> None:
        self.part = part
        super().__init__(f"the {part} of the security descriptor overlaps its DACL")


class NotAnExplicitEntry(DaclEditRefused):
    """Only explicit entries that allow or deny without a condition are added; `ace` is another kind."""

    def __init__(self, ace: Ace) -> None:
        self.ace = ace
        super().__init__("only explicit allow and deny entries are added to a DACL", why=ace.binary.hex())


@dataclass(frozen=True, slots=True)
class DaclEdit:
    """What one edit did: `before` and `after` whole, the entries `added` and `removed`.

    `unmatched` are the entries for which nothing had to be done: there already when adding, not there when removing.
    """

    before: SecurityDescriptor
    after: SecurityDescriptor
    added: tuple[Ace, ...] = ()
    removed: tuple[Ace, ...] = ()
    unmatched: tuple[Ace, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether `after` differs from `before`."""
        return self.before != self.after

    def undone_on(self, current: SecurityDescriptor) -> DaclEdit:
        """The edit that takes this one back from `current`.

        Where the DACL of `current` is as this edit left it, every entry returns to its place and the bytes are those of
        `before`. Where others have changed it since, what was added is taken out (once, if it is still there), what
        was removed is added again where an entry of its kind belongs, and theirs stay.
        Raises DaclEditRefused as `add_aces` and `remove_aces` do.
        """
        if not self.changes:
            return DaclEdit(current, current)
        before, left = _dacl_of(self.before), _dacl_of(self.after)
        found = _dacl_of(current)
        if found.aces == left.aces and found.revision == left.revision:
            after = _with_aces(current, before.aces, revision=before.revision)
            return DaclEdit(current, after, self.removed, self.added)
        return self._undone_on_changed(current)

    def _undone_on_changed(self, current: SecurityDescriptor) -> DaclEdit:
        without = remove_aces(current, self.added)
        restored = add_aces(without.after, self.removed)
        aces = restored.after.dacl_aces
        after = _with_aces(restored.after, aces, revision=self._revision_for(_dacl_of(restored.after)))
        return DaclEdit(current, after, restored.added, without.removed, without.unmatched + restored.unmatched)

    def _revision_for(self, dacl: Acl) -> int:
        """The old revision, unless it was changed by others or an object entry of others needs the new one."""
        before, left = _dacl_of(self.before), _dacl_of(self.after)
        foreign = any(ace.is_object and ace not in before.aces for ace in dacl.aces)
        return dacl.revision if foreign or dacl.revision != left.revision else before.revision


def add_aces(descriptor: SecurityDescriptor, aces: Iterable[Ace]) -> DaclEdit:
    """Add each of `aces` that is not in the DACL byte for byte, where an entry of its kind belongs.

    A new deny goes after the explicit denies that lead the list. A new allow goes before the inherited entries and
    never before an explicit deny, wherever that one stands. Nobody else's entry moves; the revision becomes 4 only when
    an object entry is added to a lower one. An inherited deny is outranked by an explicit allow, as everywhere in
    Windows: who must not do that asks `access_check` first.
    Raises NoDacl, AclTooLarge, OverlappingParts, NotAnExplicitEntry.
    """
    dacl = _dacl_of(descriptor)
    present, added, unmatched = list(dacl.aces), list[Ace](), list[Ace]()
    for ace in aces:
        if not (ace.allows or ace.denies) or ace.is_inherited or ace.type in CONDITIONAL_TYPES:
            raise NotAnExplicitEntry(ace)
        if ace in present:
            unmatched.append(ace)
        else:
            present.insert(_place_of(ace, present), ace)
            added.append(ace)
    needs_ds = any(ace.is_object for ace in added) and dacl.revision < ACL_REVISION_DS
    after = _with_aces(descriptor, present, revision=ACL_REVISION_DS if needs_ds else dacl.revision)
    return DaclEdit(descriptor, after, tuple(added), (), tuple(unmatched))


def remove_aces(descriptor: SecurityDescriptor, aces: Iterable[Ace]) -> DaclEdit:
    """Take out, for each of `aces`, the first entry that is the same byte for byte. The revision stays.

    Raises NoDacl, OverlappingParts.
    """
    dacl = _dacl_of(descriptor)
    present, removed, unmatched = list(dacl.aces), list[Ace](), list[Ace]()
    for ace in aces:
        if ace in present:
            present.remove(ace)
            removed.append(ace)
        else:
            unmatched.append(ace)
    after = _with_aces(descriptor, present, revision=dacl.revision)
    return DaclEdit(descriptor, after, (), tuple(removed), tuple(unmatched))


def untouched_aces(edit: DaclEdit) -> tuple[Ace, ...]:
    """The entries of others, in order: they are in `after` byte for byte as in `before`."""
    removed = Counter(edit.removed)
    kept = []
    for ace in edit.before.dacl_aces:
        if removed[ace]:
            removed[ace] -= 1
        else:
            kept.append(ace)
    return tuple(kept)


def _place_of(ace: Ace, present: Sequence[Ace]) -> int:
    """Where canonical order puts a new explicit entry ([MS-DTYP] 2.4.5: denies, allows, then the inherited)."""
    if ace.denies:
        return next((at for at, other in enumerate(present) if not other.denies or other.is_inherited), len(present))
    inherited = next((at for at, other in enumerate(present) if other.is_inherited), len(present))
    denies = [at + 1 for at, other in enumerate(present) if other.denies and not other.is_inherited]
    return max([inherited, *denies])


def _dacl_of(descriptor: SecurityDescriptor) -> Acl:
    if descriptor.dacl is None:
        raise NoDacl(is_null=descriptor.has_null_dacl)
    return descriptor.dacl


def _with_aces(descriptor: SecurityDescriptor, aces: Sequence[Ace], *, revision: int) -> SecurityDescriptor:
    """The descriptor with these entries in its DACL; what lies behind the DACL moves up or down as a whole."""
    dacl = _dacl_of(descriptor)
    if tuple(aces) == dacl.aces and revision == dacl.revision:
        return descriptor
    acl = _rebuilt(dacl, aces, revision=revision)
    start = _dacl_offset(descriptor)
    end = start + len(dacl.binary)
    _refuse_overlaps(descriptor, start, end)
    header = _shifted_header(descriptor.binary, end, by=len(acl) - len(dacl.binary))
    return SecurityDescriptor.parse(
        header + descriptor.binary[DESCRIPTOR_HEADER.size : start] + acl + descriptor.binary[end:]
    )


def _rebuilt(dacl: Acl, aces: Sequence[Ace], *, revision: int) -> bytes:
    body = b"".join(ace.binary for ace in aces) + dacl.slack
    size = ACL_HEADER.size + len(body)
    if size > LARGEST_ACL:
        raise AclTooLarge(size)
    _, sbz1, _, _, sbz2 = ACL_HEADER.unpack_from(dacl.binary)
    return ACL_HEADER.pack(revision, sbz1, size, len(aces), sbz2) + body


def _dacl_offset(descriptor: SecurityDescriptor) -> int:
    offset: int = DESCRIPTOR_HEADER.unpack_from(descriptor.binary)[6]
    return offset


def _shifted_header(binary: bytes, end: int, *, by: int) -> bytes:
    """The header with every offset that points behind the DACL moved; one that points nowhere stays as it is."""
    offsets = (at + by if end <= at < len(binary) else at for at in _OFFSETS.unpack_from(binary, _OFFSETS_AT))
    return binary[:_OFFSETS_AT] + _OFFSETS.pack(*offsets)


def _refuse_overlaps(descriptor: SecurityDescriptor, start: int, end: int) -> None:
    _, _, _, owner_at, group_at, sacl_at, _ = DESCRIPTOR_HEADER.unpack_from(descriptor.binary)
    sacl = descriptor.sacl if Control.SACL_PRESENT in descriptor.control else None
    parts = (
        ("header", 0, DESCRIPTOR_HEADER.size),
        ("owner", owner_at, len(descriptor.owner.binary) if descriptor.owner else 0),
        ("group", group_at, len(descriptor.group.binary) if descriptor.group else 0),
        ("SACL", sacl_at, len(sacl.binary) if sacl else 0),
    )
    for part, at, size in parts:
        if size and at < end and at + size > start:
            raise OverlappingParts(part)
