"""A target in memory: it stands in for hosts and directories where the order of things is tested, not the wire.

The lab proves the real writers; here every point at which a run can break off is tried, hundreds of times a second.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from remediate.actions.states import Table, before_and_after
from remediate.actions.writing import Drift, Holder, Lease, WriteFailed
from remediate.model.errors import TransportError
from remediate.model.plan import Action


class Killed(BaseException):
    """The process ends here, as by SIGKILL: nothing of ours may catch it."""


@dataclass
class Held:
    run: str
    who: str
    until: str
    token: str = "another"


@dataclass
class Memory:
    """`world` maps an action's number to its table; `breaks` is called at every point with its name."""

    target: str
    world: dict[int, Table]
    breaks: Callable[[str], None] = lambda _point: None
    who_is_it: dict[str, str] = field(default_factory=lambda: {"MachineGuid": "g"})
    missing: str = ""
    held: Held | None = None
    writes: list[int] = field(default_factory=list)
    restarts: int = 0
    renewals: int = 0

    @classmethod
    def before(cls, target: str, actions: tuple[Action, ...]) -> Memory:
        return cls(target, {action.id: before_and_after(action)[0] for action in actions})

    def identity(self) -> dict[str, str]:
        return self.who_is_it

    def read(self, action: Action) -> Table:
        return dict(self.world[action.id])

    def lacks(self, action: Action) -> str:
        del action
        return self.missing

    def write(self, action: Action, *, before: Table, after: Table) -> str:
        self.breaks("before the write")
        if self.world[action.id] != before:
            raise Drift("somebody was faster", where=self.target, now=self.world[action.id])
        self.world[action.id] = dict(after)
        self.writes.append(action.id)
        self.restarts += action.kind == "restart_service"
        self.breaks("after the write")
        return ""

    def lock(self, lease: Lease) -> Holder | None:
        if self.held and self.held.token != lease.token:
            return self.held
        self.held = Held(lease.run, lease.who, f"in {lease.seconds} seconds", lease.token)
        return None

    def renew(self, lease: Lease) -> str:
        self.renewals += 1
        other = self.lock(lease)
        return f"another run has taken this host over: {other.run}" if other else ""

    def holder(self, *, token: str) -> Holder | None:
        return self.held if self.held and self.held.token != token else None

    def unlock(self, *, token: str) -> None:
        if self.held and self.held.token == token:
            self.held = None

    def close(self) -> None:
        """Nothing is open."""


def fails(error: Exception) -> Callable[[str], None]:
    """A break that raises before the first write."""

    def at(point: str) -> None:
        if point == "before the write":
            raise error

    return at


def lost() -> TransportError:
    return TransportError("the connection was lost", where="host1")


def refused(*, unresolved: bool) -> WriteFailed:
    return WriteFailed("the host refused", where="host1", unresolved=unresolved)
