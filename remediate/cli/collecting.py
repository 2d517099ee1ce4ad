"""`remediate collect`: live facts into a bundle, or the collectors for the Windows team."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from remediate.cli.options import fact_options, facts_from, logon_of
from remediate.cli.output import one_line, save, write_json
from remediate.facts.documents import Snapshot
from remediate.model.errors import DocumentError, ExitCode, UsageError


@click.command()
@click.option("--out", type=click.Path(), metavar="BUNDLE", help="A folder, or a .zip file, for the facts.")
@click.option("--scripts", type=click.Path(file_okay=False), metavar="DIR", help="Write the collectors instead.")
@fact_options
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_context
def collect(context: click.Context, /, out: str | None, scripts: str | None, as_json: bool, **options: Any) -> int:
    """Read the live estate into a bundle, or write the collectors for the Windows team.

    Exit codes: 0 everything was read, 1 a target could not be read (the bundle says why).
    """
    if bool(out) == bool(scripts):
        raise UsageError("where to write is not said", do="Give either --out BUNDLE or --scripts DIR.")
    if scripts:
        return _write_collectors(Path(scripts), options["ca"], as_json=as_json)
    from remediate.cli.facts import read_facts
    from remediate.transports.bundle import check_bundle_place, write_bundle

    check_bundle_place(Path(out or ""))
    snapshot = read_facts(facts_from(context), logon_of(context.params))
    write_bundle(snapshot, Path(out or ""))
    return _tell(snapshot, out or "", as_json=as_json)


def _write_collectors(folder: Path, certification_authorities: tuple[str, ...], *, as_json: bool) -> int:
    from remediate.cli.collectors import collector_files

    files = {folder / name: content for name, content in collector_files(certification_authorities).items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = error.strerror or ""
        raise DocumentError("cannot be made", where=str(folder), why=why, do="Name another folder.") from error
    for path, content in files.items():
        save(path, content)
    if as_json:
        write_json({"files": [str(path) for path in files]})
    else:
        click.echo("\n".join(str(path) for path in files))
    return int(ExitCode.NOTHING_TO_DO)


def tell_failures(snapshot: Snapshot) -> None:
    """Say on stderr which targets could not be read, and what to do about each."""
    for failed in snapshot.failures:
        why = f" ({failed.why})" if failed.why else ""
        click.echo(one_line(f"remediate: {failed.target}: {failed.what}{why}. {failed.do}".rstrip()), err=True)


def _tell(snapshot: Snapshot, out: str, *, as_json: bool) -> int:
    if as_json:
        write_json({"bundle": out, "failures": snapshot.failures})
    else:
        click.echo(_summary(snapshot, out))
    tell_failures(snapshot)
    return int(ExitCode.ERROR if snapshot.failures else ExitCode.NOTHING_TO_DO)


def _summary(snapshot: Snapshot, out: str) -> str:
    counts = (
        f"{'the' if snapshot.directory else 'no'} directory",
        f"{len(snapshot.certification_authorities)} CA hosts",
        f"{len(snapshot.connectors)} connector hosts",
        f"{len(snapshot.intune or ())} Intune objects" if snapshot.intune is not None else "Intune not asked",
    )
    return f"{out}: {', '.join(counts)}; {len(snapshot.failures)} could not be read"
