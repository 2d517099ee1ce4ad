"""Before the window: is every target the plan's, does every value stand as approved, is every right there.

Nothing is written and nothing raises for what a target answers: all of it is told, not only the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from remediate.actions.writing import Writer
from remediate.engine.admission import check_identities
from remediate.engine.applying import Step, read_steps
from remediate.engine.returned import target_of
from remediate.model.errors import ExitCode, RefusedError, RemediateError, TransportError
from remediate.model.journal import JournalLine
from remediate.model.plan import Action, Plan

UNREAD = "not read"


class TargetCheck(msgspec.Struct, frozen=True, kw_only=True):
    """A target: `state` is `the plan's`, `another` or `not read`; `detail` says why."""

    name: str
    state: str
    detail: str = ""


class ActionCheck(msgspec.Struct, frozen=True, kw_only=True):
    """An action: what stands there (`as approved`, `as wanted`, `drifted`, `not read`, or
    `refused` where the place is another one), and the right that the present account `lacks`: empty when none, None
    when that cannot be told."""

    action: Action
    verdict: str
    lacks: str | None
    detail: str = ""
    step: Step | None = None


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `apply` would ask before it writes."""

    targets: tuple[TargetCheck, ...]
    actions: tuple[ActionCheck, ...]

    @property
    def drifted(self) -> tuple[Step, ...]:
        """The steps whose values are no longer as approved."""
        return tuple(one.step for one in self.actions if one.step and one.verdict == "drifted")

    @property
    def exit_code(self) -> ExitCode:
        """3 when `apply` would refuse, else 1 when something could not be read, else 0."""
        lacking = any(one.lacks or one.verdict == "refused" for one in self.actions)
        if lacking or self.drifted or any(one.state == "another" for one in self.targets):
            return ExitCode.REFUSED
        unread = any(one.verdict == UNREAD or one.lacks is None for one in self.actions)
        return ExitCode.ERROR if unread or any(one.state == UNREAD for one in self.targets) else ExitCode.NOTHING_TO_DO


def check_all(plan: Plan, writers: Mapping[str, Writer], earlier: Iterable[JournalLine] = ()) -> Check:
    """Ask every target who it is, what stands there, and what the account may do. `earlier` is a broken-off run's."""
    lines = tuple(earlier)
    targets = tuple(_target(plan, name, writer) for name, writer in writers.items())
    return Check(targets=targets, actions=tuple(_actions(plan, writers, lines)))


def _target(plan: Plan, name: str, writer: Writer) -> TargetCheck:
    try:
        check_identities(plan, {name: writer})
    except RefusedError as error:
        return TargetCheck(name=name, state="another", detail=_why(error))
    except TransportError as error:
        return TargetCheck(name=name, state=UNREAD, detail=_why(error))
    return TargetCheck(name=name, state="the plan's")


def _actions(plan: Plan, writers: Mapping[str, Writer], lines: tuple[JournalLine, ...]) -> Iterator[ActionCheck]:
    for action in plan.actions:
        writer = writers[target_of(action)]
        lacks, why = _lacks(action, writer)
        try:
            (step,) = read_steps(msgspec.structs.replace(plan, actions=(action,)), writers, lines)
        except RemediateError as error:
            verdict = "refused" if isinstance(error, RefusedError) else UNREAD
            yield ActionCheck(action=action, verdict=verdict, lacks=lacks, detail=why or _why(error))
        else:
            yield ActionCheck(action=action, verdict=step.verdict, lacks=lacks, detail=why, step=step)


def _lacks(action: Action, writer: Writer) -> tuple[str | None, str]:
    try:
        return writer.lacks(action), ""
    except TransportError as error:
        return None, _why(error)


def _why(error: RemediateError) -> str:
    return f"{error.what} ({error.why})" if error.why else error.what
