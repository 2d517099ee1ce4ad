"""What the CA host says in the two estates."""

from __future__ import annotations

from remediate.facts.documents import CaDocument, Events, Machine, PendingRequest, Ping, Service

from .descriptors import ca_security
from .estate import (
    ABSENT,
    CA_HOST,
    DOMAIN,
    ISSUING_CA,
    NETBIOS,
    VPN_TEMPLATE,
    Estate,
    ca_certificates,
    guid,
    read,
    reading,
    thumbprint,
)
from .templates import OIDS

_CONFIGURATION = f"HKLM\\SYSTEM\\CurrentControlSet\\Services\\CertSvc\\Configuration\\{ISSUING_CA}"
_SINCE = "2026-10-24T09:12:00Z"
_ISSUE = 0x1
_PENDING_FIRST = 0x101


def document(estate: Estate) -> CaDocument:
    """Return ca-ca01.contoso.test.json."""
    return CaDocument(
        **reading("ca", CA_HOST),
        machine=machine("CA01"),
        administrator=read(True),
        configuration_key=_CONFIGURATION,
        active=read(ISSUING_CA),
        common_name=read(ISSUING_CA),
        ca_server_name=read(CA_HOST),
        ca_type=read(1),
        use_ds=read(1),
        interface_flags=read(0x641),
        use_defined_ca_cert_in_request=ABSENT,
        enabled_eku_for_defined_ca_cert=ABSENT,
        security=read(ca_security()),
        ca_cert_hash=read([thumbprint(certificate).hex(" ") for certificate in ca_certificates(estate)]),
        key_provider=read("Microsoft Software Key Storage Provider"),
        policy_module=read("CertificateAuthority_MicrosoftDefault.Policy"),
        request_disposition=read(_PENDING_FIRST if estate.broken else _ISSUE),
        edit_flags=read(0x11014E),
        disable_extension_list=read([]),
        service=read(_cert_service()),
        service_control=read(True),
        cluster_resource=read(False),
        event_128=read(_event_128(estate)),
        pending_requests=read(_pending(estate)),
        ping=read(Ping(code="0x00000000")),
    )


def machine(name: str) -> Machine:
    """Return the identity of a member server of the domain."""
    return Machine(
        computer_name=name,
        dns_host_name=read(f"{name.lower()}.{DOMAIN}"),
        domain=read(DOMAIN),
        machine_guid=read(str(guid(f"machine {name}"))),
        os_version=read("10.0.20348"),
        powershell_version="5.1.20348.2849",
    )


def _cert_service() -> Service:
    return Service(
        name="CertSvc",
        state="Running",
        start_mode="Auto",
        start_name="LocalSystem",
        path_name="C:\\Windows\\system32\\certsrv.exe",
    )


def _event_128(estate: Estate) -> Events:
    if not estate.broken:
        return Events(since=_SINCE, count=0)
    return Events(
        since=_SINCE,
        count=7,
        first="2026-11-16T07:41:12Z",
        last="2026-11-23T06:02:55Z",
        request_ids=("22", "21", "18", "17", "14", "12", "11"),
    )


def _pending(estate: Estate) -> list[PendingRequest]:
    if not estate.broken:
        return []
    submitted = {17: "2026-11-20T13:05:40Z", 18: "2026-11-20T13:06:02Z", 21: "2026-11-22T18:20:31Z"}
    submitted[22] = "2026-11-23T06:02:55Z"
    return [
        PendingRequest(request_id=row, requester=f"{NETBIOS}\\CONN1$", template=OIDS[VPN_TEMPLATE], submitted=when)
        for row, when in submitted.items()
    ]
