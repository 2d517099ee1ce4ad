"""CA hosts and connector hosts as objects: what they say, and an UnknownFact where they could not say it."""

from __future__ import annotations

from collections.abc import Iterator

from remediate.adcs.access_check import AccessDecision
from remediate.adcs.flags import (
    DISPOSITION_WHEN_ABSENT,
    EditFlag,
    InterfaceFlag,
    PolicyServersFlag,
    RequestDisposition,
    unsigned,
)
from remediate.adcs.rights import CaRight
from remediate.adcs.security_descriptor import MalformedDescriptor, SecurityDescriptor
from remediate.facts.addressed import Addressed
from remediate.facts.antivirus import Antivirus
from remediate.facts.ca_access import ca_access
from remediate.facts.callers import account_of
from remediate.facts.directory import EnrollmentService, Principal
from remediate.facts.documents import (
    CaDocument,
    ConnectorDocument,
    Failure,
    PendingRequest,
    PolicyServers,
    RequestFolder,
    RequestFolders,
    Service,
)
from remediate.facts.product import Product
from remediate.facts.request_files import RequestFiles
from remediate.model.errors import UnknownFact
from remediate.model.fact import Fact
from remediate.model.finding import Evidence

MICROSOFT_POLICY_MODULE = "CertificateAuthority_MicrosoftDefault.Policy"
REVOKING_SERVICE = "PkiRevokeConnectorSvc"
# CAType of the CAs that issue without templates, which Intune cannot use (certsrv.h ENUM_STANDALONE_*).
_STANDALONE = {3: "standalone root", 4: "standalone subordinate"}
# Where the keys of all CAs of a host stand; which one is active is not known when it cannot be read.
_CONFIGURATION = "HKLM\\SYSTEM\\CurrentControlSet\\Services\\CertSvc\\Configuration"


def short_name(host: str) -> str:
    """Return the first label of a host's name; an address stays whole."""
    label = host.partition(".")[0]
    return host if label.isdigit() else label


class CertificationAuthority(Addressed):
    """One CA: its enrollment service in the directory and its host's own facts."""

    def __init__(
        self,
        service: EnrollmentService | None,
        document: CaDocument | None,
        failure: Failure | None,
        *,
        has_namesake: bool = False,
    ) -> None:
        self.service, self._document, self._failure, self._has_namesake = service, document, failure, has_namesake

    @property
    def name(self) -> str:
        """The CA's name, with its host where another CA of the estate has the same."""
        return f"{self.own_name} on {short_name(self.host)}" if self._has_namesake else self.own_name

    @property
    def own_name(self) -> str:
        """The CA's name as its console shows it."""
        if self.service is not None:
            return self.service.display_name
        return self._document.common_name.if_known() or self.host if self._document else self.host

    @property
    def host(self) -> str:
        """The CA host's DNS name."""
        if self.service is not None and self.service.host:
            return self.service.host
        if self._document is not None:
            return self._document.machine.name
        return self._failure.target if self._failure else ""

    @property
    def machine(self) -> str:
        """The DNS name that its host calls itself; `host` may be an alias of it, and is this where it was not read."""
        own = self._document.machine.dns_host_name.if_known() if self._document else None
        return own or self.host

    @property
    def asked(self) -> bool:
        """Whether its host was to be read at all."""
        return self._document is not None or self._failure is not None

    @property
    def document(self) -> CaDocument:
        """The host's facts. Raises UnknownFact with the reason why the host could not be read."""
        if self._document is None:
            why = self._failure.what if self._failure else "its host was not read"
            raise UnknownFact(self.host or self.name, why, code=self._failure.code if self._failure else "")
        return self._document

    @property
    def enrollment_service(self) -> EnrollmentService:
        """Its object in the directory. Raises UnknownFact when the directory was not read or has none."""
        if self.service is None:
            raise UnknownFact(f"enrollment service of {self.name}", "the directory did not show one")
        return self.service

    def is_called(self, name: str) -> bool:
        """Whether a profile's CA name, letter for letter, is this CA's."""
        return name == self.own_name or (self.service is not None and self.service.is_of(name))

    @property
    def configuration_key(self) -> str:
        """The registry key of the CA's configuration, as registry editors write it."""
        return self.document.configuration_key.replace("HKLM:\\", "HKLM\\", 1)

    def at(self, what: str) -> str:
        """Return the address of one of its registry values."""
        return f"{short_name(self.machine)} {self.configuration_key or _CONFIGURATION}\\{what}"

    @property
    def policy_module(self) -> str:
        """The active policy module's ProgID."""
        return self.document.policy_module.need_value(self.at("PolicyModules\\Active"))

    @property
    def has_microsoft_policy_module(self) -> bool:
        """Whether the active policy module is the one that Windows brings."""
        return self.policy_module == MICROSOFT_POLICY_MODULE

    @property
    def policy_key(self) -> str:
        """The registry key of the active policy module."""
        return f"{self.configuration_key}\\PolicyModules\\{self.policy_module}"

    def policy_at(self, value: str) -> str:
        """Return the address of a registry value of the active policy module."""
        return f"{short_name(self.machine)} {self.policy_key}\\{value}"

    @property
    def request_disposition_value(self) -> int | None:
        """RequestDisposition as it stands, None where absent."""
        return self.document.request_disposition.need(self.policy_at("RequestDisposition"))

    @property
    def request_disposition(self) -> RequestDisposition:
        """RequestDisposition as the active policy module has it; absent counts as 0x101."""
        value = self.request_disposition_value
        return RequestDisposition(DISPOSITION_WHEN_ABSENT if value is None else unsigned(value))

    def disposition_evidence(self) -> Evidence:
        """Return RequestDisposition as it stands and what it means, as evidence."""
        absent = "" if self.request_disposition_value is not None else "absent, which counts as "
        return Evidence(self.policy_at("RequestDisposition"), f"{absent}{self.request_disposition.describe()}")

    def waiting_requests(self) -> Iterator[Evidence]:
        """Yield the requests that wait now as evidence, where they are known: they only inform."""
        requests = self._document.pending_requests.if_known() if self._document else None
        if requests:
            ids = ", ".join(str(request.request_id) for request in requests[:20])
            wait = "1 waits and stays" if len(requests) == 1 else f"{len(requests)} wait and stay"
            yield Evidence(f"{self.name} pending requests", f"{wait} waiting: {ids}")

    def need_pending_requests(self) -> tuple[PendingRequest, ...]:
        """The requests that wait now. Raises UnknownFact: whoever names one has to know."""
        return tuple(self.document.pending_requests.need(self.at("pending requests")) or ())

    @property
    def edit_flags(self) -> EditFlag:
        """EditFlags of the active policy module."""
        return EditFlag(unsigned(self.document.edit_flags.need(self.policy_at("EditFlags")) or 0))

    @property
    def takes_names_from_attributes(self) -> bool:
        """Whether whoever enrols may name the subject in an attribute of the request, whatever the template says."""
        return EditFlag.ATTRIBUTESUBJECTALTNAME2 in self.edit_flags

    @property
    def interface_flags(self) -> InterfaceFlag:
        """InterfaceFlags; absent is the default 0x641 (certsrv.h)."""
        value = self.document.interface_flags.need(self.at("InterfaceFlags"))
        return InterfaceFlag(0x641 if value is None else unsigned(value))

    @property
    def takes_remote_requests(self) -> bool:
        """Whether hosts other than its own may ask it for certificates."""
        return InterfaceFlag.NOREMOTEICERTREQUEST not in self.interface_flags

    @property
    def takes_rpc_requests(self) -> bool:
        """Whether it takes requests over RPC at all."""
        return InterfaceFlag.NORPCICERTREQUEST not in self.interface_flags

    @property
    def standalone(self) -> Evidence | None:
        """What shows that it issues without templates, None for an enterprise CA."""
        if kind := _STANDALONE.get(self.document.ca_type.need(self.at("CAType")) or 0):
            return self.evidence("CAType", kind)
        if self.service is not None and self.service.is_standalone:
            return self.service.evidence("flags", "the enrollment service supports no templates")
        return None

    def warnings_of_event_128(self, logged: tuple[Evidence, ...] = ()) -> Iterator[Evidence]:
        """Yield that requests named a CA certificate, as evidence, where event 128 warned of it lately.

        What is `logged` of this host shows it as well; then the host need not have told its events.
        """
        yield from logged
        events = self.document.event_128.if_known() if logged else self.document.event_128.need(self.at("event 128"))
        if events and events.count:
            yield Evidence(f"{self.name} event 128", f"{events.count} since {events.since}, last {events.last}")

    @property
    def uses_defined_ca_cert(self) -> int | None:
        """UseDefinedCACertInRequest as it stands, None where absent."""
        return self.document.use_defined_ca_cert_in_request.need(self.at("UseDefinedCACertInRequest"))

    @property
    def security(self) -> SecurityDescriptor:
        """The CA's own security descriptor."""
        try:
            return SecurityDescriptor.parse(self.document.security.need_value(self.at("Security")))
        except MalformedDescriptor as error:
            raise UnknownFact(self.at("Security"), str(error)) from error

    def refusal(self, principal: Principal) -> AccessDecision | None:
        """Return why an account lacks Request Certificates on it, None when it has that. Raises as `ca_access`."""
        decision = ca_access(self.security, principal, CaRight.ENROLL, where=self.at("Security"))
        return None if decision.is_granted else decision

    def lets_revoke(self, principal: Principal) -> bool:
        """Whether an account has Issue and Manage Certificates on it. Raises as `ca_access`."""
        return ca_access(self.security, principal, CaRight.MANAGE_CERTIFICATES, where=self.at("Security")).is_granted

    @property
    def cert_service(self) -> Service:
        """The CertSvc service."""
        return self.document.service.need_value(self._service_at)

    @property
    def _service_at(self) -> str:
        return f"{short_name(self.machine)} service CertSvc"

    def service_evidence(self) -> Evidence:
        """Return the state of CertSvc and how it starts, as evidence."""
        service = self.cert_service
        return Evidence(self._service_at, f"{service.state}, starts {service.start_mode}")

    @property
    def certificate_hashes(self) -> tuple[str, ...]:
        """The thumbprints of its certificates, oldest first, without blanks and in upper case."""
        hashes = self.document.ca_cert_hash.need(self.at("CACertHash")) or []
        return tuple("".join(text.split()).upper() for text in hashes if text.strip() != "-")


class ConnectorHost(Addressed):
    """One host of the Certificate Connector for Microsoft Intune, of either generation."""

    def __init__(self, document: ConnectorDocument | None, failure: Failure | None) -> None:
        self._document, self._failure = document, failure

    @property
    def document(self) -> ConnectorDocument:
        """Its facts. Raises UnknownFact with the reason why the host could not be read."""
        if self._document is None:
            failure = self._failure
            raise UnknownFact(
                self.host, failure.what if failure else "it was not read", code=getattr(failure, "code", "")
            )
        return self._document

    @property
    def host(self) -> str:
        """Its DNS name, or the name that was asked for."""
        if self._document is None:
            return self._failure.target if self._failure else ""
        return self._document.machine.name

    name = host

    def at(self, what: str) -> str:
        """Return the address of something on this host."""
        return f"{short_name(self.host)} {what}"

    @property
    def product(self) -> Product:
        """The connector's software."""
        return Product(self.document, self.at)

    def request_files(self) -> tuple[RequestFiles, ...]:
        """Return each PfxRequest folder that exists, with those of Failed, Processing and Succeed that do."""
        return tuple(files for files in map(self._request_files, self.document.request_folders) if files is not None)

    def _request_files(self, folders: RequestFolders) -> RequestFiles | None:
        parts = {name: fact.need(self.at(f"{folders.path}\\{name}")) for name, fact in _parts(folders).items()}
        there = {name: part for name, part in parts.items() if part is not None}
        return RequestFiles(folders.path, there, read_at=self.document.read_at) if there else None

    def saw_requests(self) -> bool | None:
        """Whether a request came here, done or not; None without a PfxRequest folder.

        Raises UnknownFact where none is to be seen and a part could not be read.
        """
        folders = self.document.request_folders
        if any(part.value and part.value.total for each in folders for part in _parts(each).values()):
            return True
        return False if self.request_files() else None

    def says_nothing_of(self, ca: CertificationAuthority) -> bool:
        """Whether it was read without having been told that CA's host, by any name, so that it tried nothing there."""
        if self._document is None or not ca.host:
            return False
        tried = {short_name(reach.host).lower() for reach in self._document.certification_authorities}
        return tried.isdisjoint(short_name(name).lower() for name in (ca.host, ca.machine))

    @property
    def antivirus(self) -> Antivirus:
        """What guards its files."""
        return Antivirus(self.document, self.at)

    @property
    def policy_servers(self) -> PolicyServers:
        """The host's own list of enrollment policy servers; an absent key is an empty one."""
        return self.document.policy_servers.need(self.at("PolicyServers")) or PolicyServers()

    @property
    def policy_servers_by_policy(self) -> PolicyServers:
        """The list that Group Policy gives; an absent key is an empty one."""
        return self.document.policy_servers_by_policy.need(self.at("Policies PolicyServers")) or PolicyServers()

    def shut_out_lists(self) -> Iterator[Evidence]:
        """Yield the flags that shut lists of policy servers out, where because of them none applies.

        Raises UnknownFact where there are flags and no rows, and nobody could say whether the directory's own applies.
        """
        own, given = self.policy_servers, self.policy_servers_by_policy
        flags = own.shut_out | given.shut_out
        rows = (
            () if PolicyServersFlag.DISABLE_GROUP_POLICY_LIST in flags else given.servers,
            () if self.shuts_its_own_list_out else own.servers,
        )
        if not flags or any(rows) or self.document.policy_servers_applied.need(self.at("applied PolicyServers")):
            return
        for name, policy in (("PolicyServers", own), ("Policies PolicyServers", given)):
            if policy.shut_out:
                yield self.flags_evidence(f"{name} Flags", policy.shut_out)

    @property
    def shuts_its_own_list_out(self) -> bool:
        """Whether a flag keeps the rows of its own list from counting."""
        flags = self.policy_servers.shut_out | self.policy_servers_by_policy.shut_out
        return PolicyServersFlag.DISABLE_USER_SERVER_LIST in flags

    @property
    def is_in_a_domain(self) -> bool:
        """Whether it is a member of a domain rather than of a workgroup."""
        return self.document.machine.domain.need(self.at("domain")) is not None

    @property
    def trusted_thumbprints(self) -> frozenset[str]:
        """The thumbprints of the roots it trusts, without blanks and in upper case."""
        roots = self.document.trusted_roots.need(self.at("trusted roots")) or ()
        return frozenset("".join(text.split()).upper() for text in roots)

    def caller(self, domain: str) -> str:
        """Return as whom it calls the CA; `domain` is the NetBIOS name of its domain. Raises UnknownFact."""
        return self._account_of(self.product.pkcs_services, domain, "asks for PKCS certificates")

    def revoker(self, domain: str) -> str:
        """Return as whom it revokes certificates, empty when it does not. Raises UnknownFact."""
        found = tuple(service for service in self.product.services if service.name.lower() == REVOKING_SERVICE.lower())
        return self._account_of(found, domain, "revokes") if found else ""

    def _account_of(self, services: tuple[Service, ...], domain: str, does: str) -> str:
        where, computer = self.at("services"), self.document.machine.computer_name
        found = {service.start_name: account_of(service.start_name, computer, domain=domain) for service in services}
        accounts = {account.lower(): account for account in found.values() if account is not None}
        if not services:
            raise UnknownFact(where, f"no service of the connector that {does} is installed")
        if len(accounts) > 1:
            raise UnknownFact(where, f"they run under different accounts: {', '.join(sorted(accounts.values()))}")
        if None in found.values():
            who = ", ".join(sorted(name or "no account" for name, account in found.items() if account is None))
            raise UnknownFact(where, f"one that {does} runs as {who}, which no other host knows")
        return next(iter(accounts.values()))


def _parts(folders: RequestFolders) -> dict[str, Fact[RequestFolder]]:
    return {"Failed": folders.failed, "Processing": folders.processing, "Succeed": folders.succeed}
