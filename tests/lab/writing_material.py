"""Actions on the lab's hosts, one of each kind that a host has, and the writer that carries them out."""

from __future__ import annotations

from typing import Any

from remediate.model.finding import Target
from remediate.model.places import (
    ExclusionPlace,
    HostPlace,
    PendingRequestPlace,
    PolicyServerPlace,
    RegistryPlace,
    ServicePlace,
)
from remediate.model.plan import (
    Action,
    ExclusionState,
    PolicyServerState,
    RegistryState,
    RequestState,
    ServiceState,
    State,
)
from remediate.model.secret import Secret
from remediate.render.powershell.library import functions_for
from remediate.transports.credentials import Credential
from remediate.transports.winrm_write import FUNCTIONS, HostWriter
from tests.lab.contoso import ADMIN, Account
from tests.lab.estate import Lab
from tests.lab.hosts import LabHost
from tests.lab.windows_hosts import ca_key, policy_key

LIBRARY = functions_for(" ".join(FUNCTIONS))
URL = "https://cep.contoso.test/ADPolicyProvider_CEP_Kerberos/service.svc/CEP"
WAITING = {
    "RequestID": 17, "RequesterName": "CONTOSO\\CONN1$", "CommonName": "anna", "CertificateTemplate": "IntunePKCS",
    "SubmittedWhen": "2026-11-23 10:00",
}  # fmt: skip


def credential(account: Account = ADMIN) -> Credential:
    """By down-level name, which NTLM takes."""
    return Credential(account.down_level, Secret(account.password))


def writer(lab: Lab, host: LabHost | str, account: Account = ADMIN, **how: Any) -> HostWriter:
    """A writer with short deadlines."""
    name = host if isinstance(host, str) else host.fqdn
    limits = {"deadline": 20.0, "service_deadline": 30.0, "trust": lab.trust, "library": LIBRARY}
    return HostWriter(name, credential(account), **{**limits, **how})


def action(kind: str, place: HostPlace, before: State, after: State) -> Action:
    """An action of a plan, with what a writer looks at."""
    return Action(
        id=1, kind=kind, target=Target("host", place.host), place=place, address=kind, label=f"the {kind}",
        before=before, after=after, diff=(), because=(),
    )  # fmt: skip


def disposition(host: LabHost, before: int = 257, after: int = 1) -> Action:
    """RequestDisposition of the active policy module."""
    key = policy_key().replace("HKLM:\\", "HKLM\\", 1)
    place = RegistryPlace(host.fqdn, key, "RequestDisposition", "policy\\RequestDisposition")
    return action("ca_registry_value", place, RegistryState("REG_DWORD", before), RegistryState("REG_DWORD", after))


def defined_ca(host: LabHost) -> Action:
    """UseDefinedCACertInRequest, which is absent at first."""
    key, name = ca_key().replace("HKLM:\\", "HKLM\\", 1), "UseDefinedCACertInRequest"
    place = RegistryPlace(host.fqdn, key, name, f"ca\\{name}")
    return action("ca_registry_value", place, RegistryState("REG_DWORD"), RegistryState("REG_DWORD", 1))


def service(host: LabHost, kind: str, before: str) -> Action:
    """Starting or restarting CertSvc."""
    return action(kind, ServicePlace(host.fqdn, "CertSvc"), ServiceState(before), ServiceState("Running"))


def policy_server(host: LabHost) -> Action:
    """An enrollment policy server more."""
    return action("policy_server", PolicyServerPlace(host.fqdn, URL), PolicyServerState(), PolicyServerState(URL))


def exclusions(host: LabHost) -> Action:
    """Two exclusions more beside the one there is."""
    kept, *new = (f"{host.program_files}\\Microsoft Intune\\{name}" for name in ("PfxRequest", "Failed", "Succeed"))
    return action(
        "defender_exclusions", ExclusionPlace(host.fqdn), ExclusionState((kept,)), ExclusionState((kept, *new))
    )


def pending(host: LabHost) -> Action:
    """A request that waits, decided once more."""
    place = PendingRequestPlace(host.fqdn, int(str(WAITING["RequestID"])))
    return action("pending_request", place, RequestState(True), RequestState(False))
