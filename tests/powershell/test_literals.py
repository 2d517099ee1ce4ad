"""Any text as a PowerShell literal: the real parser reads it back equal, and finds nothing in it but text."""

from __future__ import annotations

import base64
import json
import os
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remediate.model.plan import digest
from remediate.render.powershell.literal import literal
from remediate.render.powershell.script import KINDS, comment, script
from remediate.render.powershell.steps import script_targets
from tests.powershell.handover import POLICY_KEY, exclusions, make_plan, policy_server
from tests.powershell.test_script_text import PWSH, needs_pwsh

# One example holds this many texts: 25 examples are 10,000 of them, with one start of the engine each.
TEXTS, EXAMPLES = 400, 25

QUOTES = "'\u2018\u2019\u201a\u201b\"\u201c\u201d\u201e`"
AWKWARD = [
    "", *QUOTES, "$(Remove-Item *)", "$env:x", "@'\r\n", "\r\n'@", "@\"\n", "#>", "<#", "'; exit 0 #", "' + (calc) + '",
    "{0}", "%n", "\0", "\x1b[2J", "\u202e", "\u200b", "\u00a0", "\U0001f4a9", "\ud800", "\udfff", "\ufeff", "\u0085",
    "\u2028", "--%", "&&", "||", "${a}", "`u{1F4A9}", "[char]65", "Contoso Issuing CA",
]  # fmt: skip
# A plan is UTF-8, which has no lone surrogates.
IN_A_PLAN = [text for text in AWKWARD if not any("\ud800" <= one <= "\udfff" for one in text)]
TEXT = st.lists(st.one_of(st.sampled_from(AWKWARD), st.characters(), st.text(max_size=40)), max_size=6).map("".join)


def some_text(chance: random.Random) -> str:
    """Awkward pieces, plain ones and any UTF-16 units, in any order."""
    units = [chr(chance.randrange(0x10000)) for _ in range(chance.randrange(6))]
    plain = [chr(chance.randrange(0x20, 0x7F)) for _ in range(chance.randrange(40))]
    pieces = [chance.choice(AWKWARD), chance.choice(AWKWARD), "".join(units), "".join(plain)]
    return "".join(chance.sample(pieces, chance.randrange(1, 5)))


CHECK = r"""
param([string] $File)
$allowed = @('ScriptBlockAst', 'NamedBlockAst', 'PipelineAst', 'CommandExpressionAst', 'ParenExpressionAst',
    'StringConstantExpressionAst', 'ConstantExpressionAst', 'ConvertExpressionAst', 'BinaryExpressionAst',
    'TypeConstraintAst')
$bad = New-Object -TypeName 'System.Collections.Generic.List[string]'
foreach ($row in [System.IO.File]::ReadAllLines($File)) {
    $code, $wanted = $row.Split(' ')
    $code = [System.Text.Encoding]::ASCII.GetString([Convert]::FromBase64String($code))
    $tokens = $null; $errors = $null
    $tree = [System.Management.Automation.Language.Parser]::ParseInput($code, [ref] $tokens, [ref] $errors)
    if ($errors.Count -gt 0) { $bad.Add("does not parse: $code"); continue }
    foreach ($node in $tree.FindAll({ $true }, $true)) {
        $kind = $node.GetType().Name
        if ($allowed -notcontains $kind) { $bad.Add("holds a ${kind}: $code") }
        if ($kind -eq 'TypeConstraintAst' -and "$($node.TypeName)" -ne 'char') { $bad.Add("casts: $code") }
        if ($kind -eq 'BinaryExpressionAst' -and "$($node.Operator)" -ne 'Plus') { $bad.Add("computes: $code") }
        if ($kind -eq 'StringConstantExpressionAst' -and "$($node.StringConstantType)" -ne 'SingleQuoted') {
            $bad.Add("is not in single quotes: $code")
        }
    }
    $value = & $tree.GetScriptBlock()
    if ($value -isnot [string]) { $bad.Add("is no text: $code"); continue }
    $units = [byte[]] @(foreach ($one in $value.ToCharArray()) { [BitConverter]::GetBytes($one) })
    if ([Convert]::ToBase64String($units) -cne $wanted) { $bad.Add("is another text: $code") }
}
ConvertTo-Json -InputObject @($bad) -Compress
"""

SHAPE = r"""
param([string] $Folder)
$shapes = [ordered]@{}
foreach ($file in [System.IO.Directory]::GetFiles($Folder, '*.ps1')) {
    $tokens = $null; $errors = $null
    $tree = [System.Management.Automation.Language.Parser]::ParseFile($file, [ref] $tokens, [ref] $errors)
    $nodes = foreach ($node in $tree.FindAll({ $true }, $true)) {
        $kind = $node.GetType().Name
        $inside = $node
        while ($null -ne $inside -and $inside -isnot [System.Management.Automation.Language.HashtableAst]) {
            $inside = $inside.Parent
        }
        if ($null -eq $inside -or $kind -like 'Hashtable*' -or $kind -like 'Array*') { $kind }
    }
    $shapes[[System.IO.Path]::GetFileName($file)] = @{ errors = @($errors | ForEach-Object { "$_" })
        nodes = ($nodes -join ',') }
}
ConvertTo-Json -InputObject $shapes -Compress -Depth 4
"""


def powershell(folder: Path, source: str, *arguments: str) -> Any:
    path = folder / "check-literals.ps1.txt"
    path.write_text(source)
    run = folder / "run-check.ps1"
    path.replace(run)
    done = subprocess.run(
        [str(PWSH), "-NoProfile", "-NonInteractive", "-File", str(run), *arguments],
        capture_output=True, text=True, timeout=120, check=True, env=os.environ | {"NO_COLOR": "1"},
    )  # fmt: skip
    return json.loads(done.stdout)


def encoded(text: str) -> str:
    units = text.encode("utf-16-le", "surrogatepass")
    return " ".join(base64.b64encode(part).decode() for part in (literal(text).encode("ascii"), units))


@needs_pwsh
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(chance=st.randoms(use_true_random=False))
def test_every_text_comes_back_equal_and_nothing_runs(
    chance: random.Random, tmp_path_factory: pytest.TempPathFactory
) -> None:
    texts = [some_text(random.Random(chance.getrandbits(64))) for _ in range(TEXTS)]
    folder = tmp_path_factory.mktemp("literals")
    rows = folder / "rows.txt"
    rows.write_text("\n".join(encoded(text) for text in texts) + "\n")
    assert powershell(folder, CHECK, "-File", str(rows)) == []


@given(text=TEXT)
def test_a_literal_is_ascii_and_fits_a_comment(text: str) -> None:
    code = literal(text)
    assert all(" " <= one <= "~" or one == "\n" for one in code)
    assert "#>" not in code and "<#" not in code


def test_what_is_no_plain_word_of_ours_is_not_for_a_comment() -> None:
    for text in ("#>", "a\nb", "\u00e9", "<# x"):
        with pytest.raises(ValueError, match="not for a comment"):
            comment(text)


@needs_pwsh
def test_hostile_names_change_nothing_but_their_own_literals(tmp_path: Path) -> None:
    """The same plan with harmless and with hostile texts: below the data every node is the same."""
    for number, name in enumerate(["harmless", *IN_A_PLAN]):
        plan = make_plan(*_hostile(name))
        (target,) = script_targets(plan)
        for kind in KINDS:
            (tmp_path / f"{kind}-{number:03d}.ps1").write_bytes(script(kind, plan, digest(plan), target))
    checks = tmp_path / "checks"
    checks.mkdir()
    shapes = powershell(checks, SHAPE, "-Folder", str(tmp_path))
    assert len(shapes) == 3 * (len(IN_A_PLAN) + 1)
    for kind in KINDS:
        wanted = shapes[f"{kind}-000.ps1"]
        assert wanted["errors"] == []
        for name, found in shapes.items():
            if name.startswith(kind):
                assert found == wanted, name


def _hostile(name: str) -> list[Any]:
    import msgspec

    from remediate.model.places import PolicyServerPlace, RegistryPlace
    from remediate.model.plan import ExclusionState, PolicyServerState
    from tests.powershell.handover import HOST, disposition

    first, second, third = disposition(1), policy_server(2), exclusions(3)
    key = POLICY_KEY.replace("HKLM:", "HKLM").replace("Contoso Issuing CA", name)
    return [
        msgspec.structs.replace(
            first, place=RegistryPlace(HOST, key, "RequestDisposition", r"policy\RequestDisposition"), label=name
        ),
        msgspec.structs.replace(second, place=PolicyServerPlace(HOST, name), after=PolicyServerState(name)),
        msgspec.structs.replace(third, after=ExclusionState((name, "C:\\other")), undo_missing=name),
    ]
