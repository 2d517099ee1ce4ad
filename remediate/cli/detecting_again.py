"""After a run: every address is read once more, and the playbooks look again at what it touched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from remediate.cli.options import FactOptions
from remediate.model.errors import RemediateError
from remediate.model.plan import DIRECTORY, Plan

if TYPE_CHECKING:
    from remediate.actions.writing import Writer
    from remediate.engine.verifying import Verification
    from remediate.model.journal import JournalLine
    from remediate.transports.credentials import Logon


def verified(
    plan: Plan,
    writers: Mapping[str, Writer],
    connection: dict[str, Any],
    *,
    logon: Logon,
    lines: Iterable[JournalLine] | None = None,
    elsewhere: Mapping[str, str] | None = None,
) -> Verification:
    """Read what the plan touched, live, and detect again. What cannot be read is told in the result, and not raised.

    `lines` and `elsewhere` tell of restarts as `stands_now` has it; without them the plan has just been carried out.
    """
    from remediate.engine.verifying import Verification, stands_now, touched_by

    undone = plan.options.get("rollback_of", ""), bool(plan.options.get("undoes_rollback"))
    found = Verification(
        standing=stands_now(plan, writers, lines, elsewhere=elsewhere), rollback_of=undone[0], undoes_rollback=undone[1]
    )
    if not touched_by(plan):
        return found
    try:
        return _looked_again(found, plan, connection, logon=logon)
    except RemediateError as error:
        return msgspec.structs.replace(found, unknown=(str(error),))


def _looked_again(found: Verification, plan: Plan, connection: dict[str, Any], *, logon: Logon) -> Verification:
    from remediate.cli.facts import read_facts
    from remediate.engine.verifying import check_playbooks, found_again

    folders = tuple(connection.get("playbooks", ()))
    check_playbooks(plan, folders)  # first: reading takes its time
    again = found_again(plan, read_facts(_facts(plan, connection), logon), folders)
    return msgspec.structs.replace(found, still=again.still, others=again.others, unknown=again.unknown)


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
