"""One Windows-like host without a network: a small registry, a state, files, and PowerShell on them.

The Windows-only commands cannot run here; the strict stand-ins of the lab answer in their place.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.lab.registry_file import RegistryFile
from tests.powershell.engine import WINDOWS, FunctionEngine
from tests.powershell.test_script_text import PWSH, SCRIPTS


def obstacle() -> str:
    """Why nothing can run here; empty when it can."""
    if PWSH is None or os.name == "nt":
        return "there is no pwsh on PATH that runs on Linux"
    beside = Path(PWSH).resolve().parent / "Modules" / "LabRegistry"
    return "" if beside.is_dir() else "pwsh has no module LabRegistry"


@dataclass(frozen=True)
class WindowsLike:
    """`folder` holds registry, state and files. Lines are run by `functions`, or without it each by its own engine."""

    folder: Path
    functions: FunctionEngine | None = None

    @property
    def registry(self) -> RegistryFile:
        return RegistryFile(self.folder / "registry.json", self.folder / "writes.jsonl")

    @property
    def program_files(self) -> Path:
        return self.folder / "Program Files"

    @property
    def environment(self) -> dict[str, str]:
        """This process's, with this very python first on PATH: a version switcher there would take longer than it."""
        path = [str(WINDOWS / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
        return os.environ | {
            "COMPUTERNAME": "HOST1", "LAB_STATE": str(self.folder / "state.json"),
            "LAB_REGISTRY": str(self.registry.path), "LAB_REGISTRY_LOG": str(self.registry.log),
            "ProgramFiles": str(self.program_files), "ProgramData": str(self.folder / "ProgramData"), "NO_COLOR": "1",
            "PATH": os.pathsep.join(path),
        }  # fmt: skip

    def set_state(self, **members: Any) -> None:
        """Write the state; what is not named is that of a host with nothing on it."""
        plain = {
            "services": {}, "events": [], "policy_servers": [], "pending_requests": [],
            "mp_preference": {"ExclusionPath": None},
            "mp_status": {"AMRunningMode": "Normal", "IsTamperProtected": True, "RealTimeProtectionEnabled": True},
            "whoami": {"name": "contoso\\anna", "elevated": True},
            "computer": {"name": "HOST1", "domain": "WORKGROUP", "part_of_domain": False},
        }  # fmt: skip
        (self.folder / "state.json").write_text(json.dumps(plain | members))

    def powershell(self, line: str) -> str:
        """Run one line after the functions of `scripts`; its output."""
        if self.functions is not None:
            return self.functions.said(line, self.environment)
        files = [*sorted((SCRIPTS / "lib").glob("*.ps1")), *sorted((SCRIPTS / "collect").glob("*.ps1"))]
        head = [
            "Set-StrictMode -Version Latest",
            "Import-Module LabRegistry",
            f"Import-Module '{WINDOWS}/LabWindows.psm1'",
        ]
        script = self.folder / "run.ps1"
        script.write_text("\n".join([*head, *(file.read_text("ascii") for file in files), line, ""]))
        done = subprocess.run(
            [str(PWSH), "-NoProfile", "-NonInteractive", "-File", str(script)],
            capture_output=True, text=True, env=self.environment, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert not done.stderr
        return done.stdout.strip()

    def fact(self, line: str) -> Any:
        """The JSON of what a line returns."""
        return json.loads(self.powershell(f"ConvertTo-Json -InputObject ({line}) -Compress -Depth 10"))

    def program(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """Run one of the stand-in programs."""
        found = shutil.which(arguments[0], path=str(WINDOWS / "bin"))
        return subprocess.run([str(found), *arguments[1:]], capture_output=True, env=self.environment, timeout=20)


def make(folder: Path, functions: FunctionEngine | None = None) -> WindowsLike:
    """A host with an empty registry; skipped, or failed with CI=true, where it cannot be."""
    if problem := obstacle():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(problem)
    host = WindowsLike(folder, functions)
    host.registry.create({r"HKLM:\SOFTWARE": {}})
    host.set_state()
    return host
