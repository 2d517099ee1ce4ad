"""Any text as a PowerShell literal: the real parser reads it back equal, and finds nothing in it but text."""

from __future__ import annotations

import base64
import json
import os
import random
import subprocess
import time
import timeit
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remediate.model.places import PolicyServerPlace, RegistryPlace
from remediate.model.plan import Action, ExclusionState, PolicyServerState, digest
from remediate.render.powershell.literal import literal
from remediate.render.powershell.script import KINDS, comment, script
from remediate.render.powershell.steps import script_targets
from tests.powershell.handover import HOST, POLICY_KEY, disposition, exclusions, make_plan, policy_server
from tests.powershell.test_script_text import PWSH, needs_pwsh

# One example is one start of the engine and this many texts: 10,000 in all.
TEXTS, EXAMPLES = 2_000, 5

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


# Every node is asked for by its type alone, with predicates that are compiled: `IsInstanceOfType` of the type.
NODES = r"""
$ErrorActionPreference = 'Stop'
$syntax = 'System.Management.Automation.Language'
$predicate = [Func[System.Management.Automation.Language.Ast, bool]]
$isA = [Type].GetMethod('IsInstanceOfType', [Type[]] @([object]))
function Find-Node($Tree, [string] $Kind) {
    $type = "$syntax.$Kind" -as [Type]
    $Tree.FindAll([Delegate]::CreateDelegate($predicate, $type, $isA), $true)
}
"""

# The literals, one to a statement of one script: the kinds of its nodes, and the values of the statements as one text.
CHECK = (
    "param([string] $File, [string] $Kinds)"
    + NODES
    + r"""
$tokens = $null; $errors = $null
$tree = [System.Management.Automation.Language.Parser]::ParseFile($File, [ref] $tokens, [ref] $errors)
$counts = @{}
foreach ($kind in $Kinds.Split(',')) { $counts[$kind] = @(Find-Node $tree $kind).Count }
function Select-One($Values) { , @([System.Collections.Generic.HashSet[string]]::new([string[]] @($Values))) }
$is = @{
    type = Select-One @(Find-Node $tree 'TypeConstraintAst').TypeName.FullName
    cast = Select-One @(Find-Node $tree 'ConvertExpressionAst').Child.StaticType.FullName
    operator = Select-One @(Find-Node $tree 'BinaryExpressionAst').Operator
    quotes = Select-One @(Find-Node $tree 'StringConstantExpressionAst').StringConstantType
}
$made = ($counts.Values | Measure-Object -Sum).Sum - $counts.Ast -eq $counts.Ast
$values = @(if ($errors.Count -eq 0 -and $made) { & $tree.GetScriptBlock() })
$text = [string]::Concat([string[]] $values)
$units = New-Object -TypeName 'byte[]' -ArgumentList (2 * $text.Length)
[System.Buffer]::BlockCopy($text.ToCharArray(), 0, $units, 0, $units.Length)
$found = @{
    errors = @(foreach ($one in $errors) { "$one" }); all = $counts.Ast; made = $made; is = $is
    statements = $tree.EndBlock.Statements.Count
    types = Select-One @($values.ForEach('GetType').FullName)
    lengths = @($values.ForEach('get_Length')); units = [System.Convert]::ToBase64String($units)
}
ConvertTo-Json -InputObject $found -Compress
"""
)
# All that a literal is made of, and what one statement of a script brings. None of these is another's base.
MADE_OF = (
    "ScriptBlockAst", "NamedBlockAst", "PipelineAst", "CommandExpressionAst", "ParenExpressionAst", "TypeConstraintAst",
    "ConstantExpressionAst", "ConvertExpressionAst", "BinaryExpressionAst",
)  # fmt: skip

# Every node in the order of the text: its kind, and where it begins and ends.
SHAPE = (
    "param([string] $Folder)"
    + NODES
    + r"""
$shapes = @{}
foreach ($file in [System.IO.Directory]::GetFiles($Folder, '*.ps1')) {
    $tokens = $null; $errors = $null
    $tree = [System.Management.Automation.Language.Parser]::ParseFile($file, [ref] $tokens, [ref] $errors)
    $rows = foreach ($node in Find-Node $tree 'Ast') {
        $extent = $node.Extent
        [string]::Concat($node.GetType().Name, ' ', $extent.StartOffset, ' ', $extent.EndOffset)
    }
    $shapes[[System.IO.Path]::GetFileName($file)] = @{ errors = @($errors | ForEach-Object { "$_" })
        nodes = $rows -join ',' }
}
ConvertTo-Json -InputObject $shapes -Compress -Depth 4
"""
)


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


def units(text: str) -> bytes:
    return text.encode("utf-16-le", "surrogatepass")


@needs_pwsh
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(chance=st.randoms(use_true_random=False))
def test_every_text_comes_back_equal_and_nothing_runs(
    chance: random.Random, tmp_path_factory: pytest.TempPathFactory
) -> None:
    quick = random.Random(chance.getrandbits(64))
    texts = [some_text(quick) for _ in range(TEXTS)]
    folder = tmp_path_factory.mktemp("literals")
    script_file = folder / "literals.txt"
    script_file.write_text("\n".join(map(literal, texts)) + "\n", "ascii")
    found = powershell(folder, CHECK, "-File", str(script_file), "-Kinds", ",".join(("Ast", *MADE_OF)))
    assert found["errors"] == []
    assert found["made"] and found["all"] > 4 * TEXTS
    assert found["is"] == {"type": ["char"], "cast": ["System.Int32"], "operator": ["Plus"], "quotes": ["SingleQuoted"]}
    assert found["statements"] == len(found["lengths"]) == TEXTS
    assert found["types"] == ["System.String"]
    assert found["lengths"] == [len(units(text)) // 2 for text in texts]
    assert base64.b64decode(found["units"]) == b"".join(map(units, texts))


@needs_pwsh
def test_long_texts_come_back_too(tmp_path: Path) -> None:
    """Longer than any sum that the engine could add up term by term."""
    texts = ["a" * 100_000, "\u00e9" * 6_000, "'\0" * 2_000, "#>" * 1_000]
    (tmp_path / "literals.txt").write_text("\n".join(map(literal, texts)) + "\n", "ascii")
    arguments = ("-File", str(tmp_path / "literals.txt"), "-Kinds", ",".join(("Ast", *MADE_OF)))
    found = powershell(tmp_path, CHECK, *arguments)
    assert found["errors"] == [] and found["made"]
    assert base64.b64decode(found["units"]) == b"".join(map(units, texts))


def test_the_time_of_a_literal_grows_with_its_length_only() -> None:
    def seconds(length: int) -> float:
        text = "O'Brien\u00e9#>" * (length // 10)
        return min(timeit.repeat(lambda: literal(text), timer=time.process_time, number=1, repeat=5))

    # Twenty times the length: 20 where it is linear, 400 where it is quadratic. Between them lies a loaded machine.
    assert seconds(400_000) < 100 * max(seconds(20_000), 0.001)


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
    """A plan of one harmless name in every place, and the same with hostile ones: all but the literals is equal."""
    checks = tmp_path / "checks"
    checks.mkdir()
    for name, texts in {"harmless": ["harmless"] * len(IN_A_PLAN), "hostile": IN_A_PLAN}.items():
        plan = make_plan(*(action for at, text in enumerate(texts) for action in _named(text, 3 * at + 1)))
        (target,) = script_targets(plan)
        for kind in KINDS:
            (tmp_path / f"{kind}-{name}.ps1").write_bytes(script(kind, plan, digest(plan), target))
    shapes = powershell(checks, SHAPE, "-Folder", str(tmp_path))
    assert len(shapes) == 2 * len(KINDS)
    for kind in KINDS:
        harmless, hostile = (_shape(shapes[f"{kind}-{name}.ps1"]) for name in ("harmless", "hostile"))
        assert len(harmless) > 1000
        assert harmless == hostile


def _shape(found: dict[str, Any]) -> list[str]:
    """The kinds of nodes, with each text of the data block as one, whatever expression it is."""
    assert found["errors"] == []
    nodes = [(kind, int(begin), int(end)) for kind, begin, end in map(str.split, found["nodes"].split(","))]
    first, last = next((begin, end) for kind, begin, end in nodes if kind == "HashtableAst")
    shape, text = [], (0, 0)
    for kind, begin, end in nodes:
        if text[0] <= begin and end <= text[1]:
            assert kind in (*MADE_OF, "StringConstantExpressionAst")
        elif first < begin < last and kind in ("StringConstantExpressionAst", "ParenExpressionAst"):
            text = (begin, end)
            shape.append("text")
        else:
            shape.append(kind)
    return shape


def _named(name: str, number: int) -> list[Action]:
    """Three actions with the name in every place that a name can have."""
    first, second, third = disposition(number), policy_server(number + 1), exclusions(number + 2)
    key = POLICY_KEY.replace("HKLM:", "HKLM").replace("Contoso Issuing CA", name)
    place = RegistryPlace(HOST, key, "RequestDisposition", r"policy\RequestDisposition")
    return [
        msgspec.structs.replace(first, place=place, label=name),
        msgspec.structs.replace(second, place=PolicyServerPlace(HOST, name), after=PolicyServerState(name)),
        msgspec.structs.replace(third, after=ExclusionState((name, "C:\\other")), undo_missing=name),
    ]
