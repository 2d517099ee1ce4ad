"""`remediate apply`: the approved plan and nothing else, live, with a journal."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from remediate.cli.approvals import Approval, account, approved_line, as_kept, on_this_machine
from remediate.cli.earlier_runs import earlier_run, nothing_more, owed_told
from remediate.cli.interrupting import Watch
from remediate.cli.kept_runs import runs_root
from remediate.cli.options import logon_of, writing_options
from remediate.cli.output import one_line, write_json, write_lines
from remediate.cli.sealed_plan import Sealed, read_sealed
from remediate.model.errors import DocumentError, ExitCode, TransportError, UsageError
from remediate.model.journal import JournalLine
from remediate.model.plan import Plan
from remediate.model.utc import utc_now, utc_text
from remediate.render.documents import AppliedDocument, ApprovalDescription, drifted_values

if TYPE_CHECKING:
    from remediate.actions.writing import Writer
    from remediate.cli.sending import Sending
    from remediate.engine.applying import Drifted, Step
    from remediate.engine.verifying import Verification
    from remediate.runs.folder import RunFolder
    from remediate.transports.credentials import Logon


@click.command()
@click.argument("file", metavar="PLAN", type=click.Path(dir_okay=False))
@click.option("--approve", metavar="DIGEST", default="", help="The digest that was approved, at least 12 digits of it.")
@click.option("--ticket", default="", envvar="REMEDIATE_TICKET", help="The change's number, kept with the approval.")
@click.option("--approved-by", default="", envvar="REMEDIATE_APPROVED_BY", help="Who approved it; kept too.")
@click.option("--check", "only_check", is_flag=True, help="Tell what stands and which rights lack; write nothing.")
@click.option("--go-on", is_flag=True, help="Go on with a run that was broken off, without asking.")
@click.option("--runs", type=click.Path(file_okay=False), envvar="REMEDIATE_RUNS", help="Where runs are kept.")
@writing_options
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def apply(file: str, approve: str, ticket: str, approved_by: str, only_check: bool, go_on: bool, runs: str | None,
          as_json: bool, **connection: Any) -> int:  # fmt: skip
    """Change what an approved PLAN says, on the live hosts and the live directory.

    Exit codes: 0 applied and verified, 1 an error before the first write, or written and it could not be verified,
    3 refused and nothing written, 4 stopped part-way, 5 written and the problem is still there.
    """
    if not approve and not only_check:
        raise UsageError("no digest is given", do="Give --approve DIGEST, as change control has it, or --check.")
    sealed = read_sealed(Path(file))
    if only_check:
        from remediate.cli.checking import check

        return check(sealed, connection, root=runs_root(runs), now=_now(), as_json=as_json)
    given_at = utc_now()
    approval = Approval(digest=approve, ticket=ticket, approved_by=approved_by, given_at=given_at)
    logon = logon_of(connection)
    return apply_sealed(sealed, approval, connection, logon=logon, go_on=go_on, runs=runs, as_json=as_json)


def apply_sealed(
    sealed: Sealed,
    approval: Approval,
    connection: dict[str, Any],
    *,
    logon: Logon,
    go_on: bool = False,
    runs: str | None = None,
    as_json: bool = False,
) -> int:
    """Apply a plan under an approval and return the exit code. Raises RefusedError before anything is written."""
    from remediate.cli.sending import Sending
    from remediate.cli.writers import writers_of
    from remediate.engine.admission import check_approved, check_content
    from remediate.runs.folder import alone

    check_approved(sealed.digest, approved=approval.digest, where=sealed.where)
    check_content(sealed.plan, where=sealed.where)
    root, by = runs_root(runs), account(connection["user"])
    with owed_told(root, sealed):
        _check_time(sealed)
    with alone(root, sealed.digest), owed_told(root, sealed):
        earlier = earlier_run(root, sealed, go_on=go_on, by=by)
        _check_time(sealed)  # once more: whoever was asked may have taken a while to answer
        sending = Sending()
        opened = writers_of(sealed.plan, connection, logon=logon, sending=sending)
        with nothing_more(earlier), opened as writers:
            _admit(sealed, writers)
            verify = partial(_verified, sealed.plan, writers, connection, logon=logon)
            attempt = _Attempt(sealed=sealed, root=root, earlier=earlier, approval=approval, by=by)
            document = _apply(attempt, writers, verify=verify, sending=sending)
    return _tell(document, sealed.plan, as_json=as_json)


def _check_time(sealed: Sealed) -> None:
    from remediate.engine.admission import check_time

    check_time(sealed.plan, now=utc_text(_now()), where=sealed.where)


def _admit(sealed: Sealed, writers: dict[str, Writer]) -> None:
    from remediate.actions.writing import TURNED_AWAY
    from remediate.engine.admission import check_identities, check_rights

    try:
        check_identities(sealed.plan, writers)
    except TransportError as error:
        if error.code in TURNED_AWAY:
            check_rights(sealed.plan, writers)
        raise
    _check_controllers_clock(sealed, writers)
    check_rights(sealed.plan, writers)


def _check_controllers_clock(sealed: Sealed, writers: dict[str, Writer]) -> None:
    from remediate.engine.schedule import controllers_clock, refuse, time_there

    there = time_there(writers)
    if there is not None:
        clock = controllers_clock(sealed.plan, now=_now(), there=there)
        refuse((clock,), where=sealed.where)
        if clock.state == "differs":
            click.echo(one_line(f"remediate: {clock.told}. {clock.do}"), err=True)


class _Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to apply a plan: `earlier` is the run that it goes on with, `by` the account that acts."""

    sealed: Sealed
    root: Path
    earlier: RunFolder | None
    approval: Approval
    by: str

    def begun_in(self) -> RunFolder:
        """Return the run that it goes on with, or a new one."""
        from remediate.runs.folder import RunFolder

        if self.earlier:
            return self.earlier
        opened = JournalLine(
            at=self.approval.given_at, event="opened", source="apply", detail=self.sealed.digest, by=self.by,
            approval=as_kept(self.approval),
        )  # fmt: skip
        return RunFolder.create(
            self.root, sealed=self.sealed.text, opened=opened, digest=self.sealed.digest, now=_now()
        )

    def recording(self, run: RunFolder, append: Callable[[JournalLine], None]) -> Callable[[JournalLine], None]:
        """Return what journals a line with the account that acts.

        Before the first of them, behind the locks, it asks for the last time whether the plan is in time, and writes
        down the approval.
        """
        begun = False

        def record(line: JournalLine) -> None:
            nonlocal begun
            if not begun:
                _check_time(self.sealed)
                run.approve(approved_line(self.approval, at=utc_text(_now()), by=self.by))
                begun = True
            append(msgspec.structs.replace(line, by=self.by))

        return record


def _apply(
    attempt: _Attempt, writers: dict[str, Writer], *, verify: Callable[[], Verification | None], sending: Sending
) -> AppliedDocument:
    from remediate.actions.writing import Lease
    from remediate.engine.applying import Drifted, carry_out, read_steps, refuse_drift
    from remediate.render.applied import Run, applied

    plan, earlier = attempt.sealed.plan, attempt.earlier
    lines = earlier.whole_journal().lines if earlier else ()
    watch, found = Watch(plan), None
    try:
        refuse_drift(read_steps(plan, writers, lines))
        run = attempt.begun_in()
        sending.into(run)
        record = attempt.recording(run, sending.journaling(run.append))
        token = run.token or secrets.token_hex(16)  # a run that an older version began has none
        lease = Lease(run=run.name, who=on_this_machine(attempt.by), token=token)
        with watch.between_actions():
            steps, code = carry_out(
                plan, writers, lease=lease, record=watch.recording(record), earlier=lines, clock=_now,
                stop=watch.asked,
            )  # fmt: skip
    except Drifted as error:
        _tell_drift(error)
        raise
    except DocumentError as error:
        if watch.has_begun:  # what was written stands in the journal up to the line that could not be
            error.exit_code = ExitCode.STOPPED_PART_WAY
        raise
    if watch.asked() and not _written(steps):
        raise KeyboardInterrupt
    if code is ExitCode.NOTHING_TO_DO:
        found = None if watch.asked() else verify()
        code = _ended(found) if found else ExitCode.STOPPED_PART_WAY
        if found:
            record(_closed(code))
    told = ApprovalDescription(**as_kept(attempt.approval))
    of = Run(name=run.name, folder=str(run.path), plan_id=attempt.sealed.digest)
    return applied(of, steps, approval=told, exit_code=int(code), verification=found)


def _written(steps: tuple[Step, ...]) -> bool:
    """Whether this run, or the one that it goes on with, has begun to write."""
    return any(step.written or step.outcome in ("done", "failed", "unresolved") for step in steps)


def _verified(
    plan: Plan, writers: dict[str, Writer], connection: dict[str, Any], *, logon: Logon
) -> Verification | None:
    """What the run has helped; None when Ctrl-C broke it off: the run is not ended then, and can be gone on with."""
    from remediate.cli.detecting_again import verified

    try:
        return verified(plan, writers, connection, logon=logon)
    except KeyboardInterrupt:
        return None


def _ended(found: Verification) -> ExitCode:
    """5 where what was written does not stand or does not help, 1 where that could not be read."""
    return ExitCode.STILL_BROKEN if found.is_broken else found.exit_code


def _closed(code: ExitCode) -> JournalLine:
    return JournalLine(at=utc_now(), event="closed", source="apply", detail=str(int(code)))


def _tell(document: AppliedDocument, plan: Plan, *, as_json: bool) -> int:
    from remediate.render.applied import applied_lines
    from remediate.render.reading import unanswered

    if as_json:
        write_json(document)
    else:
        write_lines(applied_lines(document, unanswered=unanswered(plan)))
    return document.exit_code


def _tell_drift(error: Drifted) -> None:
    from remediate.render.applied import drift_lines
    from remediate.render.text import as_text

    click.echo(as_text(drift_lines(drifted_values(error.steps))), nl=False, err=True)


def _now() -> datetime:
    return datetime.now(UTC)
