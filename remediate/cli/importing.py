"""`remediate import`: what the Windows team ran comes back into the journal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from remediate.cli.output import contents, write_json
from remediate.model.errors import DocumentError, ExitCode, UsageError
from remediate.model.plan import unseal
from remediate.model.result import RunResult, read_result

if TYPE_CHECKING:
    from remediate.engine.returned import Standing
    from remediate.runs.folder import RunFolder


class Returned(msgspec.Struct, frozen=True):
    """One record with the file it came from and its bytes."""

    path: Path
    text: bytes
    result: RunResult


@click.command("import")
@click.argument("paths", metavar="RESULT...", nargs=-1, required=True, type=click.Path())
@click.option("--plan", "plan_file", type=click.Path(dir_okay=False), help="The plan; found beside the scripts else.")
@click.option("--runs", type=click.Path(file_okay=False), envvar="REMEDIATE_RUNS", help="Where runs are kept.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def import_results(paths: tuple[str, ...], plan_file: str | None, runs: str | None, as_json: bool) -> int:
    """Take RESULT files, or folders that hold some, check them against their plan, and keep them in a run's journal.

    Exit codes: 0 all of the plan is done, 1 a result cannot be read, 2 something is not done or differs, 3 a result
    is refused: edited, of another plan, or imported before. Nothing is kept unless all of them are accepted.
    """
    from remediate.engine.returned import check, check_new, differences, lines_for, standings

    returned = [_returned(path) for path in _files(paths)]
    sealed, where = _plan_for(returned[0].path, plan_file)
    plan, digest = unseal(sealed, where=where)
    run, existing = _run_of(digest, _root(runs))
    journal = run.journal() if run else None
    for item in returned:
        check(item.result, plan, digest, where=str(item.path))
        if run and journal:
            check_new(item.result, journal, where=str(item.path), run=run.name)
    run = run or _new_run(existing, sealed, digest)
    for item in returned:
        run.keep_result(f"{item.result.target}-{item.result.kind}-{item.result.sha256[:12]}.json", item.text)
        run.append(*lines_for(item.result, run.journal()))
    found = standings(plan, run.journal())
    unlike = [line for item in returned for line in differences(item.result, plan)]
    _tell(run, found, unlike, as_json=as_json)
    done = not unlike and all(one.state in ("done", "as wanted") for one in found)
    return int(ExitCode.NOTHING_TO_DO if done else ExitCode.FINDINGS)


def _files(paths: tuple[str, ...]) -> list[Path]:
    found = [file for path in map(Path, paths) for file in _below(path)]
    if not found:
        raise UsageError("no result is there", where=", ".join(paths), do="Name result.json, or the folder it is in.")
    return sorted(dict.fromkeys(found), key=_order)


def _below(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for pattern in ("*result.json", "*result.refused.json", "*result.????????.json"):
        yield from path.rglob(pattern)


def _order(path: Path) -> tuple[str, str]:
    """By the time at which the script began, so that a change comes before its rollback."""
    return _returned(path).result.started, str(path)


def _returned(path: Path) -> Returned:
    try:
        text = contents(path)
    except OSError as error:
        raise DocumentError("cannot be read", where=str(path), why=error.strerror or "") from error
    return Returned(path, text, read_result(text, where=str(path)))


def _plan_for(result: Path, given: str | None) -> tuple[bytes, str]:
    """The plan's bytes: as given, else plan.json in the folder of the scripts, one above the result."""
    folders = result.resolve().parents[:2]
    path = Path(given) if given else next((f / "plan.json" for f in folders if (f / "plan.json").is_file()), None)
    if path is None:
        raise UsageError("there is no plan.json beside it", where=str(result), do="Name the plan with --plan.")
    try:
        return contents(path), str(path)
    except OSError as error:
        raise DocumentError("cannot be read", where=str(path), why=error.strerror or "") from error


def _root(given: str | None) -> Path:
    from remediate.runs.folder import state_folder

    return Path(given) if given else state_folder(os.environ, home=Path.home(), windows=os.name == "nt")


def _run_of(digest: str, root: Path) -> tuple[RunFolder | None, Path]:
    """The run that results of this plan were imported into before."""
    from remediate.runs.folder import runs

    for run in runs(root):
        if run.name.endswith(digest[:8]) and run.plan()[1] == digest and _is_imported(run):
            return run, root
    return None, root


def _is_imported(run: RunFolder) -> bool:
    lines = run.journal().lines
    return bool(lines) and lines[0].event == "opened" and lines[0].source == "import"


def _new_run(root: Path, sealed: bytes, digest: str) -> RunFolder:
    from remediate.model.journal import JournalLine
    from remediate.runs.folder import RunFolder

    now = datetime.now(UTC)
    run = RunFolder.create(root, sealed=sealed, digest=digest, now=now)
    run.append(JournalLine(at=f"{now:%Y-%m-%dT%H:%M:%SZ}", event="opened", source="import", detail=digest))
    return run


def _tell(run: RunFolder, found: tuple[Standing, ...], unlike: list[str], *, as_json: bool) -> None:
    if as_json:
        rows = [{"id": s.action.id, "label": s.action.label, "target": s.target, "state": s.state} for s in found]
        write_json({"run": run.name, "folder": str(run.path), "actions": rows, "differs": unlike})
        return
    click.echo(f"Run {run.name}")
    for one in found:
        click.echo(f"  {one.state:<11} {one.action.id}. {one.action.label}  ({one.target})")
    for line in unlike:
        click.echo(f"  differs     {line}")
    click.echo(f"Kept in {run.path}")
