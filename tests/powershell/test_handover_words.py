"""What a script tells the people who decide: of a DACL who gets what, of a drift what was expected, and no more lines
than things; and nothing that comes from elsewhere controls the console.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from remediate.model.plan import ExclusionState, digest
from remediate.render.powershell.library import functions_for
from remediate.render.powershell.script import script
from remediate.render.powershell.steps import plan_data, script_targets
from tests.lab.registry_file import number
from tests.powershell import handover
from tests.powershell.descriptors import ALLOW, ALLOW_OBJECT, AUTOENROLL, DENY, ENROLL, descriptor, entry
from tests.powershell.engine import Engine
from tests.powershell.every_kind import alone
from tests.powershell.handover import CA_KEY, POLICY_KEY, plant
from tests.powershell.test_handover_cycle import CA, lay_out, written
from tests.powershell.test_script_text import needs_pwsh
from tests.powershell.windows_like import make

DACL, FLAG = "nTSecurityDescriptor", "msPKI-Certificate-Name-Flag"
CONNECTOR, OTHER = "S-1-5-21-1-2-3-1105", "S-1-5-21-1-2-3-4000000000"
NAMES = {CONNECTOR: "CONTOSO\\CONN1$"}
READ = entry(ALLOW, "S-1-5-11", 0x20094)
ADMINS = entry(ALLOW, "S-1-5-21-1-2-3-519", 0xF01FF)
ENROLLS = entry(ALLOW_OBJECT, CONNECTOR, 0x100, right=ENROLL)
ENROLLS_TOLD = f"allow CONTOSO\\CONN1$ ({CONNECTOR}) Enroll"


def said(text: str) -> str:
    return " ".join(text.split())


def dacl(*entries: bytes) -> str:
    return base64.b64encode(descriptor(*entries)).decode("ascii")


def run(engine: Engine, folder: Path, line: str, **values: Any) -> str:
    """What a line says that calls functions of the library; `$v` holds the values."""
    (folder / "values.json").write_text(json.dumps(values))
    table = """
        function ConvertTo-Table { param($From) $t = @{}
            foreach ($p in $From.PSObject.Properties) {
                $t[$p.Name] = if ($p.Value -is [PSCustomObject]) { ConvertTo-Table $p.Value } else { $p.Value }
            }
            $t }
    """
    head = "Set-StrictMode -Version Latest; $ErrorActionPreference = 'Stop'\n"
    read = f"$v = ConvertTo-Table (ConvertFrom-Json ([System.IO.File]::ReadAllText('{folder}/values.json')))\n"
    body = f'{head}{functions_for(line)}{table}{read}try {{ {line} }} catch {{ "THREW $_" }}'
    return engine.run(f"& {{ {body} }}", make(folder).environment).text


# --- a DACL, entry by entry


ENTRIES = [
    (READ, "allow Authenticated Users (S-1-5-11) Read"),
    (ADMINS, "allow Enterprise Admins (S-1-5-21-1-2-3-519) Full control"),
    (ENROLLS, ENROLLS_TOLD),
    (entry(ALLOW_OBJECT, CONNECTOR, 0x100, right=AUTOENROLL), f"allow CONTOSO\\CONN1$ ({CONNECTOR}) Autoenroll"),
    (entry(ALLOW, OTHER, 0x100), f"allow {OTHER} All extended rights"),
    (entry(DENY, OTHER, 0x20), f"deny {OTHER} Write"),
    (entry(ALLOW, OTHER, 0xE00BC, flags=0x10),
     f"allow {OTHER} Read and Write and Change permissions and Take ownership and 0x8, inherited"),
    (entry(ALLOW_OBJECT, OTHER, 0x20, right=ENROLL), f"allow {OTHER} Write on {ENROLL}"),
    (entry(9, OTHER, 0x20), f"entry of type 9 for {OTHER} ("),
]  # fmt: skip


@needs_pwsh
def test_each_entry_by_account_and_right(tmp_path: Path, engine: Engine) -> None:
    line = "foreach ($text in @(Compare-Dacl -From '' -To $v.dacl -Account $v.names)) { $text }"
    told = run(engine, tmp_path, line, dacl=dacl(*(one for one, _ in ENTRIES)), names=NAMES)
    lines = [line.removeprefix("add ") for line in told.splitlines() if line.startswith("add ")]
    assert len(lines) == len(ENTRIES), told
    for line, (_, wanted) in zip(lines, ENTRIES, strict=True):
        assert line == wanted or (wanted.endswith("(") and line.startswith(wanted))


@needs_pwsh
@pytest.mark.parametrize(
    ("now", "told"),
    [([READ], [f"DACL: add {ENROLLS_TOLD}"]),
     ([READ, ADMINS], [f"DACL: add {ENROLLS_TOLD}", "DACL: remove allow Enterprise Admins"]),
     ([ENROLLS, READ], ["DACL: the same entries, with another order or inheritance"])],
)  # fmt: skip
def test_what_a_change_does_to_a_dacl(tmp_path: Path, engine: Engine, now: list[bytes], told: list[str]) -> None:
    line = "Format-StateChange -Now @{ nTSecurityDescriptor = $v.now } -Wanted @{ nTSecurityDescriptor = $v.after } "
    found = run(engine, tmp_path, line + "-Account $v.names", now=dacl(*now), after=dacl(READ, ENROLLS), names=NAMES)
    lines = [line for line in found.splitlines() if line]
    assert [line.startswith(want) for line, want in zip(lines, told, strict=True)] == [True] * len(told), found


@needs_pwsh
def test_a_drifted_dacl_tells_what_is_extra_and_what_is_missing(tmp_path: Path, engine: Engine) -> None:
    line = """
        $step = @{ Id = 1; Label = 'x'; Accounts = $v.names }
        $step.Before, $step.After = @{ nTSecurityDescriptor = $v.before }, @{ nTSecurityDescriptor = $v.after }
        Write-Drift -Entries @(@{ Step = $step; Now = @{ nTSecurityDescriptor = $v.now } })
    """
    stranger = entry(ALLOW, OTHER, 0x20)
    states = {"before": dacl(READ, ADMINS), "after": dacl(READ, ADMINS, ENROLLS), "now": dacl(READ, stranger)}
    told = [said(one) for one in run(engine, tmp_path, line, names=NAMES, **states).splitlines() if one]
    assert told[1].startswith("WARNING: approved nTSecurityDescriptor = DACL of 2 entries"), told
    assert "now nTSecurityDescriptor = DACL of 2 entries" in told[2]
    assert f": extra allow {OTHER} Write; missing allow Enterprise Admins (S-1-5-21-1-2-3-519) Full control" in told[2]
    assert told[3].endswith(f": with {ENROLLS_TOLD}")


def test_the_plan_gives_the_names_that_its_diff_tells() -> None:
    plan = alone("template")
    [target] = script_targets(plan)
    steps: Any = plan_data(plan, digest(plan), target)["Steps"]
    [step] = steps
    assert step["Accounts"] == {"S-1-5-21-286331153-286331153-286331153-1105": "CONTOSO\\CONN1$"}
    assert b"    'S-1-5-21-286331153-286331153-286331153-1105' = 'CONTOSO\\CONN1$'" in script(
        "change", plan, digest(plan), target
    )


# --- what a host waits for


NEEDED = """
    $step = @{ Id = 1; Kind = 'template'; Label = 'template X'; Accounts = $v.names }
    $step.Before, $step.After = $v.before, $v.after
    Confirm-NeededStep -Step $step -Now $v.now; 'MAY GO ON'
"""
REVISION = "msPKI-Template-Minor-Revision"


def needed(engine: Engine, folder: Path, *, flag: str, entries: list[bytes]) -> str:
    states = {
        "before": {FLAG: "0", DACL: dacl(READ, ADMINS), REVISION: "3"},
        "after": {FLAG: "1", DACL: dacl(READ, ADMINS, ENROLLS), REVISION: "4"},
        "now": {FLAG: flag, DACL: dacl(*entries), REVISION: "9"},
    }
    return said(run(engine, folder, NEEDED, names=NAMES, **states))


@needs_pwsh
def test_what_others_added_does_not_keep_a_host_waiting(tmp_path: Path, engine: Engine) -> None:
    entries = [READ, entry(ALLOW, OTHER, 0x20), ENROLLS]
    assert needed(engine, tmp_path, flag="1", entries=entries) == "MAY GO ON"


@needs_pwsh
def test_what_is_missing_is_said(tmp_path: Path, engine: Engine) -> None:
    told = needed(engine, tmp_path, flag="0", entries=[READ, ADMINS])
    assert f"now {FLAG} 0x0, wanted 0x1" in told
    assert f"now {DACL} missing {ENROLLS_TOLD}" in told
    assert "Run the directory's change.ps1 first and wait for replication: template X is not there yet." in told


# --- the words of a drift, each thing once


def test_a_rollback_speaks_of_what_the_change_left(tmp_path: Path, engine: Engine) -> None:
    desk = lay_out(tmp_path, engine, *CA)
    assert desk.change().code == 0
    desk.host.registry.set(POLICY_KEY, "RequestDisposition", number(3))
    before = written(desk.host)
    done = desk.rollback()
    lines = [one.removeprefix("WARNING:").strip() for one in done.text.splitlines() if one.startswith("WARNING:")]
    table = ["left      RequestDisposition = 0x1", "now       RequestDisposition = 0x3",
             "back to   RequestDisposition = 0x101"]  # fmt: skip
    assert (done.code, lines[1:4]) == (3, table), done.text
    assert lines[4].startswith("Somebody has changed this since change.ps1 left it")
    assert "approved" not in done.text and "new plan" not in done.text
    assert written(desk.host) == before


def test_each_step_is_told_once_when_it_stops(tmp_path: Path, engine: Engine) -> None:
    desk = lay_out(tmp_path, engine, *CA)
    desk.host.registry.deny(CA_KEY, "write")
    desk.host.registry.deny(POLICY_KEY, "none")
    done = desk.change()
    assert done.code == 4
    told = [line for line in done.text.splitlines() if line[:2] in ("1.", "2.", "3.")]
    assert [line.partition(":")[0] for line in told] == ["1. done", "2. begun, not completed", "3. not reached"]


def test_what_was_written_is_told_in_words_of_an_administrator() -> None:
    plan = alone("template")
    text = script("change", plan, digest(plan), script_targets(plan)[0]).decode("ascii")
    assert "overwritten values: " not in text
    assert "nothing that somebody else wrote was overwritten" in text


# --- names from elsewhere


HOSTILE = "x\x1b[2Ky\u202ez\r\nw\u200f"
SHOWN = "x\\u001b[2Ky\\u202ez w\\u200f"


def test_no_label_controls_the_console(tmp_path: Path, engine: Engine) -> None:
    place = handover.disposition().place
    first = handover.action(1, "ca_registry_value", place, handover.disposition().before, handover.disposition().after)
    desk = lay_out(tmp_path, engine, type(first)(**{f: getattr(first, f) for f in first.__struct_fields__} | {
        "label": HOSTILE, "disruption": HOSTILE}))  # fmt: skip
    shown = [desk.run("change", "-WhatIf").text, desk.run("change", "-WhatIf", "-Verbose").text, desk.verify().text]
    plant(desk.host, failures={"certutil -setreg": "0x80070005"})
    shown += [desk.change().text, desk.verify().text]
    plant(desk.host, failures={})
    shown += [desk.change().text, desk.rollback("-WhatIf").text]
    desk.host.registry.set(POLICY_KEY, "RequestDisposition", number(9))
    shown += [desk.rollback().text]
    for text in shown:
        assert SHOWN in text, text
        assert not {"\x1b", "\u202e", "\u200f"} & set(text), text
    assert desk.result()["steps"][0]["label"] == HOSTILE


@needs_pwsh
@pytest.mark.parametrize("name", ["Keys", "Values", "Count", "SyncRoot"])
def test_a_state_may_name_what_tables_have_themselves(tmp_path: Path, engine: Engine, name: str) -> None:
    line = """
        "same $(Test-SameState -Now $v.one -Wanted $v.one)"; "other $(Test-SameState -Now $v.one -Wanted $v.two)"
        "less $(Test-SameState -Now $v.two -Wanted $v.none)"; Format-State -State $v.one
        Format-StateChange -Now $v.one -Wanted $v.two
        $step = @{ Id = 1; Kind = 'template'; Label = 'x'; Before = $v.one; After = $v.two }
        "captured $((Get-CapturedState -Step $step -State ([PSCustomObject] $v.one))['NAME'])"
        Write-Drift -Entries @(@{ Step = $step; Now = $v.none })
    """.replace("NAME", name)
    one, two, none = {name: "published", "a": "1"}, {name: None, "a": "1"}, {name: "x", "a": "1"}
    told = said(run(engine, tmp_path, line, one=one, two=two, none=none))
    for wanted in ("same True", "other False", "less False", f"{name} = published", f"{name} published -> absent",
                   "captured published", f"approved {name} = published"):  # fmt: skip
        assert wanted in told, told


def test_a_template_of_such_a_name_is_published_all_the_way(tmp_path: Path, engine: Engine) -> None:
    """Whatever the states are named after: here the folders that Defender leaves alone."""
    place = handover.exclusions().place
    step = handover.action(1, "defender_exclusions", place, ExclusionState(()), ExclusionState(("Keys", "Count")))
    desk = lay_out(tmp_path, engine, step)
    assert desk.verify().code == 2
    assert desk.change().code == desk.verify().code == 0
    assert desk.change().code == desk.rollback().code == 0
    assert desk.verify().code == 2
