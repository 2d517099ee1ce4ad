"""What `remediate runs` tells: each run with its approval and its end; of one run each action."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from remediate.engine.returned import owed_on, owed_restarts, standings
from remediate.engine.undoing import is_undoable
from remediate.model.errors import ExitCode
from remediate.model.journal import Journal
from remediate.model.plan import Plan, target_of
from remediate.render.applied import DONE, Run, action_lines, standing
from remediate.render.documents import (
    ApprovalDescription,
    RollbackDescription,
    RunDescription,
    RunsDocument,
    SentDescription,
)
from remediate.render.text import Line, wrap


def run_description(
    run: Run,
    *,
    plan: Plan | None,
    journal: Journal,
    approvals: tuple[ApprovalDescription, ...] = (),
    trouble: str = "",
    rollback: RollbackDescription | None = None,
    elsewhere: Mapping[str, str] | None = None,
    at_work: str = "",
) -> RunDescription:
    """Return a run. `plan` is None where it cannot be believed, and `trouble` says why. `elsewhere` is when other runs
    have restarted services, as `owed_restarts` has it; `at_work` who works on it at this moment."""
    first = journal.lines[0] if journal.lines else None
    owed = owed_restarts(plan, journal.lines, elsewhere=elsewhere) if plan else ()
    reasons = (trouble, journal.broken, "its last line was not written to its end" if journal.torn else "")
    return RunDescription(
        run=run.name,
        folder=run.folder,
        source=first.source if first else "",
        opened=first.at if first else "",
        by=first.by if first else "",
        plan_id=run.plan_id,
        approval=approvals[-1] if approvals else None,
        approvals=approvals,
        ended=ended(journal),
        trouble="; ".join(filter(None, reasons)),
        actions=tuple(map(standing, standings(plan, journal.lines))) if plan else (),
        sent=tuple(_sent(journal)),
        restarts_owed=tuple(target_of(action) for action in owed),
        rollback=rollback,
        undoable=bool(plan and is_undoable(plan, journal.lines)),
        at_work=at_work,
    )


def ended(journal: Journal) -> int | None:
    """Return the exit code that a run ended with, None for one that did not end."""
    closed = [line.detail for line in journal.lines if line.event == "closed"]
    return int(closed[-1]) if closed and closed[-1].isdecimal() else None


def _sent(journal: Journal) -> Iterator[SentDescription]:
    marks = {name: mark for line in journal.lines for name, mark in line.sent.items()}
    for name, mark in sorted(marks.items()):
        size, _, digest = mark.partition(" ")
        yield SentDescription(file=f"sent/{name}", size=int(size) if size.isdecimal() else 0, sha256=digest)


_BY_HAND = "One that was done by hand since is not known here."
_ENDED: dict[int, str] = {
    ExitCode.NOTHING_TO_DO: "applied and verified",
    ExitCode.ERROR: "applied, and it could not be verified",
    ExitCode.STILL_BROKEN: "applied, and the problem was still there",
}


def _end(run: RunDescription) -> str:
    if run.ended is not None:
        return _ENDED.get(run.ended, f"ended with {run.ended}")
    if run.at_work:
        return f"at work now ({run.at_work})"
    return "came back from scripts" if run.source == "import" else "not ended"


def runs_lines(document: RunsDocument, *, every: bool) -> Iterator[Line]:
    """Yield the runs, oldest first; with `every` the actions of each and what to do about them."""
    if not document.runs:
        yield from wrap(f"No runs in {document.folder}.")
    for run in document.runs:
        yield from _run(run)
        yield from _actions(run) if every else ()


def _run(run: RunDescription) -> Iterator[Line]:
    done = sum(action.state in DONE for action in run.actions)
    who = f" by {run.by}" if run.by else ""
    back = f", {_rolled_back(run.rollback)}" if run.rollback else ""
    text = f"{run.source or 'run'}{who}, {done} of {len(run.actions)} done, {_end(run)}{back}{_approval(run)}"
    yield from wrap(text, first=f"{run.run}  ", rest="    ")
    if run.trouble:
        yield from wrap(f"cannot be believed: {run.trouble}", first="    ", style="refused")
    if run.at_work:  # what it has begun it may end, and a restart is its own affair
        return
    unresolved = [action for action in run.actions if action.state == "unresolved"]
    if unresolved:
        numbers = ", ".join(f"{action.id} on {action.target}" for action in unresolved)
        yield from wrap(numbers, first="    unresolved: ", style="problem")
    for host in run.restarts_owed:
        yield from wrap(f"{owed_on(host)} {_BY_HAND}", first="    ", style="problem")


def _rolled_back(by: RollbackDescription) -> str:
    return f"rolled back by run {by.run}" if by.ended is not None else f"its rollback, run {by.run}, has not ended"


def _approval(run: RunDescription) -> str:
    if run.approval is None:
        return ""
    by = f"approved by {run.approval.approved_by}" if run.approval.approved_by else "approved"
    return f", {', '.join(filter(None, (by, run.approval.ticket)))}"


def _actions(run: RunDescription) -> Iterator[Line]:
    yield from wrap(f"plan {run.plan_id}", first="  ")
    for approval in run.approvals:
        for word, text in _approval_rows(approval):
            yield from wrap(text, first=f"  {word:<13}")
    yield from action_lines(run.actions)
    yield from wrap(run.folder, first="Kept in ")
    if run.sent:
        yield from wrap(", ".join(one.file for one in run.sent), first="  as sent: ", rest="    ")
    yield from _next(run)


def _approval_rows(approval: ApprovalDescription) -> Iterable[tuple[str, str]]:
    rows = (
        ("ticket", approval.ticket),
        ("approved by", approval.approved_by),
        ("given", approval.given_at),
        ("digest given", approval.digest),
    )
    return ((word, text) for word, text in rows if text)


def _next(run: RunDescription) -> Iterator[Line]:
    if run.trouble or run.at_work:
        return
    if run.source == "apply" and run.ended is None and run.rollback is None:
        yield from wrap("To go on: remediate apply the same plan again; it reads every target first.", rest="  ")
    if run.rollback is None and run.undoable:
        yield from wrap(f"What undoes it: remediate rollback {run.run} --out back.json", rest="  ")
