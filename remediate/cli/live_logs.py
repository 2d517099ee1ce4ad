"""The logs of live hosts for triage: which hosts, as whom, and what comes of each. One that fails stops no other.

A host is asked once: it looks through its logs itself, and only what may matter comes back.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from remediate.cli.options import DIRECTORY_PATIENCE, FactOptions, trusted
from remediate.engine.collect import Progress, enrollment_service_hosts, not_tried
from remediate.engine.side_by_side import patiently, until_refused
from remediate.model.errors import DocumentError, RemediateError, TransportError
from remediate.model.utc import utc_text
from remediate.transports.credentials import Credential, Logon
from remediate.triage.live import LogDocument, decode, items_of
from remediate.triage.live_request import COMMAND, request_for
from remediate.triage.needles import Search
from remediate.triage.records import Skipped
from remediate.triage.signatures import Signatures
from remediate.triage.sources_origin import Item, Origin

# Logs of hosts are read so far back where no time is given: what is asked is what goes wrong now.
DAYS = 7

ReadHost = Callable[[str], str]
"""Returns the answer of a host, by its name. Raises TransportError."""


class Live(NamedTuple):
    """The live part of a triage: where, through which endpoint, since when (UTC, ISO 8601 with Z)."""

    options: FactOptions
    endpoint: str
    since: str


class Host(NamedTuple):
    """A host to ask, and what it was named as: `ca`, `connector`, or both."""

    name: str
    roles: frozenset[str]


def live_from(given: Mapping[str, Any], *, since: str, now: datetime) -> Live:
    """Return what the options of the command line mean; an empty `since` stands for the last seven days."""
    names = ("domain", "dc", "ca", "connector", "trust", "user", "tls", "timeout")
    options = FactOptions(**{name: given[name] for name in names})
    return Live(options, given["endpoint"], since or utc_text(now - timedelta(days=DAYS)))


def where_of(options: FactOptions) -> str:
    """Return the options by which another verb reads the same estate."""
    parts = [
        f"--dc {shlex.quote(options.dc)}" if options.dc else f"--domain {shlex.quote(options.domain or 'DOMAIN')}",
        *(f"--ca {shlex.quote(host)}" for host in options.ca),
        *(f"--connector {shlex.quote(host)}" for host in options.connector or ("HOST",)),
        f"--user {shlex.quote(options.user)}" if options.user else "",
        f"--trust {shlex.quote(options.trust)}" if options.trust else "",
        "--tls" if options.tls else "",
    ]
    return " ".join(filter(None, parts))


def live_items(live: Live, logon: Logon, signatures: Signatures, *, assumed_zone: tzinfo) -> Iterator[Item]:
    """Return what the logs of the hosts give: items as of files. Raises UsageError, before anything is contacted."""
    credential, trust = logon.credential, trusted(live.options.trust)
    request = request_for(signatures, since=live.since, seconds=live.options.timeout)
    read = host_reader(live, credential, request=request, trust=trust)
    origin = Origin("", Search(signatures.needles), assumed_zone)
    return _items(live, credential, read, origin, trust=trust)


def _items(live: Live, credential: Credential, read: ReadHost, origin: Origin, *, trust: Path | None) -> Iterator[Item]:
    from remediate.cli.facts import progress

    with progress() as told:
        found = _discovered(live.options, credential, told, trust=trust)
        if isinstance(found, RemediateError):
            yield _failed(live.options.dc or live.options.domain, found)
        hosts = _hosts(live.options, () if isinstance(found, RemediateError) else found)
        unproven = isinstance(found, RemediateError) or not _asks_directory(live.options)
        careful = unproven and credential.password is not None
        refused = isinstance(found, RemediateError) and _took(found) is False
        by = (live.options.dc or live.options.domain) if refused else ""
        for host, answer in _answers(hosts, read, told, refused_by=by, careful=careful):
            if isinstance(answer, RemediateError):
                yield _failed(host.name, answer)
            else:
                yield from items_of(answer, origin._replace(source=host.name), roles=host.roles, since=live.since)


def _failed(target: str, error: RemediateError) -> Skipped:
    return Skipped(source=target, what=f"{error.in_short}. {error.do}".rstrip())


def _asks_directory(options: FactOptions) -> bool:
    """Whether the directory says which the CA hosts are."""
    return bool(options.dc or options.domain) and not options.ca


def _discovered(
    options: FactOptions, credential: Credential, told: Progress, *, trust: Path | None
) -> tuple[str, ...] | RemediateError:
    """Return the CA hosts that the directory names: none where no directory is given, or CA hosts are."""
    if not _asks_directory(options):
        return ()
    from remediate.transports.ldap import DirectoryReader

    address = options.dc or options.domain
    told(address, "reading")
    try:
        with DirectoryReader(
            address, credential, trust=trust, timeout=min(options.timeout, DIRECTORY_PATIENCE)
        ) as directory:
            begun = patiently(directory.begin)
    except RemediateError as error:
        told(address, error.what)
        return error
    told(address, "read")
    return enrollment_service_hosts(begun) or TransportError(
        "the directory names no enterprise CA", do="Name the CA's host with --ca."
    )


def _hosts(options: FactOptions, discovered: Sequence[str]) -> tuple[Host, ...]:
    """Return each host once; names of hosts have no case."""
    named = [
        *((name, "ca") for name in (*options.ca, *discovered)),
        *((name, "connector") for name in options.connector),
    ]
    roles: dict[str, set[str]] = {}
    for name, role in named:
        roles.setdefault(name.lower(), set()).add(role)
    spelt = {name.lower(): name for name, _ in reversed(named)}
    return tuple(Host(spelt[key], frozenset(found)) for key, found in roles.items())


Answer = tuple[Host, LogDocument | RemediateError]


def _answers(
    hosts: Sequence[Host], read: ReadHost, told: Progress, *, refused_by: str, careful: bool
) -> Iterator[Answer]:
    """Yield the answers as they come. After a refused logon no further host is tried: so many attempts lock an account.

    With `careful` hosts are asked one by one until one has taken the logon.
    """
    if refused_by:
        yield from ((host, not_tried(refused_by)) for host in hosts)
        return
    for at, answer in until_refused(hosts, partial(_ask, read, told), took=_took, careful=careful):
        if answer is not None and _took(answer) is False:
            refused_by = hosts[at].name
        yield hosts[at], answer or not_tried(refused_by)


def _took(answer: LogDocument | RemediateError) -> bool | None:
    """Whether a host took the logon; None where it did not come to that."""
    from remediate.transports.failure_codes import LOGON_REFUSED

    if isinstance(answer, RemediateError):
        return False if isinstance(answer, TransportError) and answer.code in LOGON_REFUSED else None
    return True


def _ask(read: ReadHost, told: Progress, host: Host) -> LogDocument | RemediateError:
    told(host.name, "reading")
    try:
        document = decode(read(host.name), host=host.name)
    except RemediateError as error:
        told(host.name, error.what)
        return error
    told(host.name, "read")
    return document


def host_reader(live: Live, credential: Credential, *, request: str, trust: Path | None) -> ReadHost:
    """Return what asks one host, in one command: with the functions brought along, or those of a JEA endpoint."""
    from remediate.cli.collectors import COLLECTOR

    options = live.options
    if live.endpoint:
        parameters = {"Collector": COLLECTOR, "Request": request}

        def read(host: str) -> str:
            return _through_endpoint(host, credential, live, parameters=parameters, trust=trust)

        return read

    from remediate.render.powershell.library import functions_for
    from remediate.render.powershell.literal import literal

    script = functions_for(COMMAND)
    call = f"{COMMAND} -Collector {literal(COLLECTOR)} -Request ({literal(request)})"

    def read_bringing_functions(host: str) -> str:
        from remediate.transports.winrm import run_collector

        return run_collector(
            host, credential, script=script, call=call, deadline=options.timeout, trust=trust, tls=options.tls
        )

    return read_bringing_functions


def _through_endpoint(
    host: str, credential: Credential, live: Live, *, parameters: Mapping[str, object], trust: Path | None
) -> str:
    from remediate.transports.winrm_session import CommandFailed, HostSession

    session = HostSession(host, credential, library="", trust=trust, tls=live.options.tls, endpoint=live.endpoint)
    try:
        found = session.call(COMMAND, parameters, deadline=live.options.timeout)
    except CommandFailed as error:
        do = "Check that its endpoint has the role RemediateReader of docs/jea."
        raise TransportError("its logs cannot be read there", why=f"PowerShell: {error.identity}", do=do) from None
    finally:
        session.close()
    if len(found) != 1 or not isinstance(found[0], str):
        raise DocumentError(f"its endpoint gave {len(found)} values in place of one text", where=host)
    return str(found[0])
