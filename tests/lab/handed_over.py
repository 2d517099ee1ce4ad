"""A hand-over in the lab: the folder that `remediate script` makes of a live plan, and its scripts run by PowerShell.

The directory's scripts run on the connector's host, as on any member of the domain, with a Kerberos ticket through
LDAPS; each host's run on that host's own registry and state.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tests.lab import contoso, program
from tests.lab.contoso import ADMIN, Account
from tests.lab.estate import Lab
from tests.lab.hosts import MODULE, LabHost
from tests.lab.planting import Ground, Plan
from tests.powershell.test_script_text import PWSH

# Where .NET is not on Windows it takes its trust, and that TLS alone seals, from OpenLDAP and Cyrus SASL.
NOT_WINDOWS = {"LDAPSASL_NOCANON": "on", "LDAPSASL_SECPROPS": "maxssf=0"}
MODULES = ("LabRegistry", str(MODULE), str(MODULE.with_name("LabChanges.psm1")))
NEVER_ASK = "-Confirm:$false"
WRITTEN_BY_EVERY_CHANGE = {"whenChanged", "uSNChanged", "msPKI-Template-Minor-Revision"}
DIRECTORY = "1-directory"


class Ran(NamedTuple):
    """How one script ended, and all that it showed."""

    code: int
    shown: str


@dataclass(frozen=True)
class HandedOver:
    """The folder of one plan. `folder` holds plan.json and a folder for each target."""

    lab: Lab
    folder: Path

    @classmethod
    def of(cls, ground: Ground, folder: Path) -> HandedOver:
        """Plan everything live, seal it, and make the folder."""
        ground.plan(folder)
        return cls.made(ground.lab, folder / "plan.json", folder / "handover")

    @classmethod
    def made(cls, lab: Lab, plan: Path, folder: Path) -> HandedOver:
        """Make the folder of a sealed plan."""
        ended = program.remediate("script", str(plan), "--out", str(folder))
        assert ended.code == 0, ended.err
        return cls(lab, folder)

    @property
    def plan(self) -> Plan:
        """The plan as it was handed over."""
        return dict(json.loads((self.folder / "plan.json").read_text()))

    def of_host(self, host: LabHost) -> Path:
        """The folder of a host."""
        [found] = self.folder.glob(f"*-{host.fqdn}")
        return found

    def on_directory(self, *lines: str, account: Account = ADMIN) -> list[Ran]:
        """Run scripts of the directory's folder, each line a name with arguments, one after the other."""
        secured = tuple(f"{line} -SecureSocketLayer" for line in lines)
        return self._run(self.lab.connector, self.folder / DIRECTORY, secured, account)

    def on(self, host: LabHost, *lines: str, account: Account = ADMIN) -> list[Ran]:
        """Run scripts of a host's folder on that host, by somebody who may read the directory."""
        return self._run(host, self.of_host(host), lines, account)

    def result(self, folder: str | Path = DIRECTORY, name: str = "result.json") -> dict[str, Any]:
        """A record as a script wrote it."""
        return dict(json.loads((self.folder / folder / name).read_text("utf-8")))

    def outcomes(self, folder: str | Path = DIRECTORY, name: str = "result.json") -> list[str]:
        """What became of each step."""
        return [step["outcome"] for step in self.result(folder, name)["steps"]]

    def imported(self, *results: Path, runs: Path) -> tuple[program.Ended, list[str]]:
        """Bring results back: how that ended, and where every action stands."""
        plan = ["--plan", str(self.folder / "plan.json"), "--runs", str(runs), "--json"]
        ended = program.remediate("import", *map(str, results), *plan)
        rows = json.loads(ended.out).get("actions", [])
        return ended, [row["state"] for row in rows]

    @contextmanager
    def started(self, line: str, *folders: Path) -> Iterator[list[subprocess.Popen[str]]]:
        """One script of the directory in several engines at once, each in a folder of its own or all in one."""
        environment = self._environment(self.lab.connector)
        with self.lab.ticket(ADMIN):
            environment |= {"KRB5CCNAME": os.environ["KRB5CCNAME"]}
            engines = [
                subprocess.Popen(
                    self._command(folder / DIRECTORY, (f"{line} -SecureSocketLayer",)), stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment,
                )
                for folder in folders
            ]  # fmt: skip
            try:
                yield engines
            finally:
                for engine in engines:
                    engine.kill()
                    engine.wait()

    def _run(self, host: LabHost, folder: Path, lines: tuple[str, ...], account: Account) -> list[Ran]:
        with self.lab.ticket(account):
            done = subprocess.run(
                self._command(folder, lines), capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL,
                env=os.environ | self._environment(host), check=False,
            )  # fmt: skip
        parts = re.split(r"^ENDED (-?\d+)\n", done.stdout, flags=re.MULTILINE)
        assert len(parts) == 2 * len(lines) + 1, done.stdout + done.stderr
        assert not done.stderr, done.stderr
        return [Ran(int(code), shown) for shown, code in zip(parts[:-1:2], parts[1::2], strict=True)]

    def _command(self, folder: Path, lines: tuple[str, ...]) -> list[str]:
        parts = (line.partition(" ") for line in lines)
        calls = (f"& '{folder / name}.ps1' {rest}; \"ENDED $LASTEXITCODE\"" for name, _, rest in parts)
        imports = (f"Import-Module '{module}'" for module in MODULES)
        return [str(PWSH), "-NoProfile", "-Command", "; ".join([*imports, *calls])]

    def _environment(self, host: LabHost) -> dict[str, str]:
        trust = {"LDAPTLS_CACERT": str(self.lab.trust), "NO_COLOR": "1"}
        return {**os.environ, **host.environment, **NOT_WINDOWS, **trust}


# --- what stands where -----------------------------------------------------------------------------------------------


def objects(lab: Lab, template: str = contoso.INTUNE_TEMPLATE) -> tuple[str, str]:
    """The template and the enrollment service that directory scripts change."""
    return lab.domain.template_dn(template), lab.domain.enrollment_service_dn()


def whole(attributes: dict[str, list[bytes]]) -> dict[str, list[bytes]]:
    """An object without what every write changes."""
    return {name: sorted(values) for name, values in attributes.items() if name not in WRITTEN_BY_EVERY_CHANGE}


def directory_state(lab: Lab) -> list[dict[str, list[bytes]]]:
    """Both objects, whole."""
    return [whole(lab.domain.read(dn)) for dn in objects(lab)]


def revision(lab: Lab) -> int:
    """The template's minor revision."""
    name = "msPKI-Template-Minor-Revision"
    return int(lab.domain.read(objects(lab)[0], name)[name][0])


def host_state(host: LabHost) -> dict[str, Any]:
    """A host's registry and state. The log of a CA tells of every start, and that stays."""
    state = {name: value for name, value in host.state().items() if name != "events"}
    return {"registry": json.loads(host.registry.path.read_text())["keys"], "state": state}


def started_ca(host: LabHost) -> int:
    """How often the log tells that the CA was started (event 26)."""
    return sum(event["Id"] == 26 for event in host.state()["events"])


def nothing_written(lab: Lab) -> bool:
    """Whether neither the directory nor a registry has been written to through a client."""
    return not lab.relay.writes and not any(host.registry.writes() for host in lab.hosts.values())


def edited(file: Path, change: Callable[[str], str]) -> None:
    """Change a script's text."""
    text = file.read_text("ascii")
    assert change(text) != text
    file.write_bytes(change(text).encode("ascii"))
