"""`remediate apply`: the approved plan and nothing else, live, with a journal."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from remediate.cli.kept_runs import run_of_plan, runs_root
from remediate.cli.options import connection_options
from remediate.cli.output import contents, one_line
from remediate.model.errors import DocumentError, ExitCode, RefusedError, UsageError
from remediate.model.journal import JournalLine
from remediate.model.plan import Plan, unseal

if TYPE_CHECKING:
    from remediate.actions.writing import Writer
    from remediate.engine.applying import Drifted, Step
    from remediate.runs.folder import RunFolder

# No change here takes longer; a lock that a killed run leaves behind is dead by then.
LOCK_HOURS = 1


class Sealed(msgspec.Struct, frozen=True):
    """A plan with its file's bytes, its digest and where it came from."""

    plan: Plan
    text: bytes
    digest: str
    where: str


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
@connection_options
def apply(file: str, approve: str, ticket: str, approved_by: str, only_check: bool, go_on: bool, runs: str | None,
          **connection: Any) -> int:  # fmt: skip
    """Change what an approved PLAN says, on the live hosts and the live directory.

    Exit codes: 0 applied and verified, 1 error before the first write, 3 refused and nothing written, 4 stopped
    part-way, 5 written and the problem is still there.
    """
    if not approve and not only_check:
        raise UsageError("no digest is given", do="Give --approve DIGEST, as change control has it, or --check.")
    sealed = read_sealed(Path(file))
    if only_check:
        return _check(sealed, connection)
    given_at = f"{_now():%Y-%m-%dT%H:%M:%SZ}"
    approval = Approval(digest=approve, ticket=ticket, approved_by=approved_by, given_at=given_at)
    return apply_sealed(sealed, approval, connection, go_on=go_on, runs=runs)


def apply_sealed(
    sealed: Sealed, approval: Approval, connection: dict[str, Any], *, go_on: bool = False, runs: str | None = None
) -> int:
    """Apply a plan under an approval and return the exit code. Raises RefusedError before anything is written."""
    from remediate.engine.admission import check_plan

    check_plan(sealed.plan, sealed.digest, approved=approval.digest, now=_now(), where=sealed.where)
    root = runs_root(runs)
    earlier = _earlier(root, sealed, go_on=go_on)
    with _writers(sealed.plan, connection) as writers:
        _admit(sealed.plan, writers)
        return _apply(sealed, writers, root=root, earlier=earlier, approval=approval, connection=connection)


def _check(sealed: Sealed, connection: dict[str, Any]) -> int:
    from remediate.engine.admission import check_plan

    check_plan(sealed.plan, sealed.digest, approved=sealed.digest, now=_now(), where=sealed.where)
    with _writers(sealed.plan, connection) as writers:
        _admit(sealed.plan, writers)
        return _told_check(sealed.plan, writers)


def read_sealed(path: Path) -> Sealed:
    """Return the plan of a file. Raises DocumentError, and PlanEdited when somebody changed it."""
    try:
        text = contents(path)
    except OSError as error:
        raise DocumentError("cannot be read", where=str(path), why=error.strerror or "") from error
    plan, digest = unseal(text, where=str(path))
    return Sealed(plan, text, digest, str(path))


def _earlier(root: Path, sealed: Sealed, *, go_on: bool) -> RunFolder | None:
    """The run of this plan that was broken off. Raises RefusedError for a plan that was applied already."""
    from remediate.engine.admission import check_unused
    from remediate.engine.returned import standings

    run = run_of_plan(root, sealed.digest, source="apply")
    if run is None:
        return None
    lines = run.whole_journal().lines
    check_unused(lines, run=run.name)
    click.echo(f"Run {run.name} of this plan was broken off:", err=True)
    for one in standings(sealed.plan, lines):
        click.echo(one_line(f"  {one.state:<11} {one.action.id}. {one.action.label}  ({one.target})"), err=True)
    if not go_on:
        if not sys.stdin.isatty():
            do = "Read it, then give --go-on."
            raise RefusedError("a run of this plan was broken off", where=run.name, do=do)
        click.confirm("Read every target again and go on with what is not done?", abort=True, err=True)
    return run


@contextmanager
def _writers(plan: Plan, connection: dict[str, Any]) -> Iterator[dict[str, Writer]]:
    from remediate.cli.writers import open_writers

    writers = open_writers(plan, connection, terminal=sys.stdin.isatty())
    try:
        yield writers
    finally:
        for writer in writers.values():
            writer.close()


def _admit(plan: Plan, writers: dict[str, Writer]) -> None:
    from remediate.engine.admission import check_identities, check_rights

    check_identities(plan, writers)
    check_rights(plan, writers)


def _told_check(plan: Plan, writers: dict[str, Writer]) -> int:
    from remediate.engine.applying import read_steps

    steps = read_steps(plan, writers)
    for step in steps:
        click.echo(one_line(f"  {step.verdict:<11} {step.action.id}. {step.action.label}  ({step.target})"))
    if any(step.verdict == "drifted" for step in steps):
        return int(ExitCode.REFUSED)
    click.echo("Every target is the plan's, every right is there. Nothing was changed.")
    return int(ExitCode.NOTHING_TO_DO)


def _apply(
    sealed: Sealed,
    writers: dict[str, Writer],
    *,
    root: Path,
    earlier: RunFolder | None,
    approval: Approval,
    connection: dict[str, Any],
) -> int:
    from remediate.engine.applying import Drifted, Window, carry_out, read_steps, refuse_drift
    from remediate.runs.folder import alone

    try:
        lines = earlier.whole_journal().lines if earlier else ()
        refuse_drift(read_steps(sealed.plan, writers, lines))
        with alone(root, sealed.digest), _between_actions() as stop:
            run = earlier or _new_run(root, sealed, approval)
            window = Window(run=run.name, who=_who(), until=_until())
            steps, code = carry_out(
                sealed.plan, writers, window=window, record=run.append, earlier=lines, clock=_now, stop=stop
            )
            if code is ExitCode.NOTHING_TO_DO:
                code = _verified(sealed.plan, steps, writers, connection)
                run.append(_closed(window.who, code))
    except Drifted as error:
        _tell_drift(error)
        raise
    _tell(run, steps)
    return int(code)


def _verified(plan: Plan, steps: tuple[Step, ...], writers: dict[str, Writer], connection: dict[str, Any]) -> ExitCode:
    """Read everything once more, then detect again: 5 where what was written does not stand or does not help."""
    from remediate.cli.detecting_again import detect_again

    for step in steps:
        if step.action.kind != "restart_service" and writers[step.target].read(step.action) != step.after:
            click.echo(one_line(f"  {step.action.id}. {step.action.label}: it does not stand any more"))
            return ExitCode.STILL_BROKEN
    again = detect_again(plan, connection)
    for finding in again.still:
        seen = "; ".join(f"{one.shows} ({one.where})" for one in finding.evidence)
        click.echo(one_line(f"  still found: {finding.playbook}, {finding.target.name}: {finding.message} {seen}"))
    if again.still:
        return ExitCode.STILL_BROKEN
    if not again.complete:
        click.echo("  written, and it could not be verified: a fact that decides it cannot be read now")
        return ExitCode.ERROR
    return ExitCode.NOTHING_TO_DO


def _new_run(root: Path, sealed: Sealed, approval: Approval) -> RunFolder:
    from remediate.runs.folder import APPROVAL_FILE, RunFolder

    opened = JournalLine(at=approval.given_at, event="opened", source="apply", detail=sealed.digest, by=_who())
    run = RunFolder.create(root, sealed=sealed.text, opened=opened, digest=sealed.digest, now=_now())
    run.keep(APPROVAL_FILE, msgspec.json.format(msgspec.json.encode(approval), indent=2) + b"\n")
    return run


def _closed(who: str, code: ExitCode) -> JournalLine:
    return JournalLine(at=f"{_now():%Y-%m-%dT%H:%M:%SZ}", event="closed", source="apply", by=who, detail=str(int(code)))


@contextmanager
def _between_actions() -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C stop the run between two actions; a second one says that it is being obeyed."""
    asked = [0]

    def interrupted(_number: int, _frame: Any) -> None:
        asked[0] += 1
        told = "it stops after this action" if asked[0] == 1 else "the action that runs is unresolved until it ends"
        click.echo(f"remediate: {told}", err=True)

    former = signal.signal(signal.SIGINT, interrupted)
    try:
        yield lambda: asked[0] > 0
    finally:
        signal.signal(signal.SIGINT, former)


def _tell(run: RunFolder, steps: tuple[Step, ...]) -> None:
    for step in steps:
        detail = f"   {step.detail}" if step.detail else ""
        click.echo(one_line(f"  {step.outcome:<11} {step.action.id}. {step.action.label}  ({step.target}){detail}"))
    click.echo(f"Run {run.name}, kept in {run.path}")


def _tell_drift(error: Drifted) -> None:
    from remediate.engine.applying import changes_of

    for step in error.steps:
        click.echo(one_line(f"  {step.action.id}. {step.action.label}  ({step.target})"), err=True)
        for name, approved, now, wanted in changes_of((step,)):
            for word, value in (("approved", approved), ("now", now), ("wanted", wanted)):
                click.echo(one_line(f"     {word:<9} {name} = {'absent' if value is None else value[:80]}"), err=True)


def _who() -> str:
    import getpass

    return getpass.getuser()


def _now() -> datetime:
    return datetime.now(UTC)


def _until() -> str:
    return f"{_now() + timedelta(hours=LOCK_HOURS):%Y-%m-%dT%H:%M:%SZ}"
