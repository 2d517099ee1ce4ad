"""Which rights an action takes, in words that are the same wherever they are asked for: live, before, and in a plan.

Of the directory the server tells what it would let this account write ([MS-ADTS] 3.1.1.4.5); nothing is tried.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from remediate.actions.states import DESCRIPTOR, before_and_after
from remediate.facts.documents import Entry
from remediate.model.errors import UnknownFact
from remediate.model.places import PublishingPlace
from remediate.model.plan import Action

EFFECTIVE: Final = ("allowedAttributesEffective", "sDRightsEffective")
"""[MS-ADTS] 3.1.1.4.5.7 and 3.1.1.4.5.4: the attributes that the reader may write, and the parts of the descriptor."""
# [MS-ADTS] 3.1.1.4.5.4: DACL_SECURITY_INFORMATION, where the object grants RIGHT_WRITE_DAC.
_DACL: Final = 4

ADMINISTRATOR: Final = "local administrator of the host, elevated (S-1-5-32-544)"


def service_control(name: str) -> str:
    """Return the right to stop and start a service."""
    return f"control of the service {name} (SERVICE_ALL_ACCESS)"


def attributes_written(action: Action) -> tuple[str, ...]:
    """Return the attributes that a directory action changes; none for one that changes nothing."""
    before, after = before_and_after(action)
    changed = tuple(name for name in sorted(after) if before[name] != after[name])
    return ("certificateTemplates",) if changed and isinstance(action.place, PublishingPlace) else changed


def held(attributes: Iterable[str], entry: Entry) -> dict[str, bool]:
    """Return the rights that writing these attributes takes, and whether the reader of `entry` has each.

    `entry` was asked for EFFECTIVE. An account that may write nothing is answered no allowedAttributesEffective, but
    always sDRightsEffective. Raises UnknownFact where the server tells neither.
    """
    parts = next(iter(entry.texts("sDRightsEffective")), None)
    if parts is None:
        raise UnknownFact(f"rights on {entry.dn}", "the domain controller does not tell what this account may write")
    allowed = {name.lower() for name in entry.texts("allowedAttributesEffective")}
    may_change_dacl = bool(int(parts) & _DACL)
    return {
        right_to_write(name): may_change_dacl if name == DESCRIPTOR else name.lower() in allowed for name in attributes
    }


def right_to_write(attribute: str) -> str:
    """Return the right that changing an attribute of an object takes."""
    return "change the permissions (WRITE_DAC)" if attribute == DESCRIPTOR else f"write {attribute}"
