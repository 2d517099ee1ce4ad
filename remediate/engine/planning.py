"""From a snapshot to a sealed plan: detect, guard, bind, and say what is not known and not planned.

The same snapshot and options give the same plan on every machine: no clock, path or host name of here enters it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from remediate import __version__
from remediate.actions.binding import bind
from remediate.actions.intents import Intent
from remediate.engine.detection import Detected, detect
from remediate.engine.guards import OVERRIDABLE, PLAYBOOK, openings_guard, refusals
from remediate.engine.openings import Openings
from remediate.engine.playbook import Playbook
from remediate.engine.registry import find
from remediate.engine.scope import (
    foreign_modules,
    heading,
    informing_unknowns,
    not_asked,
    notes,
    targets,
    unidentified,
    unread_targets,
)
from remediate.facts.documents import Snapshot
from remediate.facts.estate import Estate
from remediate.model.errors import UnknownFact, UsageError
from remediate.model.finding import NotPlanned, Refusal, Unknown
from remediate.model.plan import PLAN_FORMAT, Obtains, Plan
from remediate.model.utc import utc_text


class PlanOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for. `playbooks` are names, codes or paths, empty for all; `settings` their parameters."""

    playbooks: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()
    settings: dict[str, str] = {}
    overrides: tuple[str, ...] = ()
    expires_days: int = 7
    not_before: str = ""
    not_after: str = ""
    playbook_folders: tuple[str, ...] = ()


class _Judged(msgspec.Struct):
    kept: list[Detected]
    refused: list[Refusal]
    not_planned: list[NotPlanned]
    unknown: list[Unknown]


def make_plan(snapshot: Snapshot, options: PlanOptions) -> Plan:
    """Return the plan for these facts. Raises UsageError for a playbook, parameter or override that does not exist."""
    playbooks = find(options.playbooks, options.playbook_folders)
    _check(options, playbooks)
    estate = Estate(snapshot, options.templates, options.settings)
    detection = detect(playbooks, estate)
    openings = Openings(estate)
    judged = _judge(detection.detected, openings, options, estate)
    actions, identities = bind(_wanted(judged.kept), estate), tuple(targets(estate))
    unnamed = unidentified(actions, identities)
    needed = (*detection.unknown, *judged.unknown, *unread_targets(snapshot), *unnamed)
    intents = [intent for item in judged.kept for intent in item.intents]
    change = openings.change(intents)
    created = estate.read_at
    return Plan(
        format_version=PLAN_FORMAT,
        remediate=__version__,
        playbooks={playbook.name: playbook.meta.version for playbook in playbooks},
        options=_chosen(options, playbooks),
        created=created,
        expires_at=_later(created, options.expires_days),
        not_before=options.not_before,
        not_after=options.not_after,
        complete=not needed,
        heading=tuple(heading(estate)),
        targets=identities,
        findings=tuple(item.finding for item in detection.detected),
        actions=actions,
        refused=tuple(judged.refused),
        not_planned=tuple(judged.not_planned),
        unknown=(*needed, *detection.informing, *informing_unknowns(snapshot)),
        not_asked=tuple(not_asked(estate)),
        gained=_in_order(change.gained),
        lost=_in_order(change.lost),
        notes=(*detection.notes, *notes(snapshot), *foreign_modules(estate, change.gained | change.lost)),
    )


def _check(options: PlanOptions, playbooks: Sequence[Playbook]) -> None:
    for name in options.overrides:
        if name not in OVERRIDABLE:
            raise UsageError(f"no guard {name!r} can be overridden", do=f"Known: {', '.join(sorted(OVERRIDABLE))}.")
    parameters = {name for playbook in playbooks for name in playbook.meta.parameters}
    for name in options.settings:
        if name not in parameters:
            raise UsageError(
                f"no chosen playbook takes {name!r}", do=f"Known: {', '.join(sorted(parameters)) or 'none'}."
            )


def _judge(detected: Iterable[Detected], openings: Openings, options: PlanOptions, estate: Estate) -> _Judged:
    judged = _Judged([], [], [], [])
    for item in detected:
        _judge_alone(item, judged, options, estate)
    try:
        _judge_together(judged, openings, options)
    except UnknownFact as error:
        _drop_unknown(judged, openings, error)
        _judge_together(judged, openings, options)
    return judged


def _judge_together(judged: _Judged, openings: Openings, options: PlanOptions) -> None:
    for refusal in openings_guard(judged.kept, openings, options.overrides):
        judged.refused.append(refusal)
        if not refusal.overridden:
            judged.kept = [item for item in judged.kept if item.finding.id != refusal.finding]


def _drop_unknown(judged: _Judged, openings: Openings, error: UnknownFact) -> None:
    """Plan nothing of which nobody can tell what it would open: each such fix, or all where only the sum shows it."""
    errors = [_unknown_of(item, openings) for item in judged.kept]
    if not any(errors):
        errors = [error] * len(judged.kept)
    pairs = list(zip(judged.kept, errors, strict=True))
    judged.unknown += [_guard_unknown(item, found) for item, found in pairs if found]
    judged.kept = [item for item, found in pairs if not found]


def _unknown_of(item: Detected, openings: Openings) -> UnknownFact | None:
    try:
        openings.new_holes(item.intents)
    except UnknownFact as error:
        return error
    return None


def _judge_alone(item: Detected, judged: _Judged, options: PlanOptions, estate: Estate) -> None:
    if item.found.missing:
        judged.not_planned.append(NotPlanned(finding=item.finding.id, why=item.found.missing))
        return
    if item.found.refused:
        reason = Refusal(finding=item.finding.id, guard=PLAYBOOK, reason=item.found.refused, first=item.found.first)
        judged.refused.append(reason)
        return
    try:
        found = refusals(item, options.overrides)
        bind(_wanted([item]), estate)  # what its values are bound from has to be known as well
    except UnknownFact as error:
        judged.unknown.append(_guard_unknown(item, error))
        return
    judged.refused += found
    if item.intents and all(refusal.overridden for refusal in found):
        judged.kept.append(item)


def _guard_unknown(item: Detected, error: UnknownFact) -> Unknown:
    finding = item.finding
    return Unknown(
        playbook=finding.playbook,
        cause=finding.cause,
        target=finding.target,
        fact=error.where,
        why=f"{error.why}; without it nobody can tell what the fix would open or stop",
        code=error.code,
    )


def _wanted(kept: Iterable[Detected]) -> dict[Intent, tuple[str, ...]]:
    wanted: dict[Intent, tuple[str, ...]] = {}
    for item in kept:
        for intent in item.intents:
            wanted[intent] = (*wanted.get(intent, ()), item.finding.id)
    return wanted


def _in_order(obtained: Iterable[Obtains]) -> tuple[Obtains, ...]:
    return tuple(sorted(obtained, key=msgspec.structs.astuple))


def _chosen(options: PlanOptions, playbooks: Iterable[Playbook]) -> dict[str, object]:
    return {
        "playbooks": sorted(playbook.name for playbook in playbooks),
        "templates": sorted(options.templates),
        "settings": dict(options.settings),
        "overrides": sorted(options.overrides),
    }


def _later(created: str, days: int) -> str:
    if not created:
        return ""
    moment = datetime.fromisoformat(created) + timedelta(days=days)
    return utc_text(moment)
