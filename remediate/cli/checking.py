"""`remediate apply --check`: all that `apply` asks before it writes, told at once, and nothing is written."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from remediate.cli.earlier_runs import uses
from remediate.cli.kept_runs import run_of_plan
from remediate.cli.options import logon_of
from remediate.cli.output import write_json, write_lines
from remediate.cli.sealed_plan import Sealed
from remediate.model.errors import RefusedError
from remediate.model.journal import JournalLine
from remediate.model.utc import utc_text

if TYPE_CHECKING:
    from remediate.engine.schedule import Condition


def check(sealed: Sealed, connection: dict[str, Any], *, root: Path, now: datetime, as_json: bool) -> int:
    """Tell when the plan may be applied, and of every target and action what stands there; return the exit code.

    Raises RefusedError for a plan that is incomplete or changes nothing: there is nothing to be asked.
    """
    from remediate.cli.writers import writers_of
    from remediate.engine.admission import check_content
    from remediate.engine.checking import check_all, with_clock, with_locks
    from remediate.engine.schedule import schedule
    from remediate.render.applied_check import check_document, check_lines
    from remediate.transports.failure_codes import LOGON_REFUSED

    check_content(sealed.plan, where=sealed.where)
    used, lines = _used(root, sealed)
    conditions = (*schedule(sealed.plan, now=utc_text(now)), *used)
    with writers_of(sealed.plan, connection, logon=logon_of(connection)) as writers:
        found = check_all(sealed.plan, writers, lines, logon_refused=LOGON_REFUSED)
        found = with_clock(msgspec.structs.replace(found, schedule=conditions), sealed.plan, writers, now=now)
        found = with_locks(found, writers, lines)
    document = check_document(found, plan_id=sealed.digest)
    if as_json:
        write_json(document)
    else:
        write_lines(check_lines(document))
    return document.exit_code


def _used(root: Path, sealed: Sealed) -> tuple[tuple[Condition, ...], tuple[JournalLine, ...]]:
    """What earlier runs leave of the plan, and the lines of the live one; a run that cannot be believed is told."""
    from remediate.engine.schedule import Condition

    try:
        run = run_of_plan(root, sealed.digest, source="apply")
        return uses(root, sealed), run.journal().lines if run else ()
    except RefusedError as error:
        what = f"{error.where}: {error.what}"
        return (Condition(name="use", state="refused", what=what, why=error.why, do=error.do),), ()
