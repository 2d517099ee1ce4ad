"""Before the window: when, is every target the plan's, does every value stand as approved, is every right there.

Nothing is written and nothing raises for what a target answers: all of it is told, not only the first.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from datetime import datetime

import msgspec

from remediate.actions.writing import Writer
from remediate.engine.admission import check_identities
from remediate.engine.applying import Step, read_steps
from remediate.engine.host_locks import others_at_work
from remediate.engine.schedule import Condition, controllers_clock, time_there
from remediate.engine.side_by_side import by_target
from remediate.model.errors import ExitCode, RefusedError, RemediateError, TransportError
from remediate.model.journal import JournalLine
from remediate.model.plan import DIRECTORY, Action, Plan, target_of

UNREAD = "not read"


class TargetCheck(msgspec.Struct, frozen=True, kw_only=True):
    """A target: `state` is `the plan's`, `another` or `not read`; `detail` says why."""

    name: str
    state: str
    detail: str = ""


class ActionCheck(msgspec.Struct, frozen=True, kw_only=True):
    """An action: what stands there (`as approved`, `as wanted`, `drifted`, `not read` where that is unknown, or
    `refused` where it was read and the place is another one), and the right that the present account `lacks`: empty
    when none, None when that cannot be told. `why_unread` and `why_untold` say why."""

    action: Action
    verdict: str
    lacks: str | None
    why_unread: str = ""
    why_untold: str = ""
    step: Step | None = None


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `apply` would ask before it writes; `schedule` is when the plan may be applied."""

    targets: tuple[TargetCheck, ...]
    actions: tuple[ActionCheck, ...]
    schedule: tuple[Condition, ...] = ()

    @property
    def drifted(self) -> tuple[Step, ...]:
        """The steps whose values are no longer as approved."""
        return tuple(one.step for one in self.actions if one.step and one.verdict == "drifted")

    @property
    def exit_code(self) -> ExitCode:
        """3 when `apply` would refuse, else 1 when something could not be read, else 0. A window that opens later
        refuses nothing: before it is when this is asked."""
        lacking = any(one.lacks or one.verdict == "refused" for one in self.actions)
        refused = any(one.state == "refused" for one in self.schedule)
        if refused or lacking or self.drifted or any(one.state == "another" for one in self.targets):
            return ExitCode.REFUSED
        unread = any(one.verdict == UNREAD or one.lacks is None for one in self.actions)
        return ExitCode.ERROR if unread or any(one.state == UNREAD for one in self.targets) else ExitCode.NOTHING_TO_DO


def check_all(
    plan: Plan,
    writers: Mapping[str, Writer],
    earlier: Iterable[JournalLine] = (),
    *,
    logon_refused: Container[str] = (),
) -> Check:
    """Ask every target who it is, what stands there, and what the account may do. `earlier` is a broken-off run's.

    `logon_refused` are the codes by which a target refuses the account itself. After one of these nothing is asked any
    more: many targets would be as many attempts, and lock the account.
    """
    lines, account = tuple(earlier), _Account(logon_refused)
    targets = by_target(writers, str, lambda name: _target(plan, name, writers[name], account))
    if account.refused_by:
        return Check(targets=targets, actions=tuple(_unasked(action, account) for action in plan.actions))
    actions = by_target(plan.actions, target_of, lambda action: _action(plan, action, writers, lines))
    return Check(targets=targets, actions=actions)


def with_clock(check: Check, plan: Plan, writers: Mapping[str, Writer], *, now: datetime) -> Check:
    """Return a check with what the domain controller's clock says to the schedule, where the plan's directory was
    found; without it where it does not tell."""
    found = any(one.name == DIRECTORY and one.state == "the plan's" for one in check.targets)
    try:
        there = time_there(writers) if found else None
    except RemediateError:
        there = None
    if there is None:
        return check
    clock = controllers_clock(plan, now=now, there=there)
    return msgspec.structs.replace(check, schedule=(*check.schedule, clock))


def with_locks(check: Check, writers: Mapping[str, Writer], earlier: Iterable[JournalLine]) -> Check:
    """Return a check with who else is at work on the plan's targets, for its schedule; the broken-off run whose lines
    `earlier` are is no other."""
    names = tuple(one.name for one in check.targets if one.state == "the plan's")
    token = next((line.token for line in earlier if line.token), "")
    others = others_at_work(writers, names, token=token)
    return msgspec.structs.replace(check, schedule=(*check.schedule, *others))


class _Account:
    """Whether a target has refused the account, and which."""

    def __init__(self, codes: Container[str]) -> None:
        self._codes, self.refused_by = codes, ""

    def heard(self, error: RemediateError, name: str) -> None:
        if isinstance(error, TransportError) and error.code in self._codes:
            self.refused_by = name

    @property
    def told(self) -> str:
        return f"not asked: {self.refused_by} refused the account"


def _target(plan: Plan, name: str, writer: Writer, account: _Account) -> TargetCheck:
    if account.refused_by:
        return TargetCheck(name=name, state=UNREAD, detail=account.told)
    try:
        check_identities(plan, {name: writer})
    except RefusedError as error:
        return TargetCheck(name=name, state="another", detail=error.in_short)
    except RemediateError as error:
        account.heard(error, name)
        return TargetCheck(name=name, state=UNREAD, detail=error.in_short)
    return TargetCheck(name=name, state="the plan's")


def _unasked(action: Action, account: _Account) -> ActionCheck:
    return ActionCheck(action=action, verdict=UNREAD, lacks=None, why_unread=account.told, why_untold=account.told)


def _action(plan: Plan, action: Action, writers: Mapping[str, Writer], lines: tuple[JournalLine, ...]) -> ActionCheck:
    lacks, untold = _lacks(action, writers[target_of(action)])
    try:
        (step,) = read_steps(msgspec.structs.replace(plan, actions=(action,)), writers, lines)
    except RemediateError as error:
        verdict = "refused" if isinstance(error, RefusedError) else UNREAD
        return ActionCheck(action=action, verdict=verdict, lacks=lacks, why_unread=error.in_short, why_untold=untold)
    return ActionCheck(action=action, verdict=step.verdict, lacks=lacks, why_untold=untold, step=step)


def _lacks(action: Action, writer: Writer) -> tuple[str | None, str]:
    try:
        return writer.lacks(action), ""
    except RemediateError as error:
        return None, error.in_short
