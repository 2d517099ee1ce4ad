"""After a run: every address is read once more, and the playbooks look again at what it touched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from remediate.cli.options import FactOptions
from remediate.model.errors import RemediateError
from remediate.model.plan import DIRECTORY, Plan

if TYPE_CHECKING:
    from remediate.actions.writing import Writer
    from remediate.engine.verifying import Verification
    from remediate.transports.credentials import Logon


def verified(plan: Plan, writers: Mapping[str, Writer], connection: dict[str, Any], *, logon: Logon) -> Verification:
    """Read what the plan touched, live, and detect again. What cannot be read is told in the result, and not raised."""
    from remediate.cli.facts import read_facts
    from remediate.engine.verifying import Verification, found_again, stands_now, touched_by

    standing = stands_now(plan, writers)
    if not touched_by(plan):
        return Verification(standing=standing)
    try:
        snapshot = read_facts(_facts(plan, connection), logon)
        found = found_again(plan, snapshot)
    except RemediateError as error:
        return Verification(standing=standing, unknown=(str(error),))
    return Verification(standing=standing, still=found.still, others=found.others, unknown=found.unknown)


def _facts(plan: Plan, connection: dict[str, Any]) -> FactOptions:
    by_kind: dict[str, tuple[str, ...]] = {}
    for item in plan.targets:
        by_kind[item.kind] = (*by_kind.get(item.kind, ()), item.name)
    return FactOptions(
        dc=next(iter(by_kind.get(DIRECTORY, ())), ""),
        ca=by_kind.get("ca", ()),
        connector=by_kind.get("connector", ()),
        **{name: connection[name] for name in ("trust", "tls", "timeout")},
    )
