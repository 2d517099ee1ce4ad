"""What the domain controller answers in the two estates."""

from __future__ import annotations

from typing import Any

from remediate.adcs.sid import Sid
from remediate.facts.documents import Account, DirectoryDocument, Entry

from . import templates
from .descriptors import enrollment_service
from .estate import (
    ADMINISTRATOR,
    BASE_DN,
    CA01,
    CA_HOST,
    CONFIGURATION_DN,
    CONN1,
    DOMAIN,
    DOMAIN_ADMINS,
    DOMAIN_COMPUTERS,
    DOMAIN_SID,
    DOMAIN_USERS,
    ENTERPRISE_ADMINS,
    INTUNE_TEMPLATE,
    ISSUING_CA,
    NETBIOS,
    ROOT_CA,
    ROOT_CERTIFICATE,
    VPN_TEMPLATE,
    WEB_ADMINS,
    Estate,
    ca_certificates,
    entry,
    read,
    reading,
)

SERVICES_DN = f"CN=Public Key Services,CN=Services,{CONFIGURATION_DN}"
DOMAIN_CONTROLLER = f"dc1.{DOMAIN}"


def document(estate: Estate) -> DirectoryDocument:
    """Return directory.json."""
    computers = [_computer("CA01", CA01), _computer("CONN1", CONN1)]
    return DirectoryDocument(
        **reading("directory", DOMAIN_CONTROLLER),
        root_dse=_root_dse(),
        domain=read(entry(BASE_DN, objectClass=["top", "domain", "domainDNS"], objectSid=DOMAIN_SID.binary)),
        partitions=read(_partitions()),
        public_key_services=read(_public_key_services(estate)),
        computers=read(computers),
        accounts=(_connector_account(),),
        security_principals=read(_security_principals()),
        broad_groups=read([]),
    )


def _root_dse() -> Entry:
    controller = f"CN=DC1,CN=Servers,CN=Default-First-Site-Name,CN=Sites,{CONFIGURATION_DN}"
    attributes: dict[str, Any] = {
        "defaultNamingContext": [BASE_DN],
        "configurationNamingContext": [CONFIGURATION_DN],
        "schemaNamingContext": [f"CN=Schema,{CONFIGURATION_DN}"],
        "rootDomainNamingContext": [BASE_DN],
        "namingContexts": [BASE_DN, CONFIGURATION_DN, f"CN=Schema,{CONFIGURATION_DN}"],
        "dnsHostName": [DOMAIN_CONTROLLER],
        "serverName": [controller],
        "dsServiceName": [f"CN=NTDS Settings,{controller}"],
        "domainControllerFunctionality": ["7"],
        "isGlobalCatalogReady": ["TRUE"],
        # A writable controller of Windows Server 2012 R2 or newer: [MS-ADTS] 3.1.1.3.4.3.
        "supportedCapabilities": [f"1.2.840.113556.1.4.{last}" for last in (800, 1670, 1791, 1935, 2080, 2237)],
    }
    return Entry("", attributes)


def _partitions() -> list[Entry]:
    container = f"CN=Partitions,{CONFIGURATION_DN}"
    cross_ref = ["top", "crossRef"]
    enterprise: dict[str, Any] = {"dnsRoot": DOMAIN, "objectClass": cross_ref, "systemFlags": 1}
    return [
        entry(f"CN=Enterprise Configuration,{container}", nCName=CONFIGURATION_DN, **enterprise),
        entry(f"CN=Enterprise Schema,{container}", nCName=f"CN=Schema,{CONFIGURATION_DN}", **enterprise),
        entry(
            f"CN={NETBIOS},{container}",
            objectClass=cross_ref,
            nCName=BASE_DN,
            dnsRoot=DOMAIN,
            nETBIOSName=NETBIOS,
            systemFlags=3,
        ),
    ]


def _public_key_services(estate: Estate) -> list[Entry]:
    containers = (
        "AIA",
        "CDP",
        "Certificate Templates",
        "Certification Authorities",
        "Enrollment Services",
        "KRA",
        "OID",
    )
    return [
        entry(SERVICES_DN, objectClass=["top", "container"]),
        *(entry(f"CN={name},{SERVICES_DN}", objectClass=["top", "container"]) for name in containers),
        *templates.entries(estate, f"CN=Certificate Templates,{SERVICES_DN}"),
        _enrollment_service(estate),
        *_trusted_authorities(estate),
    ]


def _enrollment_service(estate: Estate) -> Entry:
    published = ["User", "Machine", "WebServer", *([] if estate.broken else [INTUNE_TEMPLATE]), VPN_TEMPLATE]
    return entry(
        f"CN={ISSUING_CA},CN=Enrollment Services,{SERVICES_DN}",
        objectClass=["top", "pKIEnrollmentService"],
        displayName=ISSUING_CA,
        dNSHostName=CA_HOST,
        flags=10,
        certificateTemplates=published,
        cACertificate=list(ca_certificates(estate)[-1:]),
        cACertificateDN=f"CN={ISSUING_CA}, {BASE_DN.replace(',', ', ')}",
        nTSecurityDescriptor=enrollment_service(),
    )


def _trusted_authorities(estate: Estate) -> list[Entry]:
    kind = ["top", "certificationAuthority"]
    issuing = list(ca_certificates(estate))
    return [
        entry(
            f"CN={ROOT_CA},CN=Certification Authorities,{SERVICES_DN}",
            objectClass=kind,
            cACertificate=ROOT_CERTIFICATE,
        ),
        entry(f"CN={ISSUING_CA},CN=AIA,{SERVICES_DN}", objectClass=kind, cACertificate=issuing),
        entry(f"CN=NTAuthCertificates,{SERVICES_DN}", objectClass=kind, cACertificate=issuing),
    ]


def _computer(name: str, sid: Sid) -> Entry:
    host = f"{name.lower()}.{DOMAIN}"
    return entry(
        f"CN={name},OU=Servers,{BASE_DN}",
        objectClass=["top", "person", "organizationalPerson", "user", "computer"],
        objectSid=sid.binary,
        sAMAccountName=f"{name}$",
        dNSHostName=host,
        primaryGroupID=515,
        userAccountControl=4096,
        servicePrincipalName=[f"HOST/{host}", f"HOST/{name}"],
    )


def _connector_account() -> Account:
    return Account(
        name=f"{NETBIOS}\\CONN1$",
        entry=read(_computer("CONN1", CONN1)),
        token_groups=read([DOMAIN_COMPUTERS.binary]),
    )


def _security_principals() -> list[Entry]:
    groups = {
        "Domain Admins": DOMAIN_ADMINS,
        "Domain Users": DOMAIN_USERS,
        "Domain Computers": DOMAIN_COMPUTERS,
        "Enterprise Admins": ENTERPRISE_ADMINS,
        "WebAdmins": WEB_ADMINS,
    }
    person = ["top", "person", "organizationalPerson", "user"]
    return [
        _principal("Administrator", ADMINISTRATOR, person),
        *(_principal(name, sid, ["top", "group"]) for name, sid in groups.items()),
        _computer("CA01", CA01),
        _computer("CONN1", CONN1),
    ]


def _principal(name: str, sid: Sid, object_class: list[str]) -> Entry:
    dn = f"CN={name},CN=Users,{BASE_DN}"
    return entry(dn, objectClass=object_class, objectSid=sid.binary, sAMAccountName=name)
