"""Whether a plan may be applied at all: its digest, its time, its use before, the identity of every target, the rights.

Each reason is a refusal of its own, and all of it is asked before anything is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from remediate.actions.writing import Writer
from remediate.engine.schedule import expiry, refuse, schedule
from remediate.engine.side_by_side import by_target
from remediate.model.errors import RefusedError
from remediate.model.plan import Plan, target_of
from remediate.model.utc import utc_text

# A digest may be given short, as long as nobody can mistake it; change control's own copy is the whole one.
_SHORTEST = 12


def check_plan(plan: Plan, digest: str, *, approved: str, now: datetime, where: str) -> None:
    """Raise RefusedError for a digest that was not approved, and a plan that is incomplete, empty, or out of time."""
    check_approved(digest, approved=approved, where=where)
    check_content(plan, where=where)
    check_time(plan, now=utc_text(now), where=where)


def check_approved(digest: str, *, approved: str, where: str) -> None:
    """Raise RefusedError unless the digest is the approved one, of which 12 digits are enough."""
    given = approved.strip().lower()
    if 0 < len(given) < _SHORTEST and digest.startswith(given):
        raise RefusedError(
            "the approved digest is given too short", where=where,
            why=f"{len(given)} of its digits, and at least {_SHORTEST} are needed", do="Give more of it, or all of it.",
        )  # fmt: skip
    if len(given) < _SHORTEST or not digest.startswith(given):
        raise RefusedError(
            "this is not the plan that was approved", where=where, why=f"its digest is {digest}",
            do="Have this digest approved, or name the plan that was.",
        )  # fmt: skip


def check_content(plan: Plan, *, where: str) -> None:
    """Raise RefusedError for a plan that is incomplete or changes nothing."""
    if not plan.complete:
        raise RefusedError("the plan is incomplete", where=where, do="Read what it says is unknown, then plan again.")
    if not plan.actions:
        raise RefusedError("the plan changes nothing", where=where, do="There is nothing to do.")


def check_worth(plan: Plan, *, now: str, where: str) -> None:
    """Raise RefusedError for a plan that nobody could carry out, now or later: incomplete, empty, or expired."""
    check_content(plan, where=where)
    refuse((expiry(plan, now=now),), where=where)


def check_time(plan: Plan, *, now: str, where: str) -> None:
    """Raise RefusedError for a plan that has expired, outside of its window, and by a clock that is behind it."""
    refuse(schedule(plan, now=now), where=where)


def check_identities(plan: Plan, writers: Mapping[str, Writer]) -> None:
    """Raise RefusedError when a target is another one than that of the plan, or the plan cannot tell."""
    by_target(writers, str, lambda name: _check_identity(plan, name, writers[name]))


_UNTOLD = "Look at the target; a JEA endpoint needs the functions of this version. If it was changed, plan again."
_NOT_ASKED = frozenset({"objectGUID"})
"""What a plan holds of a host and no live run compares: the objectGUID of its account in the directory, which the host
itself cannot tell. MachineGuid tells one machine from another, and ComputerName a clone of it in the same domain."""


def _check_identity(plan: Plan, name: str, writer: Writer) -> None:
    planned = {key: value for key, value in _planned_identity(plan, name).items() if key not in _NOT_ASKED}
    if not planned:
        raise RefusedError("the plan does not say what makes this the right target", where=name, do="Plan again.")
    found = writer.identity()
    for key, value in planned.items():
        if found.get(key) and found[key].lower() != value.lower():
            why = f"{key} is {found[key]}, planned for {value}"
            raise RefusedError("this is another target of the same name", where=name, why=why, do="Plan again.")
    for key, value in planned.items():
        if not found.get(key):
            why = f"{key} was not reported, planned for {value}"
            raise RefusedError("nobody can tell whether this is the planned target", where=name, why=why, do=_UNTOLD)


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
