"""A plan is carried out: everything read, drift refused as a whole, then action by action, each with journal lines.

The plan is read and nothing is computed anew. A line `begin` is on the disk before anything is sent, a line `done`
before the next action: a `begin` without its `done` is unresolved, and the next run reads the target to settle it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime

import msgspec

from remediate.actions.states import REVISION, UNANSWERED, Table, before_and_after
from remediate.actions.writing import Drift, Lease, WriteFailed, Writer
from remediate.engine.host_locks import HostLocks
from remediate.engine.returned import owed_restarts
from remediate.engine.side_by_side import by_target
from remediate.model.errors import DocumentError, ExitCode, RefusedError, RemediateError
from remediate.model.journal import Event, JournalLine
from remediate.model.places import ServicePlace
from remediate.model.plan import RESTART, Action, Plan, target_of
from remediate.model.utc import utc_text

SOURCE = "apply"
Record = Callable[[JournalLine], None]
"""Puts a line on the disk; returns when it is there."""
Clock = Callable[[], datetime]


class Step(msgspec.Struct, kw_only=True):
    """An action with what stands there. `verdict` is `as approved`, `as wanted` or `drifted`; `outcome` how it ended:
    `done`, `as wanted` (found so, or somebody else was faster with the same), `failed`, `unresolved` or `not reached`.
    `written` is true where an earlier run wrote it, or may have."""

    action: Action
    now: Table
    before: Table
    after: Table
    verdict: str
    written: bool = False
    outcome: str = "not reached"
    detail: str = ""

    @property
    def target(self) -> str:
        """The target the action is carried out on."""
        return target_of(self.action)


class Drifted(RefusedError):
    """At least one value is no longer as approved; nothing was written, by an attempt that goes on `nothing_more`.
    `steps` are those, for a table."""

    def __init__(self, steps: tuple[Step, ...], *, nothing_more: bool = False) -> None:
        self.steps = steps
        first = steps[0]
        more = f", and {len(steps) - 1} more" if len(steps) > 1 else ""
        super().__init__(
            f"a value is no longer as approved{more}. Nothing {'more ' if nothing_more else ''}was changed",
            where=f"{first.action.id}. {first.action.label}", do="Look at what changed it, then plan again.",
        )  # fmt: skip


def read_steps(plan: Plan, writers: Mapping[str, Writer], earlier: Iterable[JournalLine] = ()) -> tuple[Step, ...]:
    """Read every address and return the steps in the plan's order. Raises TransportError."""
    lines = tuple(earlier)
    steps = by_target(
        plan.actions, target_of, lambda action: _step(action, writers[target_of(action)].read(action), lines)
    )
    owed = {action.id for action in owed_restarts(plan, lines)}
    for step in steps:
        if step.action.kind == RESTART:
            step.verdict = _restart_verdict(step, steps, lines, is_owed=step.action.id in owed)
        elif "rollback_of" in plan.options and _is_undone(step.now, step.after):
            step.verdict = "as wanted"
    return steps


def _is_undone(now: Table, wanted: Table) -> bool:
    """Whether a template stands as a rollback wants it, but for its revision: the run never wrote it, or somebody else
    has put it back."""
    apart = {name: value for name, value in wanted.items() if name != REVISION}
    return apart != wanted and now.get(REVISION) is not None and {**now, REVISION: None} == {**apart, REVISION: None}


def _step(action: Action, now: Table, earlier: tuple[JournalLine, ...]) -> Step:
    before, after = before_and_after(action)
    begun = [line for line in earlier if line.action == action.id and line.event == "begin"]
    captured = begun[-1].before if begun else None
    before = captured or before
    verdict = "as wanted" if now == after else "as approved" if now == before else "drifted"
    written = _may_have_written(line.event for line in earlier if line.action == action.id)
    return Step(action=action, now=now, before=before, after=after, verdict=verdict, written=written)


def _may_have_written(events: Iterable[Event]) -> bool:
    """Whether a write that was begun took effect, or nobody knows; not one that was refused, or found it as wanted."""
    written = begun = False
    for event in events:
        written = written or event == "done" or (begun and event == "begin")
        begun = event == "begin" or (begun and event not in ("failed", "as wanted"))
    return written or begun


def _restart_verdict(step: Step, steps: tuple[Step, ...], earlier: tuple[JournalLine, ...], *, is_owed: bool) -> str:
    """A restart is owed until a run has done it after everything it wrote; a value as wanted never cancels it. One
    after which the service runs, and did not answer in time, is not made again."""
    lines = [line for line in earlier if line.action == step.action.id]
    events = [line.event for line in lines]
    asking = {other.action.id for other in steps if other.action.restarts and other.target == step.target}
    pending = is_owed or any(other.verdict == "as approved" for other in steps if other.action.id in asking)
    if step.now != step.before:
        return "as approved" if "begin" in events and "done" not in events else "drifted"
    restarted = "done" in events or (lines and lines[-1].after == UNANSWERED)
    return "as wanted" if restarted and not pending else "as approved"


def refuse_drift(steps: tuple[Step, ...]) -> None:
    """Raise Drifted when one step has drifted."""
    drifted = tuple(step for step in steps if step.verdict == "drifted")
    if drifted:
        raise Drifted(drifted, nothing_more=any(step.written for step in steps))


class Applying:
    """One run over the steps of a plan. `run` never raises for what a target does; it writes it down and goes on with
    the targets that have nothing to do with it. `locks` are those of its targets, which it renews."""

    def __init__(
        self, writers: Mapping[str, Writer], record: Record, *, locks: HostLocks, clock: Clock, who: str
    ) -> None:
        self._writers, self._record, self._clock, self._who = writers, record, clock, who
        self._locks = locks
        self._lost: dict[str, str] = {}
        self._turn = threading.Lock()

    def run(self, steps: tuple[Step, ...], *, stop: Callable[[], bool] = lambda: False) -> ExitCode:
        """Carry the steps out in order and return 0, or 4 when one of them is not done.

        What is the same on several hosts is done there side by side, when it is done on the first of them. `stop` is
        asked between actions, never inside one.
        """

        def carry_out(step: Step) -> None:
            if not stop():
                self._carry_out(step, steps)

        for together in _together(steps):
            if not stop():
                self._renew({step.target for step in steps if step.outcome == "not reached" and not step.detail})
            by_target(together, lambda step: step.target, carry_out)
        done = all(step.outcome in ("done", "as wanted") for step in steps)
        return ExitCode.NOTHING_TO_DO if done else ExitCode.STOPPED_PART_WAY

    def _carry_out(self, step: Step, steps: tuple[Step, ...]) -> None:
        if step.verdict == "as wanted":
            self._found_so(step)
            return
        self._renew([step.target])
        if reason := self._obstacle(step, steps):
            step.detail = reason
        else:
            self._note(step, "begin")
            self._write(step)

    def _renew(self, targets: Iterable[str]) -> None:
        """Keep the locks of what is still to come, and give up the targets that are not this run's any more."""
        self._lost |= self._locks.renew(sorted(name for name in targets if name not in self._lost))

    def _obstacle(self, step: Step, steps: tuple[Step, ...]) -> str:
        if step.target in self._lost:
            return f"{step.target} was lost: {self._lost[step.target]}"
        for other in steps:
            if other.action.id in step.action.depends_on and other.outcome not in ("done", "as wanted"):
                return f"it needs {other.action.id}, which is not done"
        return ""

    def _write(self, step: Step) -> None:
        try:
            step.detail = self._writers[step.target].write(step.action, before=step.now, after=step.after)
            step.now = dict(step.after)
        except Drift as error:
            step.now = error.now or step.now
            if error.now == step.after and step.action.kind != RESTART:
                self._found_so(step, "it has become as wanted in the meantime; nothing was written here")
            else:
                self._failed(step, str(error), unresolved=False)
        except WriteFailed as error:
            step.now = error.now or step.now
            self._failed(step, str(error), unresolved=error.unresolved)
        except DocumentError:  # what was to be sent could not be kept: as a journal that cannot be written
            raise
        except RemediateError as error:
            self._lost[step.target] = error.what
            self._failed(step, str(error), unresolved=True)
        else:
            step.outcome = "done"
            self._note(step, "done")

    def _found_so(self, step: Step, detail: str = "") -> None:
        """What an earlier run of the plan wrote, or may have, is done; else it is somebody else's."""
        step.outcome, step.detail = ("done" if step.written else "as wanted"), detail
        self._note(step, "done" if step.written else "as wanted")

    def _failed(self, step: Step, detail: str, *, unresolved: bool) -> None:
        step.outcome, step.detail = ("unresolved" if unresolved else "failed"), detail
        self._note(step, "unresolved" if unresolved else "failed")

    def _note(self, step: Step, event: Event) -> None:
        line = JournalLine(
            at=utc_text(self._clock()),
            event=event,
            source=SOURCE,
            target=step.target,
            action=step.action.id,
            before=step.before,
            after=None if event == "begin" else step.now,
            detail=step.detail,
            by=self._who,
        )
        with self._turn:
            self._record(line)


def _together(steps: tuple[Step, ...]) -> Iterator[list[Step]]:
    """Yield the steps in their order, neighbours of one kind together; what waits for another host's is not among them.

    A service is stopped or started on one host at a time: another CA can serve meanwhile.
    """
    found: list[Step] = []
    for step in steps:
        waits = any(other.action.id in step.action.depends_on for other in found if other.target != step.target)
        if found and (waits or isinstance(step.action.place, ServicePlace) or step.action.kind != found[0].action.kind):
            yield found
            found = []
        found = [*found, step]
    if found:
        yield found


def changes_of(steps: Iterable[Step]) -> Iterator[tuple[str, str | None, str | None, str | None]]:
    """Yield (name, approved, now, wanted) of every value, for a table; a revision only counts, and is told where
    nothing else is another."""
    for step in steps:
        told = [name for name in sorted(step.after) if name != REVISION]
        if REVISION in step.after and all(step.before.get(name) == step.now.get(name) for name in told):
            told.append(REVISION)
        for name in told:
            yield name, step.before.get(name), step.now.get(name), step.after[name]


def carry_out(
    plan: Plan,
    writers: Mapping[str, Writer],
    *,
    lease: Lease,
    record: Record,
    earlier: tuple[JournalLine, ...] = (),
    clock: Clock,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[tuple[Step, ...], ExitCode]:
    """Lock, read, refuse drift, and carry out; return the steps and the exit code.

    This is the second reading of every address. The first, `refuse_drift(read_steps(...))`, comes before there is a run
    and before anything is locked, so that a plan that has drifted leaves nothing behind. Raises Drifted, RefusedError
    for a lock that another run holds, and TransportError while nothing is written yet.
    """
    with HostLocks(writers, lease, clock=clock).held() as locks:
        steps = read_steps(plan, writers, earlier)
        refuse_drift(steps)
        return steps, Applying(writers, record, locks=locks, clock=clock, who=lease.who).run(steps, stop=stop)
