"""What `remediate apply` and `verify` tell: their documents, and the same as lines for people."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator

import msgspec

from remediate.actions.states import DESCRIPTOR, UNANSWERED
from remediate.engine.applying import Step
from remediate.engine.returned import Standing, owed_on
from remediate.engine.verifying import OWED, Verification
from remediate.model.finding import Finding
from remediate.model.plan import AT_ONCE, RESTART, Action, target_of
from remediate.render.dacl_change import dacl_beside
from remediate.render.documents import (
    ActionStanding,
    AppliedDocument,
    ApprovalDescription,
    DriftedValue,
    VerificationDescription,
    VerifyDocument,
)
from remediate.render.reading import place
from remediate.render.text import Line, wrap

_STATE = 15
DONE = ("done", "as wanted")
# States of which a rollback takes back what was written, or finds out that nothing was.
_UNDOABLE = ("done", "unresolved")


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """The run that was made: its name, its folder, and the digest of its plan."""

    name: str
    folder: str
    plan_id: str


def applied(
    run: Run,
    steps: Iterable[Step],
    *,
    approval: ApprovalDescription,
    exit_code: int,
    verification: Verification | None,
) -> AppliedDocument:
    """Return the document of a run that ended; `verification` is None where it stopped part-way."""
    found = tuple(steps)
    done = tuple(step for step in found if step.outcome == "done")
    return AppliedDocument(
        run=run.name,
        folder=run.folder,
        plan_id=run.plan_id,
        approval=approval,
        exit_code=exit_code,
        actions=tuple(map(_action, found)),
        takes_effect=_delays((one.action for one in done), restarted={one.target for one in done if _restarts(one)}),
        verification=described(verification) if verification else None,
        restarts_owed=tuple(dict.fromkeys(_owed(found))),
        undoable=any(step.outcome in _UNDOABLE and not _restarts(step) for step in found),
    )


def _owed(steps: tuple[Step, ...]) -> Iterator[str]:
    """The hosts that were not restarted after what was written there, or may have been, by this run or before it."""
    for step in steps:
        asking = (one for one in steps if one.action.restarts and one.target == step.target)
        done = step.outcome in DONE or step.now == UNANSWERED
        if _restarts(step) and not done and any(_asks(one) for one in asking):
            yield step.target


def _asks(step: Step) -> bool:
    return step.outcome in (*DONE, "unresolved") or (step.written and step.outcome != "failed")


def _restarts(step: Step) -> bool:
    return step.action.kind == RESTART


def _delays(actions: Iterable[Action], *, restarted: Container[str] = ()) -> tuple[str, ...]:
    """What delays the effect of actions: replication and the CA's cache, or a restart that is not done yet."""
    waiting = (one for one in actions if not (one.restarts and target_of(one) in restarted))
    return tuple(dict.fromkeys(one.takes_effect for one in waiting if one.takes_effect not in ("", AT_ONCE)))


def _action(step: Step) -> ActionStanding:
    return ActionStanding(
        id=step.action.id, label=step.action.label, target=step.target, state=step.outcome, detail=step.detail
    )


def described(verification: Verification) -> VerificationDescription:
    """Return a verification as it stands in documents."""
    return VerificationDescription(
        as_wanted=not verification.exit_code,
        actions=tuple(map(standing, verification.standing)),
        still_found=verification.still,
        unknown=verification.unknown,
        other_causes=verification.others,
        rollback_of=verification.rollback_of,
        undoes_rollback=verification.undoes_rollback,
    )


def standing(one: Standing) -> ActionStanding:
    """Return where an action stands as it is told in documents."""
    return ActionStanding(
        id=one.action.id, label=one.action.label, target=one.target, state=one.state, detail=one.detail
    )


def verify_document(verification: Verification, *, plan_id: str) -> VerifyDocument:
    """Return the document of `remediate verify`."""
    stands = tuple(one for one in verification.standing if one.state == "as wanted")
    restarted = {one.target for one in stands if one.action.kind == RESTART}
    return VerifyDocument(
        plan_id=plan_id,
        exit_code=int(verification.exit_code),
        verification=described(verification),
        takes_effect=_delays((one.action for one in stands), restarted=restarted),
    )


def verify_lines(document: VerifyDocument, *, unanswered: Iterable[Finding] = ()) -> Iterator[Line]:
    """Yield where every action stands, what is still found, and what delays the effect of what stands.

    `unanswered` are the plan's findings for which it does nothing.
    """
    yield from verification_lines(document.verification, listed=True)
    yield from _left(document.verification, unanswered)
    if document.takes_effect:
        yield from wrap("; ".join(document.takes_effect), first="What stands takes effect ", rest="  ")


def applied_lines(document: AppliedDocument, *, unanswered: Iterable[Finding] = ()) -> Iterator[Line]:
    """Yield what was done, what was not and why, whether it helps, where it is kept, and what to do next.

    `unanswered` are the plan's findings for which it does nothing: where it was verified they are named.
    """
    done = sum(action.state in DONE for action in document.actions)
    head = f"Plan {document.plan_id[:12]}: {done} of {len(document.actions)} actions are done{_approved(document)}"
    yield from wrap(head, rest="  ", style="title")
    yield from action_lines(document.actions)
    yield Line("")
    if document.verification:
        yield from verification_lines(document.verification, verified="Verified", listed=False)
        yield from _left(document.verification, unanswered)
    else:
        yield from wrap(_unverified(document), style="problem")
    if document.takes_effect:
        yield from wrap("; ".join(document.takes_effect), first="What was written takes effect ", rest="  ")
    for host in document.restarts_owed:
        yield from wrap(owed_on(host), rest="  ", style="problem")
    yield from _next(document)
    yield from wrap(document.folder, first=f"Run {document.run} is kept in ", rest="  ")


def _unverified(document: AppliedDocument) -> str:
    if any(action.state not in DONE for action in document.actions):
        return "Stopped part-way, and not verified."
    return (
        "All of it is done; it was stopped before it was verified, and the run has not ended. Apply the same plan "
        "again with --go-on: it writes nothing twice, verifies and ends the run. To verify it only: remediate verify "
        f"{document.run}"
    )


def _approved(document: AppliedDocument) -> str:
    approval = document.approval
    by = f"approved by {approval.approved_by}" if approval.approved_by else ""
    told = ", ".join(filter(None, (approval.ticket, by)))
    return f" ({told})" if told else ""


def action_lines(actions: Iterable[ActionStanding]) -> Iterator[Line]:
    """Yield each action behind its state, and what there is to say of it."""
    for action in actions:
        style = "plain" if action.state in DONE else "problem"
        text = f"{action.id}. {action.label}   ({action.target})"
        yield from wrap(text, first=f"  {action.state:<{_STATE}}", rest=" " * (_STATE + 5), style=style)
        if action.detail:
            yield from wrap(action.detail, first=" " * (_STATE + 5), style="muted")


def verification_lines(found: VerificationDescription, *, verified: str = "", listed: bool) -> Iterator[Line]:
    """Yield what stands, all of it where `listed`, else only what is not as wanted; then what is still found."""
    yield from action_lines(one for one in found.actions if listed or one.state != "as wanted")
    yield from (line for finding in found.still_found for line in _found(finding, "still found"))
    yield from (line for finding in found.other_causes for line in _found(finding, "another cause"))
    yield from (line for text in found.unknown for line in wrap(text, first="  unknown        ", style="unknown"))
    yield from wrap(_verdict(found, verified), style="plain" if found.as_wanted else "problem")


def _found(finding: Finding, state: str) -> Iterator[Line]:
    head = f"{finding.playbook}, {place(finding.target)}: {finding.message}"
    yield from wrap(head, first=f"  {state:<{_STATE}}", style="problem")
    for one in finding.evidence:
        yield from wrap(f"{one.shows}   ({one.where})", first=" " * (_STATE + 5))


def _left(found: VerificationDescription, unanswered: Iterable[Finding]) -> Iterator[Line]:
    """Name what nobody looked for again, because nothing of the plan mends it."""
    told = {one.id for one in found.other_causes}
    named = [f"{one.playbook}, {place(one.target)}" for one in unanswered if one.id not in told]
    if named:
        first = "Not mended by this plan, still to be done by hand or by another plan: "
        yield from wrap("; ".join(dict.fromkeys(named)), first=first, rest="  ", style="problem")


def _verdict(found: VerificationDescription, verified: str) -> str:
    stands = sum(one.state == "as wanted" for one in found.actions)
    told = [f"{stands} of {len(found.actions)} stand as {_wanted(found)}"]
    owed = sum(one.state == OWED for one in found.actions)
    told += [f"{owed} {'restart is' if owed == 1 else 'restarts are'} owed" if owed else ""]
    told += [f"{len(found.still_found)} of its problems are still found" if found.still_found else ""]
    others = len(found.other_causes)
    told += [f"{others} other {'cause' if others == 1 else 'causes'} of its problems found" if others else ""]
    told += ["not all could be read, so nobody can tell that it helps" if _unread(found) else ""]
    if found.as_wanted:
        told.append(_helped(found))
    text = ", ".join(filter(None, told))
    return f"{verified}: {text}." if verified else f"{text}."


def _wanted(found: VerificationDescription) -> str:
    return f"before run {found.rollback_of}" if found.rollback_of else "wanted"


def _helped(found: VerificationDescription) -> str:
    """What it says of the problems that all of it stands; a rollback looks for none."""
    if not found.rollback_of:
        return "none of the problems that it mends is found any more"
    if found.undoes_rollback:
        return "which was a rollback; whether the problems are gone was not looked for"
    return "and the problems that it had mended are expected to be back: they were not looked for"


def _unread(found: VerificationDescription) -> bool:
    return bool(found.unknown) or any(one.state == "not read" for one in found.actions)


# What is to be done about a state, in the order in which it is told.
_ADVICE = {
    "unresolved": "nobody can tell whether it was written. Apply the same plan again: it reads what stands there first",
    "failed": "see why above. Apply the same plan again: what is done is not done twice",
    "not reached": "apply the same plan again: it goes on there",
}


def _next(document: AppliedDocument) -> Iterator[Line]:
    for state, advice in _ADVICE.items():
        numbers = ", ".join(str(action.id) for action in document.actions if action.state == state)
        if numbers:
            yield from wrap(advice, first=f"{state} ({numbers}): ", rest="  ")
    if document.undoable:
        yield from wrap(f"remediate rollback {document.run} --out back.json", first="What undoes it: ", rest="  ")


def drift_lines(values: Iterable[DriftedValue]) -> Iterator[Line]:
    """Yield a table of every value that is no longer as approved: approved, now, wanted."""
    last = 0
    for value in values:
        if value.action != last:
            yield from wrap(f"{value.action}. {value.label}   ({value.target})", first="  drifted        ", rest="    ")
            last = value.action
        yield from wrap(value.name, first="    ")
        for word, shown in (("approved", value.approved), ("now", value.now), ("wanted", value.wanted)):
            yield from _drifted_value(value, word, shown)


def _drifted_value(value: DriftedValue, word: str, shown: str | None) -> Iterator[Line]:
    lines = dacl_beside(shown, value.approved) if shown and value.name == DESCRIPTOR else (shown,)
    for number, text in enumerate(lines):
        yield from wrap("absent" if text is None else text, first=f"      {'' if number else word:<10}")
