"""Generated scripts on one Windows-like host: a plan of our own, its folder, and each script run by PowerShell."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remediate.model.finding import Target
from remediate.model.places import ExclusionPlace, PolicyServerPlace, RegistryPlace, ServicePlace
from remediate.model.plan import (
    Action,
    ExclusionState,
    Plan,
    PolicyServerState,
    RegistryState,
    ServiceState,
    TargetIdentity,
    digest,
    seal,
)
from remediate.render.powershell.handover import handover
from tests.lab.registry_file import lines, number, text
from tests.powershell.test_script_text import PWSH
from tests.powershell.windows_like import WINDOWS, WindowsLike

HOST = "host1.contoso.test"
GUID = "0f3c5b0e-5d5e-4a52-9d6a-5b0d2c1f7a11"
CERTSVC = r"HKLM:\SYSTEM\CurrentControlSet\Services\CertSvc\Configuration"
CA_KEY = rf"{CERTSVC}\Contoso Issuing CA"
POLICY_KEY = rf"{CA_KEY}\PolicyModules\CertificateAuthority_MicrosoftDefault.Policy"
THUMBPRINT = "ED98E70BE878383F50F941B02A392CD85B062774"
URL = "https://ces.contoso.test/ADPolicyProvider_CEP_Kerberos/service.svc/CEP"
FOLDERS = (r"C:\Program Files\Microsoft Intune\PfxRequest", r"C:\Temp\O'Brien's")
ENABLED = "Obligatorisk grupp, Aktiverad"
ADMINISTRATOR = [
    ["BUILTIN\\Administrat\u00f6rer", "Alias", "S-1-5-32-544", ENABLED],
    ["Obligatorisk etikett\\H\u00f6g obligatorisk niv\u00e5", "Etikett", "S-1-16-12288", ""],
]


def action(number_: int, kind: str, place: Any, before: Any, after: Any, **more: Any) -> Action:
    return Action(
        id=number_, kind=kind, target=Target("ca", "Contoso Issuing CA"), place=place, address="", label=f"{kind} here",
        before=before, after=after, diff=(), because=(), **more,
    )  # fmt: skip


def disposition(number_: int = 1) -> Action:
    place = RegistryPlace(HOST, POLICY_KEY.replace("HKLM:", "HKLM"), "RequestDisposition", r"policy\RequestDisposition")
    dword = "REG_DWORD"
    return action(number_, "ca_registry_value", place, RegistryState(dword, 0x101), RegistryState(dword, 1),
                  restarts="CertSvc")  # fmt: skip


def defined_ca_cert(number_: int = 2) -> Action:
    name = "UseDefinedCACertInRequest"
    place = RegistryPlace(HOST, CA_KEY.replace("HKLM:", "HKLM"), name, rf"ca\{name}")
    return action(number_, "ca_registry_value", place, RegistryState("REG_DWORD"), RegistryState("REG_DWORD", 1),
                  restarts="CertSvc")  # fmt: skip


def restart(number_: int = 3, *, depends_on: tuple[int, ...] = (1, 2)) -> Action:
    running = ServiceState("Running")
    return action(number_, "restart_service", ServicePlace(HOST, "CertSvc"), running, running, depends_on=depends_on)


def start(number_: int = 1) -> Action:
    place = ServicePlace(HOST, "CertSvc")
    return action(number_, "start_service", place, ServiceState("Stopped"), ServiceState("Running"))


def policy_server(number_: int = 1) -> Action:
    return action(number_, "policy_server", PolicyServerPlace(HOST, URL), PolicyServerState(), PolicyServerState(URL))


def exclusions(number_: int = 1) -> Action:
    return action(number_, "defender_exclusions", ExclusionPlace(HOST), ExclusionState(()), ExclusionState(FOLDERS))


def make_plan(*actions: Action, **more: Any) -> Plan:
    identity = {"MachineGuid": GUID, "certificate_thumbprint": THUMBPRINT}
    plain: dict[str, Any] = {
        "format_version": "1.0", "remediate": "0.1.0", "playbooks": {}, "options": {}, "complete": True,
        "created": "2026-11-23T09:12:00Z", "expires_at": "2099-11-30T09:12:00Z",
        "targets": (TargetIdentity(kind="ca", name=HOST, identity=identity),), "actions": actions,
    }  # fmt: skip
    return Plan(**(plain | more))


@dataclass(frozen=True)
class Desk:
    """The folder of one plan on one host, as the Windows team has it."""

    host: WindowsLike
    folder: Path

    @classmethod
    def lay_out(cls, host: WindowsLike, plan: Plan, folder: Path) -> Desk:
        for name, content in handover(plan, digest(plan), sealed=seal(plan)).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        (scripts,) = (path.parent for path in folder.glob("*/change.ps1"))
        return cls(host, scripts)

    def run(self, name: str, *arguments: str, timeout: int = 60) -> subprocess.CompletedProcess[str]:
        """Run change, verify or rollback with the stand-ins for what only Windows has."""
        modules = ["LabRegistry", f"{WINDOWS}/LabWindows.psm1", f"{WINDOWS}/LabChanges.psm1"]
        line = "; ".join(
            [*(f"Import-Module '{module}'" for module in modules),
             f"& '{self.folder / name}.ps1' {' '.join(arguments)}", "exit $LASTEXITCODE"]
        )  # fmt: skip
        return subprocess.run(
            [str(PWSH), "-NoProfile", "-Command", line], capture_output=True, text=True, timeout=timeout,
            env=self.host.environment, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip

    def change(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run("change", "-Confirm:$false", *arguments)

    def rollback(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run("rollback", "-Confirm:$false", *arguments)

    def verify(self) -> subprocess.CompletedProcess[str]:
        return self.run("verify")

    def result(self, name: str = "result.json") -> dict[str, Any]:
        return dict(json.loads((self.folder / name).read_text("utf-8")))

    def state(self) -> tuple[str, str]:
        """Registry and state of the host, to compare."""
        return self.host.registry.path.read_text(), (self.host.folder / "state.json").read_text()


def ready(host: WindowsLike) -> WindowsLike:
    """A CA host that holds every request, with Defender and without a policy server."""
    host.registry.set(r"HKLM:\SOFTWARE\Microsoft\Cryptography", "MachineGuid", text(GUID))
    host.registry.set(CERTSVC, "Active", text("Contoso Issuing CA"))
    host.registry.set(CA_KEY, "CAServerName", text(HOST))
    host.registry.set(CA_KEY, "CACertHash", lines(THUMBPRINT))
    host.registry.set(POLICY_KEY.rpartition("\\")[0], "Active", text("CertificateAuthority_MicrosoftDefault.Policy"))
    host.registry.set(POLICY_KEY, "RequestDisposition", number(0x101))
    host.set_state(
        services={
            "CertSvc": {
                "State": "Running", "StartMode": "Auto", "StartName": "LocalSystem",
                "PathName": "C:\\Windows\\system32\\certsrv.exe",
            }
        },
        whoami={"name": "contoso\\anna", "groups": ADMINISTRATOR},
    )
    return host
