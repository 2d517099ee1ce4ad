"""After the window: whether what a plan wrote still stands, and whether its problems are still found.

A value written is not yet a problem solved, so both are asked, and only of what the plan touched. What cannot be read
is told as that; it is neither a pass nor a problem.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from remediate.actions.states import REVISION, before_and_after, holds
from remediate.actions.writing import Writer
from remediate.engine.planning import PlanOptions, make_plan
from remediate.engine.returned import Standing, target_of
from remediate.facts.documents import Snapshot
from remediate.model.errors import ExitCode, RemediateError
from remediate.model.finding import Finding, Unknown
from remediate.model.places import PublishingPlace, TemplatePlace
from remediate.model.plan import Action, Plan


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """Where every action stands (`as wanted`, `not as wanted`, `not read`), which of the plan's problems are still
    found, and what could not be known; `unknown` are sentences."""

    standing: tuple[Standing, ...]
    still: tuple[Finding, ...] = ()
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
        return bool(self.still) or any(one.state == "not as wanted" for one in self.standing)


def stands_now(plan: Plan, writers: Mapping[str, Writer]) -> tuple[Standing, ...]:
    """Read every address of the plan once more. A minor revision only rises and says nothing here."""
    return tuple(_standing(action, writers[target_of(action)]) for action in plan.actions)


def _standing(action: Action, writer: Writer) -> Standing:
    wanted = {name: value for name, value in before_and_after(action)[1].items() if name != REVISION}
    try:
        now = writer.read(action)
    except RemediateError as error:
        return Standing(action=action, target=target_of(action), state="not read", detail=str(error))
    state = "as wanted" if holds(now, wanted) else "not as wanted"
    return Standing(action=action, target=target_of(action), state=state)


def found_again(plan: Plan, snapshot: Snapshot) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Return the findings that the plan acted on and that are found still, and what could not be read to tell."""
    touched = touched_by(plan)
    playbooks = tuple(plan.options.get("playbooks", ())) or tuple(plan.playbooks)
    again = make_plan(snapshot, PlanOptions(playbooks=playbooks, templates=_templates(plan)))
    unknown = dict.fromkeys(_sentence(item) for item in again.unknown if item.needed and _decides(item, plan))
    return tuple(one for one in again.findings if one.id in touched), tuple(unknown)


def touched_by(plan: Plan) -> frozenset[str]:
    """The findings that an action of the plan answers; none for a rollback, which brings problems back on purpose."""
    return frozenset(name for action in plan.actions for name in action.because)


def _decides(item: Unknown, plan: Plan) -> bool:
    """Whether what is unknown could hide a problem that the plan acted on."""
    touched = touched_by(plan)
    if item.playbook:
        cause = f"{item.playbook}/{item.cause}/"
        name = "" if item.target.kind == "estate" else item.target.name
        return any(one.startswith(cause + name) for one in touched)
    host = item.target.name.lower()
    changed = any(target_of(action) == host for action in plan.actions)
    return item.target.kind != "connector" or changed or any(host in one.lower() for one in touched)


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
