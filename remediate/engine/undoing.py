"""A rollback is a plan of its own, made from the journal of a run: newest first, from the values it captured.

It has a diff, a digest to approve and a staleness check like every other. It undoes what the run changed, or may have
changed, not what it found as wanted; a value that was absent becomes absent again; a template's minor revision only
ever rises. It is as old as the moment in which it is made, not as the run.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from remediate import __version__
from remediate.actions.states import DESCRIPTOR, EXCLUDED, PUBLISHED, REVISION, Table, before_and_after
from remediate.engine.chronology import in_order
from remediate.model.errors import RefusedError
from remediate.model.finding import NotPlanned
from remediate.model.journal import JournalLine
from remediate.model.places import Place
from remediate.model.plan import (
    PLAN_FORMAT,
    RESTART,
    Action,
    ExclusionState,
    Plan,
    PolicyServerState,
    PublishedState,
    RegistryState,
    ServiceState,
    State,
    TemplateState,
    target_of,
)
from remediate.model.utc import utc_text

UNDO_DAYS = 7
_VERIFY = "verify.ps1"
_FINDS_OUT = "The rollback finds out: where it stands as before the run, nothing is written."
_PARTLY = "Only a part of the plan was carried out; who can obtain what is told as if all of it were undone."


class _Written(NamedTuple):
    """What a run wrote: the values before and after. `known` is false where nobody can tell whether it was written."""

    before: Table
    after: Table
    known: bool = True


def undo_plan(plan: Plan, lines: Iterable[JournalLine], *, run: str, now: datetime) -> Plan:
    """Return the plan that undoes a run. Raises RefusedError when there is nothing of it to undo.

    What was begun and never ended is undone too: where it was not written, what stands there is what is wanted.
    """
    written = _written(plan, lines)
    undoable = _undoable(plan, written)
    if not undoable:
        raise RefusedError("nothing of it is left to undo", where=run)
    return Plan(
        format_version=PLAN_FORMAT,
        remediate=__version__,
        playbooks=plan.playbooks,
        options=_options(plan, run),
        created=utc_text(now),
        expires_at=utc_text(now + timedelta(days=UNDO_DAYS)),
        complete=True,
        heading=(f"rollback of run {run}", *plan.heading),
        targets=plan.targets,
        actions=_steps(plan, undoable, written),
        not_planned=tuple(
            NotPlanned(finding=f"{action.id}. {action.label}", why=action.undo_missing)
            for action in undoable
            if action.undo_missing
        ),
        gained=plan.lost,
        lost=plan.gained,
        notes=tuple(_notes(plan, undoable, written)),
    )


def still_undoes(back: Plan, plan: Plan, lines: Iterable[JournalLine]) -> bool:
    """Whether a rollback takes back what its run, with this plan and these lines, has written by now: not less, because
    the run was gone on with since, and not what was taken back already."""
    written = _written(plan, lines)
    steps = _steps(plan, _undoable(plan, written), written)
    return list(map(_change, steps)) == list(map(_change, back.actions))


def _change(action: Action) -> tuple[str, Place, State, State]:
    return target_of(action), action.place, action.before, action.after


def is_undoable(plan: Plan, lines: Iterable[JournalLine]) -> bool:
    """Whether a run with this plan and these lines has left something to undo."""
    return bool(_written(plan, lines))


def _undoable(plan: Plan, written: dict[int, _Written]) -> list[Action]:
    return [action for action in reversed(plan.actions) if action.id in written]


def _steps(plan: Plan, undoable: list[Action], written: dict[int, _Written]) -> tuple[Action, ...]:
    steps = [_undo(action, written[action.id]) for action in undoable if not action.undo_missing]
    steps += [_restart(action) for action in plan.actions if _restarts(action, undoable)]
    numbered = [msgspec.structs.replace(step, id=number) for number, step in enumerate(steps, start=1)]
    return tuple(msgspec.structs.replace(step, depends_on=_needs(step, numbered)) for step in numbered)


def _options(plan: Plan, run: str) -> dict[str, Any]:
    """Of which run it is the rollback; and whether that one was a rollback, so that it brings nothing back."""
    undoes_rollback = "rollback_of" in plan.options and not plan.options.get("undoes_rollback")
    return {"rollback_of": run} | ({"undoes_rollback": True} if undoes_rollback else {})


def _notes(plan: Plan, undoable: list[Action], written: dict[int, _Written]) -> Iterator[str]:
    restarts = {action.id for action in plan.actions if action.kind == RESTART}
    if any(action.id not in restarts and action.id not in written for action in plan.actions):
        yield _PARTLY
    for action in undoable:
        if not written[action.id].known and not action.undo_missing:
            yield f"It is not known whether the run wrote {action.label} ({target_of(action)}). {_FINDS_OUT}"


def _written(plan: Plan, lines: Iterable[JournalLine]) -> dict[int, _Written]:
    """What the run wrote, or may have written, of every action that was not undone since; restarts are not among it."""
    planned = {action.id: before_and_after(action) for action in plan.actions if action.kind != RESTART}
    found: dict[int, _Written] = {}
    earlier: dict[int, _Written] = {}
    for line in in_order(lines):
        if line.action in planned:
            if line.event == "begin":
                earlier = _with(earlier, line.action, found.get(line.action))
            after = _after(line, found.get(line.action), earlier.get(line.action), planned[line.action])
            found = _with(found, line.action, after)
    return found


def _after(
    line: JournalLine, written: _Written | None, earlier: _Written | None, planned: tuple[Table, Table]
) -> _Written | None:
    """What an action has written after a line; `earlier` is what it had before it was last begun.

    A write that the target refused leaves that. A verification does not know who wrote what it found as wanted.
    """
    before, after = line.before or planned[0], line.after or planned[1]
    match line.event:
        case "begin" if not line.undo:
            return _Written(before, planned[1], known=False)
        case "done":
            return None if line.undo else _Written(before, after)
        case "failed" if not line.undo:
            return earlier
        case "as wanted" if line.undo:
            return None
        case "as wanted" if line.source != _VERIFY and written and not written.known:
            return None
    return written


def _with(found: dict[int, _Written], number: int, one: _Written | None) -> dict[int, _Written]:
    rest = {key: value for key, value in found.items() if key != number}
    return rest | ({number: one} if one else {})


def _undo(action: Action, written: _Written) -> Action:
    before, after = dict(written.after), dict(written.before)
    if REVISION in before and REVISION in after:
        after[REVISION] = str(int(before[REVISION] or 0) + 1)
    return msgspec.structs.replace(
        action,
        label=f"undo: {action.label}",
        before=_state(action.before, before),
        after=_state(action.after, after),
        diff=tuple(_undone(action.diff) if _signed(action.diff) else _diff(before, after)),
        because=(),
        depends_on=(),
        command="",
        undo=f"what the run wrote: {action.label}",
    )


def _signed(diff: Iterable[str]) -> bool:
    return any(line.lstrip().startswith(("+ ", "- ")) for line in diff)


def _undone(diff: Iterable[str]) -> Iterator[str]:
    """The lines of a diff the other way round: what was added is taken away. A revision rises all the same."""
    added: list[str] = []
    for line in diff:
        sign, rest = line.lstrip()[:2], line.lstrip()[2:]
        blanks = line[: len(line) - len(line.lstrip())]
        if sign == "- ":
            added.append(f"{blanks}+ {rest}")
            continue
        if sign != "+ ":
            yield from added
            added = []
        yield f"{blanks}- {rest}" if sign == "+ " else _revision_on(line)
    yield from added


def _revision_on(line: str) -> str:
    latest = line.rpartition(" -> ")[2]
    if line.startswith(f"{REVISION} ") and latest.isdecimal():
        return f"{REVISION} {latest} -> {int(latest) + 1}"
    return line


def _diff(before: Table, after: Table) -> Iterator[str]:
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            yield name
            yield f"  - {_shown(name, before.get(name))}"
            yield f"  + {_shown(name, after.get(name))}"


def _shown(name: str, value: str | None) -> str:
    if value is None:
        return "absent"
    return "the DACL, byte for byte as the journal has it" if name == DESCRIPTOR else value


def _state(like: State, table: Table) -> State:
    """The table as a state of the same kind as another; the reverse of `actions.states`."""
    first = next(iter(table.values()), None)
    match like:
        case RegistryState(kind=kind):
            return RegistryState(kind, None if first is None else int(first))
        case ServiceState():
            return ServiceState(first or "")
        case TemplateState():
            numbers = {name: int(value) for name, value in table.items() if name != DESCRIPTOR and value is not None}
            dacl = table.get(DESCRIPTOR)
            return TemplateState(numbers, base64.b64decode(dacl) if dacl else None)
        case PublishedState():
            return PublishedState(first == PUBLISHED)
        case PolicyServerState():
            return PolicyServerState(first)
        case ExclusionState():
            return ExclusionState(tuple(path for path, value in table.items() if value == EXCLUDED))
    raise RefusedError(f"{type(like).__name__} cannot be undone")


def _restarts(action: Action, undone: list[Action]) -> bool:
    mine = target_of(action)
    return action.kind == RESTART and any(one.restarts and target_of(one) == mine for one in undone)


def _restart(action: Action) -> Action:
    return msgspec.structs.replace(action, because=())


def _needs(step: Action, steps: list[Action]) -> tuple[int, ...]:
    if step.kind != RESTART:
        return ()
    return tuple(one.id for one in steps if one.restarts and target_of(one) == target_of(step))
