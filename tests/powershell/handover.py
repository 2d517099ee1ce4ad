"""Generated scripts on one Windows-like host: a plan of our own, its folder, and each script run by PowerShell."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from remediate.model.finding import Target
from remediate.model.places import (
    ExclusionPlace,
    PendingRequestPlace,
    PolicyServerPlace,
    RegistryPlace,
    ServicePlace,
)
from remediate.model.plan import (
    Action,
    ExclusionState,
    Plan,
    PolicyServerState,
    RegistryState,
    RequestState,
    ServiceState,
    TargetIdentity,
    digest,
    seal,
)
from remediate.model.result import read_result
from remediate.render.powershell.handover import handover
from tests.lab.registry_file import lines, number, text
from tests.powershell.engine import MODULES, Ended, Engine
from tests.powershell.test_script_text import PWSH
from tests.powershell.windows_like import WindowsLike

HOST = "host1.contoso.test"
GUID = "0f3c5b0e-5d5e-4a52-9d6a-5b0d2c1f7a11"
CERTSVC = r"HKLM:\SYSTEM\CurrentControlSet\Services\CertSvc\Configuration"
CA_KEY = rf"{CERTSVC}\Contoso Issuing CA"
POLICY_KEY = rf"{CA_KEY}\PolicyModules\CertificateAuthority_MicrosoftDefault.Policy"
THUMBPRINT = "ED98E70BE878383F50F941B02A392CD85B062774"
URL = "https://ces.contoso.test/ADPolicyProvider_CEP_Kerberos/service.svc/CEP"
FOLDERS = (r"C:\Program Files\Microsoft Intune\PfxRequest", r"C:\Temp\O'Brien's")
REQUEST = 17
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
    return action(number_, "restart_service", ServicePlace(HOST, "CertSvc"), running, running,
                  disruption="no certificates while it restarts", depends_on=depends_on)  # fmt: skip


def start(number_: int = 1) -> Action:
    place = ServicePlace(HOST, "CertSvc")
    return action(number_, "start_service", place, ServiceState("Stopped"), ServiceState("Running"))


def policy_server(number_: int = 1) -> Action:
    return action(number_, "policy_server", PolicyServerPlace(HOST, URL), PolicyServerState(), PolicyServerState(URL))


def exclusions(number_: int = 1) -> Action:
    return action(number_, "defender_exclusions", ExclusionPlace(HOST), ExclusionState(()), ExclusionState(FOLDERS))


def request(number_: int = 1, *, depends_on: tuple[int, ...] = ()) -> Action:
    place = PendingRequestPlace(HOST, REQUEST)
    missing = "a certificate that was issued can only be revoked"
    return action(number_, "pending_request", place, RequestState(True), RequestState(False), depends_on=depends_on,
                  undo_missing=missing)  # fmt: skip


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
    engine: Engine = field(default_factory=Engine)

    @classmethod
    def lay_out(cls, host: WindowsLike, plan: Plan, engine: Engine) -> Desk:
        """Write the folder beside the host's own files."""
        folder = host.folder / "handed over"
        for name, content in handover(plan, digest(plan), sealed=seal(plan)).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        (scripts,) = (path.parent for path in folder.glob("*/change.ps1"))
        return cls(host, scripts, engine)

    def run(self, name: str, *arguments: str, first: str = "", **environment: str) -> Ended:
        """Run change, verify or rollback by the common engine; `first` comes before it."""
        own = {key: value for key, value in self.host.environment.items() if os.environ.get(key) != value}
        common = {"PROCESSOR_ARCHITEW6432": ""} | own | environment
        return self.engine.run(first + self.line(name, *arguments), common)

    def line(self, name: str, *arguments: str) -> str:
        path = str(self.folder / name).replace("'", "''")
        return f"& '{path}.ps1' {' '.join(arguments)}; exit $LASTEXITCODE"

    def start(
        self, name: str, *arguments: str, first: str = "", stdin: int = subprocess.DEVNULL,
        options: tuple[str, ...] = (), **environment: str,
    ) -> subprocess.Popen[str]:  # fmt: skip
        """Start a script in a PowerShell of its own."""
        line = f"{MODULES}; {first}{self.line(name, *arguments)}"
        return subprocess.Popen(
            [str(PWSH), "-NoProfile", *options, "-Command", line], stdin=stdin, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, env=self.host.environment | environment,
        )  # fmt: skip

    def run_alone(self, name: str, *arguments: str, **more: Any) -> Ended:
        """Run a script in a PowerShell of its own; `more` goes to `start`."""
        return ended(self.start(name, *arguments, **more))

    def change(self, *arguments: str, **more: str) -> Ended:
        return self.run("change", "-Confirm:$false", *arguments, **more)

    def rollback(self, *arguments: str, **more: str) -> Ended:
        return self.run("rollback", "-Confirm:$false", *arguments, **more)

    def verify(self, **more: str) -> Ended:
        return self.run("verify", **more)

    def result(self, name: str = "result.json") -> dict[str, Any]:
        """A record, as `remediate import` reads it."""
        path = self.folder / name
        read_result(path.read_bytes(), where=name)
        return dict(json.loads(path.read_text("utf-8")))

    def outcomes(self, name: str = "result.json") -> list[str]:
        return [step["outcome"] for step in self.result(name)["steps"]]

    def records(self) -> dict[str, bytes]:
        """Every file beside the scripts."""
        return {path.name: path.read_bytes() for path in sorted(self.folder.iterdir()) if path.suffix != ".ps1"}

    def edit(self, name: str, old: str, new: str, *, times: int = 1) -> None:
        """Change a script's text, to plant what cannot be planted from outside."""
        path = self.folder / f"{name}.ps1"
        text_ = path.read_bytes().decode("ascii")
        assert text_.count(old) == times, (old, text_.count(old))
        path.write_bytes(text_.replace(old, new).encode("ascii"))


def ended(process: subprocess.Popen[str], timeout: int = 60) -> Ended:
    """Wait for a script that was started."""
    try:
        text_, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return Ended(process.returncode, text_)


def state(host: WindowsLike) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((host.folder / "state.json").read_text())
    return found


def plant(host: WindowsLike, **members: Any) -> None:
    """Change members of the host's state."""
    (host.folder / "state.json").write_text(json.dumps(state(host) | members))


def service(host: WindowsLike, found: str) -> None:
    """Put CertSvc in a state."""
    services = state(host)["services"]
    services["CertSvc"]["State"] = found
    plant(host, services=services)


def everything(host: WindowsLike) -> tuple[Any, dict[str, Any]]:
    """Registry and state, to compare; events and failures aside: what was logged is not taken back.

    A key that only holds others is left out: the registry's file names it or does not.
    """
    keys = json.loads(host.registry.path.read_text())["keys"]
    found = {name: value for name, value in state(host).items() if name not in ("events", "failures")}
    return {path: key for path, key in keys.items() if key.get("values") or "deny" in key}, found


def restarts(host: WindowsLike) -> int:
    """How often CertSvc has stopped."""
    return sum(1 for event in state(host)["events"] if event["Id"] == 38)


def ready(host: WindowsLike) -> WindowsLike:
    """A CA host that holds every request, with Defender and without a policy server."""
    host.registry.set(r"HKLM:\SOFTWARE\Microsoft\Cryptography", "MachineGuid", text(GUID))
    host.registry.set(r"HKLM:\SOFTWARE\Microsoft\Cryptography\PolicyServers", "Flags", number(0))
    host.registry.set(CERTSVC, "Active", text("Contoso Issuing CA"))
    host.registry.set(CA_KEY, "CAServerName", text(HOST))
    host.registry.set(CA_KEY, "CACertHash", lines(THUMBPRINT))
    host.registry.set(POLICY_KEY.rpartition("\\")[0], "Active", text("CertificateAuthority_MicrosoftDefault.Policy"))
    host.registry.set(POLICY_KEY, "RequestDisposition", number(0x101))
    host.set_state(
        services={
            "CertSvc": {
                "State": "Running",
                "StartMode": "Auto",
                "StartName": "LocalSystem",
                "PathName": "C:\\Windows\\system32\\certsrv.exe",
            }
        },
        pending_requests=[
            {
                "RequestID": REQUEST,
                "RequesterName": "CONTOSO\\CONN1$",
                "CommonName": "anna",
                "CertificateTemplate": "IntunePKCS",
                "SubmittedWhen": "2026-11-23 10:00",
            }
        ],
        whoami={"name": "contoso\\anna", "groups": ADMINISTRATOR},
    )
    return host
