"""What `remediate apply --check` tells: targets, values and rights, all of them, and whether it could be applied."""

from __future__ import annotations

from collections.abc import Iterator

from remediate.engine.checking import ActionCheck, Check
from remediate.model.errors import ExitCode
from remediate.model.plan import target_of
from remediate.render.applied import drift_lines
from remediate.render.documents import (
    CheckDocument,
    ConditionStanding,
    RightStanding,
    TargetStanding,
    drifted_values,
)
from remediate.render.text import Line, wrap


def check_document(check: Check, *, plan_id: str) -> CheckDocument:
    """Return the document."""
    return CheckDocument(
        plan_id=plan_id,
        exit_code=int(check.exit_code),
        targets=tuple(TargetStanding(name=one.name, state=one.state, detail=one.detail) for one in check.targets),
        actions=tuple(map(_right, check.actions)),
        drift=drifted_values(check.drifted),
        schedule=tuple(ConditionStanding(name=one.name, state=one.state, detail=one.told) for one in check.schedule),
    )


def _right(one: ActionCheck) -> RightStanding:
    action = one.action
    return RightStanding(
        id=action.id,
        label=action.label,
        target=target_of(action),
        state=one.verdict,
        needs=action.rights,
        lacks=one.lacks,
        detail=one.why_unread,
        untold=one.why_untold,
    )


def check_lines(document: CheckDocument) -> Iterator[Line]:
    """Yield the schedule, every target, every action with its right, the values that drifted, and the verdict."""
    for condition in document.schedule:
        yield from wrap(condition.detail, first=f"  {condition.state:<13}", style=_STYLES[condition.state])
    if document.schedule:
        yield Line("")
    for target in document.targets:
        style = "plain" if target.state == "the plan's" else "problem"
        detail = f": {target.detail}" if target.detail else ""
        yield from wrap(f"{target.name}{detail}", first=f"  {target.state:<13}", style=style)
    yield Line("")
    for action in document.actions:
        text = f"{action.id}. {action.label}   ({action.target})"
        style = _STYLES[action.state]
        yield from wrap(text, first=f"  {action.state:<13}", rest=" " * 18, style=style)
        if action.detail:
            why = "unknown: " if action.state == "not read" else "because: "
            yield from wrap(action.detail, first=f"{' ' * 18}{why}", style=style)
        yield from _right_lines(action)
    yield from drift_lines(document.drift)
    yield Line("")
    yield from _verdict(document)


def _right_lines(action: RightStanding) -> Iterator[Line]:
    first = " " * 18
    if action.lacks:
        yield from wrap(action.lacks, first=f"{first}lacks: ", style="refused")
    elif action.lacks is None:
        yield from wrap(f"unknown ({action.untold})", first=f"{first}right: ", style="unknown")
    else:
        yield from wrap(action.needs or "nothing special", first=f"{first}right is there: ", style="muted")


_STYLES = {
    "as approved": "plain", "as wanted": "plain", "drifted": "problem", "refused": "problem", "not read": "unknown",
    "holds": "plain", "not yet": "unknown", "differs": "problem",
}  # fmt: skip


def _verdict(document: CheckDocument) -> Iterator[Line]:
    lacking = [str(one.id) for one in document.actions if one.lacks]
    later = [one.detail for one in document.schedule if one.state == "not yet"]
    others = [one.name for one in document.targets if one.state == "another"]
    reasons = [one.detail for one in document.schedule if one.state == "refused"]
    reasons += [
        f"a right is missing for {', '.join(lacking)}" if lacking else "",
        f"not the plan's target: {', '.join(others)}" if others else "",
        "a value is no longer as approved" if document.drift else "",
        "a place is another than the plan's" if any(one.state == "refused" for one in document.actions) else "",
    ]
    if document.exit_code == ExitCode.REFUSED:
        yield from wrap(f"It would be refused: {'; '.join(filter(None, reasons))}.", style="problem")
        if any(one.state == "not read" or one.lacks is None for one in document.actions):
            yield Line("Not all of it could be read; what is unknown may be refused too.", "unknown")
    elif document.exit_code:
        yield from wrap("Not all of it could be read, so nobody can tell whether it would be applied.", style="unknown")
    elif later:
        yield from wrap(
            f"Every target is the plan's, every value stands as approved, every right is there; {later[0]}."
        )
    else:
        yield from wrap("Every target is the plan's, every value stands as approved, every right is there.")
    yield Line("Nothing was changed.")
