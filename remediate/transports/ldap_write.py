"""What carries out directory actions, live: templates and what a CA publishes, on one pinned, writable controller.

Every write is one modify that holds the old values, so that the directory itself refuses it when somebody was faster.
A directory cannot compare a descriptor: there the versions in replPropertyMetaData tell afterwards.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from remediate.actions.rights import EFFECTIVE, attributes_written, held
from remediate.actions.states import DESCRIPTOR, REVISION, Table, before_and_after
from remediate.actions.writing import Drift, Holder, Lease, WriteFailed
from remediate.adcs.replication import Stamp, written_once
from remediate.model.errors import RemediateError, TransportError
from remediate.model.places import DirectoryPlace
from remediate.model.plan import DIRECTORY, Action
from remediate.transports.credentials import Credential
from remediate.transports.ldap_write_session import WritableController
from remediate.transports.ldap_write_states import (
    Changes,
    Seen,
    asked_for,
    changes_between,
    place_of,
    seen,
    shown,
)
from remediate.transports.sending import DirectoryRecord

NOT_CHECKED: Final = "whether a write of somebody else was lost is not known: replPropertyMetaData is not readable here"
# [RFC 4511] A.2: noSuchAttribute, attributeOrValueExists: what the modify was to replace stands there no more.
_FASTER: Final = frozenset({"LDAP 16", "LDAP 20"})
# constraintViolation where a second value would stand in an attribute of one; noSuchObject.
_PERHAPS_FASTER: Final = frozenset({"LDAP 19", "LDAP 32"})
_WHO: Final = "Event 5136 of the domain controller tells who; plan again."


class DirectoryWriter:
    """A Writer for templates and publishing. `address` is a domain controller, `trust` a PEM file of root certificates.

    `timeout` in seconds holds for each request and its answer. The connection is made by the first call and lasts; one
    that was lost is made anew by the next call, never within one. `sent` is
    told every modify before it is sent; one that it cannot keep, a DocumentError, is not sent. Raises RefusedError for
    a read-only controller.
    """

    def __init__(
        self,
        address: str,
        credential: Credential,
        *,
        trust: Path | None = None,
        timeout: float = 15.0,
        sent: DirectoryRecord | None = None,
    ) -> None:
        self._controller = WritableController(address, credential, trust=trust, timeout=timeout, sent=sent)

    @property
    def target(self) -> str:
        """The directory, whichever controller serves it."""
        return DIRECTORY

    @property
    def host(self) -> str:
        """The DNS name of the pinned controller; before the first call the address that was given."""
        return self._controller.host

    def identity(self) -> dict[str, str]:
        """Return `domain_objectGUID` and `domain`, the objectGUID and the DNS name of the domain that is served."""
        self._controller.begin()
        dn = self._controller.domain
        entry = self._controller.read(dn, ["objectGUID"])
        found = next((str(uuid.UUID(bytes_le=value)) for value in entry.octets("objectGUID")), "")
        return {"domain_objectGUID": found, "domain": ".".join(part.partition("=")[2] for part in dn.split(","))}

    def time(self) -> datetime | None:
        """Return the clock of the controller, None where it does not tell it. Raises TransportError."""
        self._controller.begin()
        return self._controller.time()

    def read(self, action: Action) -> Table:
        """Return what stands there; a DACL that is as planned but for its order comes as the plan has it.

        Raises TransportError, and RefusedError when the object is another than the planned one.
        """
        self._controller.begin()
        before, after = before_and_after(action)
        return self._look(place_of(action), sorted(after), (before, after)).table

    def lacks(self, action: Action) -> str:
        """Ask the server what the account may write. Raises UnknownFact where it does not tell."""
        place = place_of(action)
        self._controller.begin()
        entry = self._controller.read(place.dn, EFFECTIVE)
        missing = [right for right, there in held(attributes_written(action), entry).items() if not there]
        return f"{', '.join(missing)} on {place.dn}" if missing else ""

    def write(self, action: Action, *, before: Table, after: Table) -> str:
        """Compare, write in one modify, read back, and see by the versions that nobody's write was lost on the way."""
        place = place_of(action)
        where = self._where(place)
        try:
            changes = changes_between(place, before, after, where=where)
            self._controller.begin()
            first = self._look(place, sorted(after), (before, after))
        except RemediateError as error:
            raise _nothing_written(error, where) from None
        if first.table != before:
            raise _drifted(first.table, before, after, where=where)
        if not changes:
            return ""
        self._modify(place, changes, before=before, after=after)
        second = self._read_back(place, before, after)
        return _confirmed(first, second, before=before, after=after, where=where)

    def lock(self, lease: Lease) -> Holder | None:
        """A directory has no lock: each write compares."""
        del lease
        return None

    def renew(self, lease: Lease) -> str:
        """There is none."""
        del lease
        return ""

    def holder(self, *, token: str) -> Holder | None:
        """There is none."""
        del token
        return None

    def unlock(self, *, token: str) -> None:
        """There is none."""
        del token

    def close(self) -> None:
        """End the connection."""
        self._controller.close()

    def _where(self, place: DirectoryPlace) -> str:
        return f"{place.dn} on {self._controller.host}"

    def _look(self, place: DirectoryPlace, names: Sequence[str], known: Sequence[Table]) -> Seen:
        entry = self._controller.read(place.dn, asked_for(place, names))
        return seen(place, entry, names=names, known=known, where=self._where(place))

    def _modify(self, place: DirectoryPlace, changes: Changes, *, before: Table, after: Table) -> None:
        try:
            self._controller.modify(place.dn, changes)
        except WriteFailed as error:
            if error.code not in _FASTER | _PERHAPS_FASTER:
                raise
            try:
                now = self._look(place, sorted(after), (before, after)).table
            except RemediateError:
                raise error from None
            if now == before and error.code in _PERHAPS_FASTER:
                raise
            raise _drifted(now, before, after, where=self._where(place)) from None

    def _read_back(self, place: DirectoryPlace, before: Table, after: Table) -> Seen:
        try:
            return self._look(place, sorted(after), (after, before))
        except RemediateError as error:
            code = error.code if isinstance(error, TransportError) else ""
            what, do = "it was written, but could not be read back", "The next run reads it before anything else."
            raise WriteFailed(
                what, where=self._where(place), why=_cause(error), do=do, code=code, unresolved=True
            ) from None


def _cause(error: RemediateError) -> str:
    return f"{error.what}, {error.why}" if error.why else error.what


def _nothing_written(error: RemediateError, where: str) -> WriteFailed:
    code = error.code if isinstance(error, TransportError) else ""
    return WriteFailed("nothing was written", where=where, why=_cause(error), do=error.do, code=code)


def _drifted(now: Table, before: Table, after: Table, *, where: str) -> Drift:
    other = [name for name in sorted(now) if now[name] != before[name]]
    if not other:
        return Drift("somebody else changed it and changed it back; nothing was written", where=where, now=now)
    if now == after:
        return Drift("it has become as wanted in the meantime; nothing was written here", where=where, now=now)
    values = f"now {shown(now, other)}, approved {shown(before, other)}, wanted {shown(after, other)}"
    return Drift(f"somebody else has changed it; nothing was written: {values}", where=where, now=now)


def _confirmed(first: Seen, second: Seen, *, before: Table, after: Table, where: str) -> str:
    """Return what could not be checked. Raises WriteFailed when a write was lost: theirs, or this one."""
    different = [name for name in sorted(after) if second.table[name] != after[name]]
    if different:
        values = f"now {shown(second.table, different)}, wanted {shown(after, different)}"
        raise WriteFailed(_not_kept(different[0], first, second), where=where, why=values, do=_WHO, unresolved=True)
    if first.stamps is None or second.stamps is None:
        return NOT_CHECKED
    for name in sorted(first.stamps):
        swapped = None not in (before[name], after[name]) and name != DESCRIPTOR
        old, new = first.stamps[name], second.stamps[name]
        if before[name] != after[name] and not written_once(old, new, swapped=swapped):
            why = f"version {old.version} before, {new.version} now"
            raise WriteFailed(_lost(name, second.stamps), where=where, why=why, do=_WHO, unresolved=True)
    return ""


def _not_kept(name: str, first: Seen, second: Seen) -> str:
    """Why a name does not read back. All that one modify writes has one USN, and it wrote the minor revision too."""
    if first.stamps and first.stamps == second.stamps:
        return "the server said that it was written, and nothing was"
    ours = second.stamps.get(REVISION) if second.stamps and name != REVISION else None
    if second.stamps and ours and second.stamps[name].usn == ours.usn:
        return f"it was written, but the server has kept something else than was sent for {name}"
    return f"it was written, but somebody else has overwritten this write to {name}"


def _lost(name: str, stamps: Mapping[str, Stamp]) -> str:
    if name != REVISION and REVISION in stamps and stamps[name].usn > stamps[REVISION].usn:
        return f"it was written, and somebody else has written {name} again after it, with the same result"
    return f"it was written, but a write of somebody else to {name} came just before and was overwritten"
