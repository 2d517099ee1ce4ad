"""What changes a host over WinRM: our own PowerShell functions, called by name with parameters, never as pasted text.

They are the functions of the generated scripts. An ordinary endpoint is given their text once in a session; a JEA
endpoint has them already and takes nothing but their names and parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from remediate.actions.rights import ADMINISTRATOR, service_control
from remediate.actions.states import UNANSWERED, Table, before_and_after, holds
from remediate.actions.writing import LOCK_FILE, TURNED_AWAY, Drift, Lease, WriteFailed
from remediate.model.errors import RefusedError, TransportError
from remediate.model.places import (
    ExclusionPlace,
    PendingRequestPlace,
    PolicyServerPlace,
    RegistryPlace,
    ServicePlace,
)
from remediate.model.plan import RESTART, Action
from remediate.transports.credentials import Credential
from remediate.transports.sending import HostRecord
from remediate.transports.winrm_session import ENDPOINT, AnswerLost, CommandFailed, HostSession, Parameters

FUNCTIONS: Final = (
    "Get-HostIdentity", "Confirm-Administrator", "Test-ServiceControl", "Get-HostLock", "Lock-Host", "Unlock-Host",
    "Get-CaRegistryValue", "Set-CaRegistryValue",
    "Get-CertSvcState", "Restart-CertSvc", "Start-CertSvc", "Stop-CertSvc",
    "Get-EnrollmentPolicyServerState", "Add-EnrollmentPolicyServer", "Remove-EnrollmentPolicyServer",
    "Get-DefenderExclusion", "Add-DefenderExclusion", "Remove-DefenderExclusion",
    "Get-PendingRequestState", "Submit-PendingRequest",
)  # fmt: skip
"""The functions of scripts/lib that are called: the library that is passed in holds them and what they call."""

DRIFTED: Final = frozenset({"RemediateDrift", "RemediateRefused"})
ANSWERED: Final = frozenset({"RemediateFailed", "RemediateNotAsWritten"})
NO_ANSWER: Final = "RemediateNoAnswer"
"""Identities of New-StateError: nothing was written; a write was answered, and failed; a service was started, runs, and
has not answered yet."""
_OURS: Final = DRIFTED | ANSWERED | {NO_ANSWER}
_NEVER_RAN: Final = frozenset({
    "CommandNotFoundException", "ScriptsNotAllowed", "NamedParameterNotFound", "ParameterArgumentValidationError",
    "ParameterArgumentTransformationError", "ParameterArgumentValidationErrorNullNotAllowed",
    "CannotConvertArgumentNoMessage",
})  # fmt: skip
"""Identities by which PowerShell refuses a command before it begins."""


@dataclass(frozen=True)
class HostHolder:
    """Who holds, or held, the lock of a host; `until` is a UTC time as 2026-11-29T10:00:00Z."""

    run: str
    who: str
    until: str


class HostWriter:
    """A `Writer` for one host over one session, which its first call opens. Not for several threads.

    `library` is the text of FUNCTIONS; with `configuration_name` the endpoint of that name has them, and it is not
    sent. `deadline` is for each call, in seconds; `service_deadline` for one that stops or starts a service, of which
    the host waits half for the service to answer: a CA with a large database takes minutes to come back. `sent` is
    told everything before it is sent; what it cannot keep, a DocumentError, is not sent, but for giving the lock back.
    """

    def __init__(
        self,
        host: str,
        credential: Credential,
        *,
        library: str,
        configuration_name: str = "",
        trust: Path | None = None,
        tls: bool = False,
        deadline: float = 60.0,
        service_deadline: float = 300.0,
        sent: HostRecord | None = None,
    ) -> None:
        self._host, self._deadline, self._service_deadline = host, deadline, service_deadline
        self.taken_over: HostHolder | None = None
        """Whose dead lock the last `lock` took over."""
        self._session = HostSession(
            host, credential, library="" if configuration_name else library, trust=trust, tls=tls,
            endpoint=configuration_name or ENDPOINT, sent=sent,
        )  # fmt: skip

    @property
    def target(self) -> str:
        """The host, as the plan names it."""
        return self._host

    def close(self) -> None:
        """End the session."""
        self._session.close()

    def identity(self) -> dict[str, str]:
        """Return ComputerName, MachineGuid, and certificate_thumbprint of a CA host. Raises TransportError."""
        found = self._ask("Get-HostIdentity", {})
        return {name: value for name, value in found.items() if value}

    def read(self, action: Action) -> Table:
        """Return what stands at the action's place. Raises TransportError."""
        return self._ask(*_reading(action))

    def lacks(self, action: Action) -> str:
        """Return the right that the account lacks on this host, or nothing. Raises TransportError."""
        try:
            self._call("Confirm-Administrator", {})
        except CommandFailed as error:
            if error.identity not in DRIFTED:
                raise self._unreadable(error) from None
            return ADMINISTRATOR
        except TransportError as error:
            if error.code not in TURNED_AWAY:
                raise
            return f"a session on the host over WinRM ({error.why})"
        return self._lacking_service(action.place.name) if isinstance(action.place, ServicePlace) else ""

    def _lacking_service(self, name: str) -> str:
        may = self._ask("Test-ServiceControl", {"Name": name}).get("Control")
        return "" if may else service_control(name)

    def write(self, action: Action, *, before: Table, after: Table) -> str:
        """Compare with `before`, write `after`, read back; return a remark, mostly empty.

        Raises Drift, WriteFailed, and TransportError when nothing was sent that could write.
        """
        if isinstance(action.place, RegistryPlace):
            parameters = {"CertutilName": action.place.certutil_name, "Before": before, "After": after}
            calls = [("Set-CaRegistryValue", _registry(action.place) | parameters)]
            return self._written(action, calls, before=before, after=after)
        now = self.read(action)
        if action.kind != RESTART and holds(now, after):
            raise self._as_wanted(action, after)
        if not holds(now, before):
            raise Drift("it is no longer as approved", where=self._where(action), now=now)
        return self._written(action, _writing(action, now, after), before=before, after=after)

    def _as_wanted(self, action: Action, after: Table) -> Drift:
        return Drift("it is as wanted already, by somebody else", where=self._where(action), now=dict(after))

    def _written(self, action: Action, calls: Sequence[tuple[str, Parameters]], *, before: Table, after: Table) -> str:
        """Make the calls that write one action. Raises Drift, also where they had nothing to do any more."""
        outputs: list[list[Any]] = []
        for command, parameters in calls:
            try:
                outputs.append(self._change(action, command, parameters))
            except CommandFailed as error:
                raise self._refusal(action, error, before=before, partly=bool(outputs)) from None
        if all(output[-1:] == [False] for output in outputs):
            raise self._as_wanted(action, after)
        return "; ".join(filter(None, map(_remark, outputs)))

    def _change(self, action: Action, command: str, parameters: Parameters) -> list[Any]:
        """Call what writes. Raises CommandFailed, TransportError, and WriteFailed where the answer was lost."""
        service = isinstance(action.place, ServicePlace)
        deadline = self._service_deadline if service else self._deadline
        timed = {"TimeoutSeconds": max(1, int(deadline / 2))} if service else {}
        try:
            return self._session.call(command, {**parameters, **timed, "Confirm": False}, deadline=deadline)
        except AnswerLost as error:
            raise WriteFailed(
                f"{error.what} while it was writing", where=self._where(action), why=error.why, code=error.code,
                do="Whether it was written is not known: read what stands there first.", unresolved=True,
            ) from None  # fmt: skip

    def _refusal(self, action: Action, error: CommandFailed, *, before: Table, partly: bool) -> Drift | WriteFailed:
        """What a command that failed means. One that was answered has written nothing only where it reads as before."""
        never, answered = error.identity in _NEVER_RAN, error.identity in ANSWERED
        now = {} if never else self._now(action)
        if error.identity in DRIFTED and not partly:
            return Drift(_sentence(error), where=self._where(action), now=now)
        return WriteFailed(
            _sentence(error), where=self._where(action), why=f"PowerShell: {error.identity}", code=error.identity,
            do="Use an endpoint that has our functions." if never else "Look at what stands there now.",
            unresolved=partly or (not never and not (answered and holds(now, before))),
            now=UNANSWERED if error.identity == NO_ANSWER else now or None,
        )  # fmt: skip

    def _now(self, action: Action) -> Table:
        """What stands there now, for somebody who was refused; nothing where that cannot be read either."""
        try:
            return self.read(action)
        except TransportError:
            return {}

    def lock(self, lease: Lease) -> HostHolder | None:
        """Take the host's lock, or keep it when it is ours; return who holds it, None when it is ours.

        A lock past its time is taken over, and `taken_over` says whose it was. Raises TransportError, and RefusedError
        where what stands there is no lock.
        """
        outcome, other = self._locked(lease)
        self.taken_over = other if outcome == "taken over" else None
        return None if outcome in ("taken", "renewed", "taken over") else other

    def renew(self, lease: Lease) -> str:
        """Let the lock hold for its whole time again; return why the host is not this run's any more, else nothing.

        One that died is ours all the same while nobody else has taken it. Raises what `lock` raises.
        """
        outcome, other = self._locked(lease)
        if outcome == "renewed":
            return ""
        if outcome == "taken":
            return f"{LOCK_FILE}, the lock of this run, was taken away there"
        return f"another run has taken this host over: {other.run} by {other.who}, until {other.until}"

    def holder(self, *, token: str) -> HostHolder | None:
        """Return the other run that holds the host's lock, by the host's clock; `token` is empty for who has none.

        Raises what `lock` raises.
        """
        found = self._ask_of_lock("Get-HostLock", {})
        is_ours = token and found.get("Token") == token  # a lock without a token is another's
        return _holder(found) if found.get("Live") and not is_ours else None

    def _locked(self, lease: Lease) -> tuple[str, HostHolder]:
        named = {"Run": lease.run, "Who": lease.who, "Token": lease.token, "Seconds": lease.seconds}
        found = self._ask_of_lock("Lock-Host", {**named, "Confirm": False})
        return found.get("Outcome") or "", _holder(found)

    def _ask_of_lock(self, command: str, parameters: Parameters) -> Table:
        try:
            return self._ask(command, parameters)
        except TransportError as error:
            if error.code not in DRIFTED:
                raise
            raise RefusedError(error.what, where=error.where, do="Look into it on the host.") from None

    def unlock(self, *, token: str) -> None:
        """Give the lock back, also where that cannot be kept; another run's stays. Raises TransportError."""
        parameters = {"Token": token, "Confirm": False}
        try:
            self._session.call("Unlock-Host", parameters, deadline=self._deadline, harmless=True)
        except CommandFailed as error:
            raise self._unreadable(error) from None

    def _ask(self, command: str, parameters: Parameters) -> Table:
        """The one table that a command gives. Raises TransportError."""
        try:
            output = self._call(command, parameters)
        except CommandFailed as error:
            raise self._unreadable(error) from None
        if len(output) == 1 and isinstance(output[0], dict):
            return {str(name): None if value is None else str(value) for name, value in output[0].items()}
        raise TransportError(
            f"{command} gave {len(output)} values in place of one table", where=self._host,
            do="Look for a profile or module on the host that writes output.",
        )  # fmt: skip

    def _call(self, command: str, parameters: Parameters) -> list[Any]:
        return self._session.call(command, parameters, deadline=self._deadline)

    def _unreadable(self, error: CommandFailed) -> TransportError:
        do = (
            "Use an endpoint that has our functions."
            if error.identity in _NEVER_RAN
            else "Look at the host, then run again."
        )
        why = f"PowerShell: {error.identity}"
        return TransportError(_sentence(error), where=self._host, why=why, do=do, code=error.identity)

    def _where(self, action: Action) -> str:
        return f"{self._host}, {action.label}"


def _holder(found: Table) -> HostHolder:
    return HostHolder(*(found.get(name) or "" for name in ("Run", "Who", "Until")))


def _sentence(error: CommandFailed) -> str:
    """Our functions' own words; those of Windows are in its language, and the identity has to do."""
    if error.identity in _OURS:
        return " ".join(error.message.split()).rstrip(".")
    return "a command failed there"


def _registry(place: RegistryPlace) -> dict[str, object]:
    return {"Key": place.key.replace("HKLM\\", "HKLM:\\", 1), "Name": place.name}


def _reading(action: Action) -> tuple[str, Parameters]:
    """The command that reads an action's place."""
    match action.place:
        case RegistryPlace() as place:
            return "Get-CaRegistryValue", _registry(place)
        case ServicePlace(name="CertSvc"):
            return "Get-CertSvcState", {}
        case PolicyServerPlace(url=url):
            return "Get-EnrollmentPolicyServerState", {"Url": url}
        case ExclusionPlace():
            return "Get-DefenderExclusion", {"Path": list(before_and_after(action)[1])}
        case PendingRequestPlace(request_id=number):
            return "Get-PendingRequestState", {"RequestId": number}
    raise ValueError(f"action {action.id}: {action.kind} is not written on a host")


def _writing(action: Action, now: Table, after: Table) -> list[tuple[str, Parameters]]:
    """The commands that write, in their order; a registry value has its own way, in one command with its compare."""
    match action.place:
        case ServicePlace():
            return [(_service_command(action.kind, now, after), {})]
        case PolicyServerPlace(url=url):
            return [(f"{'Add' if after['Url'] else 'Remove'}-EnrollmentPolicyServer", {"Url": url})]
        case ExclusionPlace():
            added = sorted(path for path in after if after[path] and not now[path])
            taken = sorted(path for path in after if now[path] and not after[path])
            calls = (("Add-DefenderExclusion", added), ("Remove-DefenderExclusion", taken))
            return [(command, {"Path": paths}) for command, paths in calls if paths]
        case PendingRequestPlace(request_id=number) if not after["Disposition"]:
            return [("Submit-PendingRequest", {"RequestId": number})]
    raise ValueError(f"action {action.id}: there is no command that does this")


def _service_command(kind: str, now: Table, after: Table) -> str:
    if kind == RESTART and now["State"] == "Running":
        return "Restart-CertSvc"
    return "Start-CertSvc" if after["State"] == "Running" else "Stop-CertSvc"


def _remark(output: list[Any]) -> str:
    """How a service came back, or what became of a request; other functions return nothing."""
    if len(output) != 1 or not isinstance(output[0], dict):
        return ""
    found = output[0]
    if "Seconds" in found:
        answer = f"; it answers {found['Answer']}" if found.get("Answer") else ""
        return f"{found['State']} after {found['Seconds']} s{answer}"
    return str(found.get("Disposition") or "")
