"""After a run: the playbooks look once more at what it touched, because a value written is not yet a problem solved."""

from __future__ import annotations

import sys
from typing import Any

import msgspec

from remediate.cli.options import FactOptions
from remediate.engine.returned import DIRECTORY
from remediate.model.finding import Finding
from remediate.model.places import PublishingPlace, TemplatePlace
from remediate.model.plan import Plan


class DetectedAgain(msgspec.Struct, frozen=True):
    """The problems of the plan that are still found, and whether all facts could be read to tell."""

    still: tuple[Finding, ...]
    complete: bool


def detect_again(plan: Plan, connection: dict[str, Any]) -> DetectedAgain:
    """Read the plan's targets live and return what is still found of what it changed. Raises TransportError."""
    from remediate.cli.facts import read_facts
    from remediate.engine.planning import PlanOptions, make_plan

    touched = {name for action in plan.actions for name in action.because}
    if not touched:  # a rollback brings the problem back on purpose
        return DetectedAgain((), complete=True)
    snapshot = read_facts(_facts(plan, connection), terminal=sys.stdin.isatty())
    playbooks = tuple(plan.options.get("playbooks", ())) or tuple(plan.playbooks)
    again = make_plan(snapshot, PlanOptions(playbooks=playbooks, templates=_templates(plan)))
    mine = {name.partition("/")[0] for name in touched}
    complete = not any(item.needed and (item.playbook in mine or not item.playbook) for item in again.unknown)
    return DetectedAgain(tuple(one for one in again.findings if one.id in touched), complete)


def _facts(plan: Plan, connection: dict[str, Any]) -> FactOptions:
    by_kind: dict[str, tuple[str, ...]] = {}
    for item in plan.targets:
        by_kind[item.kind] = (*by_kind.get(item.kind, ()), item.name)
    return FactOptions(
        dc=next(iter(by_kind.get(DIRECTORY, ())), ""),
        ca=by_kind.get("ca", ()),
        connector=by_kind.get("connector", ()),
        **{name: connection[name] for name in ("trust", "user", "tls", "timeout")},
    )


def _templates(plan: Plan) -> tuple[str, ...]:
    """The templates that were asked for, and those that the plan changed."""
    changed = {
        action.place.template if isinstance(action.place, PublishingPlace) else action.target.name
        for action in plan.actions
        if isinstance(action.place, TemplatePlace | PublishingPlace)
    }
    return tuple(sorted({*plan.options.get("templates", ()), *changed}))
