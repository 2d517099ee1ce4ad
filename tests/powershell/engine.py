"""One PowerShell for many runs, by the server mode of the lab's PowerShell: its start costs more than most tests."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.powershell.test_script_text import PWSH, SCRIPTS

WINDOWS = Path(__file__).parents[1] / "lab" / "windows"
MODULES = "; ".join(
    f"Import-Module '{name}'" for name in ("LabRegistry", f"{WINDOWS}/LabWindows.psm1", f"{WINDOWS}/LabChanges.psm1")
)
_SET = """param($Names)
foreach ($n in $Names.Keys) {
    $value = if ($null -eq $Names[$n]) { [NullString]::Value } else { $Names[$n] }
    [Environment]::SetEnvironmentVariable($n, $value)
}
"""


class Ended(NamedTuple):
    """How a script ended, and what it said on all its streams."""

    code: int
    text: str


class Engine:
    """One engine that has run `first`; every line is run in its one runspace. It is started by the first line."""

    def __init__(self, first: str = MODULES) -> None:
        self._first = first
        self._process: subprocess.Popen[str] | None = None

    def run(self, line: str, environment: Mapping[str, str | None]) -> Ended:
        """Run a line that ends with exit, with these variables set, or without those of None."""
        answer = self.answer(line, environment)
        errors = "\n".join(str(one["message"]) for one in answer["errors"])
        code = answer["exit_code"]
        return Ended(0 if code is None else code, f"{answer['host_text']}\n{answer['output_text']}\n{errors}")

    def answer(self, line: str, environment: Mapping[str, str | None]) -> dict[str, Any]:
        """Run a line and return the server's answer: host_text, output_text, errors, exit_code, terminated."""
        return self._ask(self._started(), line, environment)

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None:
            self._process = _server()
            self._ask(self._process, self._first, {})
        return self._process

    def _ask(self, process: subprocess.Popen[str], line: str, environment: Mapping[str, str | None]) -> dict[str, Any]:
        assert process.stdin and process.stdout
        request = {"script": _SET + line, "args": {"Names": dict(environment)}, "fresh": False, "text": True}
        process.stdin.write(json.dumps(request | {"timeout_s": 90}) + "\n")
        process.stdin.flush()
        answer: dict[str, Any] = json.loads(process.stdout.readline())
        assert not answer.get("timed_out"), answer
        return answer

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()


def _environment() -> dict[str, str]:
    return os.environ | {"NO_COLOR": "1", "LAB_REGISTRY": os.devnull}


def _server() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(PWSH), "-NoProfile", "-LabServer"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        stderr=subprocess.DEVNULL, env=_environment(),
    )  # fmt: skip


class FunctionEngine(Engine):
    """An engine that holds the functions of `scripts`, for one host after another."""

    def __init__(self) -> None:
        files = [file for folder in ("lib", "collect") for file in sorted((SCRIPTS / folder).glob("*.ps1"))]
        super().__init__("\n".join(["Set-StrictMode -Version Latest", MODULES, *(f". '{file}'" for file in files)]))
        self._environment = _environment()

    def said(self, line: str, environment: Mapping[str, str]) -> str:
        """Run a line in a scope of its own, in this whole environment: what it shows, then what it returns.

        An error that it does not catch fails the test, as one on the error stream of a process of its own would.
        """
        changed: dict[str, str | None] = dict(environment.items() - self._environment.items())
        gone = dict.fromkeys(self._environment.keys() - environment.keys())
        # A test sets this one by its line.
        answer = self.answer(f"& {{ {line}\n}}", changed | gone | {"PROCESSOR_ARCHITEW6432": None})
        self._environment = dict(environment)
        assert not answer["errors"] and not answer.get("terminated"), answer
        assert answer["exit_code"] in (None, 0), answer
        return f"{answer['host_text']}\n{answer['output_text']}".strip()
