"""What the Windows team sent back, held against the plan: what is done, what is not, what differs.

Nothing here reads or writes a file. A result that does not belong to the plan is refused by name; one that does, and
says something else than the plan, is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from remediate.actions.states import before_and_after
from remediate.model.errors import RefusedError
from remediate.model.journal import Event, Journal, JournalLine
from remediate.model.places import DirectoryPlace
from remediate.model.plan import Action, Plan
from remediate.model.result import RunResult, StepResult, Table

DIRECTORY = "directory"
REVISION = "msPKI-Template-Minor-Revision"
_EVENTS: dict[str, tuple[Event, ...]] = {
    "changed": ("begin", "done"),
    "begun": ("begin",),
    "declined": ("declined",),
    "as wanted": ("as wanted",),
}


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where one action stands after all results so far: `done`, `as wanted`, `undone`, `unresolved`, `open`."""

    action: Action
    target: str
    state: str
    detail: str = ""


def target_of(action: Action) -> str:
    """Return the name of the folder's target that an action belongs to."""
    return DIRECTORY if isinstance(action.place, DirectoryPlace) else action.place.host.lower()


def check(result: RunResult, plan: Plan, digest: str, *, where: str) -> None:
    """Raise RefusedError for a result of another plan, of a target the plan does not have, or of other steps."""
    if result.plan_id != digest:
        raise RefusedError(f"it belongs to plan {result.plan_id[:12]}", where=where, do="Import it with its own plan.")
    mine = {action.id: action for action in plan.actions if target_of(action) == result.target}
    if not mine:
        raise RefusedError(f"the plan has nothing to do on {result.target}", where=where)
    for step in result.steps:
        action = mine.get(step.id)
        if action is None or action.kind != step.kind:
            raise RefusedError(f"step {step.id} is not one of the plan's on {result.target}", where=where)


def check_new(result: RunResult, journal: Journal, *, where: str, run: str) -> None:
    """Raise RefusedError for a result that the run already holds."""
    if any(line.event == "imported" and line.detail == result.sha256 for line in journal.lines):
        raise RefusedError(f"it was imported before, into {run}", where=where)


def lines_for(result: RunResult, journal: Journal) -> tuple[JournalLine, ...]:
    """Return the journal lines of a result; steps that an earlier import already told are not told again."""
    told = {(line.target, line.action, line.at, line.event) for line in journal.lines}
    lines = [_line(result, result.finished or result.started, "imported", detail=result.sha256)]
    lines += [line for step in result.steps for line in _step_lines(result, step)]
    return tuple(line for line in lines if (line.target, line.action, line.at, line.event) not in told)


def _step_lines(result: RunResult, step: StepResult) -> Iterator[JournalLine]:
    if result.kind == "verify":
        return
    for event in _EVENTS.get(step.outcome, ()):
        ended = event in ("done", "as wanted", "declined")
        at = (step.finished if ended else step.started) or result.finished or result.started
        yield _line(result, at, event, step=step)


def _line(result: RunResult, at: str, event: Event, *, step: StepResult | None = None, detail: str = "") -> JournalLine:
    return JournalLine(
        at=at,
        event=event,
        source=f"{result.kind}.ps1",
        target=result.target,
        action=step.id if step else 0,
        before=step.before if step else None,
        after=step.after if step and event != "begin" else None,
        detail=step.detail if step else detail,
        by=result.account,
        undo=result.kind == "rollback",
    )


def differences(result: RunResult, plan: Plan) -> Iterator[str]:
    """Yield, for people, where a script wrote something else than the plan says: none for an honest one."""
    actions = {action.id: action for action in plan.actions}
    for step in result.steps:
        if result.kind != "change" or step.outcome != "changed":
            continue
        before, after = before_and_after(actions[step.id])
        for name in sorted({*_unlike(before, step.before), *_unlike(after, step.after)}):
            yield f"{step.id}. {step.label}: {name} is not what the plan says"


def _unlike(planned: Table, found: Table) -> Iterator[str]:
    """The names that differ; a minor revision only has to be there, for a rollback between two changes raises it."""
    for name in sorted({*planned, *found} - {REVISION}):
        if planned.get(name) != found.get(name):
            yield name


def standings(plan: Plan, journal: Journal) -> tuple[Standing, ...]:
    """Return where every action of the plan stands."""
    return tuple(_standing(action, journal.lines) for action in plan.actions)


def _standing(action: Action, lines: Iterable[JournalLine]) -> Standing:
    state, detail = "open", ""
    for line in lines:
        if line.action != action.id:
            continue
        if line.event == "begin":
            state = "unresolved"
        elif line.event == "done":
            state = "undone" if line.undo and action.kind != "restart_service" else "done"
        elif line.event in ("as wanted", "declined") and state == "open":
            state = line.event
        detail = line.detail or detail
    return Standing(action=action, target=target_of(action), state=state, detail=detail)
