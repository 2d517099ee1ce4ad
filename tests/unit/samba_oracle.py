# mypy: disable-error-code="import-not-found"
"""Samba's own library as an oracle for security descriptors; run by the Python that Samba is installed for.

One JSON question per line on stdin, one JSON answer per line on stdout:
  {"sddl": text, "domain": SID}  or  {"binary": base64}   -> binary, sddl, owner, group, dacl, sacl as Samba reads them
  with "sids" and "desired" besides                       -> also granted, by Samba's access check
  what Samba cannot read                                  -> {"error": text}
"""

import base64
import json
import sys
from typing import Any

from samba.dcerpc import security
from samba.ndr import ndr_pack, ndr_unpack
from samba.ntstatus import NT_STATUS_ACCESS_DENIED
from samba.security import access_check

OBJECT_TYPES = (5, 6, 7, 8)
# as_sddl of Samba 4.17 ends the process at an entry of another type.
TYPES_WITH_TEXT = (0, 1, 2, 5, 6, 7)


def ace_of(ace: Any) -> dict[str, Any]:
    decoded: dict[str, Any] = {"type": ace.type, "flags": ace.flags, "mask": ace.access_mask, "sid": str(ace.trustee)}
    decoded.update(size=ace.size, object_type=None, inherited_object_type=None)
    if ace.type in OBJECT_TYPES:
        if ace.object.flags & 1:
            decoded["object_type"] = str(ace.object.type)
        if ace.object.flags & 2:
            decoded["inherited_object_type"] = str(ace.object.inherited_type)
    return decoded


def acl_of(acl: Any) -> dict[str, Any] | None:
    return None if acl is None else {"revision": acl.revision, "aces": [ace_of(ace) for ace in acl.aces]}


def sddl_of(descriptor: Any) -> str | None:
    aces = [ace for acl in (descriptor.dacl, descriptor.sacl) if acl is not None for ace in acl.aces]
    return descriptor.as_sddl() if all(ace.type in TYPES_WITH_TEXT for ace in aces) else None


def descriptor_of(question: dict[str, Any]) -> Any:
    if "binary" in question:
        return ndr_unpack(security.descriptor, base64.b64decode(question["binary"]), allow_remaining=True)
    return security.descriptor.from_sddl(question["sddl"], security.dom_sid(question["domain"]))


def granted(descriptor: Any, question: dict[str, Any]) -> bool:
    token = security.token()
    token.sids = [security.dom_sid(sid) for sid in question["sids"]]
    token.num_sids = len(question["sids"])
    try:
        access_check(descriptor, token, question["desired"])
    except RuntimeError as error:
        if error.args[0] != NT_STATUS_ACCESS_DENIED:
            raise
        return False
    return True


def answer(question: dict[str, Any]) -> dict[str, Any]:
    descriptor = descriptor_of(question)
    reply = {
        "binary": base64.b64encode(ndr_pack(descriptor)).decode("ascii"),
        "sddl": sddl_of(descriptor),
        "control": descriptor.type,
        "owner": str(descriptor.owner_sid) if descriptor.owner_sid else None,
        "group": str(descriptor.group_sid) if descriptor.group_sid else None,
        "dacl": acl_of(descriptor.dacl),
        "sacl": acl_of(descriptor.sacl),
    }
    if "sids" in question:
        reply["granted"] = granted(descriptor, question)
    return reply


def main() -> None:
    for line in sys.stdin:
        try:
            reply = answer(json.loads(line))
        except (TypeError, ValueError, RuntimeError) as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(reply) + "\n")


if __name__ == "__main__":
    main()
