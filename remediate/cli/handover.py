"""`remediate script`: the folder for the Windows team, made from one sealed plan."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import click

from remediate.cli.output import write_json
from remediate.cli.sealed_plan import read_sealed
from remediate.model.errors import DocumentError, RefusedError, UsageError
from remediate.model.plan import Plan
from remediate.model.utc import utc_now


@click.command("script")
@click.argument("file", metavar="PLAN", type=click.Path(dir_okay=False))
@click.option("--out", required=True, type=click.Path(file_okay=False), help="The folder to write; a new or empty one.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def script(file: str, out: str, as_json: bool) -> int:
    """Write change.ps1, verify.ps1 and rollback.ps1 for each target of a sealed PLAN, and one README.

    Exit codes: 0 written, 1 error, 3 refused: the plan is incomplete, expired, empty, was edited, or does not say what
    makes a target the right one.
    """
    from remediate.render.documents import HandoverDocument
    from remediate.render.powershell.handover import handover

    sealed = read_sealed(Path(file))
    _check(sealed.plan, where=file)
    files = handover(sealed.plan, sealed.digest, sealed=sealed.text)
    _write(Path(out), files)
    if as_json:
        write_json(HandoverDocument(folder=out, plan_id=sealed.digest, files=tuple(sorted(files))))
    else:
        click.echo(f"{len(files)} files in {out}. Begin with {Path(out) / 'README.txt'}.")
    return 0


def _check(plan: Plan, *, where: str) -> None:
    """Raise RefusedError for a plan that no script would carry out."""
    from remediate.engine.admission import check_worth

    now = utc_now()
    check_worth(plan, now=now, where=where)
    if plan.not_after and plan.not_after <= now:
        raise RefusedError(f"the plan's window closed at {plan.not_after}", where=where, do="Plan again.")


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write all of the files, or leave nothing. Raises UsageError, DocumentError."""
    made: list[Path] = []
    try:
        _make_folder(folder, made)
        for name, content in files.items():
            path = folder / name
            _make_folder(path.parent, made, empty=False)
            made.append(path)
            path.write_bytes(content)
    except OSError as error:
        _take_away(made)
        where, why = str(error.filename or folder), error.strerror or ""
        raise DocumentError("cannot be written", where=where, why=why, do="Name another folder with --out.") from error
    except BaseException:
        _take_away(made)
        raise


def _make_folder(path: Path, made: list[Path], *, empty: bool = True) -> None:
    """Make a folder with those above it. Raises UsageError when something is in it: scripts of two plans must not
    stand side by side."""
    if path.is_dir():
        if empty and any(path.iterdir()):
            raise UsageError("it is not empty", where=str(path), do="Name a new folder with --out.")
        return
    for above in (*reversed(path.parents), path):
        if not above.exists():
            made.append(above)
    path.mkdir(parents=True, exist_ok=True)


def _take_away(made: list[Path]) -> None:
    """Remove what was made, the last first; a folder that somebody has put something into stays."""
    for path in reversed(made):
        with suppress(OSError):
            path.rmdir() if path.is_dir() else path.unlink()
