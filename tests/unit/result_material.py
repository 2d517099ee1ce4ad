"""Records as the scripts write them, made here: their bytes, their order of properties and their checksum."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from remediate.actions.states import before_and_after
from remediate.model.finding import Target
from remediate.model.places import RegistryPlace, ServicePlace, TemplatePlace
from remediate.model.plan import (
    Action,
    Plan,
    RegistryState,
    ServiceState,
    TargetIdentity,
    TemplateState,
    digest,
    target_of,
)
from remediate.model.result import RunResult, read_result

HOST, OTHER_HOST = "ca01.contoso.test", "ca02.contoso.test"
KEY = "HKLM\\SYSTEM\\CurrentControlSet\\Services\\CertSvc\\Configuration\\Contoso Issuing CA"
TEMPLATE_DN = "CN=IntunePKCS,CN=Certificate Templates,CN=Public Key Services,CN=Services,CN=Configuration,DC=test"
REVISION = "msPKI-Template-Minor-Revision"
SERVER = TargetIdentity(kind="directory", name="dc1.contoso.test", identity={"domain_objectGUID": "d0d0"})


def action(number: int, kind: str, place: Any, before: Any, after: Any, **more: Any) -> Action:
    return Action(
        id=number, kind=kind, target=Target("ca", "Contoso Issuing CA"), place=place, address="",
        label=f"change {number}", before=before, after=after, diff=(), because=(), **more,
    )  # fmt: skip


def disposition(number: int = 1, host: str = HOST) -> Action:
    place = RegistryPlace(host, KEY, "RequestDisposition", "policy\\RequestDisposition")
    dword = "REG_DWORD"
    states = RegistryState(dword, 0x101), RegistryState(dword, 1)
    return action(number, "ca_registry_value", place, *states, restarts="CertSvc", rights="local administrator")


def restart(number: int = 2, host: str = HOST) -> Action:
    running = ServiceState("Running")
    place = ServicePlace(host, "CertSvc")
    return action(
        number,
        "restart_service",
        place,
        running,
        running,
        depends_on=(number - 1,),
        disruption="no certificates meanwhile",
    )


def template(number: int = 3) -> Action:
    flag = "msPKI-Certificate-Name-Flag"
    place = TemplatePlace(TEMPLATE_DN, "5e1c0000-0000-0000-0000-000000000000")
    before, after = TemplateState({flag: 2, REVISION: 3}, b"old"), TemplateState({flag: 1, REVISION: 4}, b"new")
    return action(number, "template", place, before, after, takes_effect="after replication")


def make_plan(*actions: Action, **more: Any) -> Plan:
    identity = {"MachineGuid": "0f3c", "certificate_thumbprint": "ED98"}
    hosts = {one.place.host for one in actions if not isinstance(one.place, TemplatePlace)}  # type: ignore[union-attr]
    targets = (SERVER, *(TargetIdentity(kind="ca", name=host, identity=identity) for host in sorted(hosts)))
    plain: dict[str, Any] = {
        "format_version": "1.0", "remediate": "0.1.0", "playbooks": {}, "options": {}, "complete": True,
        "created": "2026-11-23T09:12:00Z", "expires_at": "9999-11-30T09:12:00Z", "targets": targets, "actions": actions,
    }  # fmt: skip
    return Plan(**(plain | more))


PLAN = make_plan(disposition(), restart())


def step(one: Action, outcome: str, *, undo: bool = False, **more: Any) -> dict[str, Any]:
    """A step's record: what stood and stands there as the plan says, unless `more` says otherwise."""
    before, after = before_and_after(one)
    if undo:
        before, after = after, before
    if outcome in ("as wanted",):
        before = after
    if outcome in ("not reached", "declined", "not as wanted"):
        after = before
    plain = {"id": one.id, "kind": one.kind, "label": one.label, "outcome": outcome, "before": before, "after": after,
             "started": "", "finished": "", "detail": ""}  # fmt: skip
    if outcome in ("begun", "changed"):
        plain["started"] = "2026-11-23T10:00:01Z"
    if outcome == "changed":
        plain["finished"] = "2026-11-23T10:00:02Z"
    return plain | more


def body(plan: Plan, *steps: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A record without its checksum: change.ps1 that came to its end, unless `more` says otherwise."""
    plain: dict[str, Any] = {
        "format_version": "1.0", "kind": "change", "plan_id": digest(plan),
        "target": target_of(plan.actions[0]), "tool": "remediate 0.1.0", "computer": "CA01",
        "account": "CONTOSO\\anna", "powershell": "5.1.20348.2227", "started": "2026-11-23T10:00:00Z",
        "finished": "2026-11-23T10:00:09Z", "phase": "writing", "exit_code": 0, "message": "All of it is done.",
        "undoes": "", "steps": list(steps),
    }  # fmt: skip
    return plain | more


def sealed(record: Mapping[str, Any]) -> bytes:
    """The bytes of the file, as ConvertTo-Json -Compress and the checksum make them."""
    head = json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode("utf-8")[:-1]
    return head + f',"sha256":"{hashlib.sha256(head).hexdigest()}"}}\r\n'.encode("ascii")


def record(plan: Plan, *steps: Mapping[str, Any], **more: Any) -> bytes:
    return sealed(body(plan, *steps, **more))


def result(plan: Plan, *steps: Mapping[str, Any], **more: Any) -> RunResult:
    return read_result(record(plan, *steps, **more), where="result.json")


def put(folder: Path, name: str, text: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text)
    return path
