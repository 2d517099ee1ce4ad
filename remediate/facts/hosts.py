"""CA hosts and connector hosts as objects: what they say, and an UnknownFact where they could not say it."""

from __future__ import annotations

from collections.abc import Iterator

from remediate.adcs.ca_name import original
from remediate.adcs.flags import DISPOSITION_WHEN_ABSENT, EditFlag, InterfaceFlag, RequestDisposition, unsigned
from remediate.adcs.security_descriptor import MalformedDescriptor, SecurityDescriptor
from remediate.facts.directory import EnrollmentService
from remediate.facts.documents import CaDocument, ConnectorDocument, Failure, RequestFolder, RequestFolders, Service
from remediate.model.errors import UnknownFact
from remediate.model.fact import Fact

MICROSOFT_POLICY_MODULE = "CertificateAuthority_MicrosoftDefault.Policy"
# The services that ask the CA for PKCS certificates: DigiCert's and Microsoft's set-up pages of the connector.
PKCS_SERVICES = ("PkiCreateConnectorSvc", "PfxCreateLegacyConnectorSvc", "NDESConnectorSvc")
# Built-in accounts that reach the network as the computer does (Service User Accounts, Win32; [MS-SCMR] 2.2.8).
AS_COMPUTER = frozenset(
    {
        "localsystem",
        ".\\localsystem",
        "nt authority\\system",
        "nt authority\\networkservice",
        "nt authority\\network service",
    }
)


def short_name(host: str) -> str:
    """Return the first label of a host's name; an address stays whole."""
    label = host.partition(".")[0]
    return host if label.isdigit() else label


class CertificationAuthority:
    """One CA: its enrollment service in the directory and its host's own facts."""

    def __init__(self, service: EnrollmentService | None, document: CaDocument | None, failure: Failure | None) -> None:
        self.service, self._document, self._failure = service, document, failure

    @property
    def name(self) -> str:
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
            return self._document.machine.dns_host_name.if_known() or self._document.machine.computer_name
        return self._failure.target if self._failure else ""

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
        return name in {self.name, original(self.service.cn) if self.service else self.name}

    @property
    def configuration_key(self) -> str:
        """The registry key of the CA's configuration, as registry editors write it."""
        return self.document.configuration_key.replace("HKLM:\\", "HKLM\\", 1)

    def at(self, value: str) -> str:
        """Return the address of one of its registry values."""
        return f"{short_name(self.host)} {self.configuration_key}\\{value}"

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
        return f"{short_name(self.host)} {self.policy_key}\\{value}"

    @property
    def request_disposition_value(self) -> int | None:
        """RequestDisposition as it stands, None where absent."""
        return self.document.request_disposition.need(self.policy_at("RequestDisposition"))

    @property
    def request_disposition(self) -> RequestDisposition:
        """RequestDisposition as the active policy module has it; absent counts as 0x101."""
        value = self.request_disposition_value
        return RequestDisposition(DISPOSITION_WHEN_ABSENT if value is None else unsigned(value))

    @property
    def edit_flags(self) -> EditFlag:
        """EditFlags of the active policy module."""
        return EditFlag(unsigned(self.document.edit_flags.need(self.policy_at("EditFlags")) or 0))

    @property
    def interface_flags(self) -> InterfaceFlag:
        """InterfaceFlags; absent is the default 0x641 (certsrv.h)."""
        value = self.document.interface_flags.need(self.at("InterfaceFlags"))
        return InterfaceFlag(0x641 if value is None else unsigned(value))

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

    @property
    def cert_service(self) -> Service:
        """The CertSvc service."""
        return self.document.service.need_value(f"{short_name(self.host)} service CertSvc")

    @property
    def certificate_hashes(self) -> tuple[str, ...]:
        """The thumbprints of its certificates, oldest first, without blanks and in upper case."""
        hashes = self.document.ca_cert_hash.need(self.at("CACertHash")) or []
        return tuple("".join(text.split()).upper() for text in hashes if text.strip() != "-")


class ConnectorHost:
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
        return self._document.machine.dns_host_name.if_known() or self._document.machine.computer_name

    name = host

    def at(self, what: str) -> str:
        """Return the address of something on this host."""
        return f"{short_name(self.host)} {what}"

    @property
    def services(self) -> tuple[Service, ...]:
        """The connector's services that are installed."""
        return tuple(self.document.services.need(self.at("services")) or ())

    @property
    def pkcs_services(self) -> tuple[Service, ...]:
        """The services that ask the CA for PKCS certificates."""
        wanted = {name.lower() for name in PKCS_SERVICES}
        return tuple(service for service in self.services if service.name.lower() in wanted)

    def request_folders(self) -> Iterator[tuple[RequestFolders, dict[str, RequestFolder]]]:
        """Yield each PfxRequest folder that exists, with its parts Failed, Processing and Succeed."""
        for folders in self.document.request_folders:
            parts = {"Failed": folders.failed, "Processing": folders.processing, "Succeed": folders.succeed}
            there = {name: self._part(folders, name, fact) for name, fact in parts.items()}
            if any(there.values()):
                yield folders, {name: part for name, part in there.items() if part is not None}

    def _part(self, folders: RequestFolders, name: str, fact: Fact[RequestFolder]) -> RequestFolder | None:
        return fact.need(self.at(f"{folders.path}\\{name}"))

    def caller(self, netbios_name: str) -> str:
        """Return DOMAIN\\name of the account that calls the CA. Raises UnknownFact when no service tells it."""
        names = {service.start_name.lower(): service.start_name for service in self.pkcs_services}
        if not names:
            raise UnknownFact(
                self.at("services"), "no service of the connector that asks for PKCS certificates is installed"
            )
        if len(names) > 1:
            raise UnknownFact(
                self.at("services"), f"they run under different accounts: {', '.join(sorted(names.values()))}"
            )
        ((key, start_name),) = names.items()
        if key in AS_COMPUTER:
            return f"{netbios_name}\\{self.document.machine.computer_name.upper()}$"
        return start_name
