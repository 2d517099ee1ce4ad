"""How soon change.ps1 with ten actions writes: `python -m benchmarks.scripts_start`. It needs the lab's PowerShell.

Ours is the time from the start of the engine to the start of the first `certutil -setreg`. Theirs is a script that
loads the functions of the same change.ps1 and reads each of its ten addresses once by the function that
change.ps1 reads it by. Both import the stand-ins.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import msgspec

from benchmarks.measuring import Pairs, show
from remediate.model.places import RegistryPlace
from remediate.model.plan import Action
from tests.lab.registry_file import number
from tests.powershell.handover import (
    CA_KEY,
    HOST,
    MODULES,
    Desk,
    Engine,
    defined_ca_cert,
    host_environment,
    make_plan,
    ready,
)
from tests.powershell.test_script_text import PWSH
from tests.powershell.windows_like import WINDOWS, make

ACTIONS, PAIRS = 10, 15
CERTUTIL = """#!/bin/sh
case "$*" in *setreg*) touch "$LAB_FIRST_WRITE"; exit 1;; esac
exec "{real}" "$@"
"""


def actions() -> list[Action]:
    """Return changes of ten values of the CA's own key."""
    return [_action(at) for at in range(1, ACTIONS + 1)]


def _action(at: int) -> Action:
    name = f"Value{at}"
    place = RegistryPlace(HOST, CA_KEY.replace("HKLM:", "HKLM"), name, rf"ca\{name}")
    return msgspec.structs.replace(defined_ca_cert(at), place=place, label=name, restarts="")


class Bench:
    """A host with the folder of the plan, and a certutil that tells when it is asked to write, and refuses."""

    def __init__(self, folder: Path) -> None:
        self.host = ready(make(folder))
        self.host.registry.set(CA_KEY, "Unrelated", number(1))
        self.desk = Desk.lay_out(self.host, make_plan(*actions()), Engine())
        self.written, programs = folder / "first-write", folder / "programs"
        programs.mkdir()
        (programs / "certutil.exe").write_text(CERTUTIL.format(real=WINDOWS / "bin" / "certutil.exe"))
        (programs / "certutil.exe").chmod(0o755)
        environment = host_environment(self.host)
        path = f"{programs}{os.pathsep}{environment['PATH']}"
        self.environment = environment | {"PATH": path, "LAB_FIRST_WRITE": str(self.written)}
        self.reading = folder / "read.ps1"
        self.reading.write_text(reading(self.desk.folder / "change.ps1"))

    def run(self, line: str) -> None:
        """Run a line after the stand-ins in an engine of its own."""
        subprocess.run(
            [str(PWSH), "-NoProfile", "-Command", f"{MODULES}; {line}"],
            env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, check=False,
        )  # fmt: skip

    def seconds_to_first_write(self) -> float:
        """Run change.ps1 and return how long it was until certutil was asked to write."""
        self.written.unlink(missing_ok=True)
        for record in self.desk.folder.glob("*.json"):
            record.unlink()
        started = time.time()
        self.run(self.desk.line("change", "-Confirm:$false"))
        return self.written.stat().st_mtime - started

    def seconds_to_read(self) -> float:
        """Load the functions and read each address."""
        started = time.time()
        self.run(f"& '{self.reading}'")
        return time.time() - started


def reading(change: Path) -> str:
    """Return a script of the functions in change.ps1 and one bare read of each of its addresses."""
    text = change.read_text("ascii")
    library = text[text.index("\n#region library") : text.rindex("\n#region main")]
    reads = [f"$null = Get-CaRegistryValue -Key '{CA_KEY}' -Name 'Value{at}'" for at in range(1, ACTIONS + 1)]
    return "\n".join(["Set-StrictMode -Version Latest", library, *reads, ""])


def measured(bench: Bench) -> Pairs:
    """Measure both in turn; each says itself how long it took."""
    bench.seconds_to_first_write()
    pairs = [(bench.seconds_to_first_write(), bench.seconds_to_read()) for _ in range(PAIRS)]
    return Pairs(tuple(ours for ours, _ in pairs), tuple(theirs for _, theirs in pairs))


def main() -> None:
    """Measure and print."""
    folder = Path(tempfile.mkdtemp())
    try:
        pairs = measured(Bench(folder))
    finally:
        shutil.rmtree(folder)
    ours, theirs = f"change.ps1 with {ACTIONS} actions, to its first write", "the engine, the functions, one read each"
    show(pairs.rows("ratio", ours=ours, theirs=theirs, goal="under 1.5"))


if __name__ == "__main__":
    main()
