"""Twenty hosts side by side against Ansible, which sends the same script to the same hosts: `raw` over psrp, 20 forks.

`python -m benchmarks.against_ansible [HOSTS [HALF]]`. It puts ansible-core and pypsrp from PyPI into an environment of
their own in a temporary folder. Both sides are whole processes, from their start to their end; in the half `canned` the
clients are what is measured, in the half `real`, with PowerShell behind the endpoints, also what is done there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.measuring import Pairs, in_turn, processor_seconds, seconds, show
from remediate.cli.collectors import collector_call, collector_source
from remediate.engine.collect import HostRequest
from tests.lab.contoso import ADMIN
from tests.lab.estate import start_lab
from tests.lab.far_hosts import DOCUMENT, KNOWN_AS, far_hosts
from tests.lab.hosts import SESSION_CONFIGURATION, SESSION_START, LabHost

Measure = Callable[[Callable[[], object]], float]

MANY, FORKS = 20, 20
PAIRS_OF_CANNED, PAIRS_OF_REAL = 7, 3
REST, STARTING = 20.0, 1.0
"""Seconds: engines are started so long after a run's own were taken, and each of them needs so long at the most."""
PACKAGES = ("ansible-core==2.19.14", f"pypsrp[kerberos]=={version('pypsrp')}")
"""The same pypsrp on both sides, with Kerberos: to load that takes its time whether it is used or not."""
INSIDE = "REMEDIATE_ANSIBLE"
"""Names, inside the lab's namespaces, the folder with Ansible's environment: from in there no registry is reached."""


def install(folder: Path) -> None:
    """Make the environment."""
    venv.create(folder / "venv", with_pip=True)
    pip = [str(folder / "venv" / "bin" / "pip"), "install", "-q", "--disable-pip-version-check", *PACKAGES]
    subprocess.run(pip, check=True)


def script(folder: Path) -> Path:
    """Return the file of what both sides send: a connector's collector and its call."""
    file = folder / "script.ps1"
    call = collector_call(HostRequest(role="connector", host="", certification_authorities=("ca01.contoso.test",)))
    file.write_text(f"{collector_source('connector')}\r\n{call}\r\n", newline="")
    return file


def short_script(folder: Path) -> Path:
    """Return the file of a script that gives a connector's document back and does nothing else.

    Ansible ends every script with `exit $LASTEXITCODE`, which stands for nothing until a program has run.
    """
    file = folder / "short.ps1"
    document = f"@'\r\n{DOCUMENT.read_text().strip()}\r\n'@"
    named = f"({document}).Replace('{KNOWN_AS}', $env:COMPUTERNAME)"
    file.write_text(f"$global:LASTEXITCODE = 0\r\n{named}\r\n", newline="")
    return file


def inventory(folder: Path, hosts: Sequence[str]) -> Path:
    """Return Ansible's file of the hosts, the account among it, that its owner alone can read."""
    variables = {
        "ansible_connection": "psrp", "ansible_shell_type": "powershell", "ansible_port": 5985,
        "ansible_psrp_protocol": "http", "ansible_psrp_auth": "negotiate",
        "ansible_psrp_message_encryption": "always", "ansible_psrp_cert_validation": "validate",
        "ansible_user": ADMIN.down_level, "ansible_password": ADMIN.password,
    }  # fmt: skip
    file = folder / "hosts.yml"
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    file.write_text(json.dumps({"all": {"hosts": {host: {} for host in hosts}, "vars": variables}}))
    return file


def ansible(folder: Path, sent: Path, hosts: Sequence[str]) -> Callable[[], object]:
    """Return one run of a playbook with one task."""
    task = {"ansible.builtin.raw": f"{{{{ lookup('ansible.builtin.file', '{sent}', rstrip=False) }}}}"}
    play = folder / "play.yml"
    play.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [task]}]))
    program = folder / "venv" / "bin" / "ansible-playbook"
    command = [str(program), "-i", str(inventory(folder, hosts)), "-f", str(FORKS), str(play)]
    variables = {"ANSIBLE_HOME": str(folder / "home"), "LC_ALL": "C.UTF-8", "ANSIBLE_NOCOLOR": "1"}
    return lambda: ended_well(command, variables=variables)


def remediate(sent: Path, hosts: Sequence[str]) -> Callable[[], object]:
    """Return one run of ours."""
    command = [sys.executable, "-m", "benchmarks.many_sessions", str(sent), *hosts]
    return lambda: ended_well(command, given=f"{ADMIN.down_level}\n{ADMIN.password}\n")


def ended_well(command: Sequence[str], *, variables: Mapping[str, str] | None = None, given: str = "") -> None:
    """Run it to its end, which must be a good one."""
    environment = {**os.environ, **(variables or {})}
    done = subprocess.run(command, input=given, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{command[0]}: {done.stdout[-2000:]}{done.stderr[-2000:]}")


class Counted:
    """A run, and how long each of its calls kept processors busy, in seconds."""

    def __init__(self, run: Callable[[], object]) -> None:
        self._run = run
        self.spent: list[float] = []

    def __call__(self) -> None:
        self.spent.append(processor_seconds(self._run))


def after_rest(rest: float) -> Measure:
    """Return how to measure by the clock, each time after so many seconds of rest."""

    def measure(work: Callable[[], object]) -> float:
        time.sleep(rest)
        return seconds(work)

    return measure


def compare(
    folder: Path, sent: Path, hosts: Sequence[str], *, name: str, times: int, goal: str, before: float = 0.0
) -> None:
    """Measure and print how many times faster ours is, by the clock and by what the clients' processes work.

    `before` is how long to wait before each run, in seconds.
    """
    ours, theirs = Counted(remediate(sent, hosts)), Counted(ansible(folder, sent, hosts))
    pairs = in_turn(theirs, ours, times=times, measure=after_rest(before))
    told = f"{len(hosts)} hosts, {name}"
    show(pairs.rows("times faster", ours=f"{told}: ansible", theirs=f"{told}: remediate", goal=goal))
    work = Pairs(tuple(theirs.spent[1:]), tuple(ours.spent[1:]))  # the first of each is the one that is not measured
    show(work.rows("times less processor time of the clients", ours="ansible", theirs="remediate", goal=""))


def canned(folder: Path, many: int) -> None:
    """Measure against hosts with canned answers."""
    with far_hosts(folder / "canned", many, latency=0.0) as far:
        names = [host.name for host in far]
        compare(folder, script(folder), names, name="canned answers", times=PAIRS_OF_CANNED, goal="at least 2")


def leave_stand_ins_out(host: LabHost) -> None:
    """Let its sessions begin without the lab's modules, which cost more than all the rest and which Windows has not."""
    host.configuration.write_text(SESSION_CONFIGURATION.format(modules="", start=SESSION_START))


def real(folder: Path, many: int) -> None:
    """Measure against hosts with PowerShell behind."""
    with start_lab(("ca01",)) as lab, lab.more_hosts(many, rest=REST) as hosts:
        for host in hosts:
            leave_stand_ins_out(host)
        names, told = [host.fqdn for host in hosts], "PowerShell behind"
        goal, before = "at least 1.5", REST + STARTING * many
        compare(folder, short_script(folder), names, name=told, times=PAIRS_OF_REAL, goal=goal, before=before)


HALVES: Mapping[str, Callable[[Path, int], None]] = {"canned": canned, "real": real}
"""Each has namespaces of its own: the many connections of one stay behind for a minute, and can hold the very port that
the other's Samba listens on for RPC."""


def main(many: int, halves: Sequence[str]) -> None:
    """Prepare outside, then go inside once for each half."""
    if INSIDE in os.environ:
        for half in halves:
            HALVES[half](Path(os.environ[INSIDE]), many)
        return
    with tempfile.TemporaryDirectory() as name:
        install(Path(name))
        command = [sys.executable, "-m", "tests.lab.enter", sys.executable, "-m", "benchmarks.against_ansible"]
        for half in halves:
            subprocess.run([*command, str(many), half], env={**os.environ, INSIDE: name}, check=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else MANY, sys.argv[2:] or tuple(HALVES))
