"""One pinned, writable domain controller: a session that lasts for several actions, and the only modify there is.

A connection that was lost is said, never made again within an action: only `begin` makes one, to the same controller.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any, Final

from remediate.actions.states import DESCRIPTOR
from remediate.actions.writing import WriteFailed
from remediate.facts.documents import Entry
from remediate.model.errors import RefusedError, TransportError
from remediate.transports.credentials import Credential
from remediate.transports.failures import translate
from remediate.transports.ldap_connection import BASE, LdapConnection, connect
from remediate.transports.ldap_write_states import Changes
from remediate.transports.sending import DirectoryRecord, NotKept

ANYTHING: Final = "(objectClass=*)"
# [MS-ADTS] 3.1.1.3.4.3: LDAP_CAP_ACTIVE_DIRECTORY_OID, and LDAP_CAP_ACTIVE_DIRECTORY_PARTIAL_SECRETS_OID of a read-only
# domain controller, which also says TRUE in msDS-isRODC of its own nTDSDSA object ([MS-ADA2]).
DIRECTORY_SERVICE: Final = "1.2.840.113556.1.4.800"
READ_ONLY: Final = "1.2.840.113556.1.4.1920"
# [MS-ADTS] 3.1.1.3.4.1.11: DACL_SECURITY_INFORMATION; owner, group and SACL are neither read nor written.
DACL_ONLY: Final = 4
# A domain controller ends a connection that is idle for 900 seconds (MaxConnIdleTime, [MS-ADTS] 3.1.1.3.4.6).
IDLE: Final = 300.0
# [RFC 4511] A.2: noSuchObject.
_NO_SUCH_OBJECT: Final = "LDAP 32"
# [RFC 4511] A.2: timeLimitExceeded, unavailable, other. The server is in trouble, so its word is not enough.
_IN_DOUBT: Final = frozenset({"LDAP 3", "LDAP 52", "LDAP 80"})
_WIN32: Final = re.compile(r"([0-9A-Fa-f]{8}): ")
_LOOK: Final = "Look at the object and at the controller's event log Directory Service, then plan again."
_OTHER: Final = "Name a writable domain controller (--dc)."
_REFUSALS: Final[dict[int, tuple[str, str]]] = {
    3: ("the domain controller ran out of time", "Look at its load; the next run reads first."),
    8: ("the domain controller demands signing", "Use LDAPS without anything between that ends TLS."),
    10: ("the domain controller sends to another one (referral)", "Plan again with a controller that holds it (--dc)."),
    16: ("a value to be replaced is gone", "Plan again."),
    19: ("the domain controller does not accept the value", _LOOK),
    20: ("the value stands there already", "Plan again."),
    32: ("the object does not exist", "Plan again."),
    50: ("this account may not write it", "Have the right delegated, or apply as somebody who has it."),
    51: ("the domain controller is busy", "Wait a little, then run again."),
    52: ("the domain controller is not available", "The next run reads first; plan with another one if it stays so."),
    53: ("the domain controller is unwilling to do it", _LOOK),
    65: ("the schema does not allow it", _LOOK),
    80: ("the domain controller failed inside", _LOOK),
}  # [RFC 4511] A.2


class WritableController:
    """A session with one domain controller. `address` may be a domain: the first controller it leads to is pinned.

    `timeout` in seconds holds for each request and its whole answer. Raises TransportError, and RefusedError for a
    read-only domain controller, for what is none, and for another one than the pinned.
    """

    def __init__(
        self,
        address: str,
        credential: Credential,
        *,
        trust: Path | None,
        timeout: float,
        sent: DirectoryRecord | None = None,
    ) -> None:
        self.host = address
        self._sent = sent or NotKept()
        self._credential, self._trust, self._timeout = credential, trust, timeout
        self._here: LdapConnection | None = None
        self._pinned: bytes | None = None
        self._used = 0.0

    def begin(self) -> None:
        """Have a connection: the one there is, or a new one where it was lost or has been idle for long."""
        if self._here is not None and monotonic() - self._used > IDLE:
            self.close()
        if self._here is None:
            self._here = self._opened()
            self._used = monotonic()

    @property
    def domain(self) -> str:
        """The DN of the domain that it serves, empty where it does not say."""
        return next(iter(self._connection().root_dse.texts("defaultNamingContext")), "")

    def read(self, dn: str, attributes: Sequence[str]) -> Entry:
        """Read one object; of its descriptor the DACL alone. Raises RefusedError where it is gone or cannot be seen."""
        dacl, found = DESCRIPTOR in attributes, []
        try:
            with self._exchange() as here:
                found = here.search(
                    dn, ANYTHING, attributes=attributes, scope=BASE, descriptors=dacl, sd_flags=DACL_ONLY
                )
        except TransportError as error:
            if error.code != _NO_SUCH_OBJECT:
                raise
        if len(found) != 1:
            what = "there is no such object any more, or this account may not see it"
            do = "Look what became of it, then plan again; or give the account the right to read it."
            raise RefusedError(what, where=f"{dn} on {self.host}", why=_NO_SUCH_OBJECT, do=do)
        return found[0]

    def time(self) -> datetime | None:
        """Return the controller's clock, None where it does not tell one that can be read."""
        with self._exchange() as here:
            found = here.search("", ANYTHING, attributes=["currentTime"], scope=BASE)
        said = next((text for one in found for text in one.texts("currentTime")), "")
        try:
            return datetime.strptime(said[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)  # [MS-ADTS] 3.1.1.3.2.2
        except ValueError:
            return None

    def modify(self, dn: str, changes: Changes) -> None:
        """Send one modify. Raises WriteFailed: `code` is `LDAP n` where the server answered, else nobody knows."""
        place = f"{dn} on {self.host}"
        self._sent.modify(dn, changes, controller=self.host, dacl_only=DESCRIPTOR in changes)
        try:
            with self._exchange() as here:
                _modify(here, dn, changes)
        except TransportError as error:
            if error.code.startswith("LDAP "):
                raise _refused(error, place) from None
            what = "no answer came to a write: whether it was written is not known"
            why = ", ".join(part for part in (error.what, error.why) if part)
            do = "The next run reads it before anything else."
            raise WriteFailed(what, where=place, why=why, do=do, code=error.code, unresolved=True) from None

    def close(self) -> None:
        """End the connection; one that is gone already does not matter."""
        if self._here is not None:
            self._here.close()
        self._here = None

    def _opened(self) -> LdapConnection:
        new = connect(self.host, self._credential, trust=self._trust, timeout=self._timeout)
        try:
            controller = _writable_controller(new)
            if self._pinned is not None and controller != self._pinned:
                raise RefusedError("another domain controller answers than before", where=new.host, do="Plan again.")
        except BaseException:
            new.close()
            raise
        self.host, self._pinned = new.host, controller
        return new

    def _connection(self) -> LdapConnection:
        if self._here is None:
            raise TransportError("the connection was lost", where=self.host, do="Run again.")
        return self._here

    @contextmanager
    def _exchange(self) -> Iterator[LdapConnection]:
        """One request and its answer. Whatever breaks it off, Ctrl-C too, leaves no connection that could be in step
        no more; an answer that is a refusal does not."""
        try:
            yield self._connection()
        except BaseException as error:
            if not (isinstance(error, TransportError) and error.code.startswith("LDAP ")):
                self.close()
            raise
        self._used = monotonic()


def _writable_controller(connection: LdapConnection) -> bytes:
    """The objectGUID of the controller's nTDSDSA object. Raises RefusedError unless it says that it can be written."""
    root, host = connection.root_dse, connection.host
    capabilities, service = root.texts("supportedCapabilities"), next(iter(root.texts("dsServiceName")), "")
    if DIRECTORY_SERVICE not in capabilities or not service:
        raise RefusedError("it does not call itself a domain controller of Active Directory", where=host, do=_OTHER)
    found = connection.search(service, ANYTHING, attributes=["msDS-isRODC", "objectGUID"], scope=BASE)
    said = next((text for one in found for text in one.texts("msDS-isRODC")), "")
    if READ_ONLY in capabilities or said == "TRUE":
        raise RefusedError("it is a read-only domain controller", where=host, do=_OTHER)
    if said != "FALSE":
        what = "it does not tell this account whether it is a read-only domain controller"
        raise RefusedError(what, where=host, do=_OTHER)
    return next(iter(found[0].octets("objectGUID")), b"")


def _modify(here: LdapConnection, dn: str, changes: Changes) -> None:
    from ldap3.core.exceptions import LDAPOperationResult
    from ldap3.protocol.microsoft import security_descriptor_control

    # Critical: a server that does not know the control must not replace owner, group and SACL.
    dacl = security_descriptor_control(criticality=True, sdflags=DACL_ONLY) if DESCRIPTOR in changes else None
    try:
        here.connection.modify(dn, changes, controls=dacl)
        result: dict[str, Any] = here.connection.result  # ldap3 raises nothing for some codes, referral among them
        number, message = int(result["result"]), str(result["message"] or "")
    except LDAPOperationResult as error:
        number, message = int(error.result), str(error.message or "")
    except (LookupError, TypeError, ValueError) as error:  # how ldap3 shows that it could not decode an answer
        raise TransportError("its answer is not LDAP", where=here.host, why=type(error).__name__) from None
    except Exception as error:
        raise translate(error, where=here.host) from None
    if number:
        raise _answered(number, message, here.host)


def _answered(number: int, message: str, host: str) -> TransportError:
    """A refusal. Of the server's text only the Win32 error is kept, with which Windows begins it in every language."""
    detail = _WIN32.match(message)
    why = f"LDAP, code {number}" + (f", error 0x{detail[1].lower()}" if detail else "")
    what, do = _REFUSALS.get(number, ("the domain controller refused", _LOOK))
    return TransportError(what, where=host, why=why, do=do, code=f"LDAP {number}")


def _refused(error: TransportError, place: str) -> WriteFailed:
    """A modify is done whole or not at all ([RFC 4511] 4.6), so a refusal leaves nothing behind."""
    doubt = error.code in _IN_DOUBT
    what = f"{error.what}; {'whether it was written is not known' if doubt else 'nothing was written'}"
    return WriteFailed(what, where=place, why=error.why, do=error.do, code=error.code, unresolved=doubt)
