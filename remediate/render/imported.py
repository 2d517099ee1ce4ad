"""What `remediate import` tells: one document, and the same as lines for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from remediate.engine.returned import Standing, differences, owed_restarts, standings
from remediate.model.journal import JournalLine
from remediate.model.plan import Plan, target_of
from remediate.model.result import RunResult
from remediate.render.documents import ActionStanding, ImportDocument, ImportedResult


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """The run that results were imported into."""

    name: str
    folder: str
    plan_id: str


def imported(
    plan: Plan,
    lines: Iterable[JournalLine],
    *,
    run: Run,
    results: Iterable[tuple[str, RunResult]],
    held_before: tuple[str, ...],
    left_out: tuple[str, ...] = (),
) -> ImportDocument:
    """Return the document. `results` are what was taken now, each with its file; `lines` the journal with them."""
    taken, journal = tuple(results), tuple(lines)
    found = standings(plan, journal)
    unlike = tuple(
        f"{result.kind}.ps1 on {result.target}: {text}" for _, result in taken for text in differences(result, plan)
    )
    return ImportDocument(
        run=run.name,
        folder=run.folder,
        plan_id=run.plan_id,
        done=not unlike and all(one.is_done for one in found),
        results=tuple(_result(file, result) for file, result in taken),
        held_before=held_before,
        actions=tuple(map(_action, found)),
        differs=unlike,
        restarts_owed=tuple(target_of(action) for action in owed_restarts(plan, journal)),
        left_out=left_out,
    )


def _result(file: str, result: RunResult) -> ImportedResult:
    return ImportedResult(
        file=file,
        kind=result.kind,
        target=result.target,
        computer=result.computer,
        account=result.account,
        started=result.started,
        finished=result.finished,
        exit_code=result.exit_code,
        message=result.message,
    )


def _action(one: Standing) -> ActionStanding:
    return ActionStanding(
        id=one.action.id, label=one.action.label, target=one.target, state=one.state, detail=one.detail
    )


def summary(document: ImportDocument) -> Iterator[str]:
    """Yield the document's lines: what came, where each action stands, what differs, what to do next."""
    for result in document.results:
        by = f"by {result.account}, " if result.account else ""
        yield f"{result.kind}.ps1 on {result.target}, {by}{_when(result)}"
        yield f"    exit code {result.exit_code}: {result.message}" if result.message else _killed(result)
    for file in document.held_before:
        yield f"left out, it was imported before: {file}"
    yield from (f"left out, it is no record of these scripts: {file}" for file in document.left_out)
    yield ""
    done = sum(action.state in ("done", "as wanted") for action in document.actions)
    yield f"Plan {document.plan_id[:12]}: {done} of {len(document.actions)} actions are done"
    for action in document.actions:
        yield f"  {action.state:<13} {action.id}. {action.label}   ({action.target})"
        if action.detail:
            yield f"  {'':<13}    {action.detail}"
    yield from (f"  {'differs':<13} {text}" for text in document.differs)
    yield from _next(document)
    for host in document.restarts_owed:
        yield from _owed(host)
    yield f"Kept in {document.folder}"


def _when(result: ImportedResult) -> str:
    return f"{result.started} to {result.finished}" if result.finished else f"begun {result.started}, never ended"


def _killed(result: ImportedResult) -> str:
    return (
        "    it said nothing" if result.finished else "    it was ended from outside and could not say how far it came"
    )


# What is to be done about a state, in the order in which it is told.
_ADVICE = {
    "unresolved": "run change.ps1 there again: it reads everything first, and finishes what is missing",
    "not as wanted": "somebody has changed it since; find out who, then plan again",
    "declined": "run change.ps1 there again and answer yes, or leave it",
    "open": "change.ps1 is still to be run there, or its result.json is still to come",
}


def _owed(host: str) -> Iterator[str]:
    yield f"A restart of CertSvc on {host} is owed: what was written there is not in force yet"
    yield "    run the script there again (it restarts at its end), or there, elevated: Restart-Service -Name CertSvc"
    yield "    a new plan does not find this: the value reads as wanted, whatever the service has in memory"


def _next(document: ImportDocument) -> Iterator[str]:
    for state, advice in _ADVICE.items():
        where = dict.fromkeys(action.target for action in document.actions if action.state == state)
        if where:
            yield f"{state} on {', '.join(where)}: {advice}"
