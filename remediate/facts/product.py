"""The certificate connector that is installed on a host: its generation, its version, and what keeps it from working.

The current product has an entry of its own among the installed programs; a host without one has the older generation,
which Microsoft no longer supports (since 2021-07-29) and which issues nothing since September 2022.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from remediate.adcs.hresult import found_in
from remediate.facts.callers import account_of
from remediate.facts.documents import ConnectionStatus, ConnectorDocument, Service
from remediate.model.errors import UnknownFact
from remediate.model.finding import Evidence

# The services that ask the CA for PKCS certificates: DigiCert's and Microsoft's set-up pages of the connector.
PKCS_SERVICES = ("PkiCreateConnectorSvc", "PfxCreateLegacyConnectorSvc", "NDESConnectorSvc")
# Before the first version no certificate is issued; before the second there is no security identifier in them.
_CAN_ISSUE, _CAN_MAP_STRONGLY = (6, 2101, 13, 0), (6, 2406, 0, 1001)
_NOTHING = ("", "0")


class Product:
    """The connector's software on one host. Asking for what could not be read raises UnknownFact."""

    def __init__(self, document: ConnectorDocument, at: Callable[[str], str]) -> None:
        self._document, self._at = document, at

    @property
    def services(self) -> tuple[Service, ...]:
        """The connector's services that are installed."""
        return tuple(self._document.services.need(self._at("services")) or ())

    @property
    def pkcs_services(self) -> tuple[Service, ...]:
        """The services that ask the CA for PKCS certificates."""
        wanted = {name.lower() for name in PKCS_SERVICES}
        return tuple(service for service in self.services if service.name.lower() in wanted)

    @property
    def strangers(self) -> tuple[Service, ...]:
        """Those of them that run as an account that no other host knows, so that a CA refuses them."""
        return tuple(service for service in self.pkcs_services if self._is_stranger(service.start_name))

    def nobody(self) -> Iterator[Evidence]:
        """Yield as whom they run, as evidence, where all of them run so."""
        for service in self.strangers if self.strangers == self.pkcs_services else ():
            yield Evidence(self._at(f"service {service.name}"), f"runs as {service.start_name}")

    def _is_stranger(self, start_name: str) -> bool:
        computer = self._document.machine.computer_name
        if not start_name or account_of(start_name, computer, domain="") is not None:
            return False
        by_domain = account_of(start_name, computer, domain="any") is not None
        return not by_domain or self._document.machine.domain.need(self._at("domain")) is None

    @property
    def version(self) -> str:
        """The version of the current product, empty where that is not installed."""
        return self._document.connector_version.need(self._at("connector version")) or ""

    @property
    def is_older_generation(self) -> bool:
        """Whether what is installed here is one of the two products that the current one replaced."""
        return not self.version and bool(self.pkcs_services)

    @property
    def too_old(self) -> str:
        """What its version cannot do any more or yet, empty when it can do all, or when nothing is installed."""
        if not self.version:
            return "is of the older generation, which is no longer supported" if self.pkcs_services else ""
        parts = self.version.split(".")
        if not all(part.isdecimal() for part in parts):
            raise UnknownFact(self._at("connector version"), f"{self.version!r} is no version")
        version = tuple(map(int, parts))
        if version < _CAN_ISSUE:
            return "issues no certificates any more"
        return "cannot write security identifiers" if version < _CAN_MAP_STRONGLY else ""

    def version_evidence(self) -> Evidence:
        """Return which version is installed, as evidence."""
        shows = self.version or "no Certificate Connector for Microsoft Intune among the installed programs"
        return Evidence(self._at("connector version"), shows)

    @property
    def writes_security_identifiers(self) -> bool:
        """Whether certificates name the account by its SID, so that they map strongly (KB5014754)."""
        return self._document.enable_sid_security_extension.need(self._at("EnableSidSecurityExtension")) == 1

    def troubles(self) -> Iterator[Evidence]:
        """Yield what keeps it from working: services, the switch for PKCS, what ConnectionStatus complains of."""
        if not self.pkcs_services:
            yield Evidence(self._at("services"), "none of those that ask for PKCS certificates")
        for service in self.pkcs_services:
            if service.state != "Running":
                yield Evidence(self._at(f"service {service.name}"), f"{service.state}, starts {service.start_mode}")
        if self._document.pkcs_enabled.need(self._at("EnablePFxCreate")) == 0:
            yield Evidence(self._at("EnablePFxCreate"), "off")
        current = self._document.connection_status.need(self._at("PFXCertificateConnector\\ConnectionStatus"))
        for status in filter(None, (current, self._document.legacy_connection_status.if_known())):
            if complaint := _complaint(status):
                yield Evidence(self._at("ConnectionStatus"), complaint)

    @property
    def undecided_status(self) -> str:
        """Return what the older product's ConnectionStatus says where no code in it decides: its text is localised."""
        status = self._document.legacy_connection_status.if_known()
        return status.status.strip() if status and not _complaint(status) else ""


def _complaint(status: ConnectionStatus) -> str:
    """What it complains of: its issue, or a text with the code of a failure in it."""
    if status.issue.strip() not in _NOTHING:
        return status.issue
    return status.status if found_in(status.status) else ""
