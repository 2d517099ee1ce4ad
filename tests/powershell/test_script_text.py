"""The text of the scripts: ASCII, CRLF, parsed by PowerShell itself, every function short and described."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
FILES = sorted((SCRIPTS / "lib").glob("*.ps1")) + sorted((SCRIPTS / "collect").glob("*.ps1"))
PWSH = os.environ.get("REMEDIATE_PWSH") or shutil.which("pwsh")
needs_pwsh = pytest.mark.skipif(PWSH is None, reason="there is no pwsh on PATH")

# about_Approved_Verbs of Windows PowerShell 5.1, which lacks Build and Deploy.
APPROVED_VERBS = frozenset(
    re.findall(r"\w+", """
    Add Clear Close Copy Enter Exit Find Format Get Hide Join Lock Move New Open Optimize Pop Push Redo Remove Rename
    Reset Resize Search Select Set Show Skip Split Step Switch Undo Unlock Watch Backup Checkpoint Compare Compress
    Convert ConvertFrom ConvertTo Dismount Edit Expand Export Group Import Initialize Limit Merge Mount Out Publish
    Restore Save Sync Unpublish Update Approve Assert Complete Confirm Deny Disable Enable Install Invoke Register
    Request Restart Resume Start Stop Submit Suspend Uninstall Unregister Wait Debug Measure Ping Repair Resolve Test
    Trace Connect Disconnect Read Receive Send Write Block Grant Protect Revoke Unblock Unprotect Use""")
)  # fmt: skip
COMMON_PARAMETERS = {"ErrorAction", "WarningAction"}
WRITING_OPTIONS = {"CaRegistryValue.ps1": {"setreg", "delreg"}, "PendingRequest.ps1": {"resubmit"}}
PROGRAMS = {"certutil.exe", "whoami.exe"}

PARSE = r"""
param([string] $Folder)
$rows = foreach ($file in Get-ChildItem -LiteralPath $Folder -Recurse -Filter '*.ps1') {
    $tokens = $null; $errors = $null
    $tree = [System.Management.Automation.Language.Parser]::ParseFile($file.FullName, [ref] $tokens, [ref] $errors)
    $commands = $tree.FindAll({ $args[0] -is [System.Management.Automation.Language.CommandAst] }, $true)
    $functions = $tree.FindAll({ $args[0] -is [System.Management.Automation.Language.FunctionDefinitionAst] }, $true)
    @{
        file = $file.Name
        errors = @(foreach ($one in $errors) { "$one" })
        functions = @(foreach ($one in $functions) {
            $help = $one.GetHelpContent()
            @{
                name = $one.Name; synopsis = "$($help.Synopsis)"
                lines = $one.Extent.EndLineNumber - $one.Extent.StartLineNumber + 1
                documented = @(if ($help) { $help.Parameters.Keys })
                parameters = @(if ($one.Body.ParamBlock) { $one.Body.ParamBlock.Parameters.Name.VariablePath.UserPath })
            }
        })
        commands = @(foreach ($one in $commands) {
            @{
                name = "$($one.GetCommandName())"
                parameters = @(foreach ($e in $one.CommandElements) {
                    if ($e -is [System.Management.Automation.Language.CommandParameterAst]) { $e.ParameterName }
                })
            }
        })
    }
}
ConvertTo-Json -InputObject @($rows) -Depth 6 -Compress
"""


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the parser found in each script."""
    if PWSH is None:
        pytest.skip("there is no pwsh on PATH")
    script = tmp_path_factory.mktemp("parse") / "parse.ps1"
    script.write_text(PARSE)
    done = subprocess.run(
        [PWSH, "-NoProfile", "-NonInteractive", "-File", str(script), "-Folder", str(SCRIPTS)],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    assert len(rows) >= len(FILES)
    return rows


def functions(parsed: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for row in parsed for one in row["functions"]}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_ascii_with_windows_line_ends(file: Path) -> None:
    content = file.read_bytes()
    assert content.isascii()
    assert content.count(b"\n") == content.count(b"\r\n") > 0
    assert b"\t" not in content
    assert all(len(line) <= 120 for line in content.splitlines())
    assert len(content.splitlines()) < 400


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_text_is_run_as_a_script(file: Path) -> None:
    assert not re.search(r"Invoke-Expression|\biex\b", file.read_text("ascii"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_what_verbose_names_is_made_printable(file: Path) -> None:
    assert not re.search(r"Write-Verbose -Message [\"$]", file.read_text("ascii"))


@needs_pwsh
def test_the_parser_has_no_complaint(parsed: list[dict[str, Any]]) -> None:
    assert [(row["file"], row["errors"]) for row in parsed if row["errors"]] == []


@needs_pwsh
def test_functions_are_short_named_well_and_described(parsed: list[dict[str, Any]]) -> None:
    names = [one["name"] for row in parsed for one in row["functions"]]
    assert len(names) == len(set(names))
    for name, one in functions(parsed).items():
        assert name.partition("-")[0] in APPROVED_VERBS, name
        assert one["synopsis"], name
        assert one["lines"] <= 45, name
        assert {p.upper() for p in one["parameters"] if p} == {p.upper() for p in one["documented"] if p}, name


@needs_pwsh
def test_own_functions_are_called_with_their_own_parameters(parsed: list[dict[str, Any]]) -> None:
    ours = functions(parsed)
    called = [one for row in parsed for one in row["commands"] if one["name"] in ours]
    assert called
    for one in called:
        # Whoever supports ShouldProcess takes Confirm besides.
        assert set(one["parameters"]) - {"Confirm"} <= set(ours[one["name"]]["parameters"]), one


def test_no_script_calls_a_program_but_those_named() -> None:
    called = {name for file in FILES for name in re.findall(r"-Program '([^']+)'", file.read_text("ascii"))}
    assert called == PROGRAMS
    for file in FILES:
        written = set(re.findall(r"'-(setreg|delreg|resubmit|deny)'", file.read_text("ascii")))
        assert written == WRITING_OPTIONS.get(file.name, set()), file.name
