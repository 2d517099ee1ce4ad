"""How soon change.ps1 with ten actions writes: `python -m benchmarks.scripts_start`. It needs the lab's PowerShell.

Ours is the time from the start of the engine to the start of the first `certutil -setreg`, which ends the engine.
Theirs is a script that loads the functions of the same change.ps1 and reads each of its ten addresses once by the
function that change.ps1 reads it by. Both import the stand-ins. Processor time is of the engine and what it starts.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.measuring import Pairs, processor_seconds, show
from remediate.model.places import RegistryPlace
from remediate.model.plan import Action
from tests.lab.registry_file import number
from tests.powershell.engine import MODULES, WINDOWS, Engine
from tests.powershell.handover import CA_KEY, HOST, Desk, defined_ca_cert, make_plan, ready
from tests.powershell.test_script_text import PWSH
from tests.powershell.windows_like import make

ACTIONS, PAIRS = 10, 15
CERTUTIL = """#!/bin/sh
case "$*" in *setreg*) touch "$LAB_FIRST_WRITE"; kill -9 $PPID; exit 1;; esac
exec "{real}" "$@"
"""


class Took(NamedTuple):
    """Seconds on the wall, and of processor time."""

    wall: float
    processor: float


def actions() -> list[Action]:
    """Return changes of ten values of the CA's own key."""
    return [_action(at) for at in range(1, ACTIONS + 1)]


def _action(at: int) -> Action:
    name = f"Value{at}"
    place = RegistryPlace(HOST, CA_KEY.replace("HKLM:", "HKLM"), name, rf"ca\{name}")
    return msgspec.structs.replace(defined_ca_cert(at), place=place, label=name, restarts="")


class Bench:
    """A host with the folder of the plan, and a certutil that tells when it is asked to write, and ends the engine."""

    def __init__(self, folder: Path) -> None:
        self.host = ready(make(folder))
        self.host.registry.set(CA_KEY, "Unrelated", number(1))
        self.desk = Desk.lay_out(self.host, make_plan(*actions()), Engine())
        self.written, programs = folder / "first-write", folder / "programs"
        programs.mkdir()
        (programs / "certutil.exe").write_text(CERTUTIL.format(real=WINDOWS / "bin" / "certutil.exe"))
        (programs / "certutil.exe").chmod(0o755)
        environment = self.host.environment
        path = f"{programs}{os.pathsep}{environment['PATH']}"
        self.environment = environment | {"PATH": path, "LAB_FIRST_WRITE": str(self.written)}
        self.reading = folder / "read.ps1"
        self.reading.write_text(reading(self.desk.folder / "change.ps1"))

    def run(self, line: str) -> Took:
        """Run a line after the stand-ins in an engine of its own."""
        command = [str(PWSH), "-NoProfile", "-Command", f"{MODULES}; {line}"]
        started = time.time()
        processor = processor_seconds(
            lambda: subprocess.run(
                command, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
            )
        )
        return Took(time.time() - started, processor)

    def to_first_write(self) -> Took:
        """Run change.ps1 until certutil is asked to write."""
        self.written.unlink(missing_ok=True)
        for left in self.desk.folder.glob("*.json*"):
            left.unlink()
        started = time.time()
        took = self.run(self.desk.line("change", "-Confirm:$false"))
        return took._replace(wall=self.written.stat().st_mtime - started)

    def to_read(self) -> Took:
        """Load the functions and read each address."""
        return self.run(f"& '{self.reading}'")


def reading(change: Path) -> str:
    """Return a script of the functions in change.ps1 and one bare read of each of its addresses."""
    text = change.read_text("ascii")
    library = text[text.index("\n#region library") : text.rindex("\n#region main")]
    reads = [f"$null = Get-CaRegistryValue -Key '{CA_KEY}' -Name 'Value{at}'" for at in range(1, ACTIONS + 1)]
    return "\n".join(["Set-StrictMode -Version Latest", library, *reads, ""])


def measured(bench: Bench) -> tuple[Pairs, Pairs]:
    """Measure both in turn, after one of each: on the wall, and in processor time."""
    bench.to_first_write()
    bench.to_read()
    pairs = [(bench.to_first_write(), bench.to_read()) for _ in range(PAIRS)]
    wall, processor = ([(ours[at], theirs[at]) for ours, theirs in pairs] for at in range(2))
    return _pairs(wall), _pairs(processor)


def _pairs(found: list[tuple[float, float]]) -> Pairs:
    return Pairs(tuple(ours for ours, _ in found), tuple(theirs for _, theirs in found))


def main() -> None:
    """Measure and print."""
    folder = Path(tempfile.mkdtemp())
    try:
        wall, processor = measured(Bench(folder))
    finally:
        shutil.rmtree(folder)
    ours, theirs = f"change.ps1 with {ACTIONS} actions, to its first write", "the engine, the functions, one read each"
    show(wall.rows("ratio", ours=ours, theirs=theirs, goal="under 1.5"))
    show(processor.rows("ratio", ours=f"{ours}: processor time", theirs=f"{theirs}: processor time", goal=""))


if __name__ == "__main__":
    main()
