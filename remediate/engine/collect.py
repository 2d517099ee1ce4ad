"""Live collection: the directory, then all hosts side by side, then what the hosts tell to look up in the directory.

A target that cannot be read becomes a Failure in the place of its document and stops no other. Nothing here connects:
the sources are given, and what they return is the same text that a bundle holds.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from functools import partial
from typing import Literal, Protocol

import msgspec

from remediate.engine.side_by_side import patiently, until_refused
from remediate.facts.callers import account_of, netbios_name_of
from remediate.facts.documents import (
    FORMAT_VERSION,
    CaDocument,
    ConnectorDocument,
    DirectoryDocument,
    Entry,
    Failure,
    Snapshot,
)
from remediate.model.errors import DocumentError, RemediateError, TransportError, UsageError
from remediate.model.utc import utc_now

HostRole = Literal["ca", "connector"]
HostDocument = CaDocument | ConnectorDocument

# Made here, in one thread: msgspec looks at a type when it is first decoded, and two threads doing so at once crash it.
_DECODERS: dict[HostRole, msgspec.json.Decoder[HostDocument]] = {
    "ca": msgspec.json.Decoder(CaDocument),
    "connector": msgspec.json.Decoder(ConnectorDocument),
}


class HostRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One host to read. `certification_authorities` are the CA hosts that a connector host is asked to reach."""

    role: HostRole
    host: str
    certification_authorities: tuple[str, ...] = ()


class DirectorySource(Protocol):
    """The two phases of reading a directory; each raises TransportError."""

    def begin(self) -> DirectoryDocument:
        """Return what needs no knowledge of the hosts."""

    def finish(self, accounts: tuple[str, ...], computers: tuple[str, ...]) -> DirectoryDocument:
        """Return the whole document, with the accounts (`DOMAIN\\NAME`) and computers (DNS names) looked up."""


HostSource = Callable[[HostRequest], str]
"""Returns the JSON text of a host's collector. Raises TransportError."""

Progress = Callable[[str, str], None]
"""Is told (target, state); state is `reading`, `read`, or why it failed."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What to read: the directory's name for messages, CA hosts (none: those the directory names), connector hosts."""

    directory: str = ""
    certification_authorities: tuple[str, ...] = ()
    connectors: tuple[str, ...] = ()


def silent(_target: str, _state: str) -> None:
    """Progress for nobody."""


def collect(
    directory: DirectorySource | None,
    read_host: HostSource,
    *,
    wanted: Wanted,
    progress: Progress = silent,
    logon_refused: Container[str] = (),
    password: bool = False,
) -> Snapshot:
    """Return the facts of all targets. On Ctrl-C, what is under way is left alone.

    `logon_refused` are the codes by which a target refuses the account itself. After one of these no host is tried:
    it would be refused there too, and so many attempts lock an account. A `password` that the directory could not be
    asked about is tried on one host after the other, until one took it.
    """
    first, failed = _begin(directory, wanted, progress)
    hosts = _requests(wanted, first)
    refused = next((one for one in failed if one.code in logon_refused), None)
    read = partial(_read, read_host=read_host, progress=progress)
    answers = _answers(hosts, read, refused, logon_refused, careful=password and first is None)
    documents = _once_each(answer for answer in answers if not isinstance(answer, Failure))
    failures = (*_without_authority(first, hosts), *(answer for answer in answers if isinstance(answer, Failure)))
    if first and directory:
        first, failed = _finish(directory, first, documents, wanted, progress)
    return Snapshot(
        directory=first,
        certification_authorities=tuple(item for item in documents if isinstance(item, CaDocument)),
        connectors=tuple(item for item in documents if isinstance(item, ConnectorDocument)),
        failures=(*failed, *failures),
    )


def _answers(
    hosts: Sequence[HostRequest],
    read: Callable[[HostRequest], HostDocument | Failure],
    refused: Failure | None,
    logon_refused: Container[str],
    *,
    careful: bool,
) -> tuple[HostDocument | Failure, ...]:
    """Return what each host told, in their order; without asking, once the account was refused."""
    if refused:
        return tuple(_not_tried(one, refused) for one in hosts)

    def took(found: HostDocument | Failure) -> bool | None:
        if isinstance(found, Failure):
            return False if found.code in logon_refused else None
        return True

    ended = until_refused(hosts, read, took=took, careful=careful)
    found = dict(ended)
    by = next((one for one in found.values() if isinstance(one, Failure) and one.code in logon_refused), None)
    return tuple(found[at] or _not_tried(one, by) for at, one in enumerate(hosts))


def _once_each(documents: Iterable[HostDocument]) -> tuple[HostDocument, ...]:
    """Return what the hosts told; one that was named in two ways, such as by an alias, is still one host."""
    found: dict[tuple[str, str], HostDocument] = {}
    for one in documents:
        found.setdefault((one.role, (one.machine.dns_host_name.if_known() or one.read_from).lower()), one)
    return tuple(found.values())


def _begin(
    directory: DirectorySource | None, wanted: Wanted, progress: Progress
) -> tuple[DirectoryDocument | None, tuple[Failure, ...]]:
    if directory is None:
        return None, ()
    progress(wanted.directory, "reading")
    try:
        return patiently(directory.begin), ()
    except RemediateError as error:
        progress(wanted.directory, error.what)
        return None, (failure("directory", wanted.directory, error),)


def _finish(
    directory: DirectorySource,
    first: DirectoryDocument,
    documents: tuple[HostDocument, ...],
    wanted: Wanted,
    progress: Progress,
) -> tuple[DirectoryDocument | None, tuple[Failure, ...]]:
    try:
        accounts, machines = connector_accounts(documents, first), computers(documents)
        whole = patiently(lambda: directory.finish(accounts, machines))
    except RemediateError as error:
        progress(wanted.directory, error.what)
        return None, (failure("directory", wanted.directory, error),)
    progress(wanted.directory, "read")
    return whole, ()


def not_tried(refused_by: str, *, code: str = "") -> TransportError:
    """Return that a host was left alone, because another target has refused the account."""
    return TransportError("it was not tried", why=f"{refused_by} refused the account", do="Mend that first.", code=code)


def _not_tried(request: HostRequest, refused: Failure | None) -> Failure:
    target, code = (refused.target, refused.code) if refused else ("", "")
    return failure(request.role, request.host, not_tried(target, code=code))


def _without_authority(directory: DirectoryDocument | None, hosts: Iterable[HostRequest]) -> tuple[Failure, ...]:
    """Return that there is no CA to read, when the directory was read and names none and nobody named one."""
    if directory is None or not directory.public_key_services.known or any(host.role == "ca" for host in hosts):
        return ()
    error = TransportError(
        "the directory names no enterprise CA",
        why="nothing of the class pKIEnrollmentService is below CN=Enrollment Services",
        do="Look whether AD CS is installed and this account may read there, or name the CA's host with --ca.",
    )
    return (failure("ca", directory.read_from, error),)


def failure(role: Literal["directory", "ca", "connector"], target: str, error: RemediateError) -> Failure:
    """Return the error as what stands in the place of a document."""
    code = error.code if isinstance(error, TransportError) else ""
    read_at = utc_now()
    return Failure(role=role, target=target, what=error.what, why=error.why, code=code, do=error.do, read_at=read_at)


def enrollment_service_hosts(directory: DirectoryDocument) -> tuple[str, ...]:
    """Return the dNSHostName of every enrollment service ([MS-WCCE] 2.2.2.11.2), each once, sorted."""
    entries = directory.public_key_services.if_known() or []
    named = [name for entry in entries if _is_enrollment_service(entry) for name in entry.texts("dNSHostName")]
    return _unique(sorted(named, key=str.lower))


def _is_enrollment_service(entry: Entry) -> bool:
    return "pkienrollmentservice" in {name.lower() for name in entry.texts("objectClass")}


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names without repetition; hosts and accounts have no case."""
    return tuple({name.lower(): name for name in names}.values())


def _requests(wanted: Wanted, directory: DirectoryDocument | None) -> tuple[HostRequest, ...]:
    discovered = enrollment_service_hosts(directory) if directory else ()
    authorities = _unique(wanted.certification_authorities) or discovered
    return (
        *(HostRequest(role="ca", host=host) for host in authorities),
        *(
            HostRequest(role="connector", host=host, certification_authorities=authorities)
            for host in _unique(wanted.connectors)
        ),
    )


def _read(request: HostRequest, *, read_host: HostSource, progress: Progress) -> HostDocument | Failure:
    progress(request.host, "reading")
    try:
        document = decode(read_host(request), role=request.role, host=request.host)
    except UsageError:
        raise
    except RemediateError as error:
        progress(request.host, error.what)
        return failure(request.role, request.host, error)
    progress(request.host, "read")
    return document


def decode(text: str, *, role: HostRole, host: str) -> HostDocument:
    """Return a host's document. Raises DocumentError when it is cut off, not JSON, of another version or role."""
    again = "Collect it again."
    try:
        header = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        version = msgspec.json.decode(header["format_version"], type=str)
        said = msgspec.json.decode(header["role"], type=str)
    except KeyError as error:
        raise DocumentError("its collector's answer is not a document of facts", where=host, do=again) from error
    except (msgspec.MsgspecError, UnicodeError) as error:
        why = "it is empty" if not text.strip() else str(error)
        raise DocumentError("its collector's answer is cut off or not JSON", where=host, why=why, do=again) from error
    if version.partition(".")[0] != FORMAT_VERSION.partition(".")[0]:
        raise DocumentError(
            f"its collector writes format {version}", where=host, do="Use the collector of this version."
        )
    if said != role:
        raise DocumentError(f"its answer is that of a {said}, not of a {role}", where=host)
    try:
        return _DECODERS[role].decode(text)
    except msgspec.ValidationError as error:
        raise DocumentError("its document does not fit", where=host, why=str(error), do=again) from error


def computers(documents: Iterable[HostDocument]) -> tuple[str, ...]:
    """Return the DNS names by which the hosts know themselves, else the names by which they were read."""
    names = (item.machine.dns_host_name.if_known() or item.read_from for item in documents)
    return _unique(sorted(names, key=str.lower))


def connector_accounts(documents: Iterable[HostDocument], directory: DirectoryDocument) -> tuple[str, ...]:
    """Return as whom the connectors' services call a CA, as `DOMAIN\\NAME`; see account_of."""
    connectors = [item for item in documents if isinstance(item, ConnectorDocument)]
    names = [name for item in connectors for name in _accounts_of(item, directory)]
    return _unique(sorted(names, key=str.lower))


def _accounts_of(connector: ConnectorDocument, directory: DirectoryDocument) -> Iterator[str]:
    computer = connector.machine.computer_name
    domain = netbios_name_of(connector.machine.domain.if_known() or "", directory)
    for service in connector.services.if_known() or []:
        account = account_of(service.start_name, computer, domain=domain)
        if account is not None:
            yield account
