"""What carries out an action on one target, live: the one way in which this program writes.

A writer speaks in the same state tables as the generated scripts (actions.states). It knows no plan and keeps no
journal: the engine decides what is written, in which order, and writes down what happened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from remediate.actions.states import Table
from remediate.model.errors import ExitCode, RefusedError, RemediateError
from remediate.model.plan import Action

TURNED_AWAY = frozenset({"0x80070005", "HTTP 403"})
"""Codes of a TransportError by which a host lets this account in to nothing: then that is the right that is missing."""


LOCK_FILE = r"%ProgramData%\remediate\lock.json"
"""Where a host's lock is kept: Get-HostLockPath."""
LOCK_SECONDS = 3600
"""How long a lock holds that is not renewed: what a killed run leaves behind is dead by then."""


class Drift(RefusedError):
    """Between reading and writing somebody else was faster; nothing was written. `now` is what stood there: it may be
    what is wanted, which is then somebody else's."""

    def __init__(self, what: str, *, where: str, now: Table) -> None:
        super().__init__(what, where=where, do="Plan again.")
        self.now = now


class WriteFailed(RemediateError):
    """A write that failed. `unresolved` is true where it may have taken effect, or did and did not last: the next run
    reads the target before anything else. `now` is what stands there, None where that is not known."""

    exit_code = ExitCode.STOPPED_PART_WAY

    def __init__(
        self, what: str, *, where: str, why: str = "", do: str = "", code: str = "", unresolved: bool = False,
        now: Table | None = None,
    ) -> None:  # fmt: skip
        super().__init__(what, where=where, why=why, do=do)
        self.code, self.unresolved, self.now = code, unresolved, now


@dataclass(frozen=True, kw_only=True)
class Lease:
    """What a run locks hosts with: its name and who runs it, for people; the token that no other run has (32 to 64
    hexadecimal digits); and for how many seconds, by the host's own clock, a lock holds that is not renewed."""

    run: str
    who: str
    token: str
    seconds: int = LOCK_SECONDS


class Holder(Protocol):
    """Who holds the lock of a host."""

    @property
    def run(self) -> str:
        """The run's name."""

    @property
    def who(self) -> str:
        """Its account."""

    @property
    def until(self) -> str:
        """When the lock is dead at the latest, UTC."""


class Writer(Protocol):
    """One target: a host, or the directory's one writable domain controller. Every method raises TransportError."""

    @property
    def target(self) -> str:
        """The host's DNS name as the plan has it, or `directory`."""

    def identity(self) -> dict[str, str]:
        """Return what makes the target the right one, under the names of TargetIdentity.identity."""

    def read(self, action: Action) -> Table:
        """Return what stands at the action's place now, under the names of `before_and_after(action)`."""

    def lacks(self, action: Action) -> str:
        """Return the right that the present account lacks for this action, empty when it has all; writes nothing."""

    def write(self, action: Action, *, before: Table, after: Table) -> str:
        """Compare with `before`, write `after`, read back; return a remark, mostly empty.

        Raises Drift when something else stands there, `after` already too; WriteFailed when the target refuses or does
        not answer.
        """

    def lock(self, lease: Lease) -> Holder | None:
        """Take the target's lock; return who holds it when it is taken, None when it is ours.

        Raises RefusedError where what stands there is no lock.
        """

    def renew(self, lease: Lease) -> str:
        """Let the lock hold for its whole time again; return why the target is not this run's any more, else nothing.

        Raises RefusedError where what stands there is no lock.
        """

    def holder(self, *, token: str) -> Holder | None:
        """Return the other run that holds the target's lock, None where it is free or this token's, which is empty for
        who has none. Takes nothing.

        Raises RefusedError where what stands there is no lock.
        """

    def unlock(self, *, token: str) -> None:
        """Give the lock back; another run's stays."""

    def close(self) -> None:
        """End the connection."""
