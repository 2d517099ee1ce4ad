"""What the Windows team sent back, held against the plan: what is done, what is not, what differs.

Nothing here reads or writes a file. A result that does not belong to the plan is refused by name; one that does, and
says something else than the plan, is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from remediate.actions.states import REVISION, UNANSWERED, before_and_after
from remediate.engine.chronology import in_order
from remediate.model.errors import RefusedError
from remediate.model.journal import Event, JournalLine
from remediate.model.places import ServicePlace
from remediate.model.plan import RESTART, Action, Plan, target_of
from remediate.model.result import RunResult, StepResult, Table

# The longest value that is shown; a descriptor is longer.
_SHOWN = 80
# Who began a run that was applied live, as its journal has it; and the service that a CA's registry values restart.
_APPLY, _CERTSVC = "apply", "CertSvc"


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where one action stands after all results so far.

    `state` is `done`, `as wanted` (found so), `undone`, `unresolved` (begun, and nothing says how it ended), `failed`
    (the target refused it), `declined`, `not as wanted` (verify.ps1 found it so) or `open`.
    """

    action: Action
    target: str
    state: str
    detail: str = ""

    @property
    def is_done(self) -> bool:
        """Whether the action is as the plan wants it."""
        return self.state in ("done", "as wanted")


def check(result: RunResult, plan: Plan, digest: str, *, where: str) -> None:
    """Raise RefusedError for a result of another plan, of a target the plan does not have, or of other steps."""
    if result.plan_id != digest:
        why = f"it belongs to plan {result.plan_id[:12]}, not to {digest[:12]}"
        raise RefusedError("the result is of another plan", where=where, why=why, do="Import it with its own plan.")
    mine = {action.id: action for action in plan.actions if target_of(action) == result.target}
    if not mine:
        do = "Ask for the file again, as the script wrote it."
        raise RefusedError(f"the plan has nothing to do on {result.target}", where=where, do=do)
    for step in result.steps:
        action = mine.get(step.id)
        if action is None or action.kind != step.kind:
            do = "Ask for the file again, as the script wrote it."
            raise RefusedError(f"step {step.id} is not one of the plan's on {result.target}", where=where, do=do)


def is_held(result: RunResult, lines: Iterable[JournalLine]) -> bool:
    """Whether the lines tell of this very record already."""
    return any(line.event == "imported" and line.detail == result.sha256 for line in lines)


def lines_for(result: RunResult, lines: Iterable[JournalLine]) -> tuple[JournalLine, ...]:
    """Return the journal lines of a result; what the lines so far tell already is not told again.

    A record holds what earlier runs of the script wrote too: a write is the same when it began at the same time.
    """
    told = {_identity(line) for line in lines}
    found = (line for step in result.steps for line in _step_lines(result, step))
    ended, follows = result.finished or result.started, result.undoes or result.follows
    imported = msgspec.structs.replace(_line(result, ended, "imported", detail=result.sha256), follows=follows)
    return (imported, *(line for line in found if _identity(line) not in told), *_ending(result))


def _identity(line: JournalLine) -> tuple[str, int, bool, str, str]:
    return line.target, line.action, line.undo, line.event, line.began or line.at


def _ending(result: RunResult) -> Iterator[JournalLine]:
    at = result.finished or result.started
    if result.exit_code == 4:
        yield _line(result, at, "failed", detail=result.message)
    elif result.exit_code in (1, 3):
        yield _line(result, at, "refused", detail=result.message)


def _step_lines(result: RunResult, step: StepResult) -> Iterator[JournalLine]:
    at = result.finished or result.started
    if step.outcome in ("begun", "changed"):
        yield _line(result, step.started or at, "begin", step=step)
    if step.outcome == "changed":
        yield _line(result, step.finished or at, "done", step=step, began=step.started or at)
    if step.outcome in ("as wanted", "declined", "not as wanted"):
        yield _line(result, at, step.outcome, step=step)


def _line(
    result: RunResult, at: str, event: Event, *, step: StepResult | None = None, began: str = "", detail: str = ""
) -> JournalLine:
    return JournalLine(
        at=at,
        event=event,
        source=f"{result.kind}.ps1",
        target=result.target,
        action=step.id if step else 0,
        began=began,
        before=step.before if step else None,
        after=step.after if step and event != "begin" else None,
        detail=step.detail if step else detail,
        by=result.account,
        undo=result.kind == "rollback",
    )


def differences(result: RunResult, plan: Plan) -> Iterator[str]:
    """Yield, for people, where a script found or left something else than the plan says: none for an honest one."""
    actions = {action.id: action for action in plan.actions}
    for step in result.steps:
        before, after = before_and_after(actions[step.id])
        if result.kind == "rollback":
            before, after = after, before
        if result.kind != "verify" and step.outcome in ("begun", "changed"):
            yield from _unlike(actions[step.id], before, step.before, when="was")
        if step.outcome in ("changed", "as wanted"):
            yield from _unlike(actions[step.id], after, step.after, when="became")


def _unlike(action: Action, planned: Table, found: Table, *, when: str) -> Iterator[str]:
    """What differs; a minor revision only has to be there, for a rollback between two changes raises it."""
    for name in sorted(planned):
        now, wanted = found.get(name), planned[name]
        alike = (now is None) == (wanted is None) if name == REVISION else now == wanted
        if not alike:
            yield f"{action.id}. {action.label}: {name} {when} {_shown(now)}, the plan says {_shown(wanted)}"


def _shown(value: str | None) -> str:
    if value is None:
        return "absent"
    return value if len(value) <= _SHOWN else f"{value[:_SHOWN]}..."


def standings(plan: Plan, lines: Iterable[JournalLine]) -> tuple[Standing, ...]:
    """Return where every action of the plan stands, by the order in which things happened, not of their import."""
    ordered = in_order(lines)
    return tuple(_standing(action, ordered) for action in plan.actions)


def owed_restarts(
    plan: Plan, lines: Iterable[JournalLine], *, elsewhere: Mapping[str, str] | None = None
) -> tuple[Action, ...]:
    """Return the restarts without which something that was written, or may have been, is not in force.

    No fact tells it: the value stands as wanted, and the service runs. A restart by hand is not known here; one by
    another run is where `elsewhere` has it: for each host when the last one began there (UTC), see `restarted`.
    """
    ordered, past = in_order(lines), elsewhere or {}
    since = {action.id: _owed_since(action, plan, ordered) for action in _restarts(plan)}
    return tuple(
        action for action in _restarts(plan) if since[action.id] and past.get(target_of(action), "") <= since[action.id]
    )


def _restarts(plan: Plan) -> Iterator[Action]:
    return (action for action in plan.actions if action.kind == RESTART)


def _owed_since(restart: Action, plan: Plan, lines: tuple[JournalLine, ...]) -> str:
    """When the last of what a restart is for was written that was not followed by it (UTC); empty for none."""
    asking = {action.id for action in plan.actions if action.restarts and target_of(action) == target_of(restart)}
    since, is_done = "", False
    earlier: dict[int, str] = {}
    for line in lines:
        if line.action == restart.id and (line.event == "done" or line.after == UNANSWERED):
            since, is_done = "", True
        elif line.action in asking:
            earlier |= {line.action: since} if line.event == "begin" else {}
            since = _asked_since(line, since, earlier=earlier.get(line.action, since), is_done=is_done)
    return since


def _asked_since(line: JournalLine, since: str, *, earlier: str, is_done: bool) -> str:
    """The same after a line of a write. `earlier` is what it was before that write began.

    A `done` of `apply` without a `begin` notes again what was written before. What it found as wanted is not known to
    be in force either, until it has restarted once.
    """
    match line.event:
        case "begin":
            return line.at
        case "done" if line.began:
            return line.at
        case "as wanted" if line.source == _APPLY and not is_done:
            return line.at
        case "failed":
            return earlier
    return since


def restarted(plan: Plan, lines: Iterable[JournalLine]) -> dict[str, str]:
    """Return for each host when the last restart began there that a run has carried out (UTC)."""
    restarts = {action.id: target_of(action) for action in _restarts(plan)}
    begun: dict[int, str] = {}
    found: dict[str, str] = {}
    for line in in_order(lines):
        if line.action in restarts and line.event == "begin":
            begun[line.action] = line.at
        elif line.action in begun and (line.event == "done" or line.after == UNANSWERED):
            found[restarts[line.action]] = begun[line.action]
    return found


def owed_text(plan: Plan, lines: Iterable[JournalLine], *, elsewhere: Mapping[str, str] | None = None) -> str:
    """Return, for people, which restarts a run owes and how they are made up for; empty when it owes none.

    `elsewhere` is as in `owed_restarts`.
    """
    owed = owed_restarts(plan, lines, elsewhere=elsewhere)
    return " ".join(owed_on(target_of(action), _service(action)) for action in owed)


def owed_on(host: str, service: str = _CERTSVC) -> str:
    """Return, for people, that a host owes a restart of a service, and how it is made up for."""
    return (
        f"A restart of {service} on {host} is owed: until then the CA goes on with the old values. An administrator of "
        f"that host makes up for it with: Restart-Service -Name {service}."
    )


def _service(action: Action) -> str:
    return action.place.name if isinstance(action.place, ServicePlace) else _CERTSVC


def _standing(action: Action, lines: Iterable[JournalLine]) -> Standing:
    state, detail = "open", ""
    for line in lines:
        if line.action == action.id:
            state = _state(state, line, restarts=action.kind == RESTART)
            detail = line.detail
    return Standing(action=action, target=target_of(action), state=state, detail=detail)


def _state(state: str, line: JournalLine, *, restarts: bool) -> str:
    """The state after a line. A service that runs says nothing of a restart; a rollback restarts too."""
    match line.event:
        case "begin":
            return "unresolved"
        case "done":
            return "undone" if line.undo and not restarts else "done"
        case "as wanted" if line.undo:
            return state if restarts else "undone"
        case "as wanted":
            return state if state == "done" or restarts else "as wanted"
        case "declined":
            return state if line.undo or state == "undone" else "declined"
        case "failed":
            return state if line.undo else "failed"
        case "not as wanted":
            return state if state in ("open", "undone", "declined") else "not as wanted"
    return state
