"""Every flag that a playbook speaks of, with the clause that defines it.

Directory integers are signed 32-bit; `unsigned` and `signed` go between them and the flags.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


def unsigned(value: int) -> int:
    """Return a signed 32-bit integer as the unsigned number with the same bits."""
    return value & 0xFFFFFFFF


def signed(value: int) -> int:
    """Return flags as the signed 32-bit integer that the directory stores."""
    return value - 0x100000000 if value & 0x80000000 else value


class CertificateNameFlag(IntFlag):
    """msPKI-Certificate-Name-Flag, [MS-CRTD] 2.28."""

    ENROLLEE_SUPPLIES_SUBJECT = 0x1
    OLD_CERT_SUPPLIES_SUBJECT_AND_ALT_NAME = 0x8
    ENROLLEE_SUPPLIES_SUBJECT_ALT_NAME = 0x10000
    SUBJECT_ALT_REQUIRE_DOMAIN_DNS = 0x400000
    SUBJECT_ALT_REQUIRE_SPN = 0x800000
    SUBJECT_ALT_REQUIRE_DIRECTORY_GUID = 0x1000000
    SUBJECT_ALT_REQUIRE_UPN = 0x2000000
    SUBJECT_ALT_REQUIRE_EMAIL = 0x4000000
    SUBJECT_ALT_REQUIRE_DNS = 0x8000000
    SUBJECT_REQUIRE_DNS_AS_CN = 0x10000000
    SUBJECT_REQUIRE_EMAIL = 0x20000000
    SUBJECT_REQUIRE_COMMON_NAME = 0x40000000
    SUBJECT_REQUIRE_DIRECTORY_PATH = 0x80000000

    def supplied_in_the_request(self) -> CertificateNameFlag:
        """Return what the MMC writes for "Supply in the request": 0x1, and 0x8 where it stood; all else is cleared."""
        return CertificateNameFlag.ENROLLEE_SUPPLIES_SUBJECT | (
            self & CertificateNameFlag.OLD_CERT_SUPPLIES_SUBJECT_AND_ALT_NAME
        )


class EnrollmentFlag(IntFlag):
    """msPKI-Enrollment-Flag, [MS-CRTD] 2.26."""

    INCLUDE_SYMMETRIC_ALGORITHMS = 0x1
    PEND_ALL_REQUESTS = 0x2
    PUBLISH_TO_KRA_CONTAINER = 0x4
    PUBLISH_TO_DS = 0x8
    AUTO_ENROLLMENT_CHECK_USER_DS_CERTIFICATE = 0x10
    AUTO_ENROLLMENT = 0x20
    PREVIOUS_APPROVAL_VALIDATE_REENROLLMENT = 0x40
    USER_INTERACTION_REQUIRED = 0x100
    REMOVE_INVALID_CERTIFICATE_FROM_PERSONAL_STORE = 0x400
    ALLOW_ENROLL_ON_BEHALF_OF = 0x800
    ADD_OCSP_NOCHECK = 0x1000
    ENABLE_KEY_REUSE_ON_NT_TOKEN_KEYSET_STORAGE_FULL = 0x2000
    NOREVOCATIONINFOINISSUEDCERTS = 0x4000
    INCLUDE_BASIC_CONSTRAINTS_FOR_EE_CERTS = 0x8000
    ALLOW_PREVIOUS_APPROVAL_KEYBASEDRENEWAL_VALIDATE_REENROLLMENT = 0x10000
    ISSUANCE_POLICIES_FROM_REQUEST = 0x20000
    SKIP_AUTO_RENEWAL = 0x40000
    NO_SECURITY_EXTENSION = 0x80000


class PrivateKeyFlag(IntFlag):
    """msPKI-Private-Key-Flag without its two version nibbles, [MS-CRTD] 2.27."""

    REQUIRE_PRIVATE_KEY_ARCHIVAL = 0x1
    EXPORTABLE_KEY = 0x10
    STRONG_KEY_PROTECTION_REQUIRED = 0x20
    REQUIRE_ALTERNATE_SIGNATURE_ALGORITHM = 0x40
    REQUIRE_SAME_KEY_RENEWAL = 0x80
    USE_LEGACY_PROVIDER = 0x100
    HELLO_LOGON_KEY = 0x200000


class TemplateFlag(IntFlag):
    """flags of a certificate template, [MS-CRTD] 2.4."""

    AUTO_ENROLLMENT = 0x20
    MACHINE_TYPE = 0x40
    IS_CA = 0x80
    ADD_TEMPLATE_NAME = 0x200
    IS_CROSS_CA = 0x800
    DONOTPERSISTINDB = 0x1000
    IS_DEFAULT = 0x10000
    IS_MODIFIED = 0x20000


class EnrollmentServiceFlag(IntFlag):
    """flags of a pKIEnrollmentService; a standalone CA says NO_TEMPLATE_SUPPORT (SharpHoundCommon, PSPKI)."""

    NO_TEMPLATE_SUPPORT = 0x1
    SUPPORTS_NT_AUTHENTICATION = 0x2
    CA_SUPPORTS_MANUAL_AUTHENTICATION = 0x4
    CA_SERVERTYPE_ADVANCED = 0x8


class InterfaceFlag(IntFlag):
    """InterfaceFlags of a CA, certsrv.h; the default is 0x641."""

    LOCKICERTREQUEST = 0x1
    NOREMOTEICERTREQUEST = 0x2
    NOLOCALICERTREQUEST = 0x4
    NORPCICERTREQUEST = 0x8
    NOREMOTEICERTADMIN = 0x10
    NOLOCALICERTADMIN = 0x20
    NOREMOTEICERTADMINBACKUP = 0x40
    NOLOCALICERTADMINBACKUP = 0x80
    NOSNAPSHOTBACKUP = 0x100
    ENFORCEENCRYPTICERTREQUEST = 0x200
    ENFORCEENCRYPTICERTADMIN = 0x400

    @property
    def blocks_remote_requests(self) -> bool:
        """Whether a connector on another host can submit nothing."""
        return bool(self & (InterfaceFlag.NOREMOTEICERTREQUEST | InterfaceFlag.NORPCICERTREQUEST))


class EditFlag(IntFlag):
    """The EditFlags of the policy module that decide who is named in a certificate, certsrv.h."""

    EMAILOPTIONAL = 0x20000
    ATTRIBUTESUBJECTALTNAME2 = 0x40000


class Disposition(IntEnum):
    """The low byte of RequestDisposition, certsrv.h REQDISP_*."""

    PENDING = 0
    ISSUE = 1
    DENY = 2
    USE_REQUEST_ATTRIBUTE = 3


# certsrv.h REQDISP_MASK, REQDISP_PENDINGFIRST; a missing value counts as 0x101 ([MS-CSRA] 3.1.1.4).
DISPOSITION_MASK = 0xFF
PENDING_FIRST = 0x100
DISPOSITION_WHEN_ABSENT = 0x101


class RequestDisposition(int):
    """RequestDisposition of a policy module: what becomes of a request that nothing else decides."""

    @property
    def disposition(self) -> int:
        """The low byte; a Disposition where it is a documented one."""
        return self & DISPOSITION_MASK

    @property
    def denies_requests(self) -> bool:
        """Whether every request is refused."""
        return not self & PENDING_FIRST and self.disposition == Disposition.DENY

    @property
    def leaves_it_to_the_request(self) -> bool:
        """Whether an attribute of the request decides: reported, never changed."""
        return not self & PENDING_FIRST and self.disposition == Disposition.USE_REQUEST_ATTRIBUTE

    @property
    def holds_requests(self) -> bool:
        """Whether every request is set to pending."""
        return bool(self & PENDING_FIRST) or self.disposition not in (1, 2, 3)

    def describe(self) -> str:
        """Return the number and what it means, such as `0x101 (issue, but pending first)`."""
        names = {0: "pending", 1: "issue", 2: "deny", 3: "as the request says"}
        meaning = names.get(self.disposition, "unknown, so pending")
        return f"{int(self):#x} ({meaning}{', but pending first' if self & PENDING_FIRST else ''})"


class PolicyServersFlag(IntFlag):
    """Flags at the root of a PolicyServers key (certenroll PolicyServerUrlFlags family)."""

    DISABLE_GROUP_POLICY_LIST = 0x2
    DISABLE_USER_SERVER_LIST = 0x4


# The subkey of the directory's own policy: SHA-1 of the UTF-16LE text `ldap:` (computed).
DIRECTORY_POLICY_ID = "37c9dc30f207f27f61a2f7c3aed598a6e2920b54"


def names(flags: IntFlag) -> str:
    """Return the set flags by name, unknown bits in hex, `none` for 0."""
    known = [str(member.name) for member in type(flags) if member in flags and member]
    rest = int(flags) & ~sum(member for member in type(flags))
    return " | ".join([*known, *([f"{rest:#x}"] if rest > 0 else [])]) or "none"
