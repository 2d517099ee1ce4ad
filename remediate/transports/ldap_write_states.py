"""A directory object as the table that an action speaks of, the one modify between two tables, and how they compare.

Nothing here speaks LDAP: entries come in, tables and changes go out.
"""

from __future__ import annotations

import base64
import hashlib
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from remediate.actions.states import DESCRIPTOR, PUBLISHED, REVISION, Table
from remediate.adcs.ace import Ace
from remediate.adcs.replication import Stamp, read_stamps
from remediate.adcs.rights import Control
from remediate.adcs.security_descriptor import MalformedDescriptor, SecurityDescriptor
from remediate.facts.documents import Entry
from remediate.model.errors import RefusedError, TransportError
from remediate.model.places import DirectoryPlace, PublishingPlace, TemplatePlace
from remediate.model.plan import Action

TEMPLATES: Final = "certificateTemplates"
METADATA: Final = "replPropertyMetaData"
# RFC 4511, 4.6.
ADD, DELETE, REPLACE = "MODIFY_ADD", "MODIFY_DELETE", "MODIFY_REPLACE"
Changes = dict[str, list[tuple[str, list[str | bytes]]]]
"""The parts of one modify: attribute, and what is done with which values, in order."""

# [MS-CRTD] 2 and [MS-WCCE] 2.2.2.11: the classes of a template and of an enrollment service.
_CLASSES: Final = {TemplatePlace: "pKICertificateTemplate", PublishingPlace: "pKIEnrollmentService"}
_AGAIN: Final = "Plan again."
_ALLOW: Final = "Give the account that right, or use another."
_REPORT: Final = "Please report this with its bytes."
_NUMBER: Final = re.compile(r"-?[0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class Seen:
    """What stands at a place, and how often each attribute was written: None where that cannot be read, none of those
    that the server itself adds single values to."""

    table: Table
    stamps: Mapping[str, Stamp] | None


def place_of(action: Action) -> DirectoryPlace:
    """Return the action's place in the directory. Raises ValueError for a place on a host."""
    if not isinstance(action.place, DirectoryPlace):
        raise ValueError(f"action {action.id}: {type(action.place).__name__} is no place in the directory")
    return action.place


def asked_for(place: DirectoryPlace, names: Iterable[str]) -> tuple[str, ...]:
    """Return the attributes to read for a table with these names."""
    if isinstance(place, PublishingPlace):
        return ("objectClass", "objectGUID", TEMPLATES)
    return ("objectClass", "objectGUID", METADATA, *names)


def seen(place: DirectoryPlace, entry: Entry, *, names: Sequence[str], known: Sequence[Table], where: str) -> Seen:
    """Return what an entry says of a place.

    A DACL that is the same as that of a `known` table comes as it is written there, whatever the order in which the
    server keeps it. Raises RefusedError for another object than the planned one, TransportError for what is unreadable.
    """
    _refuse_another(place, entry, where)
    if isinstance(place, PublishingPlace):
        # String(Unicode) compares without regard to case ([MS-ADTS] 3.1.1.2.2.4).
        published = place.template.lower() in (name.lower() for name in entry.texts(TEMPLATES))
        return Seen({place.template: PUBLISHED if published else None}, {})
    table: Table = {name: next(iter(entry.texts(name)), None) for name in names if name != DESCRIPTOR}
    if DESCRIPTOR in names:
        table[DESCRIPTOR] = _known_text(_dacl_of(entry, where), known)
    return Seen(table, read_stamps(next(iter(entry.octets(METADATA)), None), names))


def _refuse_another(place: DirectoryPlace, entry: Entry, where: str) -> None:
    wanted, classes = _CLASSES[type(place)], entry.texts("objectClass")
    found = next((str(uuid.UUID(bytes_le=value)) for value in entry.octets("objectGUID")), "")
    if not classes or not found:  # every object has both: what is not answered may not be read
        why = f"{'objectGUID' if classes else 'objectClass'} is not answered"
        raise TransportError("this account may not read the object", where=where, why=why, do=_ALLOW)
    if wanted.lower() not in (name.lower() for name in classes):
        raise RefusedError(f"it is no {wanted}", where=where, do=_AGAIN)
    if found != place.object_guid.lower():
        why = f"objectGUID {found}, planned for {place.object_guid}"
        raise RefusedError("it is another object of the same name", where=where, why=why, do=_AGAIN)


def _dacl_of(entry: Entry, where: str) -> bytes:
    binary = next(iter(entry.octets(DESCRIPTOR)), None)
    if binary is None:
        why = "READ_CONTROL on the object is missing"
        raise TransportError("this account may not read the permissions", where=where, why=why, do=_ALLOW)
    try:
        return SecurityDescriptor.parse(binary).dacl_part()
    except MalformedDescriptor as error:
        raise TransportError(
            "its security descriptor cannot be read", where=where, why=error.reason, do=_REPORT
        ) from None


def _known_text(dacl: bytes, known: Iterable[Table]) -> str:
    texts = (text for table in known if (text := table.get(DESCRIPTOR)))
    same = next((text for text in texts if same_dacl(dacl, base64.b64decode(text))), None)
    return same or base64.b64encode(dacl).decode("ascii")


def same_dacl(now: bytes, wanted: bytes) -> bool:
    """Whether two DACL parts are the same, but for the order in which a server keeps the entries.

    From forest functional level 2003 on a domain controller sorts the entries of a canonical DACL when it is written
    ([MS-ADTS] 6.1.3.1); Samba keeps them as they were sent. So the entries that deny, that allow and that are inherited
    are compared each as a set. A DACL in another form has one order only. Raises MalformedDescriptor.
    """
    return now == wanted or _shape(SecurityDescriptor.parse(now)) == _shape(SecurityDescriptor.parse(wanted))


def _shape(descriptor: SecurityDescriptor) -> tuple[int, bool, list[bytes]]:
    control = int(descriptor.control & (Control.DACL_PRESENT | Control.DACL_PROTECTED))
    ordered = sorted(descriptor.dacl_aces, key=lambda ace: (_rank(ace), ace.binary))
    ranks = [_rank(ace) for ace in descriptor.dacl_aces]
    entries = ordered if ranks == sorted(ranks) else descriptor.dacl_aces
    return control, descriptor.dacl is None, [ace.binary for ace in entries]


def _rank(ace: Ace) -> int:
    """Canonical is: what denies, what allows, what is inherited ([MS-DTYP] 2.4.5)."""
    return 2 if ace.is_inherited else 0 if ace.denies else 1


def changes_between(place: DirectoryPlace, before: Table, after: Table, *, where: str) -> Changes:
    """Return the one modify that leads from `before` to `after`, and that a server refuses when `before` is gone.

    A directory cannot compare a descriptor, so it goes together with the minor revision. Raises RefusedError for tables
    that do not fit together.
    """
    if set(before) != set(after):
        raise RefusedError("the states before and after name different attributes", where=where, do=_AGAIN)
    changed = [name for name in sorted(after) if before[name] != after[name]]
    if isinstance(place, PublishingPlace):
        operation = DELETE if after.get(place.template) is None else ADD
        return {TEMPLATES: [(operation, [place.template])]} if changed else {}
    if DESCRIPTOR in changed and (REVISION not in changed or before[REVISION] is None):
        raise RefusedError(f"a DACL is written only together with a {REVISION} that is higher", where=where, do=_AGAIN)
    return {name: _parts(name, before[name], after[name]) for name in changed}


def _parts(name: str, old: str | None, new: str | None) -> list[tuple[str, list[str | bytes]]]:
    if name == DESCRIPTOR:
        return [(REPLACE, [base64.b64decode(new or "")])]
    return [(operation, [value]) for operation, value in ((DELETE, old), (ADD, new)) if value is not None]


def shown(table: Table, names: Iterable[str] | None = None) -> str:
    """Return a table for people: flags in hexadecimal, revisions as they count, a DACL by its number of entries."""
    wanted = sorted(table if names is None else names)
    return ", ".join(f"{name} {_value(name, table[name])}" for name in wanted)


def _value(name: str, value: str | None) -> str:
    if value is None:
        return "absent"
    if name == DESCRIPTOR:
        binary = base64.b64decode(value)
        entries = len(SecurityDescriptor.parse(binary).dacl_aces)
        return f"DACL of {entries} entries (sha256 {hashlib.sha256(binary).hexdigest()[:8]})"
    if name.endswith("Revision") or not _NUMBER.fullmatch(value):
        return value
    return f"0x{int(value) & 0xFFFFFFFF:X}"
