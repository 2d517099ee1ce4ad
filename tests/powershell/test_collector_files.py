"""The files that the Windows team gets: whole, readable by Windows PowerShell 5.1, and without anything that writes."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from remediate.cli.collectors import collector_files, collector_source
from remediate.facts.documents import Role
from tests.powershell.test_script_text import COMMON_PARAMETERS, PARSE, PWSH, needs_pwsh
from tests.shared import SHARED, needs_shared

ROLES: tuple[Role, ...] = ("ca", "connector", "directory")
FILES = collector_files(["ca01.contoso.test"])
# Requests of System.DirectoryServices.Protocols that write, and verbs of PowerShell that change something.
WRITES = r"\b(Modify|ModifyDN|Add|Delete)Request\b|\b(Set|Add|Remove|Restart|Stop|Start|Clear|Write)-[A-Z]\w+"
HARMLESS = {"Write-Output", "Write-Warning", "Add-Type", "Set-StrictMode"}


def test_all_of_them_and_in_which_order_to_run_them() -> None:
    scripts = [f"collect-{role}.ps1" for role in ROLES]
    assert list(FILES) == ["README.txt", *scripts]
    readme = FILES["README.txt"].decode("ascii")
    assert re.findall(r"^\d\. (collect-\S+)", readme, re.MULTILINE) == scripts
    assert "-CertificationAuthority A,B" in readme


@pytest.mark.parametrize("name", FILES)
def test_ascii_with_windows_line_ends(name: str) -> None:
    content = FILES[name]
    assert content.isascii()
    assert content.count(b"\n") == content.count(b"\r\n") > 0
    assert all(len(line) <= 120 for line in content.splitlines())


@pytest.mark.parametrize("role", ROLES)
def test_nothing_in_them_writes(role: Role) -> None:
    source = re.sub(r"<#.*?#>", "", FILES[f"collect-{role}.ps1"].decode("ascii"), flags=re.DOTALL)
    assert {found[0] for found in re.finditer(WRITES, source)} <= HARMLESS


@pytest.mark.parametrize("role", ROLES)
def test_what_a_session_runs_stands_in_the_file(role: Role) -> None:
    assert collector_source(role).replace("\n", "\r\n").encode() in FILES[f"collect-{role}.ps1"]


@needs_pwsh
@needs_shared
def test_each_is_whole_and_of_windows_powershell(tmp_path: Path) -> None:
    assert SHARED is not None
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    script = tmp_path / "parse.ps1"
    script.write_text(PARSE)
    done = subprocess.run(
        [str(PWSH), "-NoProfile", "-NonInteractive", "-File", str(script), "-Folder", str(tmp_path)],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    modules = json.loads((SHARED / "material" / "powershell51" / "commands.json").read_text())
    known = {name: command["parameters"] for module in modules.values() for name, command in module.items()}
    rows = [row for row in json.loads(done.stdout) if row["file"] in FILES]
    assert {row["file"] for row in rows} == {f"collect-{role}.ps1" for role in ROLES}
    for row in rows:
        assert row["errors"] == []
        own = {one["name"]: one["parameters"] for one in row["functions"]}
        for command in row["commands"]:
            if command["name"]:  # `& $Reading` and `& $Program`
                name = command["name"]
                allowed = own[name] if name in own else [*known[name], *COMMON_PARAMETERS]
                known_ones = {one.lower() for one in allowed if one}
                assert {one.lower() for one in command["parameters"]} <= known_ones, command
