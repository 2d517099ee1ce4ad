"""`remediate runs`, `rollback` and `verify`: what was applied, what undoes it, and whether it still stands."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from remediate.cli.kept_runs import run_named, runs_root
from remediate.cli.options import connection_options, output_options
from remediate.cli.output import chosen, one_line, save, write_plan
from remediate.model.errors import ExitCode
from remediate.model.plan import seal

if TYPE_CHECKING:
    from remediate.model.plan import Plan
    from remediate.runs.folder import RunFolder

_RUNS = click.option("--runs", "folder", type=click.Path(file_okay=False), envvar="REMEDIATE_RUNS",
                     help="Where runs are kept.")  # fmt: skip


@click.command("runs")
@click.argument("name", metavar="[RUN]", default="")
@_RUNS
def runs_(name: str, folder: str | None) -> int:
    """Tell what was applied, when, by whom, with which approval, and how it ended; of one RUN each action.

    Exit codes: 0 read, 1 a journal was edited or torn.
    """
    from remediate.runs.folder import runs

    root = runs_root(folder)
    chosen_runs = [run_named(root, name)] if name else list(runs(root))
    if not chosen_runs:
        click.echo(f"No runs in {root}.")
    whole = [_told(run, every=bool(name)) for run in chosen_runs]
    return int(ExitCode.NOTHING_TO_DO if all(whole) else ExitCode.ERROR)


def _told(run: RunFolder, *, every: bool) -> bool:
    from remediate.engine.returned import standings

    journal = run.journal()
    plan, digest = run.plan()
    found = standings(plan, journal.lines)
    done = sum(one.is_done for one in found)
    first = journal.lines[0] if journal.lines else None
    who = f" by {first.by}" if first and first.by else ""
    ended = "ended" if any(line.event == "closed" for line in journal.lines) else "not ended"
    click.echo(one_line(f"{run.name}  {first.source if first else ''}{who}  {done} of {len(found)} done, {ended}"))
    if every:
        click.echo(f"  plan {digest}")
        for line in run.approval():
            click.echo(one_line(f"  {line}"))
        for one in found:
            detail = f"   {one.detail}" if one.detail else ""
            click.echo(one_line(f"  {one.state:<11} {one.action.id}. {one.action.label}  ({one.target}){detail}"))
    for trouble in filter(None, (journal.broken, "its last line was not written to its end" * journal.torn)):
        click.echo(one_line(f"  the journal cannot be believed: {trouble}"))
    return not (journal.broken or journal.torn)


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
@connection_options
def verify(name: str, folder: str | None, **connection: Any) -> int:
    """Read what a PLAN or a RUN touched once more.

    Exit codes: 0 all of it stands as wanted, 1 something could not be read, 2 something does not stand.
    """
    plan = _plan(name, folder)
    from remediate.actions.states import before_and_after
    from remediate.cli.writers import open_writers
    from remediate.engine.returned import REVISION, target_of

    writers = open_writers(plan, connection, terminal=sys.stdin.isatty())
    stands = True
    try:
        for action in plan.actions:
            wanted = {key: value for key, value in before_and_after(action)[1].items() if key != REVISION}
            now = writers[target_of(action)].read(action)
            same = all(now.get(key) == value for key, value in wanted.items())
            stands = stands and same
            word = "as wanted" if same else "not as wanted"
            click.echo(one_line(f"  {word:<13} {action.id}. {action.label}  ({target_of(action)})"))
    finally:
        for writer in writers.values():
            writer.close()
    return int(ExitCode.NOTHING_TO_DO if stands else ExitCode.FINDINGS)


def _plan(name: str, folder: str | None) -> Plan:
    from remediate.cli.applying import read_sealed

    if Path(name).is_file():
        return read_sealed(Path(name)).plan
    return run_named(runs_root(folder), name).plan()[0]
