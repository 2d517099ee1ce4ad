"""A change window in the lab: a sealed plan for the directory and a CA, applied by the program as often as it takes.

Planted are a template that builds its subject from the directory, and a CA that does not take the certificate named in
a request: one template write, one registry value, one restart.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from remediate.cli.main import main
from remediate.model.plan import Plan, digest, seal, unseal
from remediate.runs.folder import RunFolder, runs
from tests.lab.contoso import ADMIN
from tests.lab.directory_functions import FLAG, FROM_DIRECTORY, REVISION, template
from tests.lab.estate import Lab
from tests.lab.handed_over import revision, started_ca
from tests.lab.planted import event_128_and_value_off
from tests.lab.planting import Ground, ground
from tests.lab.program import Ended, assert_clean
from tests.lab.registry_file import number
from tests.lab.windows_hosts import ca_key

VALUE = "UseDefinedCACertInRequest"
KINDS = ["template", "ca_registry_value", "restart_service"]
STARTED = 26
"""The event by which a CA tells that it was started."""


@dataclass
class ChangeWindow:
    """A plan, sealed into a file, and the folder in which its runs are kept."""

    lab: Lab
    estate: Ground
    folder: Path
    revision: str

    @property
    def file(self) -> Path:
        """The sealed plan."""
        return self.folder / "plan.json"

    @property
    def runs(self) -> Path:
        """Where runs are kept."""
        return self.folder / "runs"

    @property
    def plan(self) -> Plan:
        """The plan."""
        return unseal(self.file.read_bytes(), where="plan.json")[0]

    def arguments(self, *more: str, file: Path | None = None, approve: str = "") -> list[str]:
        """The command line that applies a plan under its own digest."""
        named = file or self.file
        approved = approve or digest(unseal(named.read_bytes(), where=named.name)[0])
        where = ["--runs", str(self.runs), "--trust", str(self.lab.trust)]
        return ["apply", str(named), "--approve", approved, *where, *more]

    def changed(self, name: str, **members: Any) -> Path:
        """The plan with other members, sealed again as a plan of its own."""
        file = self.folder / name
        file.write_bytes(seal(msgspec.structs.replace(self.plan, **members)))
        return file

    def apply(self, *more: str, **named: Any) -> Ended:
        """Apply it in this process."""
        return in_process(*self.arguments(*more, **named))

    def run(self) -> RunFolder:
        """The one run there is."""
        (found,) = runs(self.runs)
        return found

    def again(self, name: str) -> ChangeWindow:
        """The same plan on ground as it was, in a folder of its own: with no run so far."""
        self.plant()
        fresh = ChangeWindow(self.lab, self.estate, self.folder / name, self.revision)
        fresh.folder.mkdir()
        fresh.file.write_bytes(self.file.read_bytes())
        return fresh

    def events(self) -> list[str]:
        """What the journal of the one run tells: `2 begin` and so on."""
        return [f"{line.action} {line.event}" for line in self.run().journal().lines if line.action]

    def plant(self) -> None:
        """Make the estate what it was when the plan was made, and forget what was recorded."""
        lab = self.lab
        lab.domain.replace(template(lab), {FLAG: [FROM_DIRECTORY], REVISION: [self.revision]})
        lab.ca.registry.set(ca_key(), VALUE, number(0))
        lab.ca.change_state(events=[event for event in lab.ca.state()["events"] if event["Id"] != STARTED])
        self.lock.unlink(missing_ok=True)
        lab.reset()

    @property
    def lock(self) -> Path:
        """The lock of the CA's host."""
        return self.lab.ca.program_data / "remediate" / "lock.json"

    def stands(self) -> Stands:
        """What stands there, and how often each of it was written."""
        lab = self.lab
        return Stands(
            flag=lab.domain.read(template(lab), FLAG)[FLAG][0].decode(),
            raised=revision(lab) - int(self.revision),
            value=lab.ca.registry.get(ca_key(), VALUE),
            directory_writes=len(lab.relay.writes),
            registry_writes=len(lab.ca.registry.writes()),
            restarts=started_ca(lab.ca),
            locked=self.lock.exists(),
        )


class Stands(NamedTuple):
    """The values that the plan is about; the revision by how much it was raised."""

    flag: str = "1"
    raised: int = 1
    value: int = 1
    directory_writes: int = 1
    registry_writes: int = 1
    restarts: int = 1
    locked: bool = False


DONE = Stands()
"""Everything written once."""
UNTOUCHED = Stands(flag=FROM_DIRECTORY, raised=0, value=0, directory_writes=0, registry_writes=0, restarts=0)


@contextmanager
def change_window(lab: Lab, folder: Path, *, connector: bool = False) -> Iterator[ChangeWindow]:
    """A window for the healthy lab with those two causes planted, and an administrator's ticket.

    With `connector` there is something to do on the connector's host, too.
    """
    folder.mkdir(exist_ok=True)
    with ground(lab) as estate, lab.ticket(ADMIN):
        estate.change_template({FLAG: [FROM_DIRECTORY]})
        event_128_and_value_off(estate)
        if connector:
            estate.leave_request("Failed")
            estate.change_defender(exclude=[r"C:\Data"])
        window = ChangeWindow(lab, estate, folder, str(revision(lab)))
        where = ["--dc", lab.dc, "--connector", lab.connector.fqdn, "--template", "IntunePKCS"]
        ended = in_process("plan", "--all", *where, "--trust", str(lab.trust), "--out", str(window.file))
        assert ended.code == 2, ended.err
        kinds = [action.kind for action in window.plan.actions]
        assert kinds == KINDS or (connector and "defender_exclusions" in kinds), kinds
        window.plant()
        yield window


def in_process(*arguments: str) -> Ended:
    """The program, without a process of its own."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with redirect_stdout(out), redirect_stderr(err):
        code = main(arguments)
    told, cried = (stream.buffer.getvalue().decode() for stream in (out, err))
    assert_clean(told, cried)
    return Ended(code, told, cried)
