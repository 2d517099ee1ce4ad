"""How soon change.ps1 with ten actions writes: `python -m benchmarks.scripts_start`. It needs the lab's PowerShell.

Ours is the time from the start of the engine to the start of the first `certutil -setreg`, which ends the engine.
Theirs is a script that loads the functions of the same change.ps1 and reads each of its ten addresses once by the
function that change.ps1 reads it by. Both import the stand-ins. Processor time is of the engine and what it starts.
Once the ten are values of one key, the cheapest there is to read; once they are of every kind that a host knows.
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
from tests.powershell.handover import (
    CA_KEY,
    HOST,
    Desk,
    defined_ca_cert,
    exclusions,
    make_plan,
    policy_server,
    ready,
    request,
    restart,
)
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


def values(count: int = ACTIONS) -> list[Action]:
    """Return changes of values of the CA's own key."""
    return [_action(at) for at in range(1, count + 1)]


def every_kind() -> list[Action]:
    """Return changes of six values and one of each other kind, that of a value first."""
    return [*values(6), policy_server(7), exclusions(8), request(9), restart(10, depends_on=(1,))]


def _action(at: int) -> Action:
    name = f"Value{at}"
    place = RegistryPlace(HOST, CA_KEY.replace("HKLM:", "HKLM"), name, rf"ca\{name}")
    return msgspec.structs.replace(defined_ca_cert(at), place=place, label=name, restarts="")


class Bench:
    """A host with the folder of the plan, and a certutil that tells when it is asked to write, and ends the engine."""

    def __init__(self, folder: Path, actions: list[Action]) -> None:
        folder.mkdir()
        self.host = ready(make(folder))
        self.host.registry.set(CA_KEY, "Unrelated", number(1))
        self.desk = Desk.lay_out(self.host, make_plan(*actions), Engine())
        self.written, programs = folder / "first-write", folder / "programs"
        programs.mkdir()
        environment = self.host.environment
        place(programs / "certutil.exe", CERTUTIL.format(real=WINDOWS / "bin" / "certutil.exe"))
        place(programs / "whoami.exe", recorded("whoami.exe", "/user", "/groups", "/fo", "csv", "/nh", env=environment))
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


def place(program: Path, text: str) -> None:
    """Write a program that can be started."""
    program.write_text(text)
    program.chmod(0o755)


def recorded(program: str, *arguments: str, env: dict[str, str]) -> str:
    """Return a program that answers as the stand-in of this name does, without starting a Python for it."""
    command = [str(WINDOWS / "bin" / program), *arguments]
    answer = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
    return f"#!/bin/sh\ncat <<'ANSWER'\n{answer}ANSWER\n"


def reading(change: Path) -> str:
    """Return a script of the functions in change.ps1 and one bare read of each of its addresses."""
    text = change.read_text("ascii")
    plan = text[text.index("\n#region plan") : text.index("\n#region library")]
    library = text[text.index("\n#region library") : text.rindex("\n#region main")]
    start = text.rindex("\n$read = {")
    read = text[start : text.index("\n}\n", start) + len("\n}")]
    reads = "foreach ($step in $Plan.Steps) { $null = & $read $step }"
    return "\n".join(["Set-StrictMode -Version Latest", plan, library, read, reads, ""])


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
        for what, actions in (("values", values()), ("of every kind", every_kind())):
            wall, processor = measured(Bench(folder / what, actions))
            ours, theirs = (
                f"change.ps1 with {ACTIONS} {what}, to its first write",
                "the engine, the functions, one read each",
            )
            show(wall.rows("ratio", ours=ours, theirs=theirs, goal="under 1.5"))
            show(processor.rows("ratio", ours=f"{ours}: processor time", theirs=f"{theirs}: processor time", goal=""))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
