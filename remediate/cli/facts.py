"""Brings the facts: from bundles, or live through the transports, with progress on a terminal's stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from remediate.cli.collectors import collector_call, collector_source
from remediate.cli.options import DIRECTORY_PATIENCE, FactOptions, trusted
from remediate.engine.collect import HostRequest, HostRole, HostSource, Progress, Wanted, collect, silent
from remediate.engine.side_by_side import patiently
from remediate.facts.documents import IntuneObject, Snapshot
from remediate.model.errors import UsageError
from remediate.transports.credentials import Credential, Logon

if TYPE_CHECKING:
    from remediate.engine.rights import AskDirectory, TargetRights
    from remediate.model.plan import Plan


@dataclass(frozen=True)
class Facts:
    """What was read; while a live directory is still open, `ask` asks it what the account may write."""

    snapshot: Snapshot
    ask: AskDirectory | None = None

    def rights(self, plan: Plan) -> tuple[TargetRights, ...]:
        """Return which rights for a plan the account has and lacks; none for facts out of a bundle."""
        from remediate.engine.rights import present_rights

        return present_rights(plan, self.snapshot, self.ask) if self.ask else ()


def read_facts(options: FactOptions, logon: Logon) -> Snapshot:
    """Return the snapshot. Raises DocumentError and UsageError."""
    with opened_facts(options, logon) as found:
        return found.snapshot


@contextmanager
def opened_facts(options: FactOptions, logon: Logon) -> Iterator[Facts]:
    """Yield what was read, with the directory still open where it is live. Raises as `read_facts`."""
    exported = _intune(options)  # first: it is quick, and a path that is wrong is told before a long reading
    with _live(options, logon) if not options.bundle else nullcontext(Facts(_offline(options))) as found:
        if exported is not None:
            told = msgspec.structs.replace(found.snapshot, intune=(*(found.snapshot.intune or ()), *exported))
            found = Facts(told, found.ask)
        yield found


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
    logged = log_evidence(paths, options.playbooks)
    return (
        msgspec.structs.replace(snapshot, logs=tuple(dict.fromkeys((*snapshot.logs, *logged)))) if logged else snapshot
    )


@contextmanager
def _live(options: FactOptions, logon: Logon) -> Iterator[Facts]:
    from remediate.transports.failure_codes import LOGON_REFUSED
    from remediate.transports.ldap import DirectoryReader

    address = _directory(options)
    wanted = Wanted(directory=address, certification_authorities=options.ca, connectors=options.connector)
    patience, trust = min(options.timeout, DIRECTORY_PATIENCE), trusted(options.trust)
    reader = DirectoryReader(address, logon.credential, trust=trust, timeout=patience)
    hosts = host_source(options, logon.credential)
    with reader as directory:
        with progress() as told:
            snapshot = collect(
                directory,
                hosts,
                wanted=wanted,
                progress=told,
                logon_refused=LOGON_REFUSED,
                password=logon.credential.password is not None,
            )
        yield Facts(snapshot, lambda guids: patiently(lambda: directory.rights(guids)))


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
