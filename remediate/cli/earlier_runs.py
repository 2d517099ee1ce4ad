"""What earlier runs of a plan leave of it: nothing, for it is applied once; something to go on with; a restart owed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from remediate.cli.kept_runs import restarted_elsewhere, rolled_back_by, run_of_plan
from remediate.cli.output import one_line
from remediate.cli.sealed_plan import Sealed
from remediate.model.errors import Interrupted, RefusedError, RemediateError
from remediate.model.journal import Journal, JournalLine
from remediate.model.plan import Plan
from remediate.model.utc import utc_now

if TYPE_CHECKING:
    from remediate.engine.schedule import Condition
    from remediate.runs.folder import RunFolder


def earlier_run(root: Path, sealed: Sealed, *, go_on: bool, by: str) -> RunFolder | None:
    """Return the run of this plan that was broken off or refused, with its journal whole; None where there is none.

    Raises RefusedError for a plan that was applied or carried out by scripts, for a run that nobody wants to go on
    with, and for one whose folder is not what its journal says.
    """
    from remediate.engine.schedule import refuse

    conditions = uses(root, sealed)
    refuse(conditions, where=sealed.where)
    for one in conditions:
        if one.state == "differs":
            click.echo(one_line(f"remediate: {one.told}. {one.do}"), err=True)
    run = run_of_plan(root, sealed.digest, source="apply")
    if run is None:
        return None
    journal = run.journal()
    if _was_begun(journal):
        _tell_broken_off(run, sealed.plan, journal)
        with nothing_more(run):
            _ask_to_go_on(run, go_on=go_on)
        _cut_torn_line(run, by=by)
    return run


@contextmanager
def nothing_more(earlier: RunFolder | None) -> Iterator[None]:
    """Say of what is interrupted within the block that nothing more was changed, where an earlier attempt had begun to.

    Raises Interrupted there.
    """
    try:
        yield
    except (KeyboardInterrupt, click.Abort) as error:
        if earlier and _was_begun(earlier.journal()):
            raise Interrupted("interrupted", do="Nothing more was changed.") from error
        raise


def _was_begun(journal: Journal) -> bool:
    return journal.torn or any(line.event == "begin" for line in journal.lines)


def uses(root: Path, sealed: Sealed) -> tuple[Condition, ...]:
    """Return what the runs of a plan leave to be applied. Raises RefusedError for one that cannot be believed."""
    from remediate.engine.schedule import use, use_by_scripts

    run = run_of_plan(root, sealed.digest, source="apply")
    scripts = run_of_plan(root, sealed.digest, source="import")
    name = run.name if run else ""
    live = use(run.journal().lines if run else (), run=name, rolled_back_by=rolled_back_by(root, name) if run else "")
    done = use_by_scripts(sealed.plan, scripts.journal().lines, run=scripts.name) if scripts else None
    return tuple(filter(None, (live, done, _rollback(root, sealed.plan))))


def _rollback(root: Path, plan: Plan) -> Condition | None:
    """Return whether a rollback still takes back all that its run has written; None for any other plan."""
    from remediate.engine.schedule import rollback
    from remediate.runs.folder import runs

    name = plan.options.get("rollback_of", "")
    run = next((run for run in runs(root) if run.name == name), None) if name else None
    if run is None:
        return rollback(plan, of=name, its_plan=None) if name else None
    return rollback(plan, of=name, its_plan=run.plan()[0], lines=run.whole_journal().lines)


@contextmanager
def owed_told(root: Path, sealed: Sealed) -> Iterator[None]:
    """Add to a refusal within the block which restarts are owed by what earlier runs of the plan have written."""
    try:
        yield
    except RefusedError as error:
        error.do = " ".join(filter(None, (error.do, *_owed(root, sealed))))
        raise


def _owed(root: Path, sealed: Sealed) -> tuple[str, ...]:
    from remediate.engine.returned import owed_text

    try:
        found = [run_of_plan(root, sealed.digest, source=source) for source in ("apply", "import")]
        return tuple(
            owed_text(sealed.plan, run.journal().lines, elsewhere=restarted_elsewhere(root, but=run.name))
            for run in found
            if run
        )
    except RemediateError:  # a run that cannot be believed is a refusal of its own
        return ()


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


def _cut_torn_line(run: RunFolder, *, by: str) -> None:
    """Take what a power cut left of a last line off the journal, and write down that it was there."""
    from remediate.runs.folder import TORN_FILE

    if torn := run.cut_torn_line():
        told = f"a last line of {len(torn)} bytes, not written to its end, was cut off and is kept in {TORN_FILE}"
        run.append(JournalLine(at=utc_now(), event="unresolved", source="apply", detail=told, by=by))
        click.echo(f"  {told}; what it was about is read again", err=True)
