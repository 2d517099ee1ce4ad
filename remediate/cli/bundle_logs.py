"""The logs of a bundle as evidence beside its facts: what stands in its folders called logs is read by triage."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from remediate.cli.output import one_line
from remediate.facts.documents import LogEvidence

_LOGS = "logs"
_MOST_TOLD = 5


def log_evidence(bundles: Sequence[Path], playbooks: tuple[str, ...] = ()) -> tuple[LogEvidence, ...]:
    """Return what the logs of these bundles show, with the admin's own folders of playbooks; nothing where there are
    none.

    What of them cannot be read is told on stderr: logs inform, and no plan waits for them.
    """
    inputs = tuple(dict.fromkeys(log for bundle in bundles for log in _logs_of(bundle)))
    if not inputs:
        return ()
    from remediate.triage.counting import count
    from remediate.triage.evidence import evidence_of
    from remediate.triage.records import Record
    from remediate.triage.signatures import load
    from remediate.triage.sources import read

    signatures = load(playbooks)
    items = read(inputs, signatures.needles)
    fold = count((one for one in items if not (isinstance(one, Record) and one.kind == "facts")), signatures)
    _tell([f"{one.source}: {one.what}" for one in fold.unread if one.lost])
    return evidence_of(fold)


def _logs_of(bundle: Path) -> Iterator[Path]:
    """Yield the folders called logs, and the .zip files with such a folder in them."""
    if bundle.is_file():
        if _has_logs(bundle):
            yield bundle
        return
    for path in sorted(bundle.rglob("*")):
        within = any(part.lower() == _LOGS for part in path.relative_to(bundle).parts[:-1])
        if not within and ((path.name.lower() == _LOGS and path.is_dir()) or (path.is_file() and _has_logs(path))):
            yield path


def _has_logs(path: Path) -> bool:
    if path.suffix.lower() != ".zip":
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.lower().replace("\\", "/") for name in archive.namelist()]
    except (zipfile.BadZipFile, OSError, ValueError):
        return False  # the reader of bundles has said so
    return any(_LOGS in name.split("/")[:-1] for name in names)


def _tell(unread: list[str]) -> None:
    for text in unread[:_MOST_TOLD]:
        click.echo(one_line(f"remediate: {text}"), err=True)
    if len(unread) > _MOST_TOLD:
        click.echo(
            f"remediate: {len(unread) - _MOST_TOLD} more logs could not be read; see remediate triage.", err=True
        )
