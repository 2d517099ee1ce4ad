"""`remediate import`: what the Windows team ran comes back into the journal."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from remediate.cli.kept_runs import run_of_plan, runs_root
from remediate.cli.output import one_line, write_json
from remediate.cli.sealed_plan import Sealed, unsealed
from remediate.model.errors import DocumentError, ExitCode, RefusedError, UsageError
from remediate.model.utc import utc_text

if TYPE_CHECKING:
    from remediate.cli.returned_files import Returned
    from remediate.model.journal import JournalLine
    from remediate.render.documents import ImportDocument
    from remediate.runs.folder import RunFolder


@click.command("import")
@click.argument("paths", metavar="RESULT...", nargs=-1, required=True, type=click.Path())
@click.option("--plan", "plan_file", type=click.Path(dir_okay=False), help="The plan; found beside the results else.")
@click.option("--runs", type=click.Path(file_okay=False), envvar="REMEDIATE_RUNS", help="Where runs are kept.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def import_results(paths: tuple[str, ...], plan_file: str | None, runs: str | None, as_json: bool) -> int:
    """Take RESULT files, or folders or .zip files with some, check them against their plan, and keep them as a run.

    Exit codes: 0 all of the plan is done, 1 a result cannot be read, 2 something is not done or differs, 3 a result
    is refused: edited, of another plan, or imported before. Nothing is kept unless all of them are accepted.
    """
    from remediate.cli.returned_files import returned
    from remediate.render.imported import summary
    from remediate.runs.folder import alone

    named = tuple(map(Path, paths))
    items, left_out = returned(named)
    digest = _one_plan(items)
    root = runs_root(runs)
    sealed = _plan_for(digest, named, plan_file, root)
    _check(items, sealed)
    with alone(root, digest):
        document = _import(items, sealed, root, left_out=left_out)
    if as_json:
        write_json(document)
    else:
        click.echo("\n".join(map(one_line, summary(document))))
    return int(ExitCode.NOTHING_TO_DO if document.done else ExitCode.FINDINGS)


def _one_plan(items: Iterable[Returned]) -> str:
    """Raises RefusedError when the results are not all of the same plan."""
    first, *others = items
    for other in others:
        if other.result.plan_id != first.result.plan_id:
            why = f"it is of plan {other.result.plan_id[:12]}, {first.where} of {first.result.plan_id[:12]}"
            do = "Import the results of each plan by themselves."
            raise RefusedError("the results are of two plans", where=other.where, why=why, do=do)
    return first.result.plan_id


def _plan_for(digest: str, named: Iterable[Path], given: str | None, root: Path) -> Sealed:
    """The plan that was given or came back, else that of the run which has it, else another: it is refused then."""
    from remediate.runs.folder import PLAN_FILE

    plans, trouble = _plans(named, given)
    for sealed in plans:
        if sealed.digest == digest:
            return sealed
    run = run_of_plan(root, digest, source="import")
    if run:
        return unsealed(run.sealed(), where=str(run.path / PLAN_FILE))
    if plans:
        return plans[0]
    do = "Name the plan with --plan."
    raise trouble or UsageError(f"there is no plan.json with the results, and no run of plan {digest[:12]}", do=do)


def _plans(named: Iterable[Path], given: str | None) -> tuple[list[Sealed], DocumentError | None]:
    """The given plan, else those that came back, and why the first of them is none: other programs have plans too."""
    from remediate.cli.returned_files import plan_file, plans

    if given:
        file = plan_file(Path(given))
        return [unsealed(file.text, where=file.where)], None
    found: list[Sealed] = []
    trouble = None
    for file in plans(named):
        try:
            found.append(unsealed(file.text, where=file.where))
        except DocumentError as error:
            trouble = trouble or error
    return found, trouble


def _check(items: Iterable[Returned], sealed: Sealed) -> None:
    from remediate.engine.returned import check

    for item in items:
        check(item.result, sealed.plan, sealed.digest, where=item.where)


def _import(items: tuple[Returned, ...], sealed: Sealed, root: Path, *, left_out: tuple[str, ...]) -> ImportDocument:
    from remediate.engine.returned import is_held, lines_for
    from remediate.render.imported import Run, imported

    run = run_of_plan(root, sealed.digest, source="import")
    held = run.whole_journal().lines if run else ()
    new = tuple(item for item in items if not is_held(item.result, held))
    if run and not new:
        why = f"into {run.name}"
        raise RefusedError("it was imported before", where=items[0].where, why=why, do="There is nothing to import.")
    run = run or _new_run(root, sealed)
    lines = run.whole_journal().lines
    added: tuple[JournalLine, ...] = ()
    for item in new:
        run.keep_result(_kept_as(item), item.text)
        added += lines_for(item.result, (*lines, *added))
    run.append(*added)
    return imported(
        sealed.plan,
        (*lines, *added),
        run=Run(name=run.name, folder=str(run.path), plan_id=sealed.digest),
        results=tuple((item.where, item.result) for item in new),
        held_before=tuple(item.where for item in items if item not in new),
        left_out=left_out,
    )


def _kept_as(item: Returned) -> str:
    """A file's name. Of the target's name only what DNS allows there: it comes from elsewhere."""
    target = re.sub(r"[^A-Za-z0-9._-]", "_", item.result.target)[:80]
    return f"{target}-{item.result.kind}-{item.result.sha256[:12]}.json"


def _new_run(root: Path, sealed: Sealed) -> RunFolder:
    from remediate.model.journal import JournalLine
    from remediate.runs.folder import RunFolder

    now = datetime.now(UTC)
    opened = JournalLine(at=utc_text(now), event="opened", source="import", detail=sealed.digest)
    return RunFolder.create(root, sealed=sealed.text, opened=opened, digest=sealed.digest, now=now)
