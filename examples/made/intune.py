"""What is exported from Intune in the two estates, in the shapes that Graph gives."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from .estate import (
    CA_HOST,
    CREATED,
    DOMAIN,
    INTUNE_TEMPLATE,
    ISSUING_CA,
    ROOT_CERTIFICATE,
    VPN_TEMPLATE,
    Estate,
    ca_certificates,
    guid,
)

Json = dict[str, Any]

USERS = str(guid("group Intune users"))
PHONES = str(guid("group Intune phones"))
_CREATED = "2026-03-02T10:15:00Z"


def files(estate: Estate) -> dict[str, Json]:
    """Return every file of the folder `intune`."""
    return {
        "windows-user-certificate.json": _windows_user(estate),
        "ios-mail-certificate.json": _ios_mail(estate),
        "windows-vpn-certificate.json": _windows_vpn(estate),
        "windows-trusted-root.json": _windows_root(estate),
        "ios-trusted-root.json": _ios_root(),
        f"group-{USERS}-members.json": _members("anna.berg", "lars.holm", "mia.lund"),
        f"group-{PHONES}-members.json": _members(
            "anna.berg", "erik.dahl", "mia.lund", without_mail=("erik.dahl", "mia.lund") if estate.broken else ()
        ),
        "ndesConnectors.json": _connectors(estate),
    }


def _windows_user(estate: Estate) -> Json:
    """Broken: the CA's host is misspelt."""
    profile = _pkcs("windows10PkcsCertificateProfile", "Windows user certificate", INTUNE_TEMPLATE, USERS)
    windows = _windows_settings()
    return profile | windows | {"certificationAuthority": "ca01.contso.test" if estate.broken else CA_HOST}


def _ios_mail(estate: Estate) -> Json:
    """Broken: the CA's name is wrong, and two of its users have no mail that could be put into the certificate."""
    profile = _pkcs("iosPkcsCertificateProfile", "iOS mail certificate", INTUNE_TEMPLATE, PHONES)
    mail = [_alternative_name("emailAddress", "{{EmailAddress}}")]
    name = "Contoso Issuing CA 1" if estate.broken else ISSUING_CA
    return profile | {
        "certificationAuthorityName": name,
        "subjectAlternativeNameType": "emailAddress",
        "customSubjectAlternativeNames": mail,
    }


def _windows_vpn(estate: Estate) -> Json:
    """Broken: it is assigned to nobody."""
    group = None if estate.broken else USERS
    return (
        _pkcs("windows10PkcsCertificateProfile", "Windows VPN certificate", VPN_TEMPLATE, group) | _windows_settings()
    )


def _windows_settings() -> Json:
    usage = {
        "@odata.type": "microsoft.graph.extendedKeyUsage",
        "name": "Client Authentication",
        "objectIdentifier": "1.3.6.1.5.5.7.3.2",
    }
    return {"keyStorageProvider": "useTpmKspOtherwiseUseSoftwareKsp", "extendedKeyUsages": [usage]}


def _windows_root(estate: Estate) -> Json:
    """Broken: it holds the subordinate CA's certificate where the root's belongs."""
    certificate = ca_certificates(estate)[-1] if estate.broken else ROOT_CERTIFICATE
    profile = _trusted_root("windows81TrustedRootCertificate", "Windows trusted root", certificate)
    return profile | {"destinationStore": "computerCertStoreRoot"}


def _ios_root() -> Json:
    return _trusted_root("iosTrustedRootCertificate", "iOS trusted root", ROOT_CERTIFICATE)


def _profile(kind: str, name: str, groups: list[str]) -> Json:
    identifier = str(guid(f"profile {name}"))
    return {
        "@odata.type": f"#microsoft.graph.{kind}",
        "id": identifier,
        "displayName": name,
        "description": "Made example data",
        "createdDateTime": _CREATED,
        "lastModifiedDateTime": _CREATED,
        "roleScopeTagIds": ["0"],
        "supportsScopeTags": True,
        "version": 1,
        "assignments": [_assignment(identifier, group) for group in groups],
    }


def _assignment(profile: str, group: str) -> Json:
    target = {"@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": group}
    return {"id": f"{profile}_{group}", "source": "direct", "target": target}


def _pkcs(kind: str, name: str, template: str, group: str | None) -> Json:
    return _profile(kind, name, [group] if group else []) | {
        "certificationAuthority": CA_HOST,
        "certificationAuthorityName": ISSUING_CA,
        "certificateTemplateName": template,
        "renewalThresholdPercentage": 20,
        "certificateValidityPeriodValue": 1,
        "certificateValidityPeriodScale": "years",
        "certificateStore": "user",
        "subjectNameFormat": "custom",
        "subjectNameFormatString": "CN={{UserName}}",
        "subjectAlternativeNameType": "userPrincipalName",
        "subjectAlternativeNameFormatString": None,
        "customSubjectAlternativeNames": [_alternative_name("userPrincipalName", "{{UserPrincipalName}}")],
    }


def _alternative_name(kind: str, name: str) -> Json:
    return {"@odata.type": "microsoft.graph.customSubjectAlternativeName", "sanType": kind, "name": name}


def _trusted_root(kind: str, name: str, certificate: bytes) -> Json:
    return _profile(kind, name, [USERS, PHONES]) | {
        "certFileName": "contoso-root.cer",
        "trustedRootCertificate": b64encode(certificate).decode(),
    }


def _members(*names: str, without_mail: tuple[str, ...] = ()) -> Json:
    return {"value": [_user(name, mail=name not in without_mail) for name in names]}


def _user(name: str, *, mail: bool) -> Json:
    address = f"{name}@{DOMAIN}"
    return {"id": str(guid(f"user {name}")), "userPrincipalName": address, "mail": address if mail else None}


def _connectors(estate: Estate) -> Json:
    connector = {
        "@odata.type": "#microsoft.graph.ndesConnector",
        "id": str(guid("connector CONN1")),
        "displayName": "CONN1",
        "machineName": f"conn1.{DOMAIN}",
        "enrolledDateTime": _CREATED,
        "lastConnectionDateTime": "2026-11-19T21:47:03Z" if estate.broken else CREATED,
        "state": "inactive" if estate.broken else "active",
        "connectorVersion": "6.2301.1.0" if estate.broken else "6.2510.3.2002",
    }
    return {"value": [connector]}
