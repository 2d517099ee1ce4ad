"""`remediate apply` of one registry value on one host, everything included, against the bare commands that it sends.

`python -m tests.lab.enter python -m benchmarks.apply_one`. Ours is a process from its start to its end: plan and
approval checked, run folder, journal, lock, drift, write, read back, verification. Theirs is a process that imports
pypsrp, opens one session, and sends the very same functions and commands in the same order.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.measuring import Row, in_turn, processor_seconds, show
from remediate import __version__
from remediate.model.finding import Target
from remediate.model.places import RegistryPlace
from remediate.model.plan import PLAN_FORMAT, Action, Plan, RegistryState, TargetIdentity, digest, seal
from remediate.model.utc import utc_now, utc_text
from tests.lab.estate import Lab, start_lab
from tests.lab.hosts import LabHost
from tests.lab.registry_file import number
from tests.lab.windows_hosts import ca_key
from tests.lab.winrm.psrp import Asked
from tests.lab.writing_material import writer

VALUE = "UseDefinedCACertInRequest"
PAIRS = 9


def plan(lab: Lab) -> Plan:
    """Return a plan that sets the value, for no finding: then nothing is detected again."""
    host = lab.ca.fqdn
    place = RegistryPlace(host, ca_key(), VALUE, rf"ca\{VALUE}")
    action = Action(
        id=1, kind="ca_registry_value", target=Target("host", host), place=place, address=VALUE, label=VALUE,
        before=RegistryState("REG_DWORD", 0), after=RegistryState("REG_DWORD", 1), diff=(), because=(),
    )  # fmt: skip
    identity = TargetIdentity(kind="host", name=host, identity={"MachineGuid": machine(lab)})
    expires = utc_text(datetime.now(UTC) + timedelta(days=1))
    return Plan(
        format_version=PLAN_FORMAT, remediate=__version__, playbooks={}, options={}, created=utc_now(),
        expires_at=expires, complete=True, targets=(identity,), actions=(action,),
    )  # fmt: skip


def machine(lab: Lab) -> str:
    """Ask the host who it is."""
    asking = writer(lab, lab.ca)
    try:
        return asking.identity()["MachineGuid"]
    finally:
        asking.close()


def set_back(host: LabHost) -> None:
    """Let the value be as it was."""
    host.registry.set(ca_key(), VALUE, number(0))


def process(*arguments: str) -> None:
    """Run this Python to its end, which must be a good one."""
    done = subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{arguments[0]}: {done.stdout}{done.stderr}")


def applied(lab: Lab, folder: Path) -> Callable[[], object]:
    """Apply the plan as if for the first time."""
    made = plan(lab)
    file, runs = folder / "plan.json", folder / "runs"
    file.write_bytes(seal(made))

    def work() -> None:
        shutil.rmtree(runs, ignore_errors=True)
        set_back(lab.ca)
        process("remediate", "apply", str(file), "--approve", digest(made), "--runs", str(runs))

    return work


def bare(lab: Lab, folder: Path, asked: list[Asked]) -> Callable[[], object]:
    """Send what was asked for before."""
    file = folder / "commands.json"
    file.write_text(json.dumps([(one.text, None if one.is_script else one.parameters) for one in asked]))

    def work() -> None:
        set_back(lab.ca)
        process("benchmarks.bare_commands", lab.ca.fqdn, str(file))

    return work


def main() -> None:
    """Start the lab, measure, print."""
    with start_lab(("ca01",)) as lab, lab.ticket():
        folder = lab.folder / "apply-one"
        folder.mkdir()
        ours = applied(lab, folder)
        with lab.ca.listening() as heard:
            ours()
            ((*asked,),) = heard()
        theirs = bare(lab, folder, asked)
        pairs = in_turn(ours, theirs, times=PAIRS)
        requests = requests_of(lab.ca, ours), requests_of(lab.ca, theirs)
        processor = in_turn(ours, theirs, times=3, measure=processor_seconds)
    show([
        *pairs.rows(
            "ratio", ours="apply of one registry value", theirs=f"its {len(asked)} commands, bare", goal="at most 1.5"
        ),
        *processor.rows("ratio of processor time", ours="apply, processor time", theirs="bare", goal=""),
        Row("requests of WS-Management, ours and theirs", " and ".join(map(str, requests))),
    ])  # fmt: skip


def requests_of(host: LabHost, work: Callable[[], object]) -> int:
    """Return how many requests of WS-Management a piece of work takes."""
    host.forget()
    work()
    return len(host.requests())


if __name__ == "__main__":
    main()
