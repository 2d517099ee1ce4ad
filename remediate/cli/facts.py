"""Brings the facts: from bundles, or live through the transports, with progress on a terminal's stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from remediate.cli.collectors import collector_call, collector_source
from remediate.cli.options import DIRECTORY_PATIENCE, FactOptions, trusted
from remediate.engine.collect import HostRequest, HostRole, HostSource, Progress, Wanted, collect, silent
from remediate.facts.documents import IntuneObject, Snapshot
from remediate.model.errors import UsageError
from remediate.transports.credentials import Credential, resolve


def read_facts(options: FactOptions, *, terminal: bool) -> Snapshot:
    """Return the snapshot. `terminal` allows a password prompt. Raises DocumentError and UsageError."""
    exported = _intune(options)  # first: it is quick, and a path that is wrong is told before a long reading
    snapshot = _offline(options) if options.bundle else _live(options, terminal=terminal)
    if exported is None:
        return snapshot
    return msgspec.structs.replace(snapshot, intune=(*(snapshot.intune or ()), *exported))


def _intune(options: FactOptions) -> tuple[IntuneObject, ...] | None:
    if not options.intune:
        return None
    from remediate.transports.bundle import read_intune

    return read_intune(Path(options.intune))


def _offline(options: FactOptions) -> Snapshot:
    from remediate.cli.bundle_logs import log_evidence
    from remediate.transports.bundle import read_bundle

    paths = tuple(Path(path) for path in options.bundle)
    snapshot = read_bundle(paths)
    logged = log_evidence(paths)
    return (
        msgspec.structs.replace(snapshot, logs=tuple(dict.fromkeys((*snapshot.logs, *logged)))) if logged else snapshot
    )


def _live(options: FactOptions, *, terminal: bool) -> Snapshot:
    from remediate.transports.failure_codes import LOGON_REFUSED
    from remediate.transports.ldap import DirectoryReader

    address = _directory(options)
    wanted = Wanted(directory=address, certification_authorities=options.ca, connectors=options.connector)
    credential = resolve(options.user or None, terminal=terminal)
    patience = min(options.timeout, DIRECTORY_PATIENCE)
    reader = DirectoryReader(address, credential, trust=trusted(options.trust), timeout=patience)
    hosts = host_source(options, credential)
    with reader as directory, progress() as told:
        return collect(directory, hosts, wanted=wanted, progress=told, logon_refused=LOGON_REFUSED)


def _directory(options: FactOptions) -> str:
    """Return the domain controller or domain to ask; Windows says its user's domain in USERDNSDOMAIN."""
    address = options.dc or options.domain or os.environ.get("USERDNSDOMAIN", "")
    if not address:
        raise UsageError("the domain is not said", do="Give --domain NAME, or --dc HOST.")
    return address


def host_source(options: FactOptions, credential: Credential) -> HostSource:
    """Return what reads one host over WinRM: one script, one string back."""
    trust, sources = trusted(options.trust), {role: collector_source(role) for role in _ROLES}

    def read(request: HostRequest) -> str:
        from remediate.transports.winrm import run_collector

        return run_collector(
            request.host,
            credential,
            script=sources[request.role],
            call=collector_call(request),
            deadline=options.timeout,
            trust=trust,
            tls=options.tls,
        )

    return read


_ROLES: tuple[HostRole, ...] = ("ca", "connector")


@contextmanager
def progress() -> Iterator[Progress]:
    """Yield a progress that shows each target with a spinner on a terminal's stderr, and is silent elsewhere."""
    if not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress as Spinners
    from rich.progress import SpinnerColumn, TaskID, TextColumn

    columns = SpinnerColumn(finished_text=" "), TextColumn("{task.description}")
    tasks: dict[str, TaskID] = {}
    with Spinners(*columns, console=Console(stderr=True), transient=True) as spinners:

        def tell(target: str, state: str) -> None:
            if target not in tasks:
                tasks[target] = spinners.add_task("", total=1)
            done = 0 if state == "reading" else 1
            spinners.update(tasks[target], description=escape(f"{target}: {state}"), completed=done)

        yield tell
