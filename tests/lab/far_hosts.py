"""Hosts with canned answers and a latency (tests.lab.winrm.canned), served by a process of their own.

They need the lab's namespaces, for their addresses and ports, and nothing else of the lab: no domain, no engine.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from remediate import __version__
from remediate.model.finding import Target
from remediate.model.places import RegistryPlace
from remediate.model.plan import PLAN_FORMAT, Action, Plan, RegistryState, TargetIdentity
from remediate.model.utc import utc_now, utc_text
from tests.lab.domain import LabError
from tests.lab.hosts import ADMINISTRATORS, READY_TIMEOUT, known_users

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "examples" / "contoso-broken" / "connector-conn1.contoso.test.json"
"""What a connector's collector gives."""
KNOWN_AS = "conn1.contoso.test"
"""How that connector calls itself; every other one has a name of its own."""
VALUE = "UseDefinedCACertInRequest"


@dataclass(frozen=True)
class FarHost:
    """One of them; `name` is its address, by which clients reach it."""

    name: str
    folder: Path

    def trips(self) -> int:
        """How many HTTP requests came so far, those of the logon among them."""
        file = self.folder / "round-trips"
        return file.stat().st_size if file.exists() else 0


@contextmanager
def far_hosts(folder: Path, number: int, *, latency: float, hanging: Container[int] = ()) -> Iterator[list[FarHost]]:
    """Within it so many hosts answer, each request `latency` seconds late; `hanging` are the numbers of those that
    take a command and never end it."""
    hosts = [_made(folder / str(one), one) for one in range(number)]
    document = {
        "users": known_users(), "administrators": ADMINISTRATORS, "latency": latency,
        "hosts": [_configured(host, hangs=one in hanging) for one, host in enumerate(hosts)],
    }  # fmt: skip
    configuration = folder / "canned.json"
    configuration.touch(mode=0o600)
    configuration.write_text(json.dumps(document))
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.lab.winrm.canned", str(configuration)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    try:
        if process.stdout is None or process.stdout.readline() != b"ready\n":
            raise LabError("the canned endpoints did not start; what they said stands above")
        yield hosts
    finally:
        process.communicate(timeout=READY_TIMEOUT)


def plan_for(hosts: Sequence[FarHost]) -> Plan:
    """A plan that sets one registry value on each, for no finding."""
    return Plan(
        format_version=PLAN_FORMAT, remediate=__version__, playbooks={}, options={}, created=utc_now(),
        expires_at=utc_text(datetime.now(UTC) + timedelta(days=1)), complete=True,
        targets=tuple(TargetIdentity(kind="host", name=one.name, identity={"MachineGuid": one.name}) for one in hosts),
        actions=tuple(_action(number, host.name) for number, host in enumerate(hosts, start=1)),
    )  # fmt: skip


def _action(number: int, host: str) -> Action:
    place = RegistryPlace(host, r"HKLM\SYSTEM\CurrentControlSet\Services\CertSvc", VALUE, rf"ca\{VALUE}")
    return Action(
        id=number, kind="ca_registry_value", target=Target("host", host), place=place, address=VALUE, label=VALUE,
        before=RegistryState("REG_DWORD", 0), after=RegistryState("REG_DWORD", 1), diff=(), because=(),
    )  # fmt: skip


def _made(folder: Path, number: int) -> FarHost:
    folder.mkdir(parents=True)
    return FarHost(f"127.0.{2 + number // 250}.{1 + number % 250}", folder)


def _configured(host: FarHost, *, hangs: bool) -> dict[str, Any]:
    return {
        "name": host.name, "address": host.name, "folder": str(host.folder), "hangs": hangs,
        "document": DOCUMENT.read_text().replace(KNOWN_AS, host.name), "values": {VALUE: "0"},
    }  # fmt: skip
