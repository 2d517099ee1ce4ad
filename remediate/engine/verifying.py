"""After the window: whether what a plan wrote still stands, and whether its problems are still found.

A value written is not yet a problem solved, so both are asked, and only of what the plan touched. A problem may have
several causes: one that the plan did not mend, or that has appeared since, leaves it there. What cannot be read is told
as that; it is neither a pass nor a problem.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from remediate.actions.states import REVISION, before_and_after, holds
from remediate.actions.writing import Writer
from remediate.engine.planning import PlanOptions, make_plan
from remediate.engine.returned import Standing
from remediate.engine.side_by_side import by_target
from remediate.facts.documents import Snapshot
from remediate.model.errors import ExitCode, RemediateError
from remediate.model.finding import Finding, Target, Unknown
from remediate.model.places import PublishingPlace, TemplatePlace
from remediate.model.plan import Action, Plan, target_of


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """Where every action stands (`as wanted`, `not as wanted`, `not read`), which of the plan's problems are still
    found, which other causes of them are, and what could not be known; `unknown` are sentences."""

    standing: tuple[Standing, ...]
    still: tuple[Finding, ...] = ()
    others: tuple[Finding, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """1 when something could not be read, else 2 when the problem stands, else 0."""
        if self.unknown or any(one.state == "not read" for one in self.standing):
            return ExitCode.ERROR
        return ExitCode.FINDINGS if self.is_broken else ExitCode.NOTHING_TO_DO

    @property
    def is_broken(self) -> bool:
        """Whether something was read that is not as wanted, or found again."""
        return bool(self.still or self.others) or any(one.state == "not as wanted" for one in self.standing)


def stands_now(plan: Plan, writers: Mapping[str, Writer]) -> tuple[Standing, ...]:
    """Read every address of the plan once more. A minor revision only rises and says nothing here."""
    return by_target(plan.actions, target_of, lambda action: _standing(action, writers[target_of(action)]))


def _standing(action: Action, writer: Writer) -> Standing:
    wanted = {name: value for name, value in before_and_after(action)[1].items() if name != REVISION}
    try:
        now = writer.read(action)
    except RemediateError as error:
        return Standing(action=action, target=target_of(action), state="not read", detail=str(error))
    state = "as wanted" if holds(now, wanted) else "not as wanted"
    return Standing(action=action, target=target_of(action), state=state)


class FoundAgain(msgspec.Struct, frozen=True, kw_only=True):
    """What detection finds afterwards: `still` findings that the plan acted on, `others` causes of the same problems,
    and what could not be read to tell."""

    still: tuple[Finding, ...]
    others: tuple[Finding, ...]
    unknown: tuple[str, ...]


def found_again(plan: Plan, snapshot: Snapshot) -> FoundAgain:
    """Look again for what the plan acted on."""
    touched = touched_by(plan)
    playbooks = tuple(plan.options.get("playbooks", ())) or tuple(plan.playbooks)
    again = make_plan(snapshot, PlanOptions(playbooks=playbooks, templates=_templates(plan)))
    unknown = dict.fromkeys(_sentence(item) for item in again.unknown if item.needed and _decides(item, plan))
    return FoundAgain(
        still=tuple(one for one in again.findings if one.id in touched),
        others=tuple(one for one in again.findings if _is_another_cause(one, plan)),
        unknown=tuple(unknown),
    )


def touched_by(plan: Plan) -> frozenset[str]:
    """The findings that an action of the plan answers; none for a rollback, which brings problems back on purpose."""
    return frozenset(name for action in plan.actions for name in action.because)


def _decides(item: Unknown, plan: Plan) -> bool:
    """Whether what is unknown could hide a problem that the plan acted on."""
    touched = touched_by(plan)
    if item.playbook:
        return _bears_on(item, plan)
    host = item.target.name.lower()
    changed = any(target_of(action) == host for action in plan.actions)
    return item.target.kind != "connector" or changed or any(host in one.lower() for one in touched)


def _is_another_cause(item: Finding, plan: Plan) -> bool:
    """Whether it leaves a problem there that the plan acted on.

    What the same facts of the same thing show, the plan told already: requests that wait and stay waiting.
    """
    mended = [one for one in plan.findings if one.id in touched_by(plan) and one.playbook == item.playbook]
    shown = {evidence.where for evidence in item.evidence}
    told = any(one.target == item.target and shown <= {each.where for each in one.evidence} for one in mended)
    return item.id not in touched_by(plan) and _bears_on(item, plan) and not (shown and told)


def _bears_on(item: Finding | Unknown, plan: Plan) -> bool:
    """Whether it is about a problem that the plan acted on: the same playbook, and nothing that is another one's.

    What two causes look at may differ (a CA, a template on it); then one bears on the other. Where both look at the
    same kind of thing, it has to be the same thing.
    """
    touched = touched_by(plan)
    mended = [one.target for one in plan.findings if one.id in touched and one.playbook == item.playbook]
    return any(one.kind != item.target.kind or _subject(one) == _subject(item.target) for one in mended)


def _subject(target: Target) -> str:
    """What a cause looks at without that for which, or on which, it does: `IntunePKCS on CA1` is about IntunePKCS."""
    name = target.name.partition(" for ")[0]
    return name.partition(" on ")[0] if target.kind == "template" else name


def _sentence(item: Unknown) -> str:
    code = f" ({item.code})" if item.code and item.code not in item.why else ""
    return f"{item.target.name}: {item.fact}: {item.why}{code}"


def _templates(plan: Plan) -> tuple[str, ...]:
    """The templates that were asked for, and those that the plan changed."""
    changed = {
        action.place.template if isinstance(action.place, PublishingPlace) else action.target.name
        for action in plan.actions
        if isinstance(action.place, TemplatePlace | PublishingPlace)
    }
    return tuple(sorted({*plan.options.get("templates", ()), *changed}))
