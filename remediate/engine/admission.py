"""Whether a plan may be applied at all: its digest, its time, its use before, the identity of every target, the rights.

Each reason is a refusal of its own, and all of it is asked before anything is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from remediate.actions.writing import Writer
from remediate.engine.side_by_side import by_target
from remediate.model.errors import RefusedError
from remediate.model.journal import JournalLine
from remediate.model.plan import Plan, target_of
from remediate.model.utc import utc_text

# A digest may be given short, as long as nobody can mistake it; change control's own copy is the whole one.
_SHORTEST = 12


def check_plan(plan: Plan, digest: str, *, approved: str, now: datetime, where: str) -> None:
    """Raise RefusedError for a digest that was not approved, and a plan that is incomplete, empty, or out of time."""
    given = approved.strip().lower()
    if len(given) < _SHORTEST or not digest.startswith(given):
        raise RefusedError(
            "this is not the plan that was approved", where=where, why=f"its digest is {digest}",
            do="Have this digest approved, or name the plan that was.",
        )  # fmt: skip
    moment = utc_text(now)
    check_worth(plan, now=moment, where=where)
    _check_time(plan, moment, where)


def check_worth(plan: Plan, *, now: str, where: str) -> None:
    """Raise RefusedError for a plan that nobody could carry out, now or later: incomplete, empty, or expired."""
    if not plan.complete:
        raise RefusedError("the plan is incomplete", where=where, do="Read what it says is unknown, then plan again.")
    if not plan.actions:
        raise RefusedError("the plan changes nothing", where=where, do="There is nothing to do.")
    if now >= plan.expires_at:
        raise RefusedError(f"the plan expired at {plan.expires_at}", where=where, do="Plan again.")


def _check_time(plan: Plan, now: str, where: str) -> None:
    if now < plan.created:
        why = f"it is {now} here, and its facts were read at {plan.created}"
        raise RefusedError("the clock of this machine is behind the plan", where=where, why=why, do="Set the clock.")
    if plan.not_before and now < plan.not_before:
        raise RefusedError(f"its window opens at {plan.not_before}; it is {now}", where=where, do="Wait.")
    if plan.not_after and now >= plan.not_after:
        raise RefusedError(f"its window closed at {plan.not_after}; it is {now}", where=where, do="Plan again.")


def check_unused(lines: tuple[JournalLine, ...], *, run: str) -> None:
    """Raise RefusedError when a run of this plan came to its end: a plan is applied once."""
    if any(line.event == "closed" for line in lines):
        raise RefusedError("the plan was applied already", where=run, do="Plan again; what stands now is read anew.")


def check_identities(plan: Plan, writers: Mapping[str, Writer]) -> None:
    """Raise RefusedError when a target is another one than that of the plan, or the plan cannot tell."""
    by_target(writers, str, lambda name: _check_identity(plan, name, writers[name]))


def _check_identity(plan: Plan, name: str, writer: Writer) -> None:
    planned = _planned_identity(plan, name)
    if not planned:
        raise RefusedError("the plan does not say what makes this the right target", where=name, do="Plan again.")
    found = writer.identity()
    for key, value in planned.items():
        if key in found and found[key].lower() != value.lower():
            why = f"{key} is {found[key] or 'none'}, planned for {value}"
            raise RefusedError("this is another target of the same name", where=name, why=why, do="Plan again.")
    if not set(planned) & set(found):
        raise RefusedError("it does not say who it is", where=name, why=f"planned for {planned}")


def _planned_identity(plan: Plan, target: str) -> dict[str, str]:
    for item in plan.targets:
        if target == item.target:
            return item.identity
    return {}


def missing_rights(plan: Plan, writers: Mapping[str, Writer]) -> Iterator[tuple[int, str, str]]:
    """Yield (action, target, the right that the present account lacks there)."""
    missing = by_target(plan.actions, target_of, lambda action: writers[target_of(action)].lacks(action))
    for action, lacks in zip(plan.actions, missing, strict=True):
        if lacks:
            yield action.id, target_of(action), lacks


def check_rights(plan: Plan, writers: Mapping[str, Writer]) -> None:
    """Raise RefusedError that names every right that is missing."""
    found = [f"{number} on {target}: {lacks}" for number, target, lacks in missing_rights(plan, writers)]
    if found:
        raise RefusedError("a right is missing", why="; ".join(found), do="Apply it as somebody who has them.")
