"""`remediate script`: the folder for the Windows team, made from one sealed plan."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from remediate.cli.output import contents, write_json
from remediate.model.errors import DocumentError, RefusedError, UsageError
from remediate.model.plan import Plan, unseal


@click.command("script")
@click.argument("file", metavar="PLAN", type=click.Path(dir_okay=False))
@click.option("--out", required=True, type=click.Path(file_okay=False), help="The folder to write; a new or empty one.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def script(file: str, out: str, as_json: bool) -> int:
    """Write change.ps1, verify.ps1 and rollback.ps1 for each target of a sealed PLAN, and one README.

    Exit codes: 0 written, 1 error, 3 refused: the plan is incomplete, expired, empty or was edited.
    """
    from remediate.render.powershell.handover import handover

    sealed = _read(Path(file))
    plan, digest = unseal(sealed, where=file)
    _check(plan, where=file)
    folder = _new_folder(Path(out))
    files = handover(plan, digest, sealed=sealed)
    _write(folder, files)
    if as_json:
        write_json({"folder": str(folder), "plan_id": digest, "files": sorted(files)})
    else:
        click.echo(f"{len(files)} files in {folder}. Begin with {folder / 'README.txt'}.")
    return 0


def _read(path: Path) -> bytes:
    try:
        return contents(path)
    except OSError as error:
        raise DocumentError("cannot be read", where=str(path), why=error.strerror or "") from error


def _check(plan: Plan, *, where: str) -> None:
    """Raise RefusedError for a plan that no script would carry out."""
    if not plan.complete:
        raise RefusedError("the plan is incomplete", where=where, do="Read what it says is unknown, then plan again.")
    if not plan.actions:
        raise RefusedError("the plan changes nothing", where=where, do="There is nothing to hand over.")
    if plan.expires_at < datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"):
        raise RefusedError(f"the plan expired at {plan.expires_at}", where=where, do="Plan again.")


def _new_folder(path: Path) -> Path:
    """Make the folder. Raises UsageError when something is in it: scripts of two plans must not stand side by side."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        if any(path.iterdir()):
            raise UsageError("it is not empty", where=str(path), do="Name a new folder with --out.")
    except OSError as error:
        raise _unwritable(path, error) from error
    return path


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        try:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        except OSError as error:
            raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> DocumentError:
    return DocumentError("cannot be written", where=str(path), why=error.strerror or "", do="Name another folder.")
