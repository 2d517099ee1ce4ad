"""A plan is carried out: everything read, drift refused as a whole, then action by action, each with journal lines.

The plan is read and nothing is computed anew. A line `begin` is on the disk before anything is sent, a line `done`
before the next action: a `begin` without its `done` is unresolved, and the next run reads the target to settle it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime

import msgspec

from remediate.actions.states import REVISION, Table, before_and_after
from remediate.actions.writing import Drift, WriteFailed, Writer
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
    `done`, `as wanted`, `failed`, `unresolved` or `not reached`. `written` is true where an earlier run wrote it."""

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
    """At least one value is no longer as approved; nothing was written. `steps` are those, for a table."""

    def __init__(self, steps: tuple[Step, ...]) -> None:
        self.steps = steps
        first = steps[0]
        more = f", and {len(steps) - 1} more" if len(steps) > 1 else ""
        super().__init__(
            f"a value is no longer as approved{more}. Nothing was changed",
            where=f"{first.action.id}. {first.action.label}", do="Look at what changed it, then plan again.",
        )  # fmt: skip


def read_steps(plan: Plan, writers: Mapping[str, Writer], earlier: Iterable[JournalLine] = ()) -> tuple[Step, ...]:
    """Read every address and return the steps in the plan's order. Raises TransportError."""
    lines = tuple(earlier)
    steps = by_target(
        plan.actions, target_of, lambda action: _step(action, writers[target_of(action)].read(action), lines)
    )
    for step in steps:
        if step.action.kind == RESTART:
            step.verdict = _restart_verdict(step, steps, lines)
    return steps


def _step(action: Action, now: Table, earlier: tuple[JournalLine, ...]) -> Step:
    before, after = before_and_after(action)
    begun = [line for line in earlier if line.action == action.id and line.event == "begin"]
    captured = begun[-1].before if begun else None
    before = captured or before
    verdict = "as wanted" if now == after else "as approved" if now == before else "drifted"
    return Step(action=action, now=now, before=before, after=after, verdict=verdict, written=bool(begun))


def _restart_verdict(step: Step, steps: tuple[Step, ...], earlier: tuple[JournalLine, ...]) -> str:
    """A restart is owed until a run has done it after everything it wrote; a value as wanted never cancels it."""
    events = [line.event for line in earlier if line.action == step.action.id]
    asking = {other.action.id for other in steps if other.action.restarts and other.target == step.target}
    pending = any(other.verdict == "as approved" for other in steps if other.action.id in asking)
    if step.now != step.before:
        return "as approved" if "begin" in events and "done" not in events else "drifted"
    return "as wanted" if "done" in events and not pending else "as approved"


def refuse_drift(steps: tuple[Step, ...]) -> None:
    """Raise Drifted when one step has drifted."""
    drifted = tuple(step for step in steps if step.verdict == "drifted")
    if drifted:
        raise Drifted(drifted)


class Applying:
    """One run over the steps of a plan. `run` never raises for what a target does; it writes it down and goes on with
    the targets that have nothing to do with it."""

    def __init__(self, writers: Mapping[str, Writer], record: Record, *, clock: Clock, who: str) -> None:
        self._writers, self._record, self._clock, self._who = writers, record, clock, who
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
            by_target(together, lambda step: step.target, carry_out)
        done = all(step.outcome in ("done", "as wanted") for step in steps)
        return ExitCode.NOTHING_TO_DO if done else ExitCode.STOPPED_PART_WAY

    def _carry_out(self, step: Step, steps: tuple[Step, ...]) -> None:
        if step.verdict == "as wanted":
            step.outcome = "done" if step.written else "as wanted"
            self._note(step, "done" if step.written else "as wanted")
        elif reason := self._obstacle(step, steps):
            step.detail = reason
        else:
            self._note(step, "begin")
            self._write(step)

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
            self._failed(step, str(error), unresolved=False)
        except WriteFailed as error:
            self._failed(step, str(error), unresolved=error.unresolved)
        except DocumentError:  # what was to be sent could not be kept: as a journal that cannot be written
            raise
        except RemediateError as error:
            self._lost[step.target] = error.what
            self._failed(step, str(error), unresolved=True)
        else:
            step.outcome = "done"
            self._note(step, "done")

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
    """Yield (name, approved, now, wanted) of every value, for a table; a revision only counts."""
    for step in steps:
        for name in sorted(step.after):
            if name != REVISION or len(step.after) == 1:
                yield name, step.before.get(name), step.now.get(name), step.after[name]


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Who applies, under which run's name, and until when the hosts' locks hold at the longest (UTC)."""

    run: str
    who: str
    until: str


def carry_out(
    plan: Plan,
    writers: Mapping[str, Writer],
    *,
    window: Window,
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
    with _locks(writers, window):
        steps = read_steps(plan, writers, earlier)
        refuse_drift(steps)
        return steps, Applying(writers, record, clock=clock, who=window.who).run(steps, stop=stop)


@contextmanager
def _locks(writers: Mapping[str, Writer], window: Window) -> Iterator[None]:
    """Hold the lock of every target. What could not be given back dies by its time, and is not an error."""
    taken: dict[str, Writer] = {}

    def take(name: str) -> None:
        holder = writers[name].lock(run=window.run, who=window.who, until=window.until)
        if holder is not None:
            why = f"run {holder.run} by {holder.who}, until {holder.until} at the latest"
            raise RefusedError("another run is at work there", where=name, why=why, do="Wait until it has ended.")
        taken[name] = writers[name]

    try:
        by_target(writers, str, take)
        yield
    finally:
        by_target(taken, str, lambda name: _give_back(taken[name], window.run))


def _give_back(writer: Writer, run: str) -> None:
    with suppress(RemediateError):
        writer.unlock(run=run)
