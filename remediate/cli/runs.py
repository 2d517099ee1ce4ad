"""`remediate runs`, `rollback` and `verify`: what was applied, what undoes it, and whether it still stands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from remediate.cli.kept_runs import run_named, runs_root
from remediate.cli.options import logon_of, output_options, writing_options
from remediate.cli.output import chosen, save, write_json, write_lines, write_plan
from remediate.model.errors import DocumentError, ExitCode, RefusedError
from remediate.model.journal import Journal
from remediate.model.plan import seal

if TYPE_CHECKING:
    from remediate.model.plan import Plan
    from remediate.render.documents import ApprovalDescription, RunDescription
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
    meant = [run_named(root, name)] if name else list(runs(root))
    document = RunsDocument(folder=str(root), runs=tuple(map(_described, meant)))
    if as_json:
        write_json(document)
    else:
        write_lines(runs_lines(document, every=bool(name)))
    return int(ExitCode.ERROR if any(run.trouble for run in document.runs) else ExitCode.NOTHING_TO_DO)


def _described(run: RunFolder) -> RunDescription:
    """A run; what of it cannot be read or believed is told, and hides no other run."""
    from remediate.render.applied import Run
    from remediate.render.applied_runs import run_description
    from remediate.runs.sent import altered

    of = Run(name=run.name, folder=str(run.path), plan_id="")
    journal, approval = Journal(()), None
    try:
        journal, approval = run.journal(), _approval(run)
        plan, digest = run.plan()
        changed = altered(run.path, journal.lines)
    except (DocumentError, RefusedError) as error:
        return run_description(of, plan=None, journal=journal, approval=approval, trouble=str(error))
    of = Run(name=run.name, folder=str(run.path), plan_id=digest)
    return run_description(of, plan=plan, journal=journal, approval=approval, trouble=changed)


def _approval(run: RunFolder) -> ApprovalDescription | None:
    from remediate.render.documents import ApprovalDescription

    kept = run.approval()
    names = ApprovalDescription.__struct_fields__
    return ApprovalDescription(**{name: kept.get(name, "") for name in names}) if kept else None


@click.command()
@click.argument("name", metavar="RUN")
@click.option("--out", type=click.Path(dir_okay=False), help="Where the sealed plan is saved, for `remediate apply`.")
@click.option("--dry-run", is_flag=True, help="Only print it; this is what happens without --out, too.")
@_RUNS
@output_options
def rollback(name: str, out: str | None, dry_run: bool, folder: str | None, format: str, as_json: bool) -> int:
    """Make the plan that undoes a RUN, newest change first; it is approved and applied like every other plan.

    Exit codes: 2 there is something to undo, 3 nothing of the run is left to undo.
    """
    from remediate.engine.undoing import undo_plan

    run = run_named(runs_root(folder), name)
    made = undo_plan(run.plan()[0], run.whole_journal().lines, run=run.name)
    if out and not dry_run:
        save(Path(out), seal(made))
    write_plan(made, format=chosen(format, as_json=as_json), saved=out if out and not dry_run else "")
    return int(ExitCode.FINDINGS)


@click.command()
@click.argument("name", metavar="PLAN|RUN")
@_RUNS
@writing_options
@_JSON
def verify(name: str, folder: str | None, as_json: bool, **connection: Any) -> int:
    """Read what a PLAN or a RUN touched once more, and look for its problems again.

    Exit codes: 0 all of it stands as wanted and helps, 1 something could not be read, 2 something does not stand, or
    the problem is still found.
    """
    from remediate.cli.detecting_again import verified
    from remediate.cli.writers import writers_of
    from remediate.render.applied import verify_document, verify_lines

    plan, digest = _plan(name, folder)
    logon = logon_of(connection)
    with writers_of(plan, connection, logon=logon) as writers:
        document = verify_document(verified(plan, writers, connection, logon=logon), plan_id=digest)
    if as_json:
        write_json(document)
    else:
        write_lines(verify_lines(document))
    return document.exit_code


def _plan(name: str, folder: str | None) -> tuple[Plan, str]:
    from remediate.cli.sealed_plan import read_sealed

    if Path(name).is_file():
        sealed = read_sealed(Path(name))
        return sealed.plan, sealed.digest
    return run_named(runs_root(folder), name).plan()
