"""The certificate templates of the two estates: three that Windows brings and two for Intune."""

from __future__ import annotations

from typing import Any, Final

from remediate.facts.documents import Entry

from .descriptors import intune_template, stock_template
from .estate import (
    DOMAIN_COMPUTERS,
    DOMAIN_USERS,
    ENTERPRISE_ADMINS,
    INTUNE_TEMPLATE,
    TEMPLATE_OIDS,
    VPN_TEMPLATE,
    WEB_ADMINS,
    Estate,
    entry,
)

# Periods are negative 100 ns units, little endian: [MS-CRTD] 2.11, 2.12.
_YEAR: Final = bytes.fromhex("004039872ee1feff")
_TWO_YEARS: Final = bytes.fromhex("0080720e5dc2fdff")
_SIX_WEEKS: Final = bytes.fromhex("0080a60affdeffff")

_SERVER_AUTHENTICATION: Final = "1.3.6.1.5.5.7.3.1"
_CLIENT_AUTHENTICATION: Final = "1.3.6.1.5.5.7.3.2"
# Encrypting File System, Secure Email, Client Authentication.
_USER_USAGES: Final = ["1.3.6.1.4.1.311.10.3.4", "1.3.6.1.5.5.7.3.4", _CLIENT_AUTHENTICATION]

_SUPPLY_IN_REQUEST: Final = 1
# SUBJECT_REQUIRE_DIRECTORY_PATH | SUBJECT_REQUIRE_EMAIL | SUBJECT_ALT_REQUIRE_EMAIL | SUBJECT_ALT_REQUIRE_UPN, signed.
_FROM_DIRECTORY: Final = -1509949440

OIDS: Final = {
    name: f"{TEMPLATE_OIDS}.{last}"
    for name, last in {"User": 1, "Machine": 14, "WebServer": 16, INTUNE_TEMPLATE: 7001, VPN_TEMPLATE: 7002}.items()
}


def entries(estate: Estate, container: str) -> list[Entry]:
    """Return every template below `container`."""
    return [
        entry(
            f"CN={name},{container}",
            objectClass=["top", "pKICertificateTemplate"],
            msPKI_Cert_Template_OID=OIDS[name],
            **attributes,
        )
        for name, attributes in _templates(estate).items()
    ]


def _templates(estate: Estate) -> dict[str, dict[str, Any]]:
    return {
        "User": _user(),
        "Machine": _machine(),
        "WebServer": _web_server(),
        INTUNE_TEMPLATE: _intune_pkcs(estate),
        VPN_TEMPLATE: _intune_vpn(estate),
    }


def _user() -> dict[str, Any]:
    return {
        "displayName": "User",
        "flags": 0x1023A,
        "revision": 3,
        "pKIDefaultKeySpec": 1,
        "pKIKeyUsage": b"\xa0\x00",
        "pKIMaxIssuingDepth": 0,
        "pKICriticalExtensions": "2.5.29.15",
        "pKIExpirationPeriod": _YEAR,
        "pKIOverlapPeriod": _SIX_WEEKS,
        "pKIExtendedKeyUsage": _USER_USAGES,
        "pKIDefaultCSPs": "1,Microsoft Enhanced Cryptographic Provider v1.0",
        "msPKI_RA_Signature": 0,
        "msPKI_Enrollment_Flag": 0x29,
        "msPKI_Private_Key_Flag": 0x10,
        "msPKI_Certificate_Name_Flag": _FROM_DIRECTORY,
        "msPKI_Minimal_Key_Size": 2048,
        "msPKI_Template_Schema_Version": 1,
        "msPKI_Template_Minor_Revision": 1,
        "nTSecurityDescriptor": stock_template(DOMAIN_USERS, ENTERPRISE_ADMINS),
    }


def _machine() -> dict[str, Any]:
    return _user() | {
        "displayName": "Computer",
        "flags": 0x10260,
        "revision": 5,
        "pKIExtendedKeyUsage": [_CLIENT_AUTHENTICATION, _SERVER_AUTHENTICATION],
        "pKIDefaultCSPs": "1,Microsoft RSA SChannel Cryptographic Provider",
        "msPKI_Enrollment_Flag": 0x20,
        "msPKI_Private_Key_Flag": 0,
        "msPKI_Certificate_Name_Flag": 0x18000000,
        "nTSecurityDescriptor": stock_template(DOMAIN_COMPUTERS, ENTERPRISE_ADMINS),
    }


def _web_server() -> dict[str, Any]:
    return _user() | {
        "displayName": "Web Server",
        "flags": 0x10241,
        "revision": 4,
        "pKIExpirationPeriod": _TWO_YEARS,
        "pKIExtendedKeyUsage": _SERVER_AUTHENTICATION,
        "pKIDefaultCSPs": "1,Microsoft RSA SChannel Cryptographic Provider",
        "msPKI_Enrollment_Flag": 0,
        "msPKI_Private_Key_Flag": 0,
        "msPKI_Certificate_Name_Flag": _SUPPLY_IN_REQUEST,
        "nTSecurityDescriptor": stock_template(ENTERPRISE_ADMINS, WEB_ADMINS),
    }


def _duplicate_of_user() -> dict[str, Any]:
    """User duplicated and set up as Intune's documentation asks, but for subject name and permissions."""
    return _user() | {
        "flags": 0x2023A,
        "revision": 100,
        "msPKI_Enrollment_Flag": 0x1,
        "msPKI_Private_Key_Flag": 0x1010010,
        "msPKI_Template_Schema_Version": 2,
        "msPKI_Template_Minor_Revision": 3,
        "msPKI_Certificate_Application_Policy": _USER_USAGES,
    }


def _intune_pkcs(estate: Estate) -> dict[str, Any]:
    """Broken: the subject comes from the directory, and the connector may read but not enrol."""
    return _duplicate_of_user() | {
        "displayName": "Intune PKCS",
        "msPKI_Certificate_Name_Flag": _FROM_DIRECTORY if estate.broken else _SUPPLY_IN_REQUEST,
        "nTSecurityDescriptor": intune_template(connector_enrols=not estate.broken),
    }


def _intune_vpn(estate: Estate) -> dict[str, Any]:
    """Broken: the subject comes from the directory, and Domain Users may enrol, so that it must not be supplied."""
    others = [DOMAIN_USERS] if estate.broken else []
    return _duplicate_of_user() | {
        "displayName": "Intune VPN",
        "msPKI_Certificate_Name_Flag": _FROM_DIRECTORY if estate.broken else _SUPPLY_IN_REQUEST,
        "nTSecurityDescriptor": intune_template(connector_enrols=True, others=others),
    }
