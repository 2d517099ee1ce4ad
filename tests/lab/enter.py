"""Runs a command where the lab can live: `python -m tests.lab.enter COMMAND [ARGUMENTS...]`.

The command gets network, mount and process namespaces of its own: an empty loopback, a private /etc/hosts and
krb5.conf, empty folders where Samba keeps its state, and a state folder in memory (`REMEDIATE_LAB`). All of it is
gone when the command ends; its exit code is passed on. Needs root and util-linux' unshare.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.lab.addresses import MARK, OUTER_PROCESS, hosts_file, kerberos_configuration

EXIT_CANNOT = 69
"""EX_UNAVAILABLE of sysexits.h: the namespaces could not be made."""

PROGRAMS = {"unshare": "util-linux", "mount": "mount", "ip": "iproute2", "samba": "samba-ad-dc", "samba-tool": "samba"}
SAMBA_FOLDERS = ("/run/samba", "/var/cache/samba", "/var/lib/samba")
NAMESPACES = ["unshare", "-n", "-m", "--pid", "--fork", "--mount-proc", "--kill-child"]
INSIDE = "--inside"


def obstacles() -> list[str]:
    """What keeps the lab from running here, in words for a person; empty when nothing does."""
    found = [] if os.geteuid() == 0 else ["root is needed for namespaces and for ports 88, 135, 389 and 636"]
    found += [
        f"`{name}` is not on PATH (Debian package {package})"
        for name, package in PROGRAMS.items()
        if not shutil.which(name)
    ]
    return found


def main(arguments: list[str]) -> int:
    """Outside: make the namespaces and wait. Inside: prepare and run the command. The command's exit code."""
    if arguments[:1] == [INSIDE]:
        return inside(Path(arguments[1]), arguments[2:])
    if not arguments:
        return complain("usage: python -m tests.lab.enter COMMAND [ARGUMENTS...]")
    if problems := obstacles():
        return complain(*(f"the lab cannot start: {problem}" for problem in problems))
    with tempfile.TemporaryDirectory(prefix="remediate-lab-") as state:
        return outside([*NAMESPACES, sys.executable, "-m", "tests.lab.enter", INSIDE, state, *arguments])


def complain(*lines: str) -> int:
    """Print to stderr; the exit code to end with."""
    print(*lines, sep="\n", file=sys.stderr)
    return EXIT_CANNOT


def outside(command: list[str]) -> int:
    """Run unshare. It shrugs off SIGTERM, so that ends it for good, and with it everything inside."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.environ[OUTER_PROCESS] = str(os.getpid())
        os.execvp(command[0], command)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGKILL))
    return wait_for(child)


def inside(state: Path, command: list[str]) -> int:
    """Process 1 of the namespaces: everything else ends with it."""
    try:
        prepare(state)
        environment = {**os.environ, MARK: str(state), "KRB5_CONFIG": str(state / "krb5.conf")}
        environment.pop("KRB5CCNAME", None)
        child = os.posix_spawnp(command[0], command, environment)
    except (OSError, subprocess.CalledProcessError) as error:
        return complain(f"the lab cannot start {command[0]}: {error}")
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    return wait_for(child)


def wait_for(child: int) -> int:
    """The exit code of a child; 128 + the signal's number when one ended it, as a shell says it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to the command as well
    while (ended := os.wait())[0] != child:
        pass  # an orphan, which process 1 has to bury
    code = os.waitstatus_to_exitcode(ended[1])
    return 128 - code if code < 0 else code


def prepare(state: Path) -> None:
    """Loopback, empty folders in memory, names and Kerberos' configuration."""
    tool("ip", "link", "set", "lo", "up")
    for folder in (*SAMBA_FOLDERS, str(state)):
        Path(folder).mkdir(parents=True, exist_ok=True)
        tool("mount", "-t", "tmpfs", "tmpfs", folder)
    (state / "krb5.conf").write_text(kerberos_configuration(state))
    (state / "etc-hosts").write_text(hosts_file())
    tool("mount", "--bind", str(state / "etc-hosts"), "/etc/hosts")


def tool(*command: str) -> None:
    """Run one program; what it says goes to stderr."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
