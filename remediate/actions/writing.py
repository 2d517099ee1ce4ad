"""What carries out an action on one target, live: the one way in which this program writes.

A writer speaks in the same state tables as the generated scripts (actions.states). It knows no plan and keeps no
journal: the engine decides what is written, in which order, and writes down what happened.
"""

from __future__ import annotations

from typing import Protocol

from remediate.actions.states import Table
from remediate.model.errors import ExitCode, RefusedError, RemediateError
from remediate.model.plan import Action

TURNED_AWAY = frozenset({"0x80070005", "HTTP 403"})
"""Codes of a TransportError by which a host lets this account in to nothing: then that is the right that is missing."""


class Drift(RefusedError):
    """Between reading and writing somebody else was faster; nothing was written. `now` is what stood there."""

    def __init__(self, what: str, *, where: str, now: Table) -> None:
        super().__init__(what, where=where, do="Plan again.")
        self.now = now


class WriteFailed(RemediateError):
    """A write that failed. `unresolved` is true where it may have taken effect, or did and did not last: the next run
    reads the target before anything else."""

    exit_code = ExitCode.STOPPED_PART_WAY

    def __init__(
        self, what: str, *, where: str, why: str = "", do: str = "", code: str = "", unresolved: bool = False
    ) -> None:
        super().__init__(what, where=where, why=why, do=do)
        self.code, self.unresolved = code, unresolved


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

        Raises Drift when something else stands there, WriteFailed when the target refuses or does not answer.
        """

    def lock(self, *, run: str, who: str, until: str) -> Holder | None:
        """Take the target's lock until a time (UTC); return who holds it when it is taken, None when it is ours."""

    def unlock(self, *, run: str) -> None:
        """Give the lock back; another run's stays."""

    def close(self) -> None:
        """End the connection."""
