"""A DACL beside the approved one, for people: how many entries each has, and which it has more or less.

Entries are SDDL as in a plan's diff; who a SID is stands there, and no fact is read here to tell it again.
"""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Iterator

from remediate.adcs.ace import Ace
from remediate.adcs.sddl import ace_to_sddl, dacl_to_sddl
from remediate.adcs.security_descriptor import MalformedDescriptor, SecurityDescriptor


def dacl_beside(shown: str, approved: str | None) -> tuple[str, ...]:
    """Return a DACL in lines, with what the approved one has not (`+`) and what it has besides (`-`).

    Both are Base64 of a descriptor, as a table of states has them; what is none is returned as it is.
    """
    try:
        found = SecurityDescriptor.parse(base64.b64decode(shown))
        before = SecurityDescriptor.parse(base64.b64decode(approved)) if approved else found
    except (binascii.Error, MalformedDescriptor):
        return (shown,)
    changes = tuple(_changes(found, before))
    moved = found.dacl_aces != before.dacl_aces and not changes
    return (_heading(found), *changes, *(("the same entries in another order",) if moved else ()))


def _heading(descriptor: SecurityDescriptor) -> str:
    flags = dacl_to_sddl(descriptor).partition("(")[0]
    count = len(descriptor.dacl_aces)
    return f"DACL of {count} {'entry' if count == 1 else 'entries'} ({flags or 'absent'})"


def _changes(found: SecurityDescriptor, before: SecurityDescriptor) -> Iterator[str]:
    has, had = Counter(found.dacl_aces), Counter(before.dacl_aces)
    for sign, entries in (("+", has - had), ("-", had - has)):
        yield from (f"{sign} {_kind(ace)}{ace_to_sddl(ace)}" for ace in entries.elements())


def _kind(ace: Ace) -> str:
    return "allow  " if ace.allows else "deny  " if ace.denies else ""
