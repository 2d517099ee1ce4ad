"""`remediate runs`, `rollback` and `verify`: what was applied, what undoes it, and whether it still stands."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import msgspec

from remediate.cli.kept_runs import restarted_by, run_named, runs_root, takes_back
from remediate.cli.options import logon_of, output_options, writing_options
from remediate.cli.output import chosen, one_line, save, write_json, write_lines, write_plan
from remediate.model.errors import DocumentError, ExitCode, RefusedError
from remediate.model.journal import Journal, JournalLine
from remediate.model.plan import Plan, seal
from remediate.render.documents import ApprovalDescription, RollbackDescription, RunDescription

if TYPE_CHECKING:
    from remediate.runs.folder import RunFolder

_RUNS = click.option("--runs", "folder", type=click.Path(file_okay=False), envvar="REMEDIATE_RUNS",
                     help="Where runs are kept.")  # fmt: skip
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")


@click.command("runs")
@click.argument("name", metavar="[RUN]", default="")
@_RUNS
@_JSON
def runs_(name: str, folder: str | None, as_json: bool) -> int:
    """Tell what was applied, when, by whom, with which approval, and how it ended; of one RUN each action.

    Exit codes: 0 read, 1 a journal was edited or torn.
    """
    from remediate.render.applied_runs import runs_lines
    from remediate.render.documents import RunsDocument
    from remediate.runs.folder import runs

    root = runs_root(folder)
    meant = {run_named(root, name).name} if name else None
    every = [(run, _read(run)) for run in runs(root)]
    told = [
        _described(run, read, every=[other for _, other in every])
        for run, read in every
        if meant is None or run.name in meant
    ]
    document = RunsDocument(folder=str(root), runs=tuple(told))
    if as_json:
        write_json(document)
    else:
        write_lines(runs_lines(document, every=bool(name)))
    return int(ExitCode.ERROR if any(run.trouble for run in document.runs) else ExitCode.NOTHING_TO_DO)


class _Read(msgspec.Struct, frozen=True, kw_only=True):
    """What of a run can be read and believed; `trouble` tells what cannot."""

    name: str
    digest: str = ""
    plan: Plan | None = None
    journal: Journal = Journal(())
    approvals: tuple[ApprovalDescription, ...] = ()
    trouble: str = ""


def _read(run: RunFolder) -> _Read:
    """A run; what of it cannot be read or believed is told, and hides no other run."""
    found = _Read(name=run.name)
    try:
        found = msgspec.structs.replace(found, journal=run.journal())
        found = msgspec.structs.replace(found, approvals=_approvals(run))
        plan, digest = run.plan()
        return msgspec.structs.replace(found, plan=plan, digest=digest)
    except (DocumentError, RefusedError) as error:
        return msgspec.structs.replace(found, plan=None, digest="", trouble=str(error))


def _described(run: RunFolder, read: _Read, *, every: list[_Read]) -> RunDescription:
    from remediate.render.applied import Run
    from remediate.render.applied_runs import run_description

    read = _with_what_was_altered(run, read)
    return run_description(
        Run(name=run.name, folder=str(run.path), plan_id=read.digest),
        plan=read.plan,
        journal=read.journal,
        approvals=read.approvals,
        trouble=read.trouble,
        rollback=_rollback(read, every),
        elsewhere=_restarted(every, but=read.name),
        at_work=_at_work(run, read),
    )


def _at_work(run: RunFolder, read: _Read) -> str:
    """Who works on a run at this moment; of one that has ended nobody does."""
    from remediate.render.applied_runs import ended
    from remediate.runs.folder import at_work

    is_live = bool(read.journal.lines) and read.journal.lines[0].source == "apply" and ended(read.journal) is None
    return at_work(run.path.parent, read.digest) if is_live and read.digest else ""


def _with_what_was_altered(run: RunFolder, read: _Read) -> _Read:
    from remediate.runs.sent import altered

    try:
        return read if read.trouble else msgspec.structs.replace(read, trouble=altered(run.path, read.journal.lines))
    except (DocumentError, RefusedError) as error:
        return msgspec.structs.replace(read, plan=None, digest="", trouble=str(error))


def _rollback(read: _Read, every: list[_Read]) -> RollbackDescription | None:
    """The last run that took this one back; one that was refused before it began to is none."""
    from remediate.render.applied_runs import ended

    for other in reversed(every):
        if other.plan and takes_back(other.plan, other.journal, read.name):
            return RollbackDescription(run=other.name, ended=ended(other.journal))
    return None


def _restarted(every: Iterable[_Read], *, but: str) -> dict[str, str]:
    """When the last restart of each host began that another run has carried out (UTC)."""
    return restarted_by((one.plan, one.journal) for one in every if one.plan and one.name != but)


def _approvals(run: RunFolder) -> tuple[ApprovalDescription, ...]:
    names = ApprovalDescription.__struct_fields__
    return tuple(ApprovalDescription(**{name: kept.get(name, "") for name in names}) for kept in run.approvals())


@click.command()
@click.argument("name", metavar="RUN")
@click.option("--out", type=click.Path(dir_okay=False), help="Where the sealed plan is saved, for `remediate apply`.")
@click.option("--dry-run", is_flag=True, help="Only print it; this is what happens without --out, too.")
@_RUNS
@output_options
def rollback(name: str, out: str | None, dry_run: bool, folder: str | None, format: str, as_json: bool) -> int:
    """Make the plan that undoes a RUN, newest change first; it is approved and applied like every other plan.

    What was begun and never ended is undone too: where it was not written, nothing is. Every plan that this makes has
    a digest of its own: the one to approve is that of the file that --out names.

    Exit codes: 2 there is something to undo, 3 nothing of the run is left to undo, or it is at work.
    """
    from remediate.engine.undoing import undo_plan
    from remediate.render.markdown import markdown

    run = run_named(runs_root(folder), name)
    plan, _ = run.plan()
    if whose := _at_work(run, _read(run)):
        do = "Make it when that one has ended: what it writes until then has to be taken back too."
        raise RefusedError("the run is at work", where=run.name, why=whose, do=do)
    made = undo_plan(plan, run.whole_journal().lines, run=run.name, now=datetime.now(UTC))
    saved = out if out and not dry_run else ""
    if saved:
        save(Path(saved), seal(made))
    if chosen(format, as_json=as_json) == "md" and not saved:
        click.echo(markdown(made), nl=False)  # without a digest: nobody could apply what was approved by it
    else:
        write_plan(made, format=chosen(format, as_json=as_json), saved=saved)
    return int(ExitCode.FINDINGS)


@click.command()
@click.argument("name", metavar="PLAN|RUN")
@_RUNS
@writing_options
@_JSON
def verify(name: str, folder: str | None, as_json: bool, **connection: Any) -> int:
    """Read what a PLAN or a RUN touched once more, and look for its problems again.

    Exit codes: 0 all of it stands as wanted and helps, 1 something could not be read or a restart is owed, 2 something
    does not stand, or the problem is still found.
    """
    from remediate.cli.detecting_again import verified
    from remediate.cli.writers import writers_of
    from remediate.render.applied import verify_document, verify_lines
    from remediate.render.reading import unanswered

    root = runs_root(folder)
    plan, digest, lines, elsewhere = _plan(name, root)
    logon = logon_of(connection)
    with writers_of(plan, connection, logon=logon) as writers:
        found = verified(plan, writers, connection, logon=logon, lines=lines, elsewhere=elsewhere)
        document = verify_document(found, plan_id=digest)
    if as_json:
        write_json(document)
    else:
        write_lines(verify_lines(document, unanswered=unanswered(plan)))
    return document.exit_code


class _Meant(NamedTuple):
    """A plan, its digest, what the journals of its runs tell, and when other runs restarted which host."""

    plan: Plan
    digest: str
    lines: tuple[JournalLine, ...]
    elsewhere: dict[str, str]


def _plan(name: str, root: Path) -> _Meant:
    from remediate.cli.sealed_plan import read_sealed
    from remediate.runs.folder import runs

    if Path(name).is_file():
        sealed = read_sealed(Path(name))
        found, run = (sealed.plan, sealed.digest), ""
    else:
        meant = run_named(root, name)
        found, run = meant.plan(), meant.name
    every = [_read(one) for one in runs(root)]
    _tell_trouble(one for one in every if one.name.endswith(found[1][:8]) and run in ("", one.name))
    mine = _last([one for one in every if one.digest == found[1] and run in ("", one.name)])
    told = mine.journal.lines if mine and not mine.journal.broken else ()
    return _Meant(*found, told, _restarted(every, but=mine.name if mine else ""))


def _tell_trouble(runs: Iterable[_Read]) -> None:
    """Say which runs of the plan cannot be believed: what they tell of restarts is left out."""
    for one in runs:
        if why := one.trouble or one.journal.broken:
            click.echo(one_line(f"remediate: run {one.name} cannot be believed, and is left out: {why}"), err=True)


def _last(found: list[_Read]) -> _Read | None:
    """The run that tells what became of a plan: the last that has begun to carry it out, else none."""
    return next((one for one in reversed(found) if any(line.action for line in one.journal.lines)), None)
