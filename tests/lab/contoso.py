"""What stands in the lab's directory: the healthy estate of CONTOSO, as data.

A template for Intune that the connector may use, its enrolment service, the stock templates, accounts to log on
with and accounts for the machines. Passwords are of this lab only.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field

from tests.lab.addresses import BASE_DN, NETBIOS_DOMAIN, REALM, fqdn
from tests.lab.authority import CertificationAuthority
from tests.lab.material import Attributes, Value

CONFIGURATION_DN = f"CN=Configuration,{BASE_DN}"
SERVICES_DN = f"CN=Public Key Services,CN=Services,{CONFIGURATION_DN}"
TEMPLATES_DN = f"CN=Certificate Templates,{SERVICES_DN}"
ENROLLMENT_SERVICES_DN = f"CN=Enrollment Services,{SERVICES_DN}"

ISSUING_CA = "Contoso Issuing CA"
SECOND_CA = "Contoso Second CA"
ROOT_CA = "Contoso Root CA"
INTUNE_TEMPLATE = "IntunePKCS"

ENROLL = "0e10c968-78fb-11d2-90d4-00c04f79dc55"
"""The control access right Certificate-Enrollment ([MS-CRTD] 2.5.1)."""
AUTO_ENROLL = "a05b8cc2-17bc-4802-a710-e7c15ab866a2"
"""The control access right Certificate-AutoEnrollment ([MS-CRTD] 2.5.1)."""

FULL = "CCDCLCSWRPWPDTLOSDRCWDWO"
"""What certutil calls Full Control; as on Windows it carries no control access right."""


@dataclass(frozen=True)
class Account:
    """Somebody who may try to log on. `groups` beside Domain Users."""

    name: str
    password: str = field(repr=False)
    groups: tuple[str, ...] = ()

    @property
    def upn(self) -> str:
        """`admin@CONTOSO.TEST`, which serves Kerberos and simple binds."""
        return f"{self.name}@{REALM}"

    @property
    def down_level(self) -> str:
        r"""`CONTOSO\admin`, which serves NTLM."""
        return f"{NETBIOS_DOMAIN}\\{self.name}"


ADMINISTRATOR = Account("Administrator", "Lab-Built-In-1!")
ADMIN = Account("admin", "Lab-Admin-åäö-1!", ("Domain Admins", "Enterprise Admins"))
READER = Account("reader", "Lab-Reader-1!")
LOCKED = Account("locked", "Lab-Locked-1!")
SERVICE = Account("svc_intune", "Lab-Service-1!")
ACCOUNTS = (ADMIN, READER, LOCKED, SERVICE)

COMPUTERS = ("ca01", "ca02", "conn1", "conn2")
GROUPS = ("PKI Enrollers", "PKI Nested", "Broad by nesting")
MEMBERS = {
    "PKI Nested": ["CONN2$"],
    "PKI Enrollers": ["PKI Nested"],
    "Broad by nesting": ["Domain Users"],
    "Cert Publishers": ["CA01$", "CA02$"],
} | {group: [account.name for account in ACCOUNTS if group in account.groups] for group in ADMIN.groups}

YEAR = bytes.fromhex("004039872ee1feff")
TWO_YEARS = bytes.fromhex("0080720e5dc2fdff")
SIX_WEEKS = bytes.fromhex("0080a60affdeffff")
"""Periods are negative 100 ns units, little endian ([MS-CRTD] 2.11, 2.12)."""


def machine_password(machine: str) -> str:
    """The password of a computer account: the lab makes keytabs from it."""
    return f"Lab-Machine-{machine}-1!"


def template_descriptor(*trustees: str) -> str:
    """SDDL as on stock templates: administrators own and may enrol, `trustees` may enrol, everyone may read."""
    enrollers = ("DA", *trustees, "EA")
    allowed = "".join(f"(OA;;RPWPCR;{ENROLL};;{trustee})" for trustee in enrollers)
    return f"O:EAG:EAD:PAI{allowed}(A;;{FULL};;;DA)(A;;{FULL};;;EA)(A;;LCRPLORC;;;AU)"


DUPLICATED_DESCRIPTOR = (
    f"O:LAG:EAD:PAI(OA;;RPWPCR;{ENROLL};;DA)(OA;;RPWPCR;{ENROLL};;DU)(OA;;RPWPCR;{ENROLL};;EA)"
    f"(OA;;CR;{ENROLL};;AU)(OA;;CR;{AUTO_ENROLL};;AU)"
    f"(A;;{FULL};;;DA)(A;;{FULL};;;EA)(A;;{FULL};;;LA)(A;;LCRPLORC;;;AU)"
)
"""A duplicate of User that also lets Authenticated Users enrol."""
INTUNE_DESCRIPTOR = (
    f"O:LAG:EAD:PAI(OA;;CR;{ENROLL};;{{CONN1$}})"
    f"(A;;{FULL};;;DA)(A;;{FULL};;;EA)(A;;{FULL};;;LA)(A;;LCRPRC;;;{{CONN1$}})(A;;LCRPLORC;;;AU)"
)
"""Only the connector's computer account may enrol."""

MAY_ENROL = {
    "User": ("DU",), "UserSignature": ("DU",), "ClientAuth": ("DU",), "EFS": ("DU",),
    "Machine": ("DC",), "Workstation": ("DC",),
}  # fmt: skip
"""Who may enrol from stock templates beside the administrators."""


def user_template() -> Attributes:
    """The stock template User."""
    return {
        "displayName": ["User"], "flags": ["66106"], "revision": ["3"], "pKIDefaultKeySpec": ["1"],
        "pKIKeyUsage": [b"\xa0\x00"], "pKIMaxIssuingDepth": ["0"], "pKICriticalExtensions": ["2.5.29.15"],
        "pKIExpirationPeriod": [YEAR], "pKIOverlapPeriod": [SIX_WEEKS],
        "pKIExtendedKeyUsage": ["1.3.6.1.4.1.311.10.3.4", "1.3.6.1.5.5.7.3.4", "1.3.6.1.5.5.7.3.2"],
        "pKIDefaultCSPs": ["1,Microsoft Enhanced Cryptographic Provider v1.0"],
        "msPKI-RA-Signature": ["0"], "msPKI-Enrollment-Flag": ["41"], "msPKI-Private-Key-Flag": ["16"],
        "msPKI-Certificate-Name-Flag": ["-1509949440"], "msPKI-Minimal-Key-Size": ["2048"],
        "msPKI-Template-Schema-Version": ["1"], "msPKI-Template-Minor-Revision": ["1"],
        "msPKI-Cert-Template-OID": ["1.3.6.1.4.1.311.21.8.1.2.3.4.5.6.1.1"],
    }  # fmt: skip


def intune_template() -> Attributes:
    """User duplicated and set up as Intune's documentation asks."""
    user = user_template()
    return user | {
        "displayName": ["Intune PKCS"], "flags": ["131642"], "revision": ["100"],
        "msPKI-Template-Schema-Version": ["2"], "msPKI-Template-Minor-Revision": ["3"],
        "msPKI-Certificate-Name-Flag": ["1"], "msPKI-Enrollment-Flag": ["1"], "msPKI-Private-Key-Flag": ["16842768"],
        "msPKI-Certificate-Application-Policy": user["pKIExtendedKeyUsage"],
        "msPKI-Cert-Template-OID": ["1.3.6.1.4.1.311.21.8.1.2.3.4.5.6.7001.7002"],
    }  # fmt: skip


def web_server_template() -> Attributes:
    """The stock template WebServer: any name, but no client authentication."""
    return user_template() | {
        "displayName": ["Web Server"], "flags": ["66113"], "revision": ["4"],
        "pKIExpirationPeriod": [TWO_YEARS], "pKIExtendedKeyUsage": ["1.3.6.1.5.5.7.3.1"],
        "pKIDefaultCSPs": ["1,Microsoft RSA SChannel Cryptographic Provider"],
        "msPKI-Certificate-Name-Flag": ["1"], "msPKI-Enrollment-Flag": ["0"], "msPKI-Private-Key-Flag": ["0"],
        "msPKI-Cert-Template-OID": ["1.3.6.1.4.1.311.21.8.1.2.3.4.5.6.1.16"],
    }  # fmt: skip


def all_templates(material: dict[str, Attributes]) -> dict[str, Attributes]:
    """The material's templates and the lab's own; the material's form of a stock template wins."""
    stock = {"User": user_template(), "WebServer": web_server_template()}
    return stock | material | {INTUNE_TEMPLATE: intune_template()}


def descriptor_of_template(name: str, attributes: Attributes) -> str:
    """The SDDL a template starts with: stock ones as Windows installs them, others as duplicates of User."""
    if name == INTUNE_TEMPLATE:
        return INTUNE_DESCRIPTOR
    stock = int(str(attributes["flags"][0])) & 0x10000  # CT_FLAG_IS_DEFAULT, [MS-CRTD] 2.4
    return template_descriptor(*MAY_ENROL.get(name, ())) if stock else DUPLICATED_DESCRIPTOR


def template_object(name: str, attributes: Attributes, sddl: str) -> dict[str, object]:
    """A template for the document that `samba_directory` reads."""
    return directory_object(
        f"CN={name},{TEMPLATES_DN}", {"objectClass": ["pKICertificateTemplate"], **attributes}, sddl
    )


def enrollment_service(name: str, machine: str, authority: CertificationAuthority, templates: list[str]) -> Attributes:
    """An enterprise CA as it publishes itself; flags 10 = NT authentication, advanced server."""
    return {
        "objectClass": ["pKIEnrollmentService"], "displayName": [name], "dNSHostName": [fqdn(machine)], "flags": ["10"],
        "certificateTemplates": list(templates), "cACertificate": [authority.der],
        "cACertificateDN": [authority.subject],
    }  # fmt: skip


def computer(name: str) -> Attributes:
    """A member server's account without a password: found by its name, but it cannot log on."""
    return {
        "objectClass": ["computer"], "sAMAccountName": [f"{name.upper()}$"], "dNSHostName": [fqdn(name)],
        "userAccountControl": ["4096"], "servicePrincipalName": [f"HOST/{fqdn(name)}", f"HOST/{name.upper()}"],
    }  # fmt: skip


ENROLLMENT_SERVICE_DESCRIPTOR = (
    "O:EAG:EAD:AI(A;OICI;LCRPLORC;;;AU)(OA;;CR;{right};;AU)(A;OICI;{full};;;{{{machine}}})"
    "(A;OICI;{full};;;DA)(A;OICI;{full};;;EA)"
)


def enrollment_service_descriptor(machine: str) -> str:
    """SDDL of an enrolment service on `machine`."""
    return ENROLLMENT_SERVICE_DESCRIPTOR.format(right=ENROLL, full=FULL, machine=f"{machine.upper()}$")


def trusted_roots(root: CertificationAuthority, issuing: CertificationAuthority) -> list[dict[str, object]]:
    """The root below Certification Authorities, and what may issue logon certificates."""
    lists: dict[str, list[Value]] = {"authorityRevocationList": [b"\x00"], "certificateRevocationList": [b"\x00"]}
    entry: Attributes = {"objectClass": ["certificationAuthority"], **lists}
    return [
        directory_object(
            f"CN={ROOT_CA},CN=Certification Authorities,{SERVICES_DN}", {**entry, "cACertificate": [root.der]}
        ),
        directory_object(f"CN=NTAuthCertificates,{SERVICES_DN}", {**entry, "cACertificate": [issuing.der]}),
    ]


def directory_object(dn: str, attributes: Attributes, sddl: str | None = None) -> dict[str, object]:
    """One object for the document."""
    encoded = {name: [encode(value) for value in values] for name, values in attributes.items()}
    return {"dn": dn, "attributes": encoded, "sddl": sddl}


def encode(value: Value) -> str | dict[str, str]:
    """Text as it is, bytes as {"base64": ...}."""
    return value if isinstance(value, str) else {"base64": b64encode(value).decode()}
