"""A plan in the order in which people read it: which findings are changed, refused, or left to people.

Text and Markdown print the same blocks from here, so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from remediate.model.finding import ALL_OF_IT, Finding, NotPlanned, Refusal, Target, Unknown
from remediate.model.plan import Action, Obtains, Plan


class Block(msgspec.Struct, frozen=True):
    """A finding with what the plan does about it. `shared` are changes that stand under an earlier finding."""

    finding: Finding
    actions: tuple[Action, ...] = ()
    shared: tuple[Action, ...] = ()
    overridden: tuple[Refusal, ...] = ()


class RefusedBlock(msgspec.Struct, frozen=True):
    """A finding whose fix was refused. `repeats` is true where a PROBLEM block already told of the finding."""

    finding: Finding | None
    refusals: tuple[Refusal, ...]
    repeats: bool = False


class NotPlannedBlock(msgspec.Struct, frozen=True):
    """A finding without an action, and why."""

    finding: Finding | None
    reasons: tuple[NotPlanned, ...]
    repeats: bool = False


class UnknownBlock(msgspec.Struct, frozen=True):
    """Checks that one and the same missing fact or target made impossible."""

    target: Target
    why: str
    code: str
    facts: tuple[str, ...]
    playbooks: tuple[str, ...]


def problems(plan: Plan) -> tuple[Block, ...]:
    """Return the findings that are changed, or that nothing but people can change."""
    elsewhere = _refused_ids(plan) | {item.finding for item in plan.not_planned}
    return tuple(block for block in _blocks(plan) if _has_change(block) or block.finding.id not in elsewhere)


def _has_change(block: Block) -> bool:
    return bool(block.actions or block.shared)


def _told_once(plan: Plan) -> tuple[Finding, ...]:
    """The findings; what several playbooks know of one target, and people alone can mend, as one of all of them."""
    mended = {name for action in plan.actions for name in action.because} | {item.finding for item in plan.refused}
    alone = mended | {item.finding for item in plan.not_planned}
    found: dict[object, list[Finding]] = {}
    for finding in plan.findings:
        same = (finding.target, finding.message, finding.advice, finding.evidence[:1])
        found.setdefault(finding.id if finding.id in alone else same, []).append(finding)
    return tuple(_merged(findings) for findings in found.values())


def _merged(findings: list[Finding]) -> Finding:
    return msgspec.structs.replace(
        findings[0],
        playbook=", ".join(dict.fromkeys(finding.playbook for finding in findings)),
        code=", ".join(dict.fromkeys(finding.code for finding in findings if finding.code)),
        evidence=tuple(dict.fromkeys(one for finding in findings for one in finding.evidence)),
    )


def _blocks(plan: Plan) -> Iterator[Block]:
    printed: set[int] = set()
    for finding in _told_once(plan):
        mine = tuple(action for action in plan.actions if finding.id in action.because)
        yield Block(
            finding,
            tuple(action for action in mine if action.id not in printed),
            tuple(action for action in mine if action.id in printed),
            tuple(item for item in plan.refused if item.finding == finding.id and item.overridden),
        )
        printed.update(action.id for action in mine)


def unattached(plan: Plan) -> tuple[Action, ...]:
    """Return actions that no finding of the plan names as theirs, such as a restart that several changes share."""
    named = {finding.id for finding in plan.findings}
    return tuple(action for action in plan.actions if not named & set(action.because))


def unanswered(plan: Plan) -> tuple[Finding, ...]:
    """Return the findings that no action of the plan answers, what several playbooks know of one target as one."""
    answered = {name for action in plan.actions for name in action.because}
    return tuple(finding for finding in _told_once(plan) if finding.id not in answered)


def _refused_ids(plan: Plan) -> set[str]:
    return {item.finding for item in plan.refused if not item.overridden}


def refused(plan: Plan) -> tuple[RefusedBlock, ...]:
    """Return the findings whose fix a guard refused, in the order of the findings."""
    known, told = {finding.id: finding for finding in plan.findings}, _told(plan)
    groups: dict[str, tuple[Refusal, ...]] = {}
    for item in plan.refused:
        if not item.overridden:
            groups[item.finding] = (*groups.get(item.finding, ()), item)
    return tuple(RefusedBlock(known.get(name), items, name in told) for name, items in groups.items())


def not_planned(plan: Plan) -> tuple[NotPlannedBlock, ...]:
    """Return the findings for which something is missing, such as a parameter."""
    known, told = {finding.id: finding for finding in plan.findings}, _told(plan) | _refused_ids(plan)
    groups: dict[str, tuple[NotPlanned, ...]] = {}
    for item in plan.not_planned:
        groups[item.finding] = (*groups.get(item.finding, ()), item)
    return tuple(NotPlannedBlock(known.get(name), items, name in told) for name, items in groups.items())


def missing(reason: NotPlanned) -> str:
    """Return what is missing in words; a parameter as the option that gives it."""
    return f"--set {reason.why}=..." if reason.why.isidentifier() else reason.why


def _told(plan: Plan) -> set[str]:
    return {block.finding.id for block in problems(plan)}


def unknown(plan: Plan, *, needed: bool) -> tuple[UnknownBlock, ...]:
    """Return what is unknown, one block for each target and reason; a target that could not be read at all is one."""
    unread = {item.target.name.lower(): item for item in plan.unknown if item.fact == ALL_OF_IT}
    groups: dict[tuple[Target, str, str], list[Unknown]] = {}
    for item in plan.unknown:
        whole = unread.get(item.fact.lower(), item)
        if whole.needed == needed:
            groups.setdefault((whole.target, whole.why, whole.code), []).append(item)
    return tuple(_unknown_block(key, items) for key, items in groups.items())


def _unknown_block(key: tuple[Target, str, str], items: list[Unknown]) -> UnknownBlock:
    facts = tuple(dict.fromkeys(item.fact for item in items))
    playbooks = tuple(dict.fromkeys(item.playbook for item in items if item.playbook and item.needed))
    return UnknownBlock(*key, (ALL_OF_IT,) if ALL_OF_IT in facts else facts, playbooks)


def place(target: Target) -> str:
    """Return a target in words: what it is and its name."""
    if target.kind == "estate" and target.name.startswith("the "):
        return target.name
    return f"{'CA' if target.kind == 'ca' else target.kind} {target.name}"


def is_restart(action: Action) -> bool:
    """Whether the action restarts a service rather than changing a value."""
    return "restart" in action.kind.lower()


class Change(msgspec.Struct, frozen=True):
    """One line of who can obtain what: `gained`, and whether the same was issued only after approval until now."""

    obtains: Obtains
    gained: bool
    was_held: bool = False
    becomes_held: bool = False


def delta(plan: Plan) -> tuple[Change, ...]:
    """Return gains, then losses. The same certificate once held and once not is one line, not a gain and a loss."""
    gained, lost = {_issued(o): o for o in plan.gained}, {_issued(o): o for o in plan.lost}
    gains = [Change(o, True, was_held=_is_held(lost.get(_issued(o)))) for o in plan.gained if not _less(o, lost)]
    losses = [
        Change(o, False, becomes_held=_is_held(gained.get(_issued(o)))) for o in plan.lost if not _less(o, gained)
    ]
    return (*gains, *losses)


def _issued(obtains: Obtains) -> tuple[str, str, str, str]:
    return obtains.principal, obtains.template, obtains.ca, obtains.name


def _is_held(other: Obtains | None) -> bool:
    return other is not None and other.held


def _less(obtains: Obtains, others: dict[tuple[str, str, str, str], Obtains]) -> bool:
    """Whether this is the held half of a certificate whose other half tells the story."""
    other = others.get(_issued(obtains))
    return obtains.held and other is not None and not other.held


_NAMES = {
    "own": "its own name",
    "own (may request for others)": "its own name, and may request for others",
    "any": "any name",
}


def in_words(change: Change) -> str:
    """Return what is obtained, in words: the name, the template, the CA, and what is special about it."""
    obtains = change.obtains
    name = _NAMES.get(obtains.name, obtains.name)
    marks = [
        "broad group" if obtains.broad else "",
        "authentication" if obtains.authentication else "",
        "held until approved" if obtains.held else "",
        "until now held" if change.was_held else "",
        "from now on held" if change.becomes_held else "",
    ]
    special = ", ".join(mark for mark in marks if mark)
    return f"{name}, from {obtains.template} at {obtains.ca}" + (f" ({special})" if special else "")


def totals(plan: Plan) -> str:
    """Return the counts in one sentence, and whether the plan can be applied."""
    restarts = sum(is_restart(action) for action in plan.actions)
    counts = [
        _count(len(_told_once(plan)), "problem"),
        _count(len(plan.actions) - restarts, "change"),
        _count(restarts, "restart"),
        f"{len(_refused_ids(plan))} refused",
        f"{len({item.finding for item in plan.not_planned})} not planned",
        f"{sum(item.needed for item in plan.unknown)} unknown",
    ]
    shown = [count for position, count in enumerate(counts) if position < 2 or not count.startswith("0 ")]
    return f"{', '.join(shown)}. {verdict(plan)}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def verdict(plan: Plan) -> str:
    """Return what the plan is good for."""
    if not plan.complete:
        return "The plan is incomplete: it can be read, not applied."
    if plan.actions:
        return "The plan is complete."
    return "Nothing to change." if plan.findings else "Nothing to do."
