"""What healthy hosts have in their registry and in the state of the stand-in: a CA, a connector.

Values are those of the article's set-up and of certsrv.h; identities are derived from the host's name.
"""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.lab import contoso
from tests.lab.addresses import fqdn
from tests.lab.authority import CertificationAuthority
from tests.lab.registry_file import Keys, binary, lines, number, text

CERTSVC = r"HKLM:\SYSTEM\CurrentControlSet\Services\CertSvc\Configuration"
POLICY_MODULE = "CertificateAuthority_MicrosoftDefault.Policy"
CONNECTOR = r"HKLM:\SOFTWARE\Microsoft\MicrosoftIntune\PFXCertificateConnector"
CRYPTOGRAPHY = r"HKLM:\SOFTWARE\Microsoft\Cryptography"
ROOT_STORE = r"HKLM:\SOFTWARE\Microsoft\SystemCertificates\ROOT\Certificates"
UNINSTALL = r"HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall"
CONNECTOR_VERSION = "6.2510.3.2002"
CA_PROVIDER = "Microsoft-Windows-CertificationAuthority"
CONNECTOR_CHANNELS = tuple(f"Microsoft-Intune-CertificateConnectors/{name}" for name in ("Admin", "Operational"))
PFX_REQUEST = ("Failed", "Processing", "Succeed")

CA_DESCRIPTOR = "O:BAG:BAD:(A;;0x200;;;AU)(A;;0x202;;;{CONN1$})(A;;CCDC;;;DA)(A;;CCDC;;;EA)(A;;CCDC;;;BA)"
"""CA rights: 0x1 manage the CA, 0x2 issue and manage certificates, 0x200 enrol ([MS-CSRA] 3.1.1.7)."""


def ca_key(name: str = contoso.ISSUING_CA) -> str:
    """The configuration key of a CA."""
    return f"{CERTSVC}\\{name}"


def policy_key(name: str = contoso.ISSUING_CA) -> str:
    """The key of a CA's Microsoft policy module."""
    return f"{ca_key(name)}\\PolicyModules\\{POLICY_MODULE}"


def machine(name: str) -> Keys:
    """What every host has."""
    guid = str(uuid.uuid5(uuid.NAMESPACE_DNS, fqdn(name)))
    return {CRYPTOGRAPHY: {"MachineGuid": text(guid)}}


def ca_registry(name: str, authority: CertificationAuthority, descriptor: bytes) -> Keys:
    """An enterprise subordinate CA that issues at once."""
    common_name = authority.name
    policy = {"RequestDisposition": number(1), "EditFlags": number(0x11014E)}
    return machine(name) | {
        CERTSVC: {"Active": text(common_name)},
        ca_key(common_name): {
            "CommonName": text(common_name), "CAServerName": text(fqdn(name)), "CAType": number(1), "UseDS": number(1),
            "InterfaceFlags": number(0x641), "Security": binary(descriptor), "CACertHash": lines(authority.thumbprint),
        },
        f"{ca_key(common_name)}\\CSP": {"Provider": text("Microsoft Software Key Storage Provider")},
        f"{ca_key(common_name)}\\PolicyModules": {"Active": text(POLICY_MODULE)},
        policy_key(common_name): policy,
    }  # fmt: skip


def connector_registry(name: str, install_folder: Path, root: bytes) -> Keys:
    """A connector set up for PKCS, which spoke with the service five minutes ago and trusts the root (DER)."""
    connected = datetime.now(UTC) - timedelta(minutes=5)
    return machine(name) | {
        CONNECTOR: {
            "EnableSidSecurityExtension": number(1), "EnablePFxCreate": number(1),
            "InstallFolder": text(str(install_folder)),
        },
        f"{CONNECTOR}\\ConnectionStatus": {"LastConnectionTime": text(connected.strftime("%Y-%m-%dT%H:%M:%SZ"))},
        f"{ROOT_STORE}\\{hashlib.sha1(root).hexdigest().upper()}": {"Blob": binary(root)},
        f"{UNINSTALL}\\{{0C8FD0E2-6F35-4B0E-9C2B-1F6A5F3B7A10}}": {
            "DisplayName": text("Certificate Connector for Microsoft Intune"),
            "DisplayVersion": text(CONNECTOR_VERSION), "Publisher": text("Microsoft Corporation"),
        },
    }  # fmt: skip


def service(path: str, *, account: str = "LocalSystem") -> dict[str, str]:
    """A Windows service that runs."""
    return {"State": "Running", "StartMode": "Auto", "StartName": account, "PathName": path}


def state(name: str, services: dict[str, dict[str, str]], exclusions: list[str]) -> dict[str, Any]:
    """The state of a healthy host, for the stand-in."""
    return {
        "services": services,
        "events": [],
        "event_logs": {"Application": {"providers": ["MSDTC"]}},
        "mp_preference": {"ExclusionPath": exclusions, "DisableLocalAdminMerge": False},
        "mp_status": {
            "AMServiceEnabled": True, "AntivirusEnabled": True, "RealTimeProtectionEnabled": True,
            "IsTamperProtected": False, "AMRunningMode": "Normal",
        },
        "policy_servers": [],
        "pending_requests": [],
        "whoami": {"name": contoso.ADMIN.down_level.lower(), "elevated": True},
        "computer": {"name": name.upper(), "domain": "contoso.test", "part_of_domain": True},
    }  # fmt: skip


def ca_state(name: str) -> dict[str, Any]:
    """A CA whose service runs."""
    plain = state(name, {"CertSvc": service(r"C:\Windows\system32\certsrv.exe")}, [])
    return plain | {"event_logs": {"Application": {"providers": ["MSDTC", CA_PROVIDER]}}}


def connector_state(name: str, program_files: Path) -> dict[str, Any]:
    """A connector whose services run as SYSTEM; Defender leaves its folders alone."""
    folder = r"C:\Program Files\Microsoft Intune\PFXCertificateConnector\ConnectorSvc"
    names = {
        "PkiCreateConnectorSvc": "Microsoft.Intune.ConnectorsPkiCreate.exe",
        "PfxCreateLegacyConnectorSvc": "Microsoft.Intune.ConnectorsPkiCreateLegacy.exe",
        "PkiRevokeConnectorSvc": "Microsoft.Intune.ConnectorsPkiRevoke.exe",
    }
    services = {name: service(f'"{folder}\\{program}"') for name, program in names.items()}
    excluded = ("PfxRequest", "CertificateRequestStatus", "CertificateRevocationStatus")
    plain = state(name, services, [f"{program_files}\\Microsoft Intune\\{one}" for one in excluded])
    return plain | {"event_logs": plain["event_logs"] | {channel: {} for channel in CONNECTOR_CHANNELS}}


def make_request_folders(program_files: Path) -> Path:
    """The folders of the connector's request files, with one that went well; the Microsoft Intune folder."""
    intune = program_files / "Microsoft Intune"
    for name in PFX_REQUEST:
        (intune / "PfxRequest" / name).mkdir(parents=True)
    (intune / "PfxRequest" / "Succeed" / "3f2c6c1e.pfr").write_text("PFR 1\nresult: 0x00000000\n")
    for name in ("CertificateRequestStatus", "CertificateRevocationStatus"):
        (intune / name).mkdir()
    return intune
