"""`remediate apply`: the approved plan and nothing else, live, with a journal."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from remediate.cli.kept_runs import run_of_plan, runs_root
from remediate.cli.options import logon_of, writing_options
from remediate.cli.output import one_line, write_json, write_lines
from remediate.cli.sealed_plan import Sealed, read_sealed
from remediate.model.errors import DocumentError, ExitCode, RefusedError, TransportError, UsageError
from remediate.model.journal import Journal, JournalLine
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

# No change here takes longer; a lock that a killed run leaves behind is dead by then.
LOCK_HOURS = 1


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """Who approved what, as it was given; kept with the run."""

    digest: str
    ticket: str = ""
    approved_by: str = ""
    given_at: str = ""


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

    Exit codes: 0 applied and verified, 1 error before the first write, 3 refused and nothing written, 4 stopped
    part-way, 5 written and the problem is still there.
    """
    if not approve and not only_check:
        raise UsageError("no digest is given", do="Give --approve DIGEST, as change control has it, or --check.")
    sealed = read_sealed(Path(file))
    if only_check:
        return _check(sealed, connection, root=runs_root(runs), as_json=as_json)
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
    from remediate.engine.admission import check_plan
    from remediate.runs.folder import alone

    check_plan(sealed.plan, sealed.digest, approved=approval.digest, now=_now(), where=sealed.where)
    root = runs_root(runs)
    with alone(root, sealed.digest):
        earlier = _earlier(root, sealed, go_on=go_on)
        sending = Sending()
        with writers_of(sealed.plan, connection, logon=logon, sending=sending) as writers:
            _admit(sealed.plan, writers)
            verify = partial(_verified, sealed.plan, writers, connection, logon=logon)
            document = _apply(
                sealed, writers, root=root, earlier=earlier, approval=approval, verify=verify, sending=sending
            )
    return _tell(document, as_json=as_json)


def _check(sealed: Sealed, connection: dict[str, Any], *, root: Path, as_json: bool) -> int:
    """Ask all that `apply` asks before it writes, and tell all of it, not only the first that would be refused."""
    from remediate.cli.writers import writers_of
    from remediate.engine.admission import check_plan, check_unused
    from remediate.engine.checking import check_all
    from remediate.render.applied_check import check_document, check_lines
    from remediate.transports.failure_codes import LOGON_REFUSED

    check_plan(sealed.plan, sealed.digest, approved=sealed.digest, now=_now(), where=sealed.where)
    run = run_of_plan(root, sealed.digest, source="apply")
    lines = run.journal().lines if run else ()
    check_unused(lines, run=run.name if run else "")
    with writers_of(sealed.plan, connection, logon=logon_of(connection)) as writers:
        check = check_all(sealed.plan, writers, lines, logon_refused=LOGON_REFUSED)
        document = check_document(check, plan_id=sealed.digest)
    if as_json:
        write_json(document)
    else:
        write_lines(check_lines(document))
    return document.exit_code


def _earlier(root: Path, sealed: Sealed, *, go_on: bool) -> RunFolder | None:
    """The run of this plan that was broken off. Raises RefusedError for a plan that was applied already."""
    from remediate.engine.admission import check_unused

    run = run_of_plan(root, sealed.digest, source="apply")
    if run is None:
        return None
    journal = run.journal()
    check_unused(journal.lines, run=run.name)
    if journal.torn or any(line.event == "begin" for line in journal.lines):
        _tell_broken_off(run, sealed.plan, journal)
        _ask_to_go_on(run, go_on=go_on)
        _cut_torn_line(run)
    return run


def _tell_broken_off(run: RunFolder, plan: Plan, journal: Journal) -> None:
    from remediate.engine.returned import standings

    click.echo(f"Run {run.name} of this plan was broken off:", err=True)
    if journal.torn:
        click.echo("  the last line of its journal was not written to its end", err=True)
    for one in standings(plan, journal.lines):
        click.echo(one_line(f"  {one.state:<11} {one.action.id}. {one.action.label}  ({one.target})"), err=True)


def _ask_to_go_on(run: RunFolder, *, go_on: bool) -> None:
    if go_on:
        return
    if not sys.stdin.isatty():
        do = "Read it, then give --go-on."
        raise RefusedError("a run of this plan was broken off", where=run.name, do=do)
    click.confirm("Read every target again and go on with what is not done?", abort=True, err=True)


def _cut_torn_line(run: RunFolder) -> None:
    """Take what a power cut left of a last line off the journal, and write down that it was there."""
    from remediate.runs.folder import TORN_FILE

    if torn := run.cut_torn_line():
        told = f"a last line of {len(torn)} bytes, not written to its end, was cut off and is kept in {TORN_FILE}"
        at = utc_now()
        run.append(JournalLine(at=at, event="unresolved", source="apply", detail=told, by=_who()))
        click.echo(f"  {told}; what it was about is read again", err=True)


def _admit(plan: Plan, writers: dict[str, Writer]) -> None:
    from remediate.actions.writing import TURNED_AWAY
    from remediate.engine.admission import check_identities, check_rights

    try:
        check_identities(plan, writers)
    except TransportError as error:
        if error.code in TURNED_AWAY:
            check_rights(plan, writers)
        raise
    check_rights(plan, writers)


def _apply(
    sealed: Sealed,
    writers: dict[str, Writer],
    *,
    root: Path,
    earlier: RunFolder | None,
    approval: Approval,
    verify: Callable[[], Verification | None],
    sending: Sending,
) -> AppliedDocument:
    from remediate.engine.applying import Drifted, Window, carry_out, read_steps, refuse_drift
    from remediate.render.applied import Run, applied

    lines = earlier.whole_journal().lines if earlier else ()
    watch, found = _Watch(sealed.plan), None
    try:
        refuse_drift(read_steps(sealed.plan, writers, lines))
        run = earlier or _new_run(root, sealed, approval)
        sending.into(run)
        record = sending.journaling(run.append)
        window = Window(run=run.name, who=_who(), until=_until())
        with watch.between_actions():
            steps, code = carry_out(
                sealed.plan, writers, window=window, record=watch.recording(record), earlier=lines, clock=_now,
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
            record(_closed(window.who, code))
    told = ApprovalDescription(**msgspec.structs.asdict(approval))
    of = Run(name=run.name, folder=str(run.path), plan_id=sealed.digest)
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


def _new_run(root: Path, sealed: Sealed, approval: Approval) -> RunFolder:
    from remediate.runs.folder import APPROVAL_FILE, RunFolder

    opened = JournalLine(at=approval.given_at, event="opened", source="apply", detail=sealed.digest, by=_who())
    run = RunFolder.create(root, sealed=sealed.text, opened=opened, digest=sealed.digest, now=_now())
    run.keep(APPROVAL_FILE, msgspec.json.format(msgspec.json.encode(approval), indent=2) + b"\n")
    return run


def _closed(who: str, code: ExitCode) -> JournalLine:
    return JournalLine(at=utc_now(), event="closed", source="apply", by=who, detail=str(int(code)))


class _Watch:
    """Lets Ctrl-C stop a run between two actions, never inside one; a second one says what is unresolved meanwhile."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._presses, self._begun = plan, 0, set[int]()
        self.has_begun = False

    def asked(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self._presses > 0

    def recording(self, append: Callable[[JournalLine], None]) -> Callable[[JournalLine], None]:
        """Return what journals a line, and remembers which action has begun and not ended."""

        def record(line: JournalLine) -> None:
            append(line)
            self.has_begun |= line.event == "begin"
            (self._begun.add if line.event == "begin" else self._begun.discard)(line.action)

        return record

    @contextmanager
    def between_actions(self) -> Iterator[None]:
        """Take SIGINT for a block."""
        former = signal.signal(signal.SIGINT, self._interrupted)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, former)

    def _interrupted(self, _number: int, _frame: Any) -> None:
        self._presses += 1
        under_way = [f"{one.id}. {one.label}" for one in self._plan.actions if one.id in self._begun]
        if self._presses == 1:
            told = "it stops when this action has ended" if under_way else "it stops before the next action"
        else:
            told = (
                f"unresolved until it has ended: {'; '.join(under_way)}"
                if under_way
                else "nothing is unresolved; it stops"
            )
        click.echo(one_line(f"remediate: {told}"), err=True)


def _tell(document: AppliedDocument, *, as_json: bool) -> int:
    from remediate.render.applied import applied_lines

    if as_json:
        write_json(document)
    else:
        write_lines(applied_lines(document))
    return document.exit_code


def _tell_drift(error: Drifted) -> None:
    from remediate.render.applied import drift_lines
    from remediate.render.text import as_text

    click.echo(as_text(drift_lines(drifted_values(error.steps))), nl=False, err=True)


def _who() -> str:
    import getpass

    return getpass.getuser()


def _now() -> datetime:
    return datetime.now(UTC)


def _until() -> str:
    return utc_text(_now() + timedelta(hours=LOCK_HOURS))
