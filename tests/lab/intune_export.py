"""What an admin exports from Intune for the lab's estate: one PKCS profile, its trusted certificates, its users.

The shapes are those of microsoft.graph.windows10PkcsCertificateProfile, windows81TrustedRootCertificate and user.
"""

from __future__ import annotations

import json
import uuid
from base64 import b64encode
from pathlib import Path
from typing import Any

from tests.lab import contoso
from tests.lab.addresses import DNS_DOMAIN, fqdn
from tests.lab.authority import CertificationAuthority

Json = dict[str, Any]
Export = dict[str, Json]
"""A folder of an export: file name -> JSON object."""

PROFILE = "windows-user-certificate.json"
ROOT = "trusted-root.json"
INTERMEDIATE = "trusted-intermediate.json"
GROUP = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"users.{DNS_DOMAIN}"))
MEMBERS = f"group-{GROUP}-members.json"


def healthy(root: CertificationAuthority, issuing: CertificationAuthority) -> Export:
    """A profile that fits the estate, assigned to a group of two users with mail addresses."""
    users = [{"userPrincipalName": f"{name}@{DNS_DOMAIN}", "mail": f"{name}@{DNS_DOMAIN}"} for name in ("ada", "bo")]
    return {
        PROFILE: pkcs_profile("Windows user certificate"),
        ROOT: trusted_certificate("Root", root.der, store="computerCertStoreRoot"),
        INTERMEDIATE: trusted_certificate("Issuing CA", issuing.der, store="computerCertStoreIntermediate"),
        MEMBERS: {"value": users},
    }


def pkcs_profile(name: str) -> Json:
    """A PKCS certificate profile as the lab's estate needs it."""
    return assigned("windows10PkcsCertificateProfile", name) | {
        "certificationAuthority": fqdn("ca01"), "certificationAuthorityName": contoso.ISSUING_CA,
        "certificateTemplateName": contoso.INTUNE_TEMPLATE, "certificateStore": "user",
        "subjectNameFormat": "custom", "subjectNameFormatString": "CN={{UserName}}",
        "subjectAlternativeNameType": "userPrincipalName",
    }  # fmt: skip


def trusted_certificate(name: str, certificate: bytes, *, store: str) -> Json:
    """A trusted-certificate profile with a certificate (DER) for a store."""
    carried = {"trustedRootCertificate": b64encode(certificate).decode(), "destinationStore": store}
    return assigned("windows81TrustedRootCertificate", name) | carried


def assigned(kind: str, name: str) -> Json:
    """A profile of a kind, assigned to the group."""
    target = {"@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": GROUP}
    return {"@odata.type": f"#microsoft.graph.{kind}", "displayName": name, "assignments": [{"target": target}]}


def write(export: Export, folder: Path) -> Path:
    """Write the files; the folder."""
    folder.mkdir()
    for name, content in export.items():
        (folder / name).write_text(json.dumps(content))
    return folder
