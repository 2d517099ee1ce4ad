"""Windows-like hosts: a registry, a state of services and events, files, and a PowerShell behind WinRM.

The Windows-only commands come from the stand-in below `windows/`; hosts share one process that serves their ports.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab import contoso
from tests.lab.addresses import MACHINES, NAMES_FROM_FILES, fqdn, hosts_file
from tests.lab.authority import ServerCertificate
from tests.lab.domain import LabError
from tests.lab.registry_file import Keys, RegistryFile, replace
from tests.lab.winrm.faults import Failure, to_data
from tests.lab.winrm.psrp import Asked, received

STAND_IN = Path(__file__).with_name("windows")
MODULE = STAND_IN / "LabWindows.psm1"
PROGRAMS = STAND_IN / "bin"
SESSION_START = Path(__file__).with_name("winrm") / "session-start.ps1"
ADMINISTRATORS = (contoso.ADMINISTRATOR.name.lower(), contoso.ADMIN.name)
READY_TIMEOUT = 30

SESSION_CONFIGURATION = """@{{
    SchemaVersion = '2.0.0.0'
    GUID = '5c0f9f5e-2c55-4a0e-8d0e-7f3a4f0a6d11'
    SessionType = 'Default'
    ModulesToImport = @({modules})
    ScriptsToProcess = @('{start}')
}}
"""


@dataclass(frozen=True)
class LabHost:
    """One Windows host of the lab. `folder` holds everything it is made of."""

    name: str
    folder: Path
    certificate: ServerCertificate

    @classmethod
    def create(
        cls, name: str, folder: Path, certificate: ServerCertificate, *, registry: Keys, state: dict[str, Any]
    ) -> LabHost:
        """Write the host's files. `state` is what the stand-in for the Windows-only commands answers from."""
        host = cls(name, folder, certificate)
        for each in (host.program_files, host.program_data, host.system_root):
            each.mkdir(parents=True, exist_ok=True)
        host.registry.create(registry)
        host.state_file.write_text(json.dumps(state, indent=1))
        host.hosts_file.write_text(hosts_file())
        host.name_sources.write_text(NAMES_FROM_FILES)
        modules = ["LabRegistry", *([str(MODULE)] if MODULE.exists() else [])]
        quoted = ", ".join(f"'{module}'" for module in modules)
        host.fail()
        host.configuration.write_text(SESSION_CONFIGURATION.format(modules=quoted, start=SESSION_START))
        return host

    @property
    def fqdn(self) -> str:
        """`ca01.contoso.test`."""
        return fqdn(self.name)

    @property
    def address(self) -> str:
        """Its loopback address."""
        return MACHINES[self.name]

    @property
    def registry(self) -> RegistryFile:
        """Its registry."""
        return RegistryFile(self.folder / "registry.json", self.folder / "registry-writes.jsonl")

    @property
    def program_files(self) -> Path:
        """What `$env:ProgramFiles` is there."""
        return self.folder / "Program Files"

    @property
    def program_data(self) -> Path:
        """What `$env:ProgramData` is there."""
        return self.folder / "ProgramData"

    @property
    def system_root(self) -> Path:
        """What `$env:SystemRoot` is there."""
        return self.folder / "Windows"

    @property
    def state_file(self) -> Path:
        """The JSON document of the stand-in."""
        return self.folder / "state.json"

    @property
    def hosts_file(self) -> Path:
        """Its own /etc/hosts, from which alone its engines know names."""
        return self.folder / "etc-hosts"

    @property
    def name_sources(self) -> Path:
        """Its own /etc/nsswitch.conf: a name that is not in the file does not exist."""
        return self.folder / "nsswitch.conf"

    @property
    def configuration(self) -> Path:
        """The session configuration its engines start with."""
        return self.folder / "session.pssc"

    @property
    def records_file(self) -> Path:
        """One JSON line for each WS-Management request."""
        return self.folder / "requests.jsonl"

    @property
    def received_file(self) -> Path:
        """While it exists, one JSON line for each fragment that arrives for an engine."""
        return self.folder / "received.jsonl"

    @property
    def failures_file(self) -> Path:
        """What the endpoint was told to do wrong."""
        return self.folder / "failures.json"

    @property
    def environment(self) -> dict[str, str]:
        """The variables of its engines. Their path begins with the stand-in's programs."""
        return {
            "COMPUTERNAME": self.name.upper(), "USERDOMAIN": "CONTOSO", "USERDNSDOMAIN": "CONTOSO.TEST",
            "LAB_REGISTRY": str(self.registry.path), "LAB_REGISTRY_LOG": str(self.registry.log),
            "LAB_STATE": str(self.state_file), "ProgramFiles": str(self.program_files),
            "ProgramData": str(self.program_data), "SystemRoot": str(self.system_root),
            "LAB_HOSTS": str(self.hosts_file), "LAB_NAME_SOURCES": str(self.name_sources),
            "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
        }  # fmt: skip

    # --- what tests do with it ---------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """The stand-in's state now."""
        found: dict[str, Any] = json.loads(self.state_file.read_text())
        return found

    def change_state(self, **members: Any) -> None:
        """Replace members of the stand-in's state."""
        with open(f"{self.state_file}.lock", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            replace(self.state_file, json.dumps(self.state() | members, indent=1))

    def resolve(self, name: str, address: str | None) -> None:
        """What it takes a machine's address for: another one, or None, so that there is no such name."""
        kept = [line for line in hosts_file().splitlines() if name not in line.split()]
        known = [*kept, f"{address} {name}"] if address else kept
        self.hosts_file.write_text("\n".join([*known, ""]))  # in place: engines see this very file

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Within it registry, state, names, failures and files may be changed; afterwards they are as before."""
        before, files = self.state(), self._files()
        with self.registry.restored():
            try:
                yield
            finally:
                replace(self.state_file, json.dumps(before, indent=1))
                self.hosts_file.write_text(hosts_file())
                self._restore(files)
                self.fail()

    def _files(self) -> dict[Path, bytes]:
        """What lies in the program folder."""
        return {path: path.read_bytes() for path in self.program_files.rglob("*") if path.is_file()}

    def _restore(self, files: dict[Path, bytes]) -> None:
        now = self._files()
        for added in now.keys() - files.keys():
            added.unlink()
        for path, content in files.items():
            if now.get(path) != content:
                path.write_bytes(content)

    def fail(self, *failures: Failure) -> None:
        """What the endpoint does wrong from now on; without arguments nothing."""
        replace(self.failures_file, json.dumps(to_data(failures)))

    def requests(self) -> list[dict[str, Any]]:
        """Every WS-Management request so far: verb, user, encrypted, tls."""
        lines = self.records_file.read_text().splitlines() if self.records_file.exists() else []
        return [json.loads(line) for line in lines]

    def commands(self) -> int:
        """How many PSRP commands it was sent so far."""
        return sum(one["verb"] == "Command" for one in self.requests())

    @contextmanager
    def listening(self) -> Iterator[Callable[[], list[list[Asked]]]]:
        """Within it what the host's engines are asked for is kept; what it gives tells it, session by session."""
        self.received_file.touch()
        try:
            yield self._asked
        finally:
            self.received_file.unlink()

    def _asked(self) -> list[list[Asked]]:
        sessions: dict[str, list[tuple[str, bytes]]] = {}
        for line in self.received_file.read_text().splitlines():
            one = json.loads(line)
            sessions.setdefault(one["session"], []).append((one["guid"], base64.b64decode(one["fragment"])))
        return [list(received(iter(fragments))) for fragments in sessions.values()]

    def forget(self) -> None:
        """Empty the records of requests and of registry writes."""
        self.records_file.write_text("")
        self.registry.log.write_text("")

    def endpoint(self) -> dict[str, Any]:
        """Its part of the configuration that `tests.lab.winrm` serves."""
        return {
            "name": self.name.upper(), "address": self.address, "administrators": ADMINISTRATORS,
            "configuration": str(self.configuration), "environment": self.environment,
            "records": str(self.records_file), "failures": str(self.failures_file), "received": str(self.received_file),
            "certificate": str(self.certificate.certificate), "key": str(self.certificate.key),
        }  # fmt: skip


@contextmanager
def serving(hosts: Iterable[LabHost], configuration: Path, keytab: Path, *, rest: float = 0.0) -> Iterator[None]:
    """Serve the WinRM ports of the hosts until the end of the block. `configuration` is written; `rest` is for
    measuring: how long after one engine was taken the next is started, and warmed."""
    served = [host.endpoint() | {"rest": rest} for host in hosts]
    document = {"hosts": served, "users": known_users(), "keytab": str(keytab)}
    configuration.touch(mode=0o600)
    configuration.write_text(json.dumps(document))
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.lab.winrm", str(configuration)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    try:
        if process.stdout is None or process.stdout.readline() != b"ready\n":
            raise LabError("the WinRM endpoints did not start; what they said stands above")
        yield
    finally:
        process.communicate(timeout=READY_TIMEOUT)


def known_users() -> dict[str, str]:
    """Who may log on by NTLM, in both forms of the name."""
    accounts = [one for one in (contoso.ADMINISTRATOR, *contoso.ACCOUNTS) if one != contoso.LOCKED]
    return {name: one.password for one in accounts for name in (one.down_level, one.upn)}
