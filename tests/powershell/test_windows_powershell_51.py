"""Every script is one of Windows PowerShell 5.1: the parser's tree of each file, shipped and generated, says so.

`read_script.ps1` takes the trees apart; `dotnet.toml` is the reviewed table of the .NET types and members.
"""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from remediate.cli.collectors import collector_files
from remediate.model.plan import Plan, digest
from remediate.render.powershell.script import KINDS, script
from remediate.render.powershell.steps import script_targets
from remediate.shipped import scripts_folder
from tests.powershell.every_kind import KINDS_OF_CHANGE, PLAN, alone
from tests.powershell.test_script_text import COMMON_PARAMETERS, PWSH, needs_pwsh
from tests.shared import SHARED, needs_shared

Row = dict[str, Any]
HERE = Path(__file__).parent
TABLE = tomllib.loads((HERE / "dotnet.toml").read_text())
# Windows PowerShell 5.1 needs this much of .NET Framework; Windows Server 2016 brings 4.6.2.
NEWEST = {"framework": (4, 5, 2), "powershell": (5, 1)}
# What stands in a script by itself: it is to be its first line of work.
STRICT = ["Set-StrictMode -Version Latest", "$ErrorActionPreference = 'Stop'"]


def generated(plan: Plan, name: str) -> Iterator[tuple[str, bytes]]:
    """The scripts of a plan, by a file name that says which."""
    for target in script_targets(plan):
        for kind in KINDS:
            yield f"made-{name}-{target.name}-{kind}.ps1", script(kind, plan, digest(plan), target)


def files() -> Iterator[tuple[str, bytes]]:
    """Every script there is: the library, the collectors, what is written for a Windows team."""
    for folder in ("lib", "collect"):
        for path in sorted((scripts_folder() / folder).glob("*.ps1")):
            yield f"{folder}-{path.name}", path.read_bytes()
    for name, content in collector_files(["ca01.contoso.test"]).items():
        if name.endswith(".ps1"):
            yield f"made-{name}", content
    yield from generated(PLAN, "all")
    for kind in KINDS_OF_CHANGE:
        yield from generated(alone(kind), kind)


def read(folder: Path) -> list[Row]:
    """What PowerShell's parser finds in the files of a folder."""
    done = subprocess.run(
        [str(PWSH), "-NoProfile", "-NonInteractive", "-File", str(HERE / "read_script.ps1"), "-Folder", str(folder)],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    rows: list[Row] = json.loads(done.stdout)
    return rows


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    if PWSH is None:
        pytest.skip("there is no pwsh on PATH")
    folder, wanted = tmp_path_factory.mktemp("scripts"), dict(files())
    for name, content in wanted.items():
        (folder / name).write_bytes(content)
    found = read(folder)
    assert {row["file"] for row in found} == set(wanted)
    return found


def one_file(folder: Path, text: str) -> Row:
    """What is found in one script that a test makes up."""
    (folder / "made-up.ps1").write_text(text)
    return read(folder)[0]


def own_functions(rows: list[Row]) -> set[str]:
    return {name for row in rows for name in row["functions"]}


def own_names(rows: list[Row]) -> set[str]:
    """Names in the scripts' own tables, and of properties that commands answer: no members of .NET."""
    answers = {name for names in TABLE["answers"].values() for name in names}
    return answers | {name for row in rows for name in row["keys"]}


def known_members() -> dict[str, set[str]]:
    members: dict[str, set[str]] = {}
    for part in NEWEST:
        for name, versions in TABLE[part].items():
            members.setdefault(name, set()).update(versions)
    return members


def unknown_dotnet(row: Row, own: set[str]) -> Iterator[str]:
    """The types and members of one file that the table does not have."""
    known = known_members()
    anywhere = set().union(*known.values()) - {"type"}
    yield from (name for name in row["types"] if name not in known)
    for one in row["members"]:
        owner, member = one["owner"], one["member"]
        fits = member in known.get(owner, ()) if owner else member in anywhere or member in own
        if not fits:
            yield f"{row['file']}:{one['line']} {owner}.{member}"


def foreign_redirections(row: Row, ours: set[str]) -> list[Row]:
    """Commands that may be a program, by name or in a variable, and have a stream redirected."""
    cmdlet = re.compile(r"[A-Z]\w+-[A-Z]\w+")
    named = [one for one in row["commands"] if one["redirections"]]
    return [one for one in named if one["name"] not in ours and not cmdlet.fullmatch(one["name"])]


def test_every_kind_of_change_is_looked_at() -> None:
    shipped = {
        path.name.removesuffix(".write.j2") for path in (scripts_folder() / "templates" / "kinds").glob("*.write.j2")
    }
    assert set(KINDS_OF_CHANGE) == shipped
    assert len(dict(files())) > 60


@needs_pwsh
def test_no_syntax_of_later_versions(rows: list[Row]) -> None:
    assert [(row["file"], row["errors"], row["later"]) for row in rows if row["errors"] or row["later"]] == []


@needs_pwsh
def test_no_stream_of_a_program_is_redirected(rows: list[Row]) -> None:
    """5.1 turns the first line on a redirected error stream into an error that ends the script; 7 does not."""
    ours = own_functions(rows)
    assert [(row["file"], found) for row in rows if (found := foreign_redirections(row, ours))] == []


@needs_pwsh
def test_what_stands_by_itself_is_strict(rows: list[Row]) -> None:
    made = [row for row in rows if row["file"].startswith("made-")]
    assert made
    assert {row["file"]: row["start"] for row in made if row["start"] != STRICT} == {}


@needs_pwsh
def test_no_default_of_a_parameter_is_where_the_script_stands(rows: list[Row]) -> None:
    """5.1 does not know it yet when it gives an advanced script that was started by -File its parameters."""
    assert {row["file"]: row["placed"] for row in rows if row["placed"]} == {}


@needs_pwsh
def test_enumerations_are_given_by_their_types(rows: list[Row]) -> None:
    """.NET Framework has overloads that this runtime lacks: a text there may fit two enumerations alike."""
    assert {row["file"]: row["loose"] for row in rows if row["loose"]} == {}


@needs_pwsh
def test_get_help_shows_what_every_script_is_for(rows: list[Row]) -> None:
    """Synopsis and parameters, of what is written for a Windows team and of the collectors as they are shipped."""
    told = [row for row in rows if row["file"].startswith(("made-", "collect-"))]
    assert len(told) > 40
    for row in told:
        synopsis, *parameters = row["help"] or [""]
        assert synopsis, row["file"]
        assert sorted(map(str.lower, parameters)) == sorted(map(str.lower, row["parameters"])), row["file"]


@needs_pwsh
def test_every_type_and_member_is_in_the_table(rows: list[Row]) -> None:
    own = own_names(rows)
    assert sorted({line for row in rows for line in unknown_dotnet(row, own)}) == []


@needs_pwsh
def test_the_table_names_nothing_else(rows: list[Row]) -> None:
    """A short table: every member of it is touched, by the name that stands there."""
    touched = {one["member"] for row in rows for one in row["members"]} | {"type"}
    idle = {(name, member) for name, members in known_members().items() for member in members - touched}
    assert idle == set()


def test_the_table_names_nothing_too_new() -> None:
    for part, newest in NEWEST.items():
        for name, members in TABLE[part].items():
            assert "type" in members, name
            for member, version in members.items():
                assert tuple(map(int, version.split("."))) <= newest, (name, member)


@pytest.fixture(scope="module")
def reference() -> dict[str, dict[str, Any]]:
    """The commands of Windows PowerShell 5.1 and of the modules of Windows Server 2016: their parameters, by name."""
    assert SHARED is not None
    modules = json.loads((SHARED / "material" / "powershell51" / "commands.json").read_text())
    return {name: command["parameters"] for module in modules.values() for name, command in module.items()}


def wrong_parameters(row: Row, ours: set[str], reference: dict[str, dict[str, Any]]) -> Iterator[str]:
    """What a file calls that is neither its own nor in the reference: commands, parameters, values of parameters."""
    tables = {(one["within"], one["name"]): one["keys"] for one in row["splats"]}
    for one in row["commands"]:
        name, place = one["name"], f"{row['file']}:{one['line']} {one['name']}"
        if not name or name in ours:  # `& $Program`, and functions of our own
            continue
        if name not in reference:
            yield place
            continue
        known = {parameter.lower(): told for parameter, told in reference[name].items()}
        given = [*one["parameters"], *(key for splat in one["splatted"] for key in tables[one["within"], splat])]
        yield from (f"{place} -{item}" for item in given if item.lower() not in known and item not in COMMON_PARAMETERS)
        for parameter, value in one["arguments"]:
            values = known.get(parameter.lower(), {}).get("values")
            if values and value.lower() not in {accepted.lower() for accepted in values}:
                yield f"{place} -{parameter} {value}"


@needs_pwsh
@needs_shared
def test_every_command_parameter_and_value_is_in_the_reference(
    rows: list[Row], reference: dict[str, dict[str, Any]]
) -> None:
    ours = own_functions(rows)
    assert sorted({line for row in rows for line in wrong_parameters(row, ours, reference)}) == []


LATER = (
    "$a = if ($true) { 1 }; $b = $a ? 1 : 2", "$a ?? 1", "$a ??= 1", "1 && 2", "Get-Item a || 1", "${a}?.Length",
    "${a}?[0]",
    "class A { [int] $B }", "enum A { B }", "using namespace System.IO", "'a'..'c'", "'a' -replace 'a', { $_ }",
    "\"`u{1F600}\"",
    "\"`e[2J\"", "0b101", "17ul", "3n", "$IsWindows", "$PSStyle", "Get-Item a &", "function A { clean { 1 } }",
    "[array]::Empty[int]()",
)  # fmt: skip


@needs_pwsh
def test_later_syntax_would_be_seen(tmp_path: Path) -> None:
    for number, text in enumerate(LATER):
        (tmp_path / f"{number:02d}.ps1").write_text(text)
    found = sorted(read(tmp_path), key=lambda row: str(row["file"]))
    assert [LATER[number] for number, row in enumerate(found) if not row["later"]] == []


@needs_pwsh
def test_nothing_of_51_is_taken_for_later(tmp_path: Path) -> None:
    text = (
        "[System.Guid]::new('a'); 5kb; 10l; 0x1F; 1..3; \"`n`t``e\"; 'a' -replace 'a', 'u'; foreach ($a in 1) { $a?1 }"
    )
    assert one_file(tmp_path, text.rpartition(";")[0])["later"] == []


@needs_pwsh
def test_what_51_does_otherwise_would_be_seen(tmp_path: Path) -> None:
    text = """
        #Requires -Version 5.1
        <#
        .SYNOPSIS
        Not shown.
        #>
        [CmdletBinding()]
        param([string] $Path = (Join-Path -Path $PSScriptRoot -ChildPath 'a'))
        function Get-A { param($B = $MyInvocation.MyCommand, [string] $C) [System.IO.FileStream]::new($B, $C) }
        $mode = if ($true) { 'Open' } else { 'Create' }
        $stream = [System.IO.FileStream]::new('a', 'Open'); [System.IO.FileStream]::new('a', $mode)
        [System.IO.FileStream]::new('a', [System.IO.FileMode]::Open, ([System.IO.FileAccess] 'Read'))
    """
    row = one_file(tmp_path, "\n".join(line.strip() for line in text.strip().splitlines()))
    assert sorted(row["placed"]) == ["MyInvocation", "PSScriptRoot"]
    assert [one.rpartition(" ")[2] for one in row["loose"]] == ["$C", "'Open'", "$mode"]
    assert row["help"] == []


@needs_pwsh
def test_what_net_framework_lacks_would_be_seen(tmp_path: Path) -> None:
    text = """
        [System.IO.File]::Move('a', 'b', $true)
        function A { param([string] $B) $B.Contains('a', 'Ordinal') }
        function B { $c = [System.IO.MemoryStream]::new(); $c.ReadExactly(1) }
        $d = New-Object -TypeName 'System.Text.Json.JsonDocumentOptions'; $x.AsSpan()
        [System.Convert]::ToHexString($e); [System.HashCode] 1
    """
    row = one_file(tmp_path, text)
    missing = "\n".join(unknown_dotnet(row, own_names([row])))
    for name in ("File.Move/3", "System.HashCode", "String.Contains/2",
                 "MemoryStream.ReadExactly", "JsonDocumentOptions.new/0", "AsSpan/0",
                 "Convert.ToHexString/1"):  # fmt: skip
        assert name in missing


@needs_pwsh
def test_a_redirected_program_would_be_seen(tmp_path: Path) -> None:
    row = one_file(
        tmp_path, "certutil.exe -ping 2>&1; & $Program 2> $null; Get-Item a 2> $null; A 2> $null\nfunction A {}"
    )
    assert [one["name"] for one in foreign_redirections(row, {"A"})] == ["certutil.exe", ""]


@needs_pwsh
@needs_shared
def test_what_51_lacks_would_be_seen(tmp_path: Path, reference: dict[str, dict[str, Any]]) -> None:
    text = """
        Get-Content -LiteralPath a -AsByteStream; Get-Error; Set-Content -Path a -Value b -Encoding utf8NoBOM
        $s = @{ InputObject = 1; AsHashtable = $true }; ConvertFrom-Json @s
    """
    found = "\n".join(wrong_parameters(one_file(tmp_path, text), set(), reference))
    for name in ("-AsByteStream", "Get-Error", "-Encoding utf8NoBOM", "-AsHashtable"):
        assert name in found
